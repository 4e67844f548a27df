//! The body of an upstream's answer, from the network or from the simulated provider.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::Http1Body;
use crate::sim::SimBody;

/// An answer's body. Dropping it before its end cancels the call upstream: the connection (HTTP/1) or the stream
/// (HTTP/2) is closed at once.
#[derive(Debug)]
pub enum AnswerBody {
    /// From the network, in clear.
    Http1(Http1Body),
    /// From the network, over TLS, or for an upgrade.
    Http(Incoming),
    /// From the simulated provider in this process.
    Sim(SimBody),
}

/// The answer broke off.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BodyError(String);

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Http1(body) => {
                Pin::new(body).poll_frame(context).map_err(|error| BodyError(error.to_string()))
            }
            Self::Http(body) => {
                Pin::new(body).poll_frame(context).map_err(|error| BodyError(error.to_string()))
            }
            Self::Sim(body) => {
                Pin::new(body).poll_frame(context).map_err(|error| BodyError(error.to_string()))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http(body) => body.is_end_stream(),
            Self::Sim(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http(body) => body.size_hint(),
            Self::Sim(body) => body.size_hint(),
        }
    }
}

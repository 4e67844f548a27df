//! The body of an answer to a client.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::pump::Pump;
use crate::through::Through;

/// What goes to the client: a whole body, a stream of events that is metered, or bytes passed through.
#[derive(Debug)]
pub enum GatewayBody {
    /// A whole body.
    Full(Option<Bytes>),
    /// A stream of events.
    Events(Box<Pump>),
    /// Bytes as they come.
    Through(Box<Through>),
}

impl GatewayBody {
    /// A body of these bytes.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::Full((!bytes.is_empty()).then_some(bytes))
    }
}

/// The answer broke off. The connection to the client ends, so that it can't take a part for the whole.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BrokenAnswer(pub(crate) String);

impl Body for GatewayBody {
    type Data = Bytes;
    type Error = BrokenAnswer;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenAnswer>>> {
        match self.get_mut() {
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Events(pump) => pump.poll(context).map(|chunk| chunk.map(|bytes| Ok(Frame::data(bytes)))),
            Self::Through(through) => through.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Full(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Events(_) | Self::Through(_) => SizeHint::default(),
        }
    }
}

//! Whether a request has left us: what never went out can't be billed. What became of it is the answer's to tell.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;

/// Whether anything of a request has gone out: from then on an upstream may work on it. Clones tell of the same request.
#[derive(Debug, Clone, Default)]
pub struct Dispatch(Arc<AtomicBool>);

impl Dispatch {
    /// Whether it has begun. A request that is waiting for a connection, or for TLS on one, has not.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Somebody has the request now.
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A request's body that tells when a connection takes it, which is when the request's head is written.
#[derive(Debug)]
pub(crate) struct WatchedBody {
    body: Full<Bytes>,
    dispatch: Dispatch,
}

impl WatchedBody {
    pub(crate) const fn new(body: Full<Bytes>, dispatch: Dispatch) -> Self {
        Self { body, dispatch }
    }
}

impl Body for WatchedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.dispatch.begin();
        Pin::new(&mut self.body).poll_frame(context)
    }

    /// A connection that writes a request asks this first, and never asks for a frame of an empty body.
    fn is_end_stream(&self) -> bool {
        self.dispatch.begin();
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

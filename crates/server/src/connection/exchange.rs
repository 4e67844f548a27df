//! What a connection is at, as its reading and its answering side both need to know it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// What a connection is at: waiting for a request, or answering one.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    answering: AtomicBool,
    ends_at: Mutex<Option<Instant>>,
}

impl Exchange {
    /// A request has come. Until what this gives is dropped it is being answered.
    pub(super) fn begin(self: &Arc<Self>) -> Answering {
        self.answering.store(true, Ordering::Relaxed);
        Answering(Arc::clone(self))
    }

    /// Whether the next bytes belong to the head of a request.
    pub(super) fn is_waiting(&self) -> bool {
        !self.answering.load(Ordering::Relaxed)
    }

    /// When the answer that is under way must be over.
    pub(super) fn ends_at(&self) -> Option<Instant> {
        *self.ends_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_end(&self, at: Option<Instant>) {
        *self.ends_at.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}

/// An answer that is under way; when it is dropped, sent or not, the connection waits for the next request. Only then does
/// its idle time run: a stream may be quiet for as long as its upstream's time-outs allow.
#[derive(Debug)]
pub(super) struct Answering(Arc<Exchange>);

impl Answering {
    /// It must be over by then.
    pub(super) fn ends_at(&self, at: Option<Instant>) {
        self.0.set_end(at);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.set_end(None);
        self.0.answering.store(false, Ordering::Relaxed);
    }
}

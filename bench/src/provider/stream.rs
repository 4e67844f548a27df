//! The body of a stream: an event, a pause, an event, each stamped when it is handed over for sending.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep};

use super::{Wanted, answer};
use crate::stamp;

/// The first event at once, the others at fixed times after it, however long each takes to be read.
#[derive(Debug)]
pub(super) struct Events {
    wanted: Wanted,
    sent: u32,
    ended: bool,
    /// When the next event is due; `None`: all of them are, at once.
    pace: Option<Pin<Box<Sleep>>>,
    due: Instant,
}

impl Events {
    pub(super) fn new(wanted: Wanted) -> Self {
        let due = Instant::now() + wanted.gap;
        let pace = (!wanted.gap.is_zero()).then(|| Box::pin(tokio::time::sleep_until(due)));
        Self { wanted, sent: 0, ended: false, pace, due }
    }

    fn poll_due(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let (Some(pace), true) = (&mut self.pace, self.sent > 0) {
            ready!(pace.as_mut().poll(context));
            self.due += self.wanted.gap;
            pace.as_mut().reset(self.due);
        }
        Poll::Ready(())
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if self.sent == self.wanted.events {
            self.ended = true;
            return Poll::Ready(Some(Ok(Frame::data(answer::ending(&self.wanted)))));
        }
        ready!(self.poll_due(context));
        self.sent += 1;
        Poll::Ready(Some(Ok(Frame::data(answer::delta(&self.wanted, stamp::now())))))
    }
}

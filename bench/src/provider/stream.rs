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

/// Events that come at fixed times after the first, however long each takes to be read.
#[derive(Debug)]
pub(super) struct Events {
    wanted: Wanted,
    sent: u32,
    next: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
    ended: bool,
}

impl Events {
    pub(super) fn new(wanted: Wanted) -> Self {
        let sleep = (!wanted.gap.is_zero()).then(|| Box::pin(tokio::time::sleep_until(Instant::now())));
        Self { wanted, sent: 0, next: Instant::now(), sleep, ended: false }
    }

    fn poll_pause(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(sleep) = &mut self.sleep
            && self.sent > 0
        {
            ready!(sleep.as_mut().poll(context));
            self.next += self.wanted.gap;
            sleep.as_mut().reset(self.next);
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
        ready!(self.poll_pause(context));
        if self.sent == 0 {
            self.next = Instant::now() + self.wanted.gap;
            let next = self.next;
            if let Some(sleep) = &mut self.sleep {
                sleep.as_mut().reset(next);
            }
        }
        self.sent += 1;
        Poll::Ready(Some(Ok(Frame::data(answer::delta(&self.wanted, stamp::now())))))
    }
}

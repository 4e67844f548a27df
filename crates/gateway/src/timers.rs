//! The time-outs of an answer under way.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use seawall_types::Code;
use tokio::time::{Instant, Sleep};

use crate::refusal::Refusal;

/// The two time-outs of an answer under way: between two pieces, and for all of it. The timer is only set anew when it
/// fires, not for every piece.
#[derive(Debug)]
pub(crate) struct Timers {
    idle: Duration,
    last: Instant,
    end: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Timers {
    pub(crate) fn new(idle: Duration, end: Instant) -> Self {
        let last = Instant::now();
        Self { idle, last, end, sleep: Box::pin(tokio::time::sleep_until((last + idle).min(end))) }
    }

    /// When all of it must be over.
    pub(crate) fn ends_at(&self) -> Instant {
        self.end
    }

    pub(crate) fn progress(&mut self) {
        self.last = Instant::now();
    }

    /// Ready with the reason when one of them has passed.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Refusal> {
        loop {
            ready!(self.sleep.as_mut().poll(context));
            let (now, quiet) = (Instant::now(), self.last + self.idle);
            if now >= self.end {
                return Poll::Ready(timed_out("the upstream's answer took too long as a whole"));
            }
            if now >= quiet {
                return Poll::Ready(timed_out("the upstream fell silent in the middle of its answer"));
            }
            self.sleep.as_mut().reset(quiet.min(self.end));
        }
    }
}

fn timed_out(message: &str) -> Refusal {
    Refusal::new(Code::UpstreamTimeout, message, "try again, or raise the upstream's time-outs (idle, total)")
}

//! Waiting until an event is on the disk, without any particular runtime.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::queue::Queue;
use crate::Unavailable;

/// A recorded event's place in the order of all events; nothing when the event was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(pub(super) Option<u64>);

/// Ready when one event is on the disk, see [`crate::Handle::durable`].
#[must_use = "a future does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Durable {
    queue: Arc<Queue>,
    ticket: Ticket,
    /// How often the disk had refused when the waiting began: one more, and this event may be among the casualties.
    failures: u64,
    /// The waker that the queue has of us. It keeps it until it has called it.
    registered: Option<Waker>,
}

impl Durable {
    pub(super) fn new(queue: Arc<Queue>, ticket: Ticket) -> Self {
        let failures = queue.failures();
        Self { queue, ticket, failures, registered: None }
    }

    fn outcome(&self) -> Option<Result<(), Unavailable>> {
        self.queue.outcome(self.ticket, self.failures)
    }
}

impl Future for Durable {
    type Output = Result<(), Unavailable>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(outcome) = self.outcome() {
            return Poll::Ready(outcome);
        }
        if self.registered.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            return Poll::Pending;
        }
        self.registered = Some(context.waker().clone());
        self.queue.wake_when_durable(self.ticket, context.waker());
        // The event may have got there between the first look and the registration.
        self.outcome().map_or(Poll::Pending, Poll::Ready)
    }
}

//! Busy polling: a worker whose connections have just moved asks the kernel for more, for a while, before it sleeps.
//!
//! Waking a thread that sleeps on an idle processor takes tens of microseconds in a virtual machine, at each hop of a call
//! and at each event of a stream: often more than everything else that the gateway adds. Who has processors to spare can
//! buy that back (`gateway.busy_poll`). What sets it apart from asking for ever, as `busy-polling` of HAProxy does: with
//! nothing to do for that long, the worker sleeps as any other.
//!
//! Counted are the bytes of clients' HTTP connections, in either direction. Websockets are not: they neither begin nor
//! prolong it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// What the connections of one worker tell it. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct BusyPoll {
    /// How long it is asked after the last movement.
    lasts: Duration,
    movement: Arc<Movement>,
}

#[derive(Debug, Default)]
struct Movement {
    count: AtomicU64,
    /// The worker waits for the next one.
    awaited: AtomicBool,
    next: Notify,
}

impl BusyPoll {
    /// `None` when it lasts no time at all.
    pub(crate) fn new(lasts: Duration) -> Option<Self> {
        (!lasts.is_zero()).then(|| Self { lasts, movement: Arc::default() })
    }

    /// Bytes came or went on a connection. Called from the worker's own thread alone, so a plain addition does.
    pub(crate) fn moved(&self) {
        let Movement { count, awaited, next } = &*self.movement;
        count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        if awaited.load(Ordering::Relaxed) {
            // Told once: what is told again before anybody has heard it would be kept for the next rest.
            awaited.store(false, Ordering::Relaxed);
            next.notify_one();
        }
    }

    /// Keeps the runtime that it runs on from sleeping while there is movement. Never ends; a task of its own, so that
    /// its turn comes behind those that the kernel's news have woken.
    pub(crate) async fn run(self) {
        loop {
            self.next_movement().await;
            self.poll_until_still().await;
        }
    }

    async fn next_movement(&self) {
        self.movement.awaited.store(true, Ordering::Relaxed);
        self.movement.next.notified().await;
    }

    /// A task that yields is one that the runtime has to come back to, so it looks for events without waiting for any.
    async fn poll_until_still(&self) {
        let (mut seen, mut since) = (self.count(), Instant::now());
        loop {
            tokio::task::yield_now().await;
            let (count, now) = (self.count(), Instant::now());
            if count != seen {
                (seen, since) = (count, now);
            } else if now.duration_since(since) >= self.lasts {
                return;
            } else {
                // Whoever else wants the processor has something to do: who accepts connections, who writes the trace.
                thread::yield_now();
            }
        }
    }

    fn count(&self) -> u64 {
        self.movement.count.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use seawall_base::tasks::Group;

    use super::*;

    const LASTS: Duration = Duration::from_millis(10);

    /// Counts how often it is polled.
    struct Counted(Pin<Box<dyn Future<Output = ()> + Send>>, Arc<AtomicU64>);

    impl Future for Counted {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.as_mut().poll(context)
        }
    }

    /// How often it is polled in ten turns of the runtime.
    async fn polled(polls: &AtomicU64) -> u64 {
        tokio::task::yield_now().await;
        let before = polls.load(Ordering::Relaxed);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        polls.load(Ordering::Relaxed) - before
    }

    #[tokio::test(start_paused = true)]
    async fn it_polls_from_a_movement_on_until_all_was_still_for_as_long_as_it_lasts() {
        let (busy_poll, polls) = (BusyPoll::new(LASTS).unwrap(), Arc::new(AtomicU64::new(0)));
        let polling = Counted(Box::pin(busy_poll.clone().run()), Arc::clone(&polls));
        let task = Group::new().spawn("polling", polling);
        assert_eq!(polled(&polls).await, 0, "nothing has moved");

        // A request that is read and answered before the poller has its turn.
        busy_poll.moved();
        busy_poll.moved();
        assert_eq!(polled(&polls).await, 10);
        for _ in 0..3 {
            tokio::time::advance(LASTS - Duration::from_nanos(1)).await;
            busy_poll.moved();
            assert_eq!(polled(&polls).await, 10, "movement prolongs it");
        }
        tokio::time::advance(LASTS).await;
        assert_eq!(polled(&polls).await, 0, "all was still");

        busy_poll.moved();
        assert_eq!(polled(&polls).await, 10, "it begins again");
        task.abort();
    }

    #[test]
    fn none_at_all_is_none() {
        assert!(BusyPoll::new(Duration::ZERO).is_none());
    }
}

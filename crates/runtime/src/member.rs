//! Being a worker: a lease that is renewed, and what may be done under it.
//!
//! The store's clock says when a lease ends; this process's own says how long ago it was renewed. In between there is room
//! for a process that was frozen: no tool begins unless the lease was renewed less than half of its length ago.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use seawall_store::agents::{Worker, WorkerId};
use seawall_types::Clock;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A worker from its first renewal until its lease lapses.
#[derive(Debug)]
pub(crate) struct Member {
    worker: Worker,
    clock: Arc<dyn Clock>,
    /// When the last renewal was asked for, in microseconds of the monotonic clock.
    renewed: AtomicU64,
    renewals: Notify,
    lapsed: CancellationToken,
}

impl Member {
    pub(crate) fn new(worker: Worker, clock: Arc<dyn Clock>) -> Arc<Self> {
        let (renewals, lapsed) = (Notify::new(), CancellationToken::new());
        Arc::new(Self { worker, clock, renewed: AtomicU64::new(0), renewals, lapsed })
    }

    pub(crate) fn worker(&self) -> &Worker {
        &self.worker
    }

    pub(crate) fn id(&self) -> &WorkerId {
        &self.worker.id
    }

    /// The monotonic time in microseconds.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.clock.monotonic().as_micros()).unwrap_or(u64::MAX)
    }

    /// The store has renewed the lease that was asked for at this time.
    pub(crate) fn renewed(&self, asked_at: u64) {
        self.renewed.store(asked_at, Ordering::SeqCst);
        self.renewals.notify_waiters();
    }

    /// The lease is over: what was held may be another's.
    pub(crate) fn lapse(&self) {
        self.lapsed.cancel();
        self.renewals.notify_waiters();
    }

    /// Ends with the lease.
    pub(crate) async fn lapsed(&self) {
        self.lapsed.cancelled().await;
    }

    /// How long ago the lease was renewed.
    pub(crate) fn age(&self) -> Duration {
        Duration::from_micros(self.now().saturating_sub(self.renewed.load(Ordering::SeqCst)))
    }

    /// Whether the lease must have ended by now, whatever the store would say.
    pub(crate) fn is_over(&self) -> bool {
        self.lapsed.is_cancelled() || self.age() >= self.worker.lease
    }

    /// Whether something may begin, as far as is known without waiting.
    pub(crate) fn may_begin_now(&self) -> bool {
        !self.lapsed.is_cancelled() && self.age() < self.worker.lease / 2
    }

    /// Waits until something that can't be undone may begin. `false`: it may not, the lease is over.
    pub(crate) async fn may_begin(&self) -> bool {
        loop {
            let renewal = self.renewals.notified();
            if self.may_begin_now() {
                return true;
            }
            if self.lapsed.is_cancelled() {
                return false;
            }
            tokio::select! {
                () = renewal => {}
                () = self.lapsed.cancelled() => return false,
            }
        }
    }
}

//! Wakes who waits for a decision, in this process. Decisions of other processes are looked for.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Rung at every decision; it does not say which.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rings: Mutex<u64>,
    threads: Condvar,
    tasks: Notify,
}

impl Bell {
    pub(super) fn ring(&self) {
        let mut rings = self.lock();
        *rings = rings.wrapping_add(1);
        self.threads.notify_all();
        self.tasks.notify_waiters();
    }

    /// How often it has been rung. Ask before looking, and nothing that comes after the look is missed.
    pub(super) fn rings(&self) -> u64 {
        *self.lock()
    }

    /// Blocks until it has been rung more often than `heard`, at most so long.
    pub(super) fn wait(&self, heard: u64, at_most: Duration) {
        let rings = self.lock();
        let is_silent = |rings: &mut u64| *rings == heard;
        let _rung_or_not = self.threads.wait_timeout_while(rings, at_most, is_silent);
    }

    /// Ready when it is rung after this call.
    pub(super) fn rung(&self) -> Notified<'_> {
        self.tasks.notified()
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        // A number is never half-changed.
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

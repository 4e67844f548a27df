//! A bound on all the bytes that requests buffer together: past it a request is refused, instead of the process killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes that may still be buffered.
#[derive(Debug)]
pub struct ByteBudget {
    used: AtomicUsize,
}

impl ByteBudget {
    /// A budget of which nothing is used. Its limit is told with each taking, so that it may change.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0) })
    }

    /// An empty share of the budget.
    #[must_use]
    pub fn share(self: &Arc<Self>) -> Share {
        Share { budget: Arc::clone(self), bytes: 0 }
    }

    /// How many bytes are buffered now.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// What one request buffers. Given back when dropped.
#[derive(Debug)]
pub struct Share {
    budget: Arc<ByteBudget>,
    bytes: usize,
}

impl Share {
    /// Takes `bytes` more; `false`, and nothing taken, when that passes `limit` over all requests.
    #[must_use]
    pub fn take(&mut self, bytes: usize, limit: usize) -> bool {
        let add = |used: usize| used.checked_add(bytes).filter(|&sum| sum <= limit);
        let taken = self.budget.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok();
        self.bytes += if taken { bytes } else { 0 };
        taken
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_and_what_is_dropped_comes_back() {
        let budget = ByteBudget::new();
        let (mut first, mut second) = (budget.share(), budget.share());
        assert!(first.take(60, 100));
        assert!(!second.take(50, 100));
        assert!(second.take(40, 100));
        drop(first);
        assert_eq!(budget.used(), 40);
    }
}

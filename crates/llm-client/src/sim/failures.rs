//! How often requests have failed because of `sim:fail`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// So many requests are remembered; past that all are forgotten.
const REMEMBERED: usize = 10_000;

/// The failures of each request, by its digest.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<HashMap<blake3::Hash, u32>>);

impl Failures {
    /// Whether the request is to fail once more, which is counted.
    pub(crate) fn fails(&self, digest: blake3::Hash, times: u32) -> bool {
        let mut failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.len() >= REMEMBERED {
            failed.clear();
        }
        let count = failed.entry(digest).or_default();
        let fails = *count < times;
        *count = count.saturating_add(u32::from(fails));
        fails
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

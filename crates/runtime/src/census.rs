//! Counting the agents of the store now and then: for those who watch, and to turn work away when too much waits.
//!
//! The counts are seconds old. Whoever needs to know exactly asks the store.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use seawall_store::agents::Census;

use crate::shared::Shared;

/// How long the counts are good for, at the least.
const GOOD_FOR: Duration = Duration::from_secs(2);

/// How much longer than for counting is waited until the next time: a large store is not kept busy by it.
const REST: u32 = 20;

/// What was counted last. `None`: nothing yet.
#[derive(Debug, Default)]
pub(crate) struct Counted(Mutex<Option<Arc<Census>>>);

impl Counted {
    pub(crate) fn get(&self) -> Option<Arc<Census>> {
        // The value is swapped whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, census: Census) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(census));
    }
}

/// Counts until the runtime stops.
pub(crate) async fn keep_counting(shared: Arc<Shared>) {
    loop {
        let began = shared.clock.monotonic();
        match shared.store.census().await {
            Ok(census) => shared.census.set(census),
            // What was counted last stays: whoever watches sees the store's own failures.
            Err(error) => tracing::debug!(%error, "the agents of the store can't be counted; trying again"),
        }
        let took = shared.clock.monotonic().saturating_sub(began);
        let pause = GOOD_FOR.max(took.saturating_mul(REST));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shared.stopping.cancelled() => return,
        }
    }
}

//! Claims whose answers were lost. The store may have made them, and then says of agents that this worker holds them, of which
//! nobody here knows: as long as the lease is renewed nobody else would take them up.
//!
//! So what the store says is held against what is held, from such a claim on for as long as it may still be on its way. An
//! agent that is missing here is given back, and whoever has room takes it up if it is due.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seawall_store::StoreError;
use tokio::time::Instant;

use crate::member::Member;
use crate::shared::Shared;

/// How long after a look the next one is made.
const EVERY: Duration = Duration::from_millis(500);

/// Whether claims are in doubt.
#[derive(Debug, Default)]
pub(crate) struct Doubt(Mutex<Option<Open>>);

#[derive(Debug, Clone, Copy)]
struct Open {
    until: Instant,
    next: Instant,
}

impl Doubt {
    /// A claim was not answered. It may have been made, or be made within this time.
    pub(crate) fn raise(&self, within: Duration) {
        let now = Instant::now();
        let mut open = self.open();
        let next = open.map_or(now, |open| open.next);
        *open = now.checked_add(within).map(|until| Open { until, next });
    }

    /// Whether to look now.
    fn is_to_look(&self) -> bool {
        let now = Instant::now();
        let mut open = self.open();
        let Some(doubt) = open.as_mut() else { return false };
        if now < doubt.next {
            return false;
        }
        if now < doubt.until {
            doubt.next = now.checked_add(EVERY).unwrap_or(now);
        } else {
            // Once more after the time is up, and never again.
            *open = None;
        }
        true
    }

    /// Of changes here none is half-done.
    fn open(&self) -> MutexGuard<'_, Option<Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives back what this worker holds and nobody here does, where there is any doubt.
pub(crate) async fn settle(shared: &Shared, member: &Member) {
    if shared.doubt.is_to_look()
        && let Err(error) = give_back(shared, member).await
    {
        tracing::debug!(%error, "what is held can't be compared with the store; trying again");
        shared.doubt.raise(shared.settings.lease);
    }
}

async fn give_back(shared: &Shared, member: &Member) -> Result<(), StoreError> {
    for held in shared.store.held(member.id()).await? {
        if !shared.live.holds(&held.agent) {
            tracing::info!(agent = %held.agent, "the agent was claimed and nobody heard of it; it is given back");
            shared.store.release(&held.agent, held.epoch).await?;
        }
    }
    Ok(())
}

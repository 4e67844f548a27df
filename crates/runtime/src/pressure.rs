//! Turning work away when more of it waits than will be done in good time.
//!
//! Messages that would begin a turn are refused where too many agents wait for a worker, or the first of them has waited too
//! long; of one tenant, where too many of its own do. What is said to an agent that is held here waits for nobody, and
//! decisions, interruptions and reminders are always taken: they make the queue no longer.

use std::sync::Arc;
use std::time::Duration;

use seawall_engine::AgentId;
use seawall_store::agents::Census;

use crate::AgentError;
use crate::shared::Shared;

/// How much may wait for a worker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueLimits {
    /// Agents. `None`: any number.
    pub depth: Option<u64>,
    /// How long the first of them. `None`: as long as it takes.
    pub age: Option<Duration>,
    /// Agents of one tenant. `None`: any number.
    pub tenant_depth: Option<u64>,
}

/// When to come back, at the least and at the most.
const SOON: Duration = Duration::from_secs(2);
const LATE: Duration = Duration::from_mins(1);

/// Whether a message that begins a turn is taken.
pub(crate) async fn admit(shared: &Shared, id: &AgentId) -> Result<(), AgentError> {
    let limits = shared.settings.queue;
    let Some(census) = shared.census.get() else { return Ok(()) };
    if shared.live.find(id).is_some() {
        return Ok(());
    }
    let waiting = census.waits();
    let is_deep = limits.depth.is_some_and(|most| waiting >= most);
    let is_old = limits.age.is_some_and(|most| waiting > 0 && census.oldest >= most);
    if is_deep || is_old {
        return Err(busy(&census, waiting, None));
    }
    let Some(most) = limits.tenant_depth else { return Ok(()) };
    // Whose the agent is matters only where somebody has too many.
    if census.waiting.values().all(|waiting| *waiting < most) {
        return Ok(());
    }
    let Some(row) = shared.store.agent(id).await? else { return Ok(()) };
    match census.waiting.get(&row.owner.tenant) {
        Some(waiting) if *waiting >= most => Err(busy(&census, *waiting, row.owner.tenant)),
        _ => Ok(()),
    }
}

fn busy(census: &Census, waiting: u64, tenant: Option<Arc<str>>) -> AgentError {
    // The longer the first has waited, the longer it takes until there is room.
    let retry_after = (census.oldest / 4).clamp(SOON, LATE);
    AgentError::Busy { waiting, oldest: census.oldest, tenant, retry_after }
}

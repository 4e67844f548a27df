//! How many agents there are in which state, and how many of them wait for a worker.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use seawall_engine::AgentState;
use seawall_types::Timestamp;

use super::row::AgentRow;

/// How many agents there are of what kind. Those that were put away don't count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// By their states ([`AgentState::as_str`]).
    pub states: BTreeMap<Arc<str>, u64>,
    /// By tenant: those that are due and that nobody holds who is alive.
    pub waiting: BTreeMap<Option<Arc<str>>, u64>,
    /// How long the one of these has waited that waits longest.
    pub oldest: Duration,
}

impl Census {
    /// How many wait, of all tenants.
    #[must_use]
    pub fn waits(&self) -> u64 {
        self.waiting.values().copied().fold(0, u64::saturating_add)
    }

    /// How many are in this state.
    #[must_use]
    pub fn of(&self, state: AgentState) -> u64 {
        self.states.get(state.as_str()).copied().unwrap_or(0)
    }

    /// Counts so many agents that are in this state.
    pub fn count(&mut self, state: &str, agents: u64) {
        let count = self.states.entry(state.into()).or_default();
        *count = count.saturating_add(agents);
    }

    /// Counts so many agents of a tenant that wait, the first of them for so long.
    pub fn count_waiting(&mut self, tenant: Option<Arc<str>>, agents: u64, oldest: Duration) {
        let count = self.waiting.entry(tenant).or_default();
        *count = count.saturating_add(agents);
        self.oldest = self.oldest.max(oldest);
    }

    /// Counts an agent that somebody holds, or nobody.
    pub fn add(&mut self, row: &AgentRow, is_held: bool, now: Timestamp) {
        if row.is_archived {
            return;
        }
        self.count(row.state.as_str(), 1);
        if let Some(due) = row.due.filter(|due| !is_held && (*due <= now || row.is_due_at_once())) {
            self.count_waiting(row.owner.tenant.clone(), 1, now.since(due));
        }
    }
}

//! Who is alive, and who holds what.

use std::collections::BTreeMap;
use std::time::Duration;

use seawall_engine::AgentId;
use seawall_store::agents::{Candidate, Census, Claimed, Held, Holder, Lease, Worker, WorkerId, in_turn};
use seawall_types::Timestamp;

use super::{Condition, Due, Entry, Index};

/// Workers with the moment until which each is to be taken for alive, by the monotonic clock. Those whose lease has lapsed
/// stay: they must not be taken for new ones.
#[derive(Debug, Default)]
pub(super) struct Workers(BTreeMap<WorkerId, (Worker, Duration)>);

impl Workers {
    fn is_alive(&self, id: &WorkerId, elapsed: Duration) -> bool {
        self.0.get(id).is_some_and(|(_, until)| elapsed < *until)
    }
}

impl Index {
    /// A worker is alive from now on. `false`: its lease had lapsed before.
    pub(crate) fn renew(&mut self, worker: &Worker, elapsed: Duration) -> bool {
        let is_known = self.workers.0.contains_key(&worker.id);
        if is_known && !self.workers.is_alive(&worker.id, elapsed) {
            return false;
        }
        let until = elapsed.saturating_add(worker.lease);
        self.workers.0.insert(worker.id.clone(), (worker.clone(), until));
        true
    }

    pub(crate) fn retire(&mut self, worker: &WorkerId) {
        self.workers.0.remove(worker);
        for entry in self.agents.values_mut().filter(|entry| entry.holder.as_ref() == Some(worker)) {
            entry.holder = None;
        }
    }

    pub(crate) fn workers(&self, elapsed: Duration) -> Vec<Worker> {
        let alive = self.workers.0.values().filter(|(_, until)| elapsed < *until);
        alive.map(|(worker, _)| worker.clone()).collect()
    }

    /// Whether nobody who is alive holds it.
    pub(super) fn is_free(&self, entry: &Entry, elapsed: Duration) -> bool {
        !matches!(entry.condition, Condition::Damaged(_)) && !self.is_held(entry, elapsed)
    }

    /// The agent is to be the worker's.
    pub(crate) fn claim(&mut self, id: &AgentId, worker: &WorkerId, elapsed: Duration) -> Lease {
        let Some(entry) = self.agents.get(id) else { return Lease::Gone };
        if !self.workers.is_alive(worker, elapsed) {
            return Lease::Lapsed;
        }
        match &entry.holder {
            Some(holder) if holder == worker => Lease::Held { epoch: entry.epoch },
            Some(holder) if self.workers.is_alive(holder, elapsed) => {
                Lease::Elsewhere(Holder { worker: holder.clone(), epoch: entry.epoch })
            }
            Some(_) | None => Lease::Held { epoch: self.take(id, worker).map_or(0, |claimed| claimed.epoch) },
        }
    }

    fn take(&mut self, id: &AgentId, worker: &WorkerId) -> Option<Claimed> {
        let entry = self.agents.get_mut(id)?;
        entry.epoch = entry.epoch.saturating_add(1);
        let taken_over = entry.holder.replace(worker.clone()).is_some();
        Some(Claimed { agent: id.clone(), epoch: entry.epoch, taken_over })
    }

    /// Agents that are due are to be the worker's: the longest due first and tenants in turn.
    pub(crate) fn claim_due(
        &mut self,
        worker: &WorkerId,
        most: usize,
        now: Timestamp,
        elapsed: Duration,
    ) -> Vec<Claimed> {
        if !self.workers.is_alive(worker, elapsed) {
            return Vec::new();
        }
        let mut held = BTreeMap::new();
        for entry in self.agents.values().filter(|entry| self.is_held(entry, elapsed)) {
            *held.entry(entry.row.owner.tenant.clone()).or_default() += 1;
        }
        let due = self.due.iter().take_while(|(due, _)| due.wait(now).is_zero()).filter_map(|(due, id)| {
            let entry = self.agents.get(id).filter(|entry| self.is_free(entry, elapsed))?;
            let (Due::AtOnce(due) | Due::At(due)) = *due;
            Some(Candidate { due, item: id.clone(), tenant: entry.row.owner.tenant.clone() })
        });
        let chosen = in_turn(due.collect(), held, most);
        chosen.into_iter().filter_map(|id| self.take(&id, worker)).collect()
    }

    fn is_held(&self, entry: &Entry, elapsed: Duration) -> bool {
        entry.holder.as_ref().is_some_and(|holder| self.workers.is_alive(holder, elapsed))
    }

    /// How many agents are in which state, and how many wait. Those that can't be used do neither.
    pub(crate) fn census(&self, now: Timestamp, elapsed: Duration) -> Census {
        let mut census = Census::default();
        let usable = self.agents.values().filter(|entry| !matches!(entry.condition, Condition::Damaged(_)));
        usable.for_each(|entry| census.add(&entry.row, self.is_held(entry, elapsed), now));
        census
    }

    pub(crate) fn held_by(&self, worker: &WorkerId) -> Vec<Held> {
        let own = self.agents.iter().filter(|(_, entry)| entry.holder.as_ref() == Some(worker));
        own.map(|(id, entry)| Held { agent: id.clone(), epoch: entry.epoch }).collect()
    }

    pub(crate) fn release(&mut self, id: &AgentId, epoch: u64) {
        if let Some(entry) = self.agents.get_mut(id).filter(|entry| entry.epoch == epoch) {
            entry.holder = None;
        }
    }
}

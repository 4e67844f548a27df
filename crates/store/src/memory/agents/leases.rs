//! Who holds which agent, and who is alive.

use std::collections::BTreeMap;
use std::time::Duration;

use seawall_engine::AgentId;
use seawall_types::Timestamp;

use super::Tables;
use super::rows::Rows;
use crate::agents::{Candidate, Census, Claimed, Held, Holder, Lease, Worker, WorkerId, in_turn};

/// An agent's entry: under which epoch it may be written, and by whom.
#[derive(Debug)]
pub(super) struct Hold {
    epoch: u64,
    worker: Option<WorkerId>,
}

impl Hold {
    pub(super) fn of(epoch: u64) -> Self {
        Self { epoch, worker: None }
    }

    pub(super) fn is_under(&self, epoch: u64) -> bool {
        self.worker.is_some() && self.epoch == epoch
    }

    pub(super) fn release(&mut self, epoch: u64) {
        if self.epoch == epoch {
            self.worker = None;
        }
    }

    pub(super) fn free_of(&mut self, worker: &WorkerId) {
        self.worker.take_if(|holder| holder == worker);
    }

    /// Gives the agent to a worker, under the next epoch unless it had it already.
    fn give(&mut self, worker: &WorkerId) -> u64 {
        if self.worker.as_ref() != Some(worker) {
            self.epoch = self.epoch.saturating_add(1);
            self.worker = Some(worker.clone());
        }
        self.epoch
    }
}

/// Workers, each with the time at which its lease lapses. Those whose lease has lapsed stay: their names are used up.
#[derive(Debug, Default)]
pub(super) struct Workers(BTreeMap<WorkerId, (Worker, Timestamp)>);

impl Workers {
    pub(super) fn renew(&mut self, worker: &Worker, now: Timestamp) -> bool {
        if self.0.get(&worker.id).is_some_and(|(_, until)| *until <= now) {
            return false;
        }
        self.0.insert(worker.id.clone(), (worker.clone(), now.saturating_add(worker.lease)));
        true
    }

    pub(super) fn retire(&mut self, worker: &WorkerId) {
        self.0.remove(worker);
    }

    pub(super) fn alive(&self, now: Timestamp) -> Vec<Worker> {
        self.0.values().filter(|(_, until)| *until > now).map(|(worker, _)| worker.clone()).collect()
    }

    fn is_alive(&self, worker: &WorkerId, now: Timestamp) -> bool {
        self.0.get(worker).is_some_and(|(_, until)| *until > now)
    }
}

impl Tables {
    pub(super) fn claim(&mut self, id: &AgentId, worker: &WorkerId, now: Timestamp) -> Lease {
        let Some(rows) = self.agents.get_mut(id) else { return Lease::Gone };
        if !self.workers.is_alive(worker, now) {
            return Lease::Lapsed;
        }
        let hold = rows.hold();
        match &hold.worker {
            Some(holder) if holder != worker && self.workers.is_alive(holder, now) => {
                Lease::Elsewhere(Holder { worker: holder.clone(), epoch: hold.epoch })
            }
            _ => Lease::Held { epoch: hold.give(worker) },
        }
    }

    pub(super) fn claim_due(&mut self, worker: &WorkerId, most: u32, now: Timestamp) -> Vec<Claimed> {
        if !self.workers.is_alive(worker, now) {
            return Vec::new();
        }
        let is_due = |(due, rows): &(Timestamp, &Rows)| *due <= now || rows.row().is_due_at_once();
        let due = self.free(now).filter(is_due).map(|(due, rows)| Candidate {
            due,
            item: rows.row().id.clone(),
            tenant: rows.row().owner.tenant.clone(),
        });
        let chosen = in_turn(due.collect(), self.held(now), usize::try_from(most).unwrap_or(usize::MAX));
        let claim = |agent: AgentId| {
            let hold = self.agents.get_mut(&agent)?.hold();
            let taken_over = hold.worker.is_some();
            Some(Claimed { agent, epoch: hold.give(worker), taken_over })
        };
        chosen.into_iter().filter_map(claim).collect()
    }

    pub(super) fn held_by(&self, worker: &WorkerId) -> Vec<Held> {
        let holds = self.agents.values().map(|rows| (rows, rows.held()));
        let own = holds.filter(|(_, hold)| hold.worker.as_ref() == Some(worker));
        own.map(|(rows, hold)| Held { agent: rows.row().id.clone(), epoch: hold.epoch }).collect()
    }

    pub(super) fn next_due(&self, now: Timestamp) -> Option<Duration> {
        let wait = |(due, rows): (Timestamp, &Rows)| {
            if rows.row().is_due_at_once() { Duration::ZERO } else { due.since(now) }
        };
        self.free(now).map(wait).min()
    }

    pub(super) fn census(&self, now: Timestamp) -> Census {
        let mut census = Census::default();
        for rows in self.agents.values() {
            census.add(rows.row(), self.is_held(rows, now), now);
        }
        census
    }

    /// Agents that will be due and that nobody holds who is alive.
    fn free(&self, now: Timestamp) -> impl Iterator<Item = (Timestamp, &Rows)> {
        let due = self.agents.values().filter_map(|rows| Some((rows.row().due?, rows)));
        due.filter(move |(_, rows)| !self.is_held(rows, now))
    }

    fn is_held(&self, rows: &Rows, now: Timestamp) -> bool {
        rows.held().worker.as_ref().is_some_and(|holder| self.workers.is_alive(holder, now))
    }

    /// How many agents of each tenant run.
    fn held(&self, now: Timestamp) -> BTreeMap<Option<std::sync::Arc<str>>, u64> {
        let mut held = BTreeMap::new();
        for rows in self.agents.values().filter(|rows| self.is_held(rows, now)) {
            *held.entry(rows.row().owner.tenant.clone()).or_default() += 1;
        }
        held
    }
}

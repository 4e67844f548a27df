//! Agents that are forgotten with the process. For one process: nobody else has leases here.

mod leases;
mod rows;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use seawall_engine::{AgentId, Event, MessageId};
use seawall_types::Clock;

use self::leases::Workers;
use self::rows::Rows;
use crate::StoreError;
use crate::agents::{
    Accepted, AgentQuery, AgentRow, AgentStore, Append, Appended, BlobId, CallQuery, CallRow, Census,
    Claimed, Creation, Health, Held, Kept, Lease, MessageQuery, MessageRow, Pending, SnapshotRow, Stats,
    Worker, WorkerId,
};

/// Agents in memory.
#[derive(Debug)]
pub struct MemoryAgents {
    clock: Arc<dyn Clock>,
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    agents: BTreeMap<AgentId, Rows>,
    workers: Workers,
    is_closed: bool,
}

impl MemoryAgents {
    /// Nobody yet. Leases go by this clock.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, tables: Mutex::default() }
    }

    /// Does something at once. Nothing here panics half-way, so what a panic elsewhere has left is whole.
    fn now<'a, T: Send + 'a>(
        &self,
        act: impl FnOnce(&mut Tables) -> Result<T, StoreError>,
    ) -> Pending<'a, T> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let result = if tables.is_closed {
            Err(StoreError::Unavailable { reason: "it was closed".to_owned() })
        } else {
            act(&mut tables)
        };
        Box::pin(std::future::ready(result))
    }
}

impl Tables {
    fn create(&mut self, first: Append) -> Result<Creation, StoreError> {
        if let Some(known) = self.agents.get(&first.agent) {
            return Ok(Creation::Exists(Box::new(known.row().clone())));
        }
        let id = first.agent.clone();
        self.agents.insert(id, Rows::new(first)?);
        Ok(Creation::Made)
    }

    /// Rows of one agent, or of all by their names.
    fn of<'a>(&'a self, id: Option<&'a AgentId>) -> Box<dyn Iterator<Item = &'a Rows> + 'a> {
        match id {
            Some(id) => Box::new(self.agents.get(id).into_iter()),
            None => Box::new(self.agents.values()),
        }
    }

    fn agents(&self, query: &AgentQuery) -> Vec<AgentRow> {
        let mut rows: Vec<_> = self.agents.values().map(Rows::row).filter(|row| query.admits(row)).collect();
        rows.sort_by(|a, b| query.order.compare(a, b));
        page(rows.into_iter().cloned(), query.skip, query.most)
    }

    fn messages(&self, query: &MessageQuery) -> Vec<MessageRow> {
        let of = |rows: &'_ Rows| -> Vec<MessageRow> {
            let tenant = rows.row().owner.tenant.as_deref();
            rows.messages().filter(|row| query.admits(row, tenant)).cloned().collect()
        };
        page(self.of(query.agent.as_ref()).flat_map(of), query.skip, query.most)
    }

    fn calls(&self, query: &CallQuery) -> Vec<CallRow> {
        let of = |rows: &'_ Rows| -> Vec<CallRow> {
            let tenant = rows.row().owner.tenant.as_deref();
            rows.calls().filter(|row| query.admits(row, tenant)).cloned().collect()
        };
        page(self.of(query.agent.as_ref()).flat_map(of), query.skip, query.most)
    }

    fn stats(&self, id: Option<&AgentId>) -> Stats {
        let mut stats = Stats::default();
        self.of(id).for_each(|rows| rows.count_into(&mut stats));
        stats
    }
}

fn page<T>(rows: impl Iterator<Item = T>, skip: u32, most: u32) -> Vec<T> {
    let size = |rows: u32| usize::try_from(rows).unwrap_or(usize::MAX);
    rows.skip(size(skip)).take(size(most)).collect()
}

impl AgentStore for MemoryAgents {
    fn create(&self, first: Append) -> Pending<'_, Creation> {
        self.now(|tables| tables.create(first))
    }

    fn load<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Option<Kept>> {
        self.now(|tables| tables.agents.get(id).map(Rows::load).transpose())
    }

    fn agent<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Option<AgentRow>> {
        self.now(|tables| Ok(tables.agents.get(id).map(Rows::row).cloned()))
    }

    fn append(&self, append: Append) -> Pending<'_, Appended> {
        self.now(|tables| match tables.agents.get_mut(&append.agent) {
            Some(rows) => rows.append(append),
            None => Ok(Appended::Gone),
        })
    }

    fn events<'a>(&'a self, id: &'a AgentId, after: u64, most: u32) -> Pending<'a, Vec<Event>> {
        self.now(|tables| {
            tables.agents.get(id).map_or_else(|| Ok(Vec::new()), |rows| rows.events(after, most))
        })
    }

    fn accepted<'a>(&'a self, id: &'a AgentId, message: &'a MessageId) -> Pending<'a, Option<Accepted>> {
        self.now(|tables| Ok(tables.agents.get(id).and_then(|rows| rows.accepted(message)).cloned()))
    }

    fn agents<'a>(&'a self, query: &'a AgentQuery) -> Pending<'a, Vec<AgentRow>> {
        self.now(|tables| Ok(tables.agents(query)))
    }

    fn messages<'a>(&'a self, query: &'a MessageQuery) -> Pending<'a, Vec<MessageRow>> {
        self.now(|tables| Ok(tables.messages(query)))
    }

    fn calls<'a>(&'a self, query: &'a CallQuery) -> Pending<'a, Vec<CallRow>> {
        self.now(|tables| Ok(tables.calls(query)))
    }

    fn snapshots<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Vec<SnapshotRow>> {
        self.now(|tables| Ok(tables.agents.get(id).map(|rows| rows.snapshots().to_vec()).unwrap_or_default()))
    }

    fn stats<'a>(&'a self, id: Option<&'a AgentId>) -> Pending<'a, Stats> {
        self.now(|tables| Ok(tables.stats(id)))
    }

    fn put_blob<'a>(&'a self, id: &'a AgentId, bytes: &'a [u8]) -> Pending<'a, BlobId> {
        self.now(|tables| match tables.agents.get_mut(id) {
            Some(rows) => Ok(rows.put_blob(bytes)),
            None => Err(StoreError::NotFound { what: format!("agent {id}") }),
        })
    }

    fn blob<'a>(&'a self, id: &'a AgentId, blob: &'a BlobId) -> Pending<'a, Option<Vec<u8>>> {
        self.now(|tables| Ok(tables.agents.get(id).and_then(|rows| rows.blob(blob)).map(<[u8]>::to_vec)))
    }

    fn has_blob<'a>(&'a self, id: &'a AgentId, blob: &'a BlobId) -> Pending<'a, bool> {
        self.now(|tables| Ok(tables.agents.get(id).is_some_and(|rows| rows.blob(blob).is_some())))
    }

    fn purge<'a>(&'a self, id: &'a AgentId) -> Pending<'a, bool> {
        self.now(|tables| Ok(tables.agents.remove(id).is_some()))
    }

    fn renew<'a>(&'a self, worker: &'a Worker) -> Pending<'a, bool> {
        let now = self.clock.now();
        self.now(|tables| Ok(tables.workers.renew(worker, now)))
    }

    fn retire<'a>(&'a self, worker: &'a WorkerId) -> Pending<'a, ()> {
        self.now(|tables| {
            tables.workers.retire(worker);
            tables.agents.values_mut().for_each(|rows| rows.hold().free_of(worker));
            Ok(())
        })
    }

    fn claim<'a>(&'a self, id: &'a AgentId, worker: &'a WorkerId) -> Pending<'a, Lease> {
        let now = self.clock.now();
        self.now(|tables| Ok(tables.claim(id, worker, now)))
    }

    fn claim_due<'a>(&'a self, worker: &'a WorkerId, most: u32) -> Pending<'a, Vec<Claimed>> {
        let now = self.clock.now();
        self.now(|tables| Ok(tables.claim_due(worker, most, now)))
    }

    fn release<'a>(&'a self, id: &'a AgentId, epoch: u64) -> Pending<'a, ()> {
        self.now(|tables| {
            if let Some(rows) = tables.agents.get_mut(id) {
                rows.hold().release(epoch);
            }
            Ok(())
        })
    }

    fn held<'a>(&'a self, worker: &'a WorkerId) -> Pending<'a, Vec<Held>> {
        self.now(|tables| Ok(tables.held_by(worker)))
    }

    fn next_due(&self) -> Pending<'_, Option<Duration>> {
        let now = self.clock.now();
        self.now(|tables| Ok(tables.next_due(now)))
    }

    fn census(&self) -> Pending<'_, Census> {
        let now = self.clock.now();
        self.now(|tables| Ok(tables.census(now)))
    }

    fn workers(&self) -> Pending<'_, Vec<Worker>> {
        let now = self.clock.now();
        self.now(|tables| Ok(tables.workers.alive(now)))
    }

    fn health(&self) -> Pending<'_, Health> {
        self.now(|_| Ok(Health { connected: true, writable: true, latency: Duration::ZERO, reason: None }))
    }

    fn close(&self) -> Pending<'_, ()> {
        self.now(|tables| {
            *tables = Tables { is_closed: true, ..Tables::default() };
            Ok(())
        })
    }
}

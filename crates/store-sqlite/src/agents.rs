//! Durable agents: one thread that writes, several that read, one that tidies up, and many who wait for them.
//!
//! What is to be written at the same time is written in one transaction: the disk is waited for once for all of them.
//! Each has a savepoint of its own, so that one that is refused leaves nothing behind and the others go on. Everybody is
//! answered after the commit. Leases go by the clock that the store was opened with; processes that share a file are on
//! one machine, and so is their clock. When the machine stops, they all do: so nobody waits for the disk to have a lease.

mod append;
mod columns;
mod lease;
mod load;
mod mover;
mod query;
mod threads;
mod watch;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{AgentId, Event, MessageId};
use seawall_store::StoreError;
use seawall_store::agents::{
    Accepted, AgentQuery, AgentRow, AgentStore, Append, Appended, BlobId, CallQuery, CallRow, Census,
    Claimed, Creation, Health, Held, Hints, Kept, Lease, MessageQuery, MessageRow, Pending, SnapshotRow,
    Stats, Worker, WorkerId,
};
use seawall_types::Clock;

use self::append::Prepared;
use self::threads::Threads;
use self::watch::Watch;
use crate::{connect, schema};

/// Agents in one SQLite file, beside whatever else is kept there.
#[derive(Debug)]
pub struct SqliteAgents {
    clock: Arc<dyn Clock>,
    threads: Threads,
    watch: Watch,
}

impl SqliteAgents {
    /// Opens the agents in `file`, as [`crate::SqliteStore::open`] opens the rest. Leases go by `clock`.
    ///
    /// # Errors
    /// [`StoreError::Newer`] when a newer program wrote the file; otherwise when it can't be opened, read or written.
    pub fn open(file: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let mut writer = connect(file)?;
        schema::migrate(&mut writer)?;
        lease::shorten(&writer, clock.now())?;
        let threads = Threads::start(file, writer)?;
        Ok(Self { clock, threads, watch: Watch::default() })
    }
}

impl AgentStore for SqliteAgents {
    fn create(&self, first: Append) -> Pending<'_, Creation> {
        Box::pin(async {
            let prepared = Prepared::new(first)?;
            self.threads.write(move |connection| append::create(connection, &prepared)).await
        })
    }

    fn load<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Option<Kept>> {
        let id = id.clone();
        Box::pin(self.threads.read(move |connection| load::load(connection, &id)))
    }

    fn agent<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Option<AgentRow>> {
        let id = id.clone();
        Box::pin(self.threads.read(move |connection| query::agent(connection, &id)))
    }

    fn append(&self, append: Append) -> Pending<'_, Appended> {
        Box::pin(async {
            let prepared = Prepared::new(append)?;
            self.threads.write(move |connection| append::append(connection, &prepared)).await
        })
    }

    fn events<'a>(&'a self, id: &'a AgentId, after: u64, most: u32) -> Pending<'a, Vec<Event>> {
        let id = id.clone();
        Box::pin(self.threads.read(move |connection| load::events(connection, &id, after, most)))
    }

    fn accepted<'a>(&'a self, id: &'a AgentId, message: &'a MessageId) -> Pending<'a, Option<Accepted>> {
        let (id, message) = (id.clone(), message.clone());
        Box::pin(self.threads.read(move |connection| load::accepted(connection, &id, &message)))
    }

    fn agents<'a>(&'a self, query: &'a AgentQuery) -> Pending<'a, Vec<AgentRow>> {
        let query = query.clone();
        Box::pin(self.threads.read(move |connection| query::agents(connection, &query)))
    }

    fn messages<'a>(&'a self, query: &'a MessageQuery) -> Pending<'a, Vec<MessageRow>> {
        let query = query.clone();
        Box::pin(self.threads.read(move |connection| query::messages(connection, &query)))
    }

    fn calls<'a>(&'a self, query: &'a CallQuery) -> Pending<'a, Vec<CallRow>> {
        let query = query.clone();
        Box::pin(self.threads.read(move |connection| query::calls(connection, &query)))
    }

    fn snapshots<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Vec<SnapshotRow>> {
        let id = id.clone();
        Box::pin(self.threads.read(move |connection| load::snapshots(connection, &id)))
    }

    fn stats<'a>(&'a self, id: Option<&'a AgentId>) -> Pending<'a, Stats> {
        let id = id.cloned();
        Box::pin(self.threads.read(move |connection| query::stats(connection, id.as_ref())))
    }

    fn put_blob<'a>(&'a self, id: &'a AgentId, bytes: &'a [u8]) -> Pending<'a, BlobId> {
        let (id, bytes) = (id.clone(), bytes.to_vec());
        Box::pin(self.threads.write(move |connection| append::put_blob(connection, &id, &bytes)))
    }

    fn blob<'a>(&'a self, id: &'a AgentId, blob: &'a BlobId) -> Pending<'a, Option<Vec<u8>>> {
        let (id, blob) = (id.clone(), *blob);
        Box::pin(self.threads.read(move |connection| load::blob(connection, &id, &blob)))
    }

    fn has_blob<'a>(&'a self, id: &'a AgentId, blob: &'a BlobId) -> Pending<'a, bool> {
        let (id, blob) = (id.clone(), *blob);
        Box::pin(self.threads.read(move |connection| load::has_blob(connection, &id, &blob)))
    }

    fn purge<'a>(&'a self, id: &'a AgentId) -> Pending<'a, bool> {
        let id = id.clone();
        Box::pin(self.threads.write(move |connection| append::purge(connection, &id)))
    }

    fn renew<'a>(&'a self, worker: &'a Worker) -> Pending<'a, bool> {
        let (worker, clock) = (worker.clone(), Arc::clone(&self.clock));
        Box::pin(
            self.threads
                .write_for_the_living(move |connection| lease::renew(connection, &worker, clock.now())),
        )
    }

    fn retire<'a>(&'a self, worker: &'a WorkerId) -> Pending<'a, ()> {
        let worker = worker.clone();
        Box::pin(self.threads.write_for_the_living(move |connection| lease::retire(connection, &worker)))
    }

    fn claim<'a>(&'a self, id: &'a AgentId, worker: &'a WorkerId) -> Pending<'a, Lease> {
        let (id, worker, clock) = (id.clone(), worker.clone(), Arc::clone(&self.clock));
        Box::pin(
            self.threads
                .write_for_the_living(move |connection| lease::claim(connection, &id, &worker, clock.now())),
        )
    }

    fn claim_due<'a>(&'a self, worker: &'a WorkerId, most: u32) -> Pending<'a, Vec<Claimed>> {
        let (worker, clock) = (worker.clone(), Arc::clone(&self.clock));
        Box::pin(async move {
            // Asked first, since it is asked often and a write waits for other writes.
            let now = clock.now();
            let next = self.threads.read(move |connection| lease::next_due(connection, now)).await?;
            if next.is_none_or(|due| due > now) {
                return Ok(Vec::new());
            }
            let claim = move |connection: &_| lease::claim_due(connection, &worker, most, clock.now());
            self.threads.write_for_the_living(claim).await
        })
    }

    fn release<'a>(&'a self, id: &'a AgentId, epoch: u64) -> Pending<'a, ()> {
        let id = id.clone();
        Box::pin(self.threads.write_for_the_living(move |connection| lease::release(connection, &id, epoch)))
    }

    fn held<'a>(&'a self, worker: &'a WorkerId) -> Pending<'a, Vec<Held>> {
        let worker = worker.clone();
        Box::pin(self.threads.read(move |connection| lease::held_by(connection, &worker)))
    }

    fn next_due(&self) -> Pending<'_, Option<Duration>> {
        Box::pin(async {
            let now = self.clock.now();
            let due = self.threads.read(move |connection| lease::next_due(connection, now)).await?;
            Ok(due.map(|due| due.since(now)))
        })
    }

    fn census(&self) -> Pending<'_, Census> {
        let clock = Arc::clone(&self.clock);
        Box::pin(self.threads.read(move |connection| lease::census(connection, clock.now())))
    }

    fn workers(&self) -> Pending<'_, Vec<Worker>> {
        let clock = Arc::clone(&self.clock);
        Box::pin(self.threads.read(move |connection| lease::workers(connection, clock.now())))
    }

    fn listen(&self) -> Option<Box<dyn Hints>> {
        Some(self.watch.listen(&self.threads))
    }

    fn health(&self) -> Pending<'_, Health> {
        Box::pin(async {
            let began = self.clock.monotonic();
            let read = self.threads.read(query::look).await;
            // An empty transaction that takes the right to write asks for everything that a real one needs.
            let written = self.threads.write(|_| Ok(())).await;
            let latency = self.clock.monotonic().saturating_sub(began);
            let (connected, writable) = (read.is_ok(), written.is_ok());
            let reason = read.and(written).err().map(|error| error.to_string());
            Ok(Health { connected, writable, latency, reason })
        })
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async {
            self.watch.end();
            self.threads.end().await;
            Ok(())
        })
    }
}

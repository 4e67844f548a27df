//! How often a store is used for what, and how long it takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use seawall_engine::{AgentId, Event, MessageId};
use seawall_types::Clock;

use super::{
    Accepted, AgentQuery, AgentRow, AgentStore, Append, Appended, BlobId, CallQuery, CallRow, Claimed,
    Creation, Health, Hints, Kept, Lease, MessageQuery, MessageRow, Pending, SnapshotRow, Stats, Worker,
    WorkerId,
};
use crate::StoreError;

/// A store that counts what it is asked.
#[derive(Debug)]
pub struct Measured<S: ?Sized> {
    clock: Arc<dyn Clock>,
    counters: Counters,
    store: Arc<S>,
}

/// What was asked of a store since it was opened, and how much there is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    /// How often.
    pub operations: Operations,
    /// How long that took.
    pub latency: Latency,
    /// How much there is.
    pub storage: Stats,
}

/// How often a store was asked for what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Operations {
    /// Agents made, events appended, blobs kept.
    pub saves: u64,
    /// One agent, or something of it, read by its name.
    pub loads: u64,
    /// Lists and counts.
    pub queries: u64,
    /// Agents removed.
    pub deletes: u64,
    /// Agents claimed and given up, workers that say that they are alive, looking for what is due.
    pub leases: u64,
    /// How many of all of these failed.
    pub failures: u64,
}

/// How long operations took that ended, well or badly. Zero where none has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latency {
    /// The mean.
    pub average: Duration,
    /// The longest.
    pub longest: Duration,
    /// The shortest.
    pub shortest: Duration,
}

#[derive(Debug)]
struct Counters {
    saves: AtomicU64,
    loads: AtomicU64,
    queries: AtomicU64,
    deletes: AtomicU64,
    leases: AtomicU64,
    failures: AtomicU64,
    /// Microseconds.
    total: AtomicU64,
    longest: AtomicU64,
    shortest: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            saves: AtomicU64::default(),
            loads: AtomicU64::default(),
            queries: AtomicU64::default(),
            deletes: AtomicU64::default(),
            leases: AtomicU64::default(),
            failures: AtomicU64::default(),
            total: AtomicU64::default(),
            longest: AtomicU64::default(),
            shortest: AtomicU64::new(u64::MAX),
        }
    }
}

impl Counters {
    fn note(&self, counter: &AtomicU64, took: Duration, has_failed: bool) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        counter.fetch_add(1, Ordering::Relaxed);
        self.failures.fetch_add(u64::from(has_failed), Ordering::Relaxed);
        self.total.fetch_add(micros, Ordering::Relaxed);
        self.longest.fetch_max(micros, Ordering::Relaxed);
        self.shortest.fetch_min(micros, Ordering::Relaxed);
    }

    fn operations(&self) -> Operations {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Operations {
            saves: of(&self.saves),
            loads: of(&self.loads),
            queries: of(&self.queries),
            deletes: of(&self.deletes),
            leases: of(&self.leases),
            failures: of(&self.failures),
        }
    }

    fn latency(&self) -> Latency {
        let Operations { saves, loads, queries, deletes, leases, failures: _ } = self.operations();
        let count = [saves, loads, queries, deletes, leases].into_iter().fold(0, u64::saturating_add);
        let Some(average) = self.total.load(Ordering::Relaxed).checked_div(count) else {
            return Latency::default();
        };
        Latency {
            average: Duration::from_micros(average),
            longest: Duration::from_micros(self.longest.load(Ordering::Relaxed)),
            shortest: Duration::from_micros(self.shortest.load(Ordering::Relaxed)),
        }
    }
}

impl<S: AgentStore + ?Sized> Measured<S> {
    /// Measures a store from now on, by this clock.
    #[must_use]
    pub fn new(store: Arc<S>, clock: Arc<dyn Clock>) -> Self {
        Self { clock, counters: Counters::default(), store }
    }

    /// What was measured, with how much there is now.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn metrics(&self) -> Result<Metrics, StoreError> {
        let storage = self.store.stats(None).await?;
        Ok(Metrics { operations: self.counters.operations(), latency: self.counters.latency(), storage })
    }

    fn timed<'a, T: Send + 'a>(
        &'a self,
        counter: impl FnOnce(&'a Counters) -> &'a AtomicU64,
        act: impl FnOnce(&'a S) -> Pending<'a, T>,
    ) -> Pending<'a, T> {
        let began = self.clock.monotonic();
        let counter = counter(&self.counters);
        let pending = act(&self.store);
        Box::pin(async move {
            let result = pending.await;
            let took = self.clock.monotonic().saturating_sub(began);
            self.counters.note(counter, took, result.is_err());
            result
        })
    }
}

impl<S: AgentStore + ?Sized> AgentStore for Measured<S> {
    fn create(&self, first: Append) -> Pending<'_, Creation> {
        self.timed(|counters| &counters.saves, |store| store.create(first))
    }

    fn load<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Option<Kept>> {
        self.timed(|counters| &counters.loads, |store| store.load(id))
    }

    fn agent<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Option<AgentRow>> {
        self.timed(|counters| &counters.loads, |store| store.agent(id))
    }

    fn append(&self, append: Append) -> Pending<'_, Appended> {
        self.timed(|counters| &counters.saves, |store| store.append(append))
    }

    fn events<'a>(&'a self, id: &'a AgentId, after: u64, most: u32) -> Pending<'a, Vec<Event>> {
        self.timed(|counters| &counters.loads, move |store| store.events(id, after, most))
    }

    fn accepted<'a>(&'a self, id: &'a AgentId, message: &'a MessageId) -> Pending<'a, Option<Accepted>> {
        self.timed(|counters| &counters.loads, move |store| store.accepted(id, message))
    }

    fn agents<'a>(&'a self, query: &'a AgentQuery) -> Pending<'a, Vec<AgentRow>> {
        self.timed(|counters| &counters.queries, |store| store.agents(query))
    }

    fn messages<'a>(&'a self, query: &'a MessageQuery) -> Pending<'a, Vec<MessageRow>> {
        self.timed(|counters| &counters.queries, |store| store.messages(query))
    }

    fn calls<'a>(&'a self, query: &'a CallQuery) -> Pending<'a, Vec<CallRow>> {
        self.timed(|counters| &counters.queries, |store| store.calls(query))
    }

    fn snapshots<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Vec<SnapshotRow>> {
        self.timed(|counters| &counters.loads, |store| store.snapshots(id))
    }

    fn stats<'a>(&'a self, id: Option<&'a AgentId>) -> Pending<'a, Stats> {
        self.timed(|counters| &counters.queries, move |store| store.stats(id))
    }

    fn put_blob<'a>(&'a self, id: &'a AgentId, bytes: &'a [u8]) -> Pending<'a, BlobId> {
        self.timed(|counters| &counters.saves, move |store| store.put_blob(id, bytes))
    }

    fn blob<'a>(&'a self, id: &'a AgentId, blob: &'a BlobId) -> Pending<'a, Option<Vec<u8>>> {
        self.timed(|counters| &counters.loads, move |store| store.blob(id, blob))
    }

    fn purge<'a>(&'a self, id: &'a AgentId) -> Pending<'a, bool> {
        self.timed(|counters| &counters.deletes, |store| store.purge(id))
    }

    fn renew<'a>(&'a self, worker: &'a Worker) -> Pending<'a, bool> {
        self.timed(|counters| &counters.leases, |store| store.renew(worker))
    }

    fn retire<'a>(&'a self, worker: &'a WorkerId) -> Pending<'a, ()> {
        self.timed(|counters| &counters.leases, |store| store.retire(worker))
    }

    fn claim<'a>(&'a self, id: &'a AgentId, worker: &'a WorkerId) -> Pending<'a, Lease> {
        self.timed(|counters| &counters.leases, move |store| store.claim(id, worker))
    }

    fn claim_due<'a>(&'a self, worker: &'a WorkerId, most: u32) -> Pending<'a, Vec<Claimed>> {
        self.timed(|counters| &counters.leases, move |store| store.claim_due(worker, most))
    }

    fn release<'a>(&'a self, id: &'a AgentId, epoch: u64) -> Pending<'a, ()> {
        self.timed(|counters| &counters.leases, move |store| store.release(id, epoch))
    }

    fn next_due(&self) -> Pending<'_, Option<Duration>> {
        self.timed(|counters| &counters.leases, |store| store.next_due())
    }

    fn workers(&self) -> Pending<'_, Vec<Worker>> {
        self.timed(|counters| &counters.leases, |store| store.workers())
    }

    fn show<'a>(&'a self, id: &'a AgentId, pieces: &'a [Event]) -> Pending<'a, ()> {
        self.store.show(id, pieces)
    }

    fn shown<'a>(&'a self, id: &'a AgentId, after: u64) -> Pending<'a, Vec<Event>> {
        self.store.shown(id, after)
    }

    fn listen(&self) -> Option<Box<dyn Hints>> {
        self.store.listen()
    }

    fn health(&self) -> Pending<'_, Health> {
        self.store.health()
    }

    fn close(&self) -> Pending<'_, ()> {
        self.store.close()
    }
}

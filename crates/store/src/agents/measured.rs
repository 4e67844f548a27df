//! How often a store is used for what, and how long it takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use seawall_engine::{AgentId, Event, MessageId};
use seawall_types::{Clock, Timed, Timings};

use super::{
    Accepted, AgentQuery, AgentRow, AgentStore, Append, Appended, BlobId, CallQuery, CallRow, Census,
    Claimed, Creation, Health, Held, Hints, Kept, Lease, MessageQuery, MessageRow, Pending, SnapshotRow,
    Stats, Worker, WorkerId,
};
use crate::StoreError;

/// Classes of latency.
const BOUNDS: &[Duration] = &[
    Duration::from_micros(100),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// A store that counts what it is asked.
#[derive(Debug)]
pub struct Measured<S: ?Sized> {
    clock: Arc<dyn Clock>,
    counters: Counters,
    timings: Timings,
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

/// What kind of operation.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Save,
    Load,
    Query,
    Delete,
    Lease,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Save => "save",
            Self::Load => "load",
            Self::Query => "query",
            Self::Delete => "delete",
            Self::Lease => "lease",
        }
    }

    const fn counter(self, counters: &Counters) -> &AtomicU64 {
        match self {
            Self::Save => &counters.saves,
            Self::Load => &counters.loads,
            Self::Query => &counters.queries,
            Self::Delete => &counters.deletes,
            Self::Lease => &counters.leases,
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
        Self { clock, counters: Counters::default(), timings: Timings::new(BOUNDS), store }
    }

    /// What was measured, with how much there is now.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn metrics(&self) -> Result<Metrics, StoreError> {
        let storage = self.store.stats(None).await?;
        Ok(Metrics { operations: self.counters.operations(), latency: self.counters.latency(), storage })
    }

    /// How long operations took, by kind.
    #[must_use]
    pub fn timings(&self) -> Vec<Timed> {
        self.timings.read()
    }

    /// The bounds of the classes in which that is counted.
    #[must_use]
    pub fn bounds(&self) -> &'static [Duration] {
        self.timings.bounds()
    }

    fn timed<'a, T: Send + 'a>(
        &'a self,
        kind: Kind,
        act: impl FnOnce(&'a S) -> Pending<'a, T>,
    ) -> Pending<'a, T> {
        let began = self.clock.monotonic();
        let counter = kind.counter(&self.counters);
        let pending = act(&self.store);
        Box::pin(async move {
            let result = pending.await;
            let took = self.clock.monotonic().saturating_sub(began);
            self.counters.note(counter, took, result.is_err());
            self.timings.note(kind.name(), took);
            result
        })
    }
}

impl<S: AgentStore + ?Sized> AgentStore for Measured<S> {
    fn create(&self, first: Append) -> Pending<'_, Creation> {
        self.timed(Kind::Save, |store| store.create(first))
    }

    fn load<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Option<Kept>> {
        self.timed(Kind::Load, |store| store.load(id))
    }

    fn agent<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Option<AgentRow>> {
        self.timed(Kind::Load, |store| store.agent(id))
    }

    fn append(&self, append: Append) -> Pending<'_, Appended> {
        self.timed(Kind::Save, |store| store.append(append))
    }

    fn events<'a>(&'a self, id: &'a AgentId, after: u64, most: u32) -> Pending<'a, Vec<Event>> {
        self.timed(Kind::Load, move |store| store.events(id, after, most))
    }

    fn accepted<'a>(&'a self, id: &'a AgentId, message: &'a MessageId) -> Pending<'a, Option<Accepted>> {
        self.timed(Kind::Load, move |store| store.accepted(id, message))
    }

    fn agents<'a>(&'a self, query: &'a AgentQuery) -> Pending<'a, Vec<AgentRow>> {
        self.timed(Kind::Query, |store| store.agents(query))
    }

    fn messages<'a>(&'a self, query: &'a MessageQuery) -> Pending<'a, Vec<MessageRow>> {
        self.timed(Kind::Query, |store| store.messages(query))
    }

    fn calls<'a>(&'a self, query: &'a CallQuery) -> Pending<'a, Vec<CallRow>> {
        self.timed(Kind::Query, |store| store.calls(query))
    }

    fn snapshots<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Vec<SnapshotRow>> {
        self.timed(Kind::Load, |store| store.snapshots(id))
    }

    fn stats<'a>(&'a self, id: Option<&'a AgentId>) -> Pending<'a, Stats> {
        self.timed(Kind::Query, move |store| store.stats(id))
    }

    fn put_blob<'a>(&'a self, id: &'a AgentId, bytes: &'a [u8]) -> Pending<'a, BlobId> {
        self.timed(Kind::Save, move |store| store.put_blob(id, bytes))
    }

    fn blob<'a>(&'a self, id: &'a AgentId, blob: &'a BlobId) -> Pending<'a, Option<Vec<u8>>> {
        self.timed(Kind::Load, move |store| store.blob(id, blob))
    }

    fn has_blob<'a>(&'a self, id: &'a AgentId, blob: &'a BlobId) -> Pending<'a, bool> {
        self.timed(Kind::Load, move |store| store.has_blob(id, blob))
    }

    fn purge<'a>(&'a self, id: &'a AgentId) -> Pending<'a, bool> {
        self.timed(Kind::Delete, |store| store.purge(id))
    }

    fn renew<'a>(&'a self, worker: &'a Worker) -> Pending<'a, bool> {
        self.timed(Kind::Lease, |store| store.renew(worker))
    }

    fn retire<'a>(&'a self, worker: &'a WorkerId) -> Pending<'a, ()> {
        self.timed(Kind::Lease, |store| store.retire(worker))
    }

    fn claim<'a>(&'a self, id: &'a AgentId, worker: &'a WorkerId) -> Pending<'a, Lease> {
        self.timed(Kind::Lease, move |store| store.claim(id, worker))
    }

    fn claim_due<'a>(&'a self, worker: &'a WorkerId, most: u32) -> Pending<'a, Vec<Claimed>> {
        self.timed(Kind::Lease, move |store| store.claim_due(worker, most))
    }

    fn release<'a>(&'a self, id: &'a AgentId, epoch: u64) -> Pending<'a, ()> {
        self.timed(Kind::Lease, move |store| store.release(id, epoch))
    }

    fn next_due(&self) -> Pending<'_, Option<Duration>> {
        self.timed(Kind::Lease, |store| store.next_due())
    }

    fn census(&self) -> Pending<'_, Census> {
        self.timed(Kind::Query, |store| store.census())
    }

    fn held<'a>(&'a self, worker: &'a WorkerId) -> Pending<'a, Vec<Held>> {
        self.timed(Kind::Lease, |store| store.held(worker))
    }

    fn workers(&self) -> Pending<'_, Vec<Worker>> {
        self.timed(Kind::Lease, |store| store.workers())
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

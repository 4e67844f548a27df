//! A store that ends its process at a write that was chosen before, and tells a witness of those that were durable.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};
use seawall_engine::{AgentId, Event, MessageId};
use seawall_store::agents::{
    Accepted, AgentQuery, AgentRow, Append, Appended, BlobId, Body, CallQuery, CallRow, Census, Claimed,
    Creation, Health, Held, Hints, Kept, Lease, MessageQuery, MessageRow, Pending, SnapshotRow, Stats,
    Worker, WorkerId,
};
use seawall_store::{AgentStore, StoreError};
use serde_json::Value;

use crate::plan::{At, End, How, Nth};
use crate::witness::{Line, Witness};

/// What is said where an answer is lost on purpose.
pub(crate) const UNHEARD: &str = "nobody heard its answer";

fn unheard() -> StoreError {
    StoreError::Unavailable { reason: UNHEARD.to_owned() }
}

/// The end that was planned.
#[derive(Debug)]
pub(crate) struct Doom {
    end: Option<End>,
    writes: AtomicU32,
    judged: AtomicU32,
    has_claimed: AtomicBool,
    /// How many events of each kind were written.
    written: Mutex<BTreeMap<String, u32>>,
}

/// A write that is about to be made.
struct Write {
    number: u32,
    events: Vec<Nth>,
}

impl Doom {
    pub(crate) fn new(end: Option<End>) -> Arc<Self> {
        Arc::new(Self {
            end,
            writes: AtomicU32::new(0),
            judged: AtomicU32::new(0),
            has_claimed: AtomicBool::new(false),
            written: Mutex::default(),
        })
    }

    fn meet(&self, at: &At) {
        let Some(end) = self.end.as_ref().filter(|end| end.at == *at) else { return };
        let signal = match end.how {
            How::Killed => Signal::KILL,
            How::Frozen => Signal::STOP,
            How::Unheard => return,
        };
        kill_process(getpid(), signal).unwrap();
        // Other threads may be told first: this one goes no further before it has heard, and then when it is woken.
        std::thread::sleep(Duration::from_millis(100));
    }

    /// The policy is asked.
    pub(crate) fn judge(&self) {
        self.meet(&At::Policy(self.judged.fetch_add(1, Ordering::SeqCst) + 1));
    }

    fn before(&self, events: &[Value]) -> Write {
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        let events = numbered(self.written.lock().unwrap().clone(), events);
        self.meet(&At::Before(number));
        events.iter().for_each(|event| self.meet(&At::BeforeEvent(event.clone())));
        Write { number, events }
    }

    /// Whether the store's answer to a write is to be lost.
    fn hides(&self, write: &Write, is_written: bool) -> bool {
        match self.end.as_ref().filter(|end| end.how == How::Unheard).map(|end| &end.at) {
            Some(At::AfterEvent(event)) => is_written && write.events.contains(event),
            Some(At::Each(nth)) => write.number.is_multiple_of(*nth),
            _ => false,
        }
    }

    /// Whether the store's answer to a claim is to be lost: to the first one.
    fn hides_claim(&self) -> bool {
        let is_planned = self.end.as_ref().is_some_and(|end| end.at == At::Claim);
        is_planned && !self.has_claimed.swap(true, Ordering::SeqCst)
    }

    /// The store has answered, and the events are durable now, or were not written.
    fn after(&self, write: Write, is_written: bool) {
        if is_written {
            let all = write.events.iter().map(|event| (event.kind.clone(), event.number));
            self.written.lock().unwrap().extend(all);
            write.events.into_iter().for_each(|event| self.meet(&At::AfterEvent(event)));
        }
        self.meet(&At::After(write.number));
    }
}

/// Each event with its kind and its number among those of its kind.
pub(crate) fn numbered(mut written: BTreeMap<String, u32>, events: &[Value]) -> Vec<Nth> {
    let kinds = events.iter().map(|event| event["fact"]["kind"].as_str().unwrap());
    let number = |kind: &str| {
        let number = written.entry(kind.to_owned()).or_default();
        *number += 1;
        Nth { kind: kind.to_owned(), number: *number }
    };
    kinds.map(number).collect()
}

#[derive(Debug)]
pub(crate) struct Doomed {
    pub(crate) store: Arc<dyn AgentStore>,
    pub(crate) doom: Arc<Doom>,
    pub(crate) witness: Arc<Witness>,
    /// What the store was given and has refused: it may have been written all the same.
    unheard: Mutex<Vec<Value>>,
}

impl Doomed {
    pub(crate) fn new(store: Arc<dyn AgentStore>, doom: &Arc<Doom>, witness: &Arc<Witness>) -> Arc<Self> {
        let (doom, witness) = (Arc::clone(doom), Arc::clone(witness));
        Arc::new(Self { store, doom, witness, unheard: Mutex::default() })
    }

    /// A write: what it came to is told to the witness, where it has come to something, before anybody else hears of it.
    fn write<'a, T: Send + 'a>(
        &'a self,
        events: Vec<Value>,
        write: impl FnOnce(&'a dyn AgentStore) -> Pending<'a, T> + Send + 'a,
        tell: impl FnOnce(Line, &T) -> Option<Line> + Send + 'a,
    ) -> Pending<'a, T> {
        Box::pin(async move {
            let this = self.doom.before(&events);
            let written = match write(&*self.store).await {
                Ok(written) => written,
                Err(error) => return Err(self.refuse(events, error)),
            };
            let line = tell(Line::Wrote { write: this.number, events: events.clone() }, &written);
            let is_written = matches!(line, Some(Line::Wrote { .. }));
            let is_hidden = self.doom.hides(&this, is_written);
            if let Some(line) = line.filter(|_| !is_hidden) {
                self.witness.tell(&line);
            }
            self.doom.after(this, is_written);
            if is_hidden {
                return Err(self.refuse(events, unheard()));
            }
            Ok(written)
        })
    }

    fn refuse(&self, events: Vec<Value>, error: StoreError) -> StoreError {
        self.unheard.lock().unwrap().extend(events);
        self.witness.tell(&Line::Refused { why: error.to_string() });
        error
    }

    /// Somebody reads these, and knows from now on that they are durable.
    fn find(&self, read: &[Event]) {
        let mut unheard = self.unheard.lock().unwrap();
        if unheard.is_empty() {
            return;
        }
        let read: Vec<_> = read.iter().map(|event| serde_json::to_value(event).unwrap()).collect();
        let events: Vec<_> = unheard.extract_if(.., |event| read.contains(event)).collect();
        if !events.is_empty() {
            self.witness.tell(&Line::Found { events });
        }
    }
}

/// The events of a write, as the store was given them.
fn events(append: &Append) -> Vec<Value> {
    let json = |body: &Body| match body {
        Body::Inline(json) => serde_json::from_slice(json).unwrap(),
        Body::Blob(id) => {
            let (_, json) = append.blobs.iter().find(|(known, _)| known == id).unwrap();
            serde_json::from_slice(json).unwrap()
        }
    };
    append.events.iter().map(|event| json(&event.body)).collect()
}

impl AgentStore for Doomed {
    fn create(&self, first: Append) -> Pending<'_, Creation> {
        self.write(
            events(&first),
            |store| store.create(first),
            |wrote, made| (*made == Creation::Made).then_some(wrote),
        )
    }

    fn append(&self, append: Append) -> Pending<'_, Appended> {
        self.write(
            events(&append),
            |store| store.append(append),
            |wrote, done| match done {
                Appended::Done => Some(wrote),
                Appended::Moved => Some(Line::Moved),
                Appended::Fenced | Appended::Gone => None,
            },
        )
    }

    fn claim<'a>(&'a self, id: &'a AgentId, worker: &'a WorkerId) -> Pending<'a, Lease> {
        self.write(Vec::new(), move |store| store.claim(id, worker), |_, _| None)
    }

    fn release<'a>(&'a self, id: &'a AgentId, epoch: u64) -> Pending<'a, ()> {
        self.write(Vec::new(), move |store| store.release(id, epoch), |_, ()| None)
    }

    /// Asked again and again: a write only where it claims.
    fn claim_due<'a>(&'a self, worker: &'a WorkerId, most: u32) -> Pending<'a, Vec<Claimed>> {
        Box::pin(async move {
            let claimed = self.store.claim_due(worker, most).await?;
            if !claimed.is_empty() {
                let write = self.doom.before(&[]);
                let is_hidden = self.doom.hides(&write, false) || self.doom.hides_claim();
                self.doom.after(write, true);
                if is_hidden {
                    return Err(self.refuse(Vec::new(), unheard()));
                }
            }
            Ok(claimed)
        })
    }

    fn census(&self) -> Pending<'_, Census> {
        self.store.census()
    }

    fn load<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Option<Kept>> {
        self.store.load(id)
    }

    fn agent<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Option<AgentRow>> {
        self.store.agent(id)
    }

    fn events<'a>(&'a self, id: &'a AgentId, after: u64, most: u32) -> Pending<'a, Vec<Event>> {
        Box::pin(async move {
            let events = self.store.events(id, after, most).await?;
            self.find(&events);
            Ok(events)
        })
    }

    fn accepted<'a>(&'a self, id: &'a AgentId, message: &'a MessageId) -> Pending<'a, Option<Accepted>> {
        self.store.accepted(id, message)
    }

    fn agents<'a>(&'a self, query: &'a AgentQuery) -> Pending<'a, Vec<AgentRow>> {
        self.store.agents(query)
    }

    fn messages<'a>(&'a self, query: &'a MessageQuery) -> Pending<'a, Vec<MessageRow>> {
        self.store.messages(query)
    }

    fn calls<'a>(&'a self, query: &'a CallQuery) -> Pending<'a, Vec<CallRow>> {
        self.store.calls(query)
    }

    fn snapshots<'a>(&'a self, id: &'a AgentId) -> Pending<'a, Vec<SnapshotRow>> {
        self.store.snapshots(id)
    }

    fn stats<'a>(&'a self, id: Option<&'a AgentId>) -> Pending<'a, Stats> {
        self.store.stats(id)
    }

    fn put_blob<'a>(&'a self, id: &'a AgentId, bytes: &'a [u8]) -> Pending<'a, BlobId> {
        self.store.put_blob(id, bytes)
    }

    fn blob<'a>(&'a self, id: &'a AgentId, blob: &'a BlobId) -> Pending<'a, Option<Vec<u8>>> {
        self.store.blob(id, blob)
    }

    fn has_blob<'a>(&'a self, id: &'a AgentId, blob: &'a BlobId) -> Pending<'a, bool> {
        self.store.has_blob(id, blob)
    }

    fn purge<'a>(&'a self, id: &'a AgentId) -> Pending<'a, bool> {
        self.store.purge(id)
    }

    fn renew<'a>(&'a self, worker: &'a Worker) -> Pending<'a, bool> {
        self.store.renew(worker)
    }

    fn retire<'a>(&'a self, worker: &'a WorkerId) -> Pending<'a, ()> {
        self.store.retire(worker)
    }

    fn held<'a>(&'a self, worker: &'a WorkerId) -> Pending<'a, Vec<Held>> {
        self.store.held(worker)
    }

    fn next_due(&self) -> Pending<'_, Option<Duration>> {
        self.store.next_due()
    }

    fn workers(&self) -> Pending<'_, Vec<Worker>> {
        self.store.workers()
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

//! Following an agent: everything that happens to it after a number, once each and in order, for as long as one likes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{AgentId, Channel, Event, project};
use seawall_store::{AgentStore, StoreError};
use seawall_types::Timestamp;
use tokio::sync::watch;

use crate::hub::{Hub, Known};

/// Events that are read of a log at a time.
const PAGE: u32 = 256;

/// How long to wait for news before looking for oneself: hints of other processes may be lost.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Follows the events of one agent as they are written, and the pieces of answers among them.
#[derive(Debug)]
pub(crate) struct Events {
    store: Arc<dyn AgentStore>,
    hub: Arc<Hub>,
    agent: AgentId,
    /// The last number that was read.
    seq: u64,
    ready: VecDeque<Arc<Event>>,
    changes: watch::Receiver<u64>,
    /// How often there may have been news that the hub does not have, when that was last looked for.
    nudges: u64,
    /// Whether the log is to be looked into, news or not.
    looks_into_log: bool,
}

/// Follows one agent, as clients are told of it. Dropping it stops nothing but the following.
#[derive(Debug)]
pub struct Feed {
    events: Events,
    channels: Vec<Channel>,
    /// The last number that was told or left out.
    seq: u64,
    ready: VecDeque<Told>,
}

/// One thing that a client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its number: who comes back with it goes on after it.
    pub seq: u64,
    /// Its type, which is the name of the server-sent event.
    pub kind: &'static str,
    /// When it happened.
    pub at: Timestamp,
    /// The envelope, as JSON.
    pub json: String,
}

impl Events {
    pub(crate) fn new(store: Arc<dyn AgentStore>, hub: Arc<Hub>, agent: AgentId, since: u64) -> Self {
        let changes = hub.follow(&agent);
        let nudges = *changes.borrow();
        Self { store, hub, agent, seq: since, ready: VecDeque::new(), changes, nudges, looks_into_log: true }
    }

    /// Takes it that all there is comes by the hub: the agent is held here, and the hub has what is followed from on. What
    /// others write is told here by a nudge, or found after a while.
    pub(crate) fn trusts_the_hub(mut self) -> Self {
        self.looks_into_log = false;
        self
    }

    /// The next one. Waits for it; cancelling that loses nothing.
    ///
    /// # Errors
    /// When the log can't be read. Asking again goes on where it was.
    pub(crate) async fn next(&mut self) -> Result<Arc<Event>, StoreError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            self.read().await?;
            if self.ready.is_empty() && !self.looks_into_log {
                // The hub keeps the sender for as long as there is a receiver, so that this ends by a change or by the time.
                let changed = tokio::time::timeout(LOOK_EVERY, self.changes.changed()).await;
                self.looks_into_log = changed.is_err();
            }
        }
    }

    /// The next one, if it is there already.
    ///
    /// # Errors
    /// When the log can't be read.
    async fn try_next(&mut self) -> Result<Option<Arc<Event>>, StoreError> {
        self.looks_into_log |= self.ready.is_empty();
        while self.ready.is_empty() && self.looks_into_log {
            self.read().await?;
        }
        Ok(self.ready.pop_front())
    }

    /// Reads what is new: from what was written lately by this process, and from the log where that has a gap, or where
    /// there is news that is not of this process.
    async fn read(&mut self) -> Result<(), StoreError> {
        let nudges = *self.changes.borrow_and_update();
        let pieces = match self.hub.after(&self.agent, self.seq) {
            Known::Next(events) if !events.is_empty() => {
                self.take(events);
                return Ok(());
            }
            Known::Next(_) if !self.looks_into_log && nudges == self.nudges => return Ok(()),
            Known::Next(_) => Vec::new(),
            Known::Pieces(pieces) => pieces,
        };
        self.nudges = nudges;
        self.page(pieces).await
    }

    /// A page of the log, with the pieces that belong among it.
    async fn page(&mut self, mut pieces: Vec<Arc<Event>>) -> Result<(), StoreError> {
        self.looks_into_log = true;
        let shown = self.store.shown(&self.agent, self.seq).await?;
        let events = self.store.events(&self.agent, self.seq, PAGE).await?;
        let is_last = events.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
        let end = if is_last { u64::MAX } else { events.last().map_or(u64::MAX, Event::last_seq) };
        pieces.extend(shown.into_iter().map(Arc::new));
        pieces.retain(|piece| piece.seq <= end);
        pieces.extend(events.into_iter().map(Arc::new));
        pieces.sort_by_key(|event| event.seq);
        self.take(pieces);
        self.looks_into_log = !is_last;
        Ok(())
    }

    /// Takes those that were not taken before: the same piece may come from two sides.
    fn take(&mut self, events: Vec<Arc<Event>>) {
        for event in events {
            if event.last_seq() > self.seq {
                self.seq = event.last_seq();
                self.ready.push_back(event);
            }
        }
    }
}

impl Feed {
    pub(crate) fn new(events: Events, channels: &[Channel]) -> Self {
        let seq = events.seq;
        Self { events, channels: channels.to_vec(), seq, ready: VecDeque::new() }
    }

    /// The next thing. Waits for it; cancelling that loses nothing.
    ///
    /// # Errors
    /// When the log can't be read. Asking again goes on where it was.
    pub async fn next(&mut self) -> Result<Told, StoreError> {
        loop {
            if let Some(told) = self.ready.pop_front() {
                return Ok(told);
            }
            let event = self.events.next().await?;
            self.tell(&event);
        }
    }

    /// The next thing, if it is there already.
    ///
    /// # Errors
    /// When the log can't be read.
    pub async fn try_next(&mut self) -> Result<Option<Told>, StoreError> {
        while self.ready.is_empty() {
            let Some(event) = self.events.try_next().await? else { return Ok(None) };
            self.tell(&event);
        }
        Ok(self.ready.pop_front())
    }

    /// The last number that was given.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.ready.front().map_or(self.seq, |next| next.seq.saturating_sub(1))
    }

    fn tell(&mut self, event: &Event) {
        for face in project(event) {
            let seq = face.bookmark.seq;
            if seq <= self.seq {
                continue;
            }
            self.seq = seq;
            if !self.channels.contains(&face.event.channel()) {
                continue;
            }
            // What can't be written as JSON can't be told; nothing of ours is such.
            let Ok(json) = serde_json::to_string(&face) else { continue };
            let (kind, at) = (face.event.kind(), face.bookmark.timestamp);
            self.ready.push_back(Told { seq, kind, at, json });
        }
    }
}

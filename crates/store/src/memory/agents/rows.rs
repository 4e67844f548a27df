//! What is kept of one agent.

use std::collections::BTreeMap;
use std::sync::Arc;

use seawall_engine::{CallId, Event, LogError, MessageId};

use super::leases::Hold;
use crate::StoreError;
use crate::agents::{
    Accepted, AgentRow, Append, Appended, BlobId, Body, CallRow, EventRow, Kept, MessageRow, Right,
    SnapshotRow, State, Stats,
};

#[derive(Debug)]
pub(super) struct Rows {
    row: AgentRow,
    hold: Hold,
    events: Vec<EventRow>,
    messages: Vec<MessageRow>,
    calls: BTreeMap<CallId, CallRow>,
    accepted: BTreeMap<MessageId, Accepted>,
    snapshots: Vec<SnapshotRow>,
    blobs: BTreeMap<BlobId, Vec<u8>>,
    state: Option<State>,
}

impl Rows {
    pub(super) fn new(first: Append) -> Result<Self, StoreError> {
        let mut rows = Self {
            row: first.row.clone(),
            hold: Hold::of(first.row.epoch),
            events: Vec::new(),
            messages: Vec::new(),
            calls: BTreeMap::new(),
            accepted: BTreeMap::new(),
            snapshots: Vec::new(),
            blobs: BTreeMap::new(),
            state: None,
        };
        rows.write(first)?;
        Ok(rows)
    }

    pub(super) fn append(&mut self, append: Append) -> Result<Appended, StoreError> {
        if append.row.run != self.row.run {
            return Ok(Appended::Gone);
        }
        if let Right::Holder { epoch } = append.right
            && !self.hold.is_under(epoch)
        {
            return Ok(Appended::Fenced);
        }
        if append.after != self.row.seq {
            return Ok(Appended::Moved);
        }
        self.write(append)?;
        Ok(Appended::Done)
    }

    fn write(&mut self, append: Append) -> Result<(), StoreError> {
        self.refuse_known_names(&append)?;
        self.events.extend(append.events);
        self.messages.extend(append.messages);
        self.calls.extend(append.calls.into_iter().map(|row| (row.call.id, row)));
        self.accepted.extend(append.accepted.into_iter().map(|row| (row.message.clone(), row)));
        self.snapshots.extend(append.snapshots);
        self.blobs.extend(append.blobs);
        self.state = append.state.or_else(|| self.state.take());
        self.row = append.row;
        Ok(())
    }

    fn refuse_known_names(&self, append: &Append) -> Result<(), StoreError> {
        let message = append.accepted.iter().find(|row| self.accepted.contains_key(&row.message));
        if let Some(row) = message {
            return Err(StoreError::Conflict { what: format!("message {:?}", row.message) });
        }
        let is_known = |row: &&SnapshotRow| self.snapshots.iter().any(|known| known.id == row.id);
        match append.snapshots.iter().find(is_known) {
            Some(row) => Err(StoreError::Conflict { what: format!("snapshot {:?}", row.id) }),
            None => Ok(()),
        }
    }

    pub(super) fn load(&self) -> Result<Kept, StoreError> {
        let state = self.state.as_ref().map(|state| Ok((state.seq, state.window, self.bytes(&state.body)?)));
        let state = state.transpose()?;
        let window = state.map(|(_, window, _)| window).unwrap_or_default();
        let in_window = |row: &&MessageRow| (window.from..=window.to).contains(&row.place);
        let messages = self.messages.iter().filter(in_window).map(|row| Arc::clone(&row.message));
        let events = self.events(state.map_or(0, |(seq, ..)| seq), u32::MAX)?;
        Kept::load(self.row.owner.clone(), state, messages, &events)
    }

    pub(super) fn events(&self, after: u64, most: u32) -> Result<Vec<Event>, StoreError> {
        let first = self.events.partition_point(|row| row.last_seq <= after);
        let rows = self.events.iter().skip(first).take(usize::try_from(most).unwrap_or(usize::MAX));
        let read = |row: &EventRow| {
            let damaged = |error: LogError| StoreError::Corrupt {
                reason: format!("agent {}, event {}: {error}", self.row.id, row.seq),
            };
            Event::read(self.bytes(&row.body)?).map_err(damaged)
        };
        rows.map(read).collect()
    }

    fn bytes<'a>(&'a self, body: &'a Body) -> Result<&'a [u8], StoreError> {
        match body {
            Body::Inline(bytes) => Ok(bytes),
            Body::Blob(id) => self.blob(id).ok_or_else(|| StoreError::Corrupt {
                reason: format!("agent {}: the blob {id} is missing", self.row.id),
            }),
        }
    }

    pub(super) fn row(&self) -> &AgentRow {
        &self.row
    }

    pub(super) fn hold(&mut self) -> &mut Hold {
        &mut self.hold
    }

    pub(super) fn held(&self) -> &Hold {
        &self.hold
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &MessageRow> {
        self.messages.iter()
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = &CallRow> {
        self.calls.values()
    }

    pub(super) fn accepted(&self, message: &MessageId) -> Option<&Accepted> {
        self.accepted.get(message)
    }

    pub(super) fn snapshots(&self) -> &[SnapshotRow] {
        &self.snapshots
    }

    pub(super) fn put_blob(&mut self, bytes: &[u8]) -> BlobId {
        let id = BlobId::of(bytes);
        self.blobs.entry(id).or_insert_with(|| bytes.to_vec());
        id
    }

    pub(super) fn blob(&self, id: &BlobId) -> Option<&[u8]> {
        self.blobs.get(id).map(Vec::as_slice)
    }

    pub(super) fn count_into(&self, stats: &mut Stats) {
        let count = |rows: usize| u64::try_from(rows).unwrap_or(u64::MAX);
        stats.agents += 1;
        stats.messages += count(self.messages.len());
        stats.calls += count(self.calls.len());
        stats.snapshots += count(self.snapshots.len());
        for row in self.calls.values() {
            *stats.calls_by_tool.entry(Arc::clone(&row.call.name)).or_default() += 1;
            *stats.calls_by_state.entry(row.call.state.as_str().into()).or_default() += 1;
        }
    }
}

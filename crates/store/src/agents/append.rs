//! One write to an agent's log, with everything that follows from it.

use seawall_engine::{AgentId, Event};
use seawall_types::Timestamp;
use serde::Serialize;

use super::blob::{BlobId, INLINE};
use super::row::{Accepted, AgentRow, CallRow, MessageRow, SnapshotRow};
use super::window::Window;
use crate::StoreError;

/// With what right is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Of the lease with this number: somebody holds the agent under it. That the holder's own lease has lapsed does not
    /// matter as long as nobody else has claimed the agent.
    Holder {
        /// The number.
        epoch: u64,
    },
    /// Of somebody who accepts a message or a decision. No lease is asked for, none is broken.
    Outsider,
}

/// One write. All of it or nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Append {
    /// Whose.
    pub agent: AgentId,
    /// With what right.
    pub right: Right,
    /// The last number in the log that the writer knows. The store refuses unless it is the last there is.
    pub after: u64,
    /// The events. None of them expires.
    pub events: Vec<EventRow>,
    /// Messages that arrived in the history.
    pub messages: Vec<MessageRow>,
    /// Calls that were changed, as they are afterwards: they replace rows of the same names.
    pub calls: Vec<CallRow>,
    /// Names of messages that were accepted.
    pub accepted: Vec<Accepted>,
    /// Points that were given names.
    pub snapshots: Vec<SnapshotRow>,
    /// What is too large for a row. To be written before it is spoken of.
    pub blobs: Vec<(BlobId, Vec<u8>)>,
    /// The index entry afterwards.
    pub row: AgentRow,
    /// The state afterwards, when it is time to keep one: it takes the place of the one before.
    pub state: Option<State>,
}

/// What came of a write. Where several hold, the one that stands last: who is fenced is told so, whoever else has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is durable.
    Done,
    /// Somebody has written in between: read the events after the last known one, and decide again.
    Moved,
    /// The lease is another's: nothing may be done for this agent any more.
    Fenced,
    /// The agent is gone; there may be another one of its name, which has another run.
    Gone,
}

/// One event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// The first number that it takes.
    pub seq: u64,
    /// The last one.
    pub last_seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// Its stable name.
    pub kind: &'static str,
    /// Its JSON ([`Event::read`]).
    pub body: Body,
}

/// JSON in its row, or in the blob store where it is large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Here.
    Inline(Vec<u8>),
    /// There.
    Blob(BlobId),
}

/// A fold that was kept, so that not the whole log has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The last number in it.
    pub seq: u64,
    /// The messages that belong to it.
    pub window: Window,
    /// The agent without its messages, as JSON.
    pub body: Body,
}

impl Body {
    /// The JSON of a value; what is large goes to `blobs`.
    pub(crate) fn of(value: &impl Serialize, blobs: &mut Vec<(BlobId, Vec<u8>)>) -> Result<Self, StoreError> {
        let json = serde_json::to_vec(value).map_err(|error| StoreError::Corrupt {
            reason: format!("it can't be written as JSON: {error}"),
        })?;
        if json.len() <= INLINE {
            return Ok(Self::Inline(json));
        }
        let id = BlobId::of(&json);
        if !blobs.iter().any(|(known, _)| *known == id) {
            blobs.push((id, json));
        }
        Ok(Self::Blob(id))
    }
}

impl EventRow {
    pub(crate) fn of(event: &Event, blobs: &mut Vec<(BlobId, Vec<u8>)>) -> Result<Self, StoreError> {
        let (seq, last_seq, at, kind) = (event.seq, event.last_seq(), event.at, event.fact.kind());
        Ok(Self { seq, last_seq, at, kind, body: Body::of(event, blobs)? })
    }
}

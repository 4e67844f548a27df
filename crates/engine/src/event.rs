//! The log of an agent: facts, each with its number, its time and the lease under which it was written.
//!
//! The log is the agent: its state is made by folding events and by nothing else. Names and shapes of facts are stable;
//! [`VERSION`] rises when one changes its meaning, and every older version is read for ever (golden logs hold that).

mod fact;
mod note;

use seawall_types::Timestamp;
use serde::{Deserialize, Serialize};

use crate::client;
use crate::{AgentState, Breakpoint};

pub use fact::{
    Ancestor, CallNote, Fact, FailureClass, LimitKind, ModelFailure, Outcome, Piece, Repaired, Resolution,
    StopReason,
};
pub use note::Note;

/// The version of the log that is written.
pub const VERSION: u16 = 1;

/// A fact of an agent's life, as it is written into its log: one row, one line.
///
/// It carries all that clients are told of it, so a server shows any part of a log without the state before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The version of the log at which it was written.
    pub v: u16,
    /// Its number in the agent's one sequence, from 1. It takes as many numbers as it has [faces](crate::project).
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// The lease under which it was decided. The store refuses to append it under any other.
    pub epoch: u64,
    /// Where the agent has gone by it, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<Moved>,
    /// What happened.
    pub fact: Fact,
}

/// From which breakpoint to which, with the new state where that is another one too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The breakpoint before.
    pub from: Breakpoint,
    /// The breakpoint after.
    pub to: Breakpoint,
    /// The state after, if it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<AgentState>,
}

impl Event {
    /// The last of the numbers that it takes. The next event has the next one, but for what [`Event::expires`].
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        let faces = u64::try_from(client::project(self).count()).unwrap_or(u64::MAX);
        self.seq.saturating_add(faces.saturating_sub(1))
    }

    /// Whether it need not be kept: pieces of an answer, which comes again whole at its end. Everything else is
    /// written durably before it is told to anybody, and before any effect of its decision is performed that changes the world.
    #[must_use]
    pub fn expires(&self) -> bool {
        matches!(self.fact, Fact::StreamChunk { .. })
    }

    /// Reads one event as it was serialised.
    ///
    /// # Errors
    ///
    /// [`LogError::Newer`] where it was written by a later version, whatever else is in it, and
    /// [`LogError::Unreadable`]. Both name the number, as far as that can be read.
    pub fn read(json: &[u8]) -> Result<Self, LogError> {
        #[derive(Deserialize)]
        struct Head {
            v: u16,
            seq: u64,
        }
        let error = match serde_json::from_slice::<Self>(json) {
            Ok(event) if event.v <= VERSION => return Ok(event),
            Ok(event) => return Err(LogError::Newer { seq: event.seq, version: event.v }),
            Err(error) => error,
        };
        // A later version may have any shape, but for these two.
        let Ok(Head { v, seq }) = serde_json::from_slice(json) else {
            return Err(LogError::Unreadable { seq: 0, reason: error.to_string() });
        };
        if v > VERSION {
            return Err(LogError::Newer { seq, version: v });
        }
        Err(LogError::Unreadable { seq, reason: error.to_string() })
    }
}

/// A log that no agent can have written. Each names the number of the event that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// It doesn't begin with the agent's creation, or creates it twice.
    #[error("event {seq} can't stand here: a log begins with agent.created as number 1, once")]
    Beginning {
        /// The number.
        seq: u64,
    },
    /// Events are missing.
    #[error("event {seq} follows where {expected} is due: events are missing; restore the log from a backup")]
    Gap {
        /// The number.
        seq: u64,
        /// The number that was due.
        expected: u64,
    },
    /// A number is used twice.
    #[error(
        "event {seq} follows where {expected} is due: two writers have written; keep the one of the higher epoch"
    )]
    Repeated {
        /// The number.
        seq: u64,
        /// The number that was due.
        expected: u64,
    },
    /// A later version of the product wrote it.
    #[error(
        "event {seq} has version {version}, and this program reads up to {VERSION}: use the newer program"
    )]
    Newer {
        /// The number.
        seq: u64,
        /// Its version.
        version: u16,
    },
    /// It is an outcome of what was never begun, or an answer to what was never asked.
    #[error("event {seq}, {kind}, speaks of what the events before it don't know")]
    Orphan {
        /// The number.
        seq: u64,
        /// The kind of fact.
        kind: &'static str,
    },
    /// It was written under a lease that had been taken over.
    #[error("event {seq} was written under epoch {epoch}, when {current} held")]
    Fenced {
        /// The number.
        seq: u64,
        /// The event's.
        epoch: u64,
        /// The agent's.
        current: u64,
    },
    /// It is no event.
    #[error("event {seq} can't be read: {reason}")]
    Unreadable {
        /// The number; 0 where not even that can be read.
        seq: u64,
        /// What is wrong with it.
        reason: String,
    },
}

impl LogError {
    /// The number of the event that is wrong; 0 where that can't be read.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        match self {
            Self::Beginning { seq }
            | Self::Gap { seq, .. }
            | Self::Repeated { seq, .. }
            | Self::Newer { seq, .. }
            | Self::Orphan { seq, .. }
            | Self::Fenced { seq, .. }
            | Self::Unreadable { seq, .. } => *seq,
        }
    }
}

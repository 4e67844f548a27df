//! What clients see of an agent: three channels, made of its events and of nothing else.
//!
//! An event has one face or several (`tool:end` for a user's eyes is `tool_executed` for an operator's), and each has a
//! number of its own: a client that comes back with the number of the last one it saw misses none and sees none twice.
//! Channels, types and fields are those that users of the peer know; types of our own are marked.

mod faces;
mod types;

use seawall_types::Timestamp;
use serde::{Serialize, Serializer};

use crate::event::Event;

pub use types::{ApprovalFace, CallFace, ClientEvent, Detail, Done, ErrorPhase, ErrorSeverity};

/// What a client subscribes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// What a user looks at.
    Progress,
    /// What somebody has to decide.
    Control,
    /// What an operator looks at.
    Monitor,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Progress, Self::Control, Self::Monitor];

    /// The name that a subscription gives.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Progress => "progress",
            Self::Control => "control",
            Self::Monitor => "monitor",
        }
    }
}

/// Where a client is in an agent's sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bookmark {
    /// The number of the last thing seen.
    pub seq: u64,
    /// When that happened.
    pub timestamp: Timestamp,
}

/// One thing that a client is told: `{cursor, bookmark: {seq, timestamp}, event: {channel, type, …}}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope<'a> {
    /// Its number and time.
    pub bookmark: Bookmark,
    /// What it is.
    pub event: ClientEvent<'a>,
}

impl Serialize for Envelope<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Outer<'a> {
            cursor: u64,
            bookmark: Bookmark,
            event: Inner<'a>,
        }
        #[derive(Serialize)]
        struct Inner<'a> {
            channel: Channel,
            #[serde(flatten)]
            event: &'a ClientEvent<'a>,
            bookmark: Bookmark,
        }
        let event = Inner { channel: self.event.channel(), event: &self.event, bookmark: self.bookmark };
        Outer { cursor: self.bookmark.seq, bookmark: self.bookmark, event }.serialize(serializer)
    }
}

/// The faces of an event in the order of their numbers. Never none.
pub fn project(event: &Event) -> impl Iterator<Item = Envelope<'_>> {
    let mut faces = faces::faces(event);
    if let Some(moved) = event.moved {
        faces.extend(moved.state.map(|state| ClientEvent::StateChanged { state: faces::shout(state) }));
        let (previous, current) = (moved.from, moved.to);
        if previous != current {
            faces.push(ClientEvent::BreakpointChanged { previous, current, timestamp: event.at });
        }
    }
    (event.seq..)
        .zip(faces)
        .map(|(seq, face)| Envelope { bookmark: Bookmark { seq, timestamp: event.at }, event: face })
}

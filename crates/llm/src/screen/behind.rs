//! Events that wait for a verdict, and what has to keep its place behind them.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::event::number;
use crate::json::Object;
use crate::sse::RawEvent;

/// Which of an answer's independent streams (choices, candidates) an event belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Streams {
    /// None: it may go at any time.
    None,
    /// To these.
    Some(SmallVec<[u64; 2]>),
    /// To every one, or none can be told.
    All,
}

impl Streams {
    /// Those that the elements of a list name.
    pub(super) fn of(object: &Object<'_>, list: &str) -> Self {
        let elements = object.get(list).into_iter().flat_map(|list| list.elements());
        let indexes: SmallVec<[u64; 2]> = elements
            .filter_map(|element| element.as_object())
            .map(|element| number(&element, "index"))
            .collect();
        if indexes.is_empty() { Self::All } else { Self::Some(indexes) }
    }

    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => false,
            (Self::All, _) | (_, Self::All) => true,
            (Self::Some(ours), Self::Some(theirs)) => ours.iter().any(|one| theirs.contains(one)),
        }
    }

    fn add(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::None) | (Self::All, _) => {}
            (Self::Some(ours), Self::Some(theirs)) => {
                let new: SmallVec<[u64; 2]> =
                    theirs.iter().filter(|one| !ours.contains(one)).copied().collect();
                ours.extend(new);
            }
            (_, other) => *self = other.clone(),
        }
    }
}

/// The events that wait, in their order.
#[derive(Debug)]
pub(super) struct Behind {
    events: VecDeque<(RawEvent, Streams)>,
    /// All of theirs together.
    streams: Streams,
    bytes: usize,
}

impl Default for Behind {
    fn default() -> Self {
        Self { events: VecDeque::new(), streams: Streams::None, bytes: 0 }
    }
}

impl Behind {
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether an event of these streams has to wait behind what waits already.
    pub(super) fn holds(&self, streams: &Streams) -> bool {
        self.streams.meets(streams)
    }

    pub(super) fn push(&mut self, event: &RawEvent, streams: Streams) {
        self.bytes += event.bytes.len();
        self.streams.add(&streams);
        self.events.push_back((event.clone(), streams));
    }

    pub(super) fn pop(&mut self) -> Option<(RawEvent, Streams)> {
        let (event, streams) = self.events.pop_front()?;
        self.bytes -= event.bytes.len();
        Some((event, streams))
    }
}

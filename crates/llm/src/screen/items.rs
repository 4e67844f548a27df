//! The items of an answer that come one after another under numbers (content blocks, output items), and what of them
//! waits for a call to be complete.
//!
//! SDKs take an item's number for its place in a list that they append to, so an item that begins while a call waits
//! has to wait behind it. An item that had begun before goes on.

use smallvec::SmallVec;

use super::call::{MAX_HELD, Pending};
use super::core::MAX_OPEN;
use super::{CallVerdict, Judge, Stopped, are_all_ready};
use crate::sse::RawEvent;

/// An item that has begun.
#[derive(Debug)]
pub(super) struct Item {
    number: u64,
    /// Its end has not come.
    is_open: bool,
    waits: bool,
    /// The call that it is, if it is one.
    pub(super) call: Option<Pending>,
    pub(super) verdict: Option<CallVerdict>,
    /// Its arguments have come in pieces of their own.
    pub(super) has_pieces: bool,
    /// Its first event has gone.
    pub(super) has_begun: bool,
    /// The first piece of its new arguments has gone, which has them all.
    pub(super) is_given: bool,
}

/// What is about to be complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Item(u64),
    All,
}

/// The items that are open, or wait.
#[derive(Debug, Default)]
pub(super) struct Items {
    items: SmallVec<[Item; 2]>,
    /// The events that wait, with the position of their item.
    waiting: Vec<(usize, RawEvent)>,
    held_bytes: usize,
}

impl Items {
    pub(super) const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// An item begins.
    pub(super) fn begin(&mut self, number: u64, call: Option<Pending>) -> Result<(), Stopped> {
        // Its end is missing: it is over all the same.
        self.end(number);
        if self.items.len() >= MAX_OPEN {
            return Err(Stopped::TooManyParts);
        }
        let waits = call.is_some() || !self.waiting.is_empty();
        self.items.push(Item {
            number,
            is_open: true,
            waits,
            call,
            verdict: None,
            has_pieces: false,
            has_begun: false,
            is_given: false,
        });
        Ok(())
    }

    fn position(&self, number: u64) -> Option<usize> {
        self.items.iter().rposition(|item| item.is_open && item.number == number)
    }

    /// The call that is open under this number.
    pub(super) fn call(&mut self, number: u64) -> Option<&mut Item> {
        let at = self.position(number)?;
        self.items.get_mut(at).filter(|item| item.call.is_some())
    }

    /// Whether the item is a call that is refused for its size, whatever comes.
    pub(super) fn is_too_large(&self, number: u64) -> bool {
        let item = self.position(number).and_then(|at| self.items.get(at));
        item.and_then(|item| item.call.as_ref()).is_some_and(|call| call.is_too_large)
    }

    /// Whether events of the item have to wait.
    pub(super) fn is_waiting(&self, number: u64) -> bool {
        self.position(number).and_then(|at| self.items.get(at)).is_some_and(|item| item.waits)
    }

    /// Lets the event of an item wait, if it has to; `false` when it may go. Past all room a call is too large, and of
    /// such a call only the first event is needed.
    pub(super) fn holds(&mut self, number: u64, event: &RawEvent) -> bool {
        let Some(at) = self.position(number) else { return false };
        let Some(item) = self.items.get_mut(at).filter(|item| item.waits) else { return false };
        let has_room = self.held_bytes + event.bytes.len() <= MAX_HELD;
        if let Some(call) = &mut item.call {
            call.is_too_large |= !has_room;
            if call.is_too_large && self.waiting.iter().any(|(of, _)| *of == at) {
                return true;
            }
        }
        self.held_bytes += event.bytes.len();
        self.waiting.push((at, event.clone()));
        true
    }

    /// The item is complete.
    pub(super) fn end(&mut self, number: u64) {
        let Some(at) = self.position(number) else { return };
        if self.waiting.is_empty() {
            self.items.remove(at);
        } else if let Some(item) = self.items.get_mut(at) {
            item.is_open = false;
        }
    }

    /// All items are complete, whatever the answer says.
    pub(super) fn end_all(&mut self) {
        self.items.iter_mut().for_each(|item| item.is_open = false);
        self.items.retain(|_| !self.waiting.is_empty());
    }

    /// The answer has failed: a call that was not complete is none.
    pub(super) fn discard(&mut self) {
        self.items.clear();
        self.waiting.clear();
        self.held_bytes = 0;
    }

    /// Judges the calls that are complete, and gives what may go by now, unless a call is still open.
    pub(super) fn judged<J: Judge>(&mut self, judge: &mut J) -> Vec<(usize, RawEvent)> {
        let is_open = |item: &Item| item.call.is_some() && item.is_open;
        for item in self.items.iter_mut().filter(|item| item.verdict.is_none() && !is_open(item)) {
            item.verdict = item.call.as_ref().map(|call| call.judge(judge));
        }
        if self.items.iter().any(is_open) {
            return Vec::new();
        }
        self.held_bytes = 0;
        std::mem::take(&mut self.waiting)
    }

    /// Whether the calls can be decided on that are complete once the item of this number is, or every one.
    pub(super) fn are_ready<J: Judge>(&self, ending: Ending, judge: &mut J) -> bool {
        let at = match ending {
            Ending::Item(number) => self.position(number),
            Ending::All => None,
        };
        let is_complete = |(place, item): &(usize, &Item)| {
            item.verdict.is_none() && (!item.is_open || ending == Ending::All || at == Some(*place))
        };
        let complete = self.items.iter().enumerate().filter(is_complete);
        let calls = complete.filter_map(|(_, item)| item.call.as_ref());
        are_all_ready(calls.map(|call| call.is_ready(judge)))
    }

    /// The item of an event that waited, until [`Items::forget`].
    pub(super) fn item(&mut self, at: usize) -> Option<&mut Item> {
        self.items.get_mut(at)
    }

    /// What has gone needs no memory; what is still open does not wait any more.
    pub(super) fn forget(&mut self) {
        if self.waiting.is_empty() {
            self.items.retain(|item| item.is_open);
            self.items.iter_mut().for_each(|item| item.waits = false);
        }
    }
}

impl Item {
    /// The number that the answer gives it.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }
}

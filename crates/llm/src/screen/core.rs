//! The texts of an answer that are under way, and what their judge keeps back of each.

use std::ops::Range;

use smallvec::SmallVec;

use super::event::Read;
use super::{Field, Judge, Stopped};
use crate::json::Value;
use crate::splice::Splices;
use crate::sse::RawEvent;

/// How many texts, choices or items may be open at the same time.
pub(super) const MAX_OPEN: usize = 1_024;

/// Which text of an answer: of which choice, item or block, of which part of it, under which key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Channel {
    pub(super) outer: u64,
    pub(super) inner: u64,
    pub(super) key: &'static str,
    pub(super) field: Field,
}

/// The next piece of a text, where it stands in an event.
pub(super) struct Piece<'a> {
    pub(super) channel: Channel,
    pub(super) value: Value<'a>,
    /// What in the same event tells the text once more (the probabilities of its tokens), and what hides it.
    pub(super) aside: Option<(Range<usize>, &'static str)>,
}

pub(super) type Pieces<'a> = SmallVec<[Piece<'a>; 4]>;

/// A text under way.
#[derive(Debug)]
struct Open<F> {
    channel: Channel,
    filter: F,
    /// The event that brought its last piece, as long as something of it is kept back.
    holding: Option<RawEvent>,
}

/// What was kept back of a text that has ended, with the event that brought it.
pub(super) struct Kept {
    pub(super) channel: Channel,
    pub(super) event: RawEvent,
    pub(super) text: String,
}

/// The judge, and the texts that it has begun to read.
#[derive(Debug)]
pub(super) struct Core<J: Judge> {
    pub(super) judge: J,
    open: SmallVec<[Open<J::Filter>; 2]>,
    /// Room for one text as it is and as it goes on, used again and again.
    decoded: String,
    screened: String,
}

impl<J: Judge> Core<J> {
    pub(super) fn new(judge: J) -> Self {
        Self { judge, open: SmallVec::new(), decoded: String::new(), screened: String::new() }
    }

    /// Takes the pieces of one event. A text that `ends` with this event, and has a piece in it, ends in that piece.
    pub(super) fn take(
        &mut self,
        read: &Read<'_, '_>,
        pieces: &[Piece<'_>],
        ends: impl Fn(&Channel) -> bool,
        splices: &mut Splices,
    ) -> Result<(), Stopped> {
        for (at, piece) in pieces.iter().enumerate() {
            let mut later = pieces.iter().skip(at + 1);
            let is_last = ends(&piece.channel) && !later.any(|later| later.channel == piece.channel);
            self.piece(read.event, piece, is_last, splices)?;
        }
        Ok(())
    }

    /// Takes one piece; with the last one its text ends.
    pub(super) fn piece(
        &mut self,
        event: &RawEvent,
        piece: &Piece<'_>,
        is_last: bool,
        splices: &mut Splices,
    ) -> Result<(), Stopped> {
        let mut decoded = std::mem::take(&mut self.decoded);
        let mut screened = std::mem::take(&mut self.screened);
        screened.clear();
        let Some(text) = piece.value.read_into(&mut decoded) else { return Ok(()) };
        let at = self.position(&piece.channel, text.is_empty())?;
        let is_hidden = match at.and_then(|at| self.open.get_mut(at)) {
            Some(open) => {
                screened.reserve(text.len());
                let held_before = open.holding.is_some();
                self.judge.push(&mut open.filter, text, &mut screened);
                if is_last {
                    self.judge.finish(&mut open.filter, &mut screened);
                }
                let holds = !is_last && self.judge.is_holding(&open.filter);
                open.holding = holds.then(|| event.clone());
                held_before || holds
            }
            None => false,
        };
        if screened != text {
            splices.say(piece.value, &screened);
        }
        if let Some((span, cover)) = piece.aside.as_ref().filter(|_| is_hidden || screened != text) {
            splices.put(span.clone(), (*cover).to_owned());
        }
        if let Some(at) = at.filter(|_| is_last) {
            self.open.remove(at);
        }
        (self.decoded, self.screened) = (decoded, screened);
        Ok(())
    }

    /// Where the text is; it begins now if it is new and has something to say.
    fn position(&mut self, channel: &Channel, is_empty: bool) -> Result<Option<usize>, Stopped> {
        let known = self.open.iter().position(|open| open.channel == *channel);
        if known.is_some() || is_empty {
            return Ok(known);
        }
        if self.open.len() >= MAX_OPEN {
            return Err(Stopped::TooManyParts);
        }
        let filter = self.judge.begin(channel.field);
        self.open.push(Open { channel: *channel, filter, holding: None });
        Ok(Some(self.open.len() - 1))
    }

    /// Ends texts: what was kept of them, in the order in which they began.
    pub(super) fn end(&mut self, ends: impl Fn(&Channel) -> bool) -> SmallVec<[Kept; 1]> {
        let mut kept = SmallVec::new();
        let mut at = 0;
        while let Some(open) = self.open.get(at) {
            if !ends(&open.channel) {
                at += 1;
                continue;
            }
            let mut open = self.open.remove(at);
            // Its judge hears of the end in any case: what it only takes note of may end with the text.
            let mut text = String::new();
            self.judge.finish(&mut open.filter, &mut text);
            let Some(event) = open.holding else { continue };
            if !text.is_empty() {
                kept.push(Kept { channel: open.channel, event, text });
            }
        }
        kept
    }

    /// Screens a text that stands in one piece at `value`; true when it changed.
    pub(super) fn whole(&mut self, field: Field, value: Value<'_>, splices: &mut Splices) -> bool {
        self.whole_and(field, value, "", splices)
    }

    /// The same, and lets `words` of ours follow as a paragraph.
    pub(super) fn whole_and(
        &mut self,
        field: Field,
        value: Value<'_>,
        words: &str,
        splices: &mut Splices,
    ) -> bool {
        let mut decoded = std::mem::take(&mut self.decoded);
        let mut screened = std::mem::take(&mut self.screened);
        screened.clear();
        let mut changed = false;
        if let Some(text) = value.read_into(&mut decoded).filter(|text| !text.is_empty()) {
            screened.reserve(text.len());
            self.judge.whole(field, text, &mut screened);
            changed = screened != text;
        }
        if !words.is_empty() {
            if !screened.is_empty() {
                screened.push_str("\n\n");
            }
            screened.push_str(words);
        }
        if changed || !words.is_empty() {
            splices.say(value, &screened);
        }
        (self.decoded, self.screened) = (decoded, screened);
        changed
    }
}

//! Takes matches out of a text that comes in pieces, before any byte of them has left.
//!
//! The redactor asks the same validators as [`TextDetector::scan`], in the same order; the only difference is that a
//! validator may answer "not before more is there". Until then what could be the beginning of the match is held back, and
//! nothing else. So the output is that of the whole text, however the text was cut.
//!
//! How much is held back has a bound, whatever comes: the longest is a JSON web token whose second part has not ended, two
//! parts of 8 KiB. What is longer counts as a match, and the rest of it is swallowed without being kept. A private key is
//! one from its first line on and is swallowed from there.

pub(crate) mod json;

use std::fmt;

pub use json::redact_json;

use crate::text::kind::Kind;
use crate::text::window::{Hit, LOOK_BACK, Tail, Wait, Window};
use crate::text::{Cursor, Step, TextDetector};

/// How many bytes that have left may stay in the buffer before they are moved out.
const SLACK: usize = 4 * 1024;

/// Redacts one text that comes in pieces. The text is what a reader sees: without the escapes of JSON.
///
/// One for each field that grows by itself: a choice's text, its reasoning, the arguments of one tool call.
#[derive(Default)]
pub struct Redactor {
    /// What is held back, after the bytes that the validators may look back at.
    buffer: String,
    /// Everything before has left or was taken out.
    released: usize,
    /// Where the next anchor is looked for.
    scanned: usize,
    /// The end of the last match.
    floor: usize,
    /// What belongs to a match that has begun.
    tail: Option<Tail>,
    wait: Option<Wait>,
}

impl TextDetector {
    /// A redactor for one text. All its pieces must be given to it with this detector.
    #[must_use]
    pub fn redactor(&self) -> Redactor {
        Redactor::default()
    }

    /// The whole text with a mark in the place of every match; none if there is no match.
    #[must_use]
    pub fn redact(&self, text: &str) -> Option<String> {
        let mut redacted = String::new();
        let mut kept_from = 0;
        self.scan(text, |found| {
            if found.kind != Kind::Injection {
                redacted.push_str(text.get(kept_from..found.range.start).unwrap_or_default());
                redacted.push_str(found.kind.mark());
                kept_from = found.range.end;
            }
        });
        (kept_from > 0).then(|| redacted + text.get(kept_from..).unwrap_or_default())
    }
}

impl Redactor {
    /// Takes the next piece and puts what may leave behind `out`. The kind of the first match that became certain, if any:
    /// its mark is in `out`, and nothing of it.
    pub fn push(&mut self, detector: &TextDetector, delta: &str, out: &mut String) -> Option<Kind> {
        let mut first = None;
        self.push_telling(detector, delta, out, |kind| first = first.or(Some(kind)));
        first
    }

    /// Takes the next piece and puts what may leave behind `out`. `tell` hears the kind of each match that became certain: its
    /// mark is in `out`, and nothing of it.
    pub fn push_telling(
        &mut self,
        detector: &TextDetector,
        delta: &str,
        out: &mut String,
        tell: impl FnMut(Kind),
    ) {
        self.buffer.push_str(delta);
        let still =
            |wait: Wait| self.buffer.len() < wait.until && delta.bytes().all(|byte| wait.alphabet.has(byte));
        if self.wait.is_some_and(still) {
            return;
        }
        self.advance(detector, false, out, tell);
        self.compact();
    }

    /// The text is complete: what was held back leaves, without its matches. After this a new text can begin.
    pub fn finish(&mut self, detector: &TextDetector, out: &mut String) -> Option<Kind> {
        let mut first = None;
        self.finish_telling(detector, out, |kind| first = first.or(Some(kind)));
        first
    }

    /// The same, and `tell` hears the kind of each match that this makes certain.
    pub fn finish_telling(&mut self, detector: &TextDetector, out: &mut String, tell: impl FnMut(Kind)) {
        self.advance(detector, true, out, tell);
        self.buffer.clear();
        *self = Self { buffer: std::mem::take(&mut self.buffer), ..Self::default() };
    }

    /// How many bytes are held back.
    #[must_use]
    pub fn held(&self) -> usize {
        self.buffer.len() - self.released
    }

    fn advance(
        &mut self,
        detector: &TextDetector,
        complete: bool,
        out: &mut String,
        mut tell: impl FnMut(Kind),
    ) {
        self.wait = None;
        let mut cursor = Cursor::at(self.scanned);
        loop {
            let window = Window { bytes: self.buffer.as_bytes(), floor: self.floor, complete };
            if let Some(tail) = self.tail {
                let (end, ended) = tail.extend(&window, self.scanned);
                self.take_out(end);
                if !ended {
                    return;
                }
                self.tail = None;
                continue;
            }
            cursor.skip_to(self.scanned);
            match detector.step(&window, &mut cursor) {
                Step::Hit(hit) => {
                    tell(hit.kind);
                    self.mark(hit, out);
                }
                Step::Open { anchor, from, wait } => {
                    let until = detector.earliest(&window, from);
                    self.release(until, out);
                    self.scanned = anchor;
                    self.wait = wait;
                    return;
                }
                Step::Done => {
                    let end = self.buffer.len();
                    let until = if complete { end } else { detector.earliest(&window, end) };
                    self.release(until, out);
                    self.scanned = end;
                    return;
                }
            }
        }
    }

    fn mark(&mut self, hit: Hit, out: &mut String) {
        self.release(hit.start, out);
        out.push_str(hit.kind.mark());
        self.take_out(hit.end);
        self.tail = (hit.tail != Tail::None).then_some(hit.tail);
    }

    fn take_out(&mut self, end: usize) {
        self.released = end;
        self.scanned = end;
        self.floor = end;
    }

    fn release(&mut self, until: usize, out: &mut String) {
        if let Some(text) = self.buffer.get(self.released..until) {
            out.push_str(text);
            self.released = until;
        }
    }

    /// Moves out what has left, but for what the validators may look back at.
    fn compact(&mut self) {
        let needed = self.released.min(self.scanned).saturating_sub(LOOK_BACK);
        if needed < SLACK {
            return;
        }
        let gone = self.buffer.floor_char_boundary(needed);
        self.buffer.drain(..gone);
        self.released -= gone;
        self.scanned -= gone;
        self.floor = self.floor.saturating_sub(gone);
        if let Some(wait) = &mut self.wait {
            wait.until -= gone;
        }
    }
}

impl fmt::Debug for Redactor {
    /// Without the text: what is held back may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").field("held", &self.held()).finish_non_exhaustive()
    }
}

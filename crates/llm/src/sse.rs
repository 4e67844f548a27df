//! Splits a byte stream into server-sent events and keeps every byte.
//!
//! The rules are those of the WHATWG standard (<https://html.spec.whatwg.org/multipage/server-sent-events.html>):
//! lines end in LF, CRLF or CR, a blank line ends an event, a byte order mark may stand at the start. What an event
//! means to a provider is not known here: see [`crate::stream`].

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use memchr::memchr2;
use smallvec::SmallVec;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// An event, or what has come of it so far, is larger than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a server-sent event is larger than {limit} bytes; raise the limit or break the stream off")]
pub struct EventTooLarge {
    /// The most that an event may have, in bytes.
    pub limit: usize,
}

/// Cuts chunks, as they arrive, into events.
///
/// An event that lies inside one chunk is a slice of it; only what lies across chunks is copied, once. Concatenating
/// the bytes of all events and of [`Splitter::finish`] gives the input back.
#[derive(Debug)]
pub struct Splitter {
    max_event: usize,
    /// Chunks that were not looked at yet.
    chunks: VecDeque<Bytes>,
    /// The start of an event whose end has not come.
    partial: BytesMut,
    lines: Lines,
    /// The next event is the first.
    first: bool,
    /// The next event's bytes start with the LF of the CRLF that ended the one before.
    owes_newline: bool,
}

impl Splitter {
    /// A splitter that refuses events of more than `max_event` bytes.
    #[must_use]
    pub fn new(max_event: usize) -> Self {
        Self {
            max_event,
            chunks: VecDeque::new(),
            partial: BytesMut::new(),
            lines: Lines::default(),
            first: true,
            owes_newline: false,
        }
    }

    /// Takes the next chunk of the stream.
    pub fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.chunks.push_back(chunk);
        }
    }

    /// The next event that is complete.
    ///
    /// # Errors
    /// When an event is larger than allowed. The stream cannot be used after that.
    pub fn next_event(&mut self) -> Result<Option<RawEvent>, EventTooLarge> {
        while let Some(mut chunk) = self.chunks.pop_front() {
            let end = self.lines.event_end(&chunk);
            if self.partial.len() + end.unwrap_or(chunk.len()) > self.max_event {
                self.chunks.push_front(chunk);
                return Err(EventTooLarge { limit: self.max_event });
            }
            let Some(end) = end else {
                self.partial.extend_from_slice(&chunk);
                continue;
            };
            let tail = chunk.split_to(end);
            if !chunk.is_empty() {
                self.chunks.push_front(chunk);
            }
            return Ok(Some(self.complete(tail)));
        }
        Ok(None)
    }

    fn complete(&mut self, tail: Bytes) -> RawEvent {
        let bytes = if self.partial.is_empty() {
            tail
        } else {
            self.partial.extend_from_slice(&tail);
            self.partial.split().freeze()
        };
        let skip = if self.first && bytes.starts_with(BYTE_ORDER_MARK) {
            BYTE_ORDER_MARK.len()
        } else {
            usize::from(self.owes_newline && bytes.starts_with(b"\n"))
        };
        self.first = false;
        self.owes_newline = self.lines.after_return;
        RawEvent { bytes, skip }
    }

    /// Ends the stream: what is left without a blank line after it, byte for byte. No event, by the standard.
    pub fn finish(&mut self) -> Option<Bytes> {
        for chunk in self.chunks.drain(..) {
            self.partial.extend_from_slice(&chunk);
        }
        let left = self.partial.split().freeze();
        (!left.is_empty()).then_some(left)
    }

    /// How many bytes are held back because no event has ended after them.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.partial.len() + self.chunks.iter().map(Bytes::len).sum::<usize>()
    }
}

/// Where in a line the stream stands.
#[derive(Debug)]
struct Lines {
    /// The line has no byte yet.
    blank: bool,
    /// The last byte was a CR: a LF that follows belongs to the same line end.
    after_return: bool,
}

impl Default for Lines {
    fn default() -> Self {
        Self { blank: true, after_return: false }
    }
}

impl Lines {
    /// Moves through `bytes` up to the end of the blank line that ends an event; gives the position behind it.
    ///
    /// A CR at the very end of a chunk ends its line at once, so that no event waits for the next chunk; should a LF
    /// follow, it starts the next event's bytes.
    fn event_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        if self.after_return && !bytes.is_empty() {
            self.after_return = false;
            at = usize::from(bytes.starts_with(b"\n"));
        }
        loop {
            let rest = bytes.get(at..)?;
            let Some(length) = memchr2(b'\n', b'\r', rest) else {
                self.blank &= rest.is_empty();
                return None;
            };
            let ends_event = self.blank && length == 0;
            self.blank = true;
            at += length + 1;
            if rest.get(length) == Some(&b'\r') {
                match bytes.get(at) {
                    Some(b'\n') => at += 1,
                    Some(_) => {}
                    None => self.after_return = true,
                }
            }
            if ends_event {
                return Some(at);
            }
        }
    }
}

/// One event with its blank line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEvent {
    /// The exact bytes of the stream.
    pub bytes: Bytes,
    /// How many of the first bytes say nothing: a byte order mark, or the rest of the line end before.
    skip: usize,
}

impl RawEvent {
    /// An event made here rather than split from a stream: `bytes` with the blank line.
    #[must_use]
    pub const fn new(bytes: Bytes) -> Self {
        Self { bytes, skip: 0 }
    }

    /// The event's name, when it has one.
    #[must_use]
    pub fn event(&self) -> Option<&str> {
        let name = self.fields().filter(|field| field.name == b"event").last()?;
        std::str::from_utf8(self.bytes.get(name.value)?).ok()
    }

    /// The data lines, joined by LF; borrowed when there is one.
    #[must_use]
    pub fn data(&self) -> Cow<'_, [u8]> {
        let lines: SmallVec<[Range<usize>; 4]> = self.data_lines().collect();
        match lines.as_slice() {
            [] => Cow::Borrowed(b""),
            [one] => Cow::Borrowed(self.bytes.get(one.clone()).unwrap_or_default()),
            several => {
                let lines: SmallVec<[&[u8]; 4]> =
                    several.iter().filter_map(|line| self.bytes.get(line.clone())).collect();
                Cow::Owned(lines.join(&b'\n'))
            }
        }
    }

    /// Where the data lies in [`RawEvent::bytes`], when it is in one line.
    #[must_use]
    pub fn data_span(&self) -> Option<Range<usize>> {
        let mut lines = self.data_lines();
        let first = lines.next()?;
        lines.next().is_none().then_some(first)
    }

    /// Whether there is no data: a comment to keep the connection alive, or nothing at all.
    #[must_use]
    pub fn is_comment_only(&self) -> bool {
        self.data_lines().next().is_none()
    }

    fn data_lines(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.fields().filter(|field| field.name == b"data").map(|field| field.value)
    }

    fn fields(&self) -> Fields<'_> {
        Fields { bytes: &self.bytes, at: self.skip }
    }
}

/// One line `name: value`.
struct Field<'a> {
    name: &'a [u8],
    value: Range<usize>,
}

/// The lines of an event that have a name; comments are passed over.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        loop {
            let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
            let start = self.at;
            let length = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            self.at += length + 1;
            let line = rest.get(..length)?;
            match memchr::memchr(b':', line) {
                Some(0) => {}
                None if line.is_empty() => {}
                None => return Some(Field { name: line, value: start + length..start + length }),
                Some(colon) => {
                    let space = usize::from(line.get(colon + 1) == Some(&b' '));
                    let name = line.get(..colon)?;
                    return Some(Field { name, value: start + colon + 1 + space..start + length });
                }
            }
        }
    }
}

//! The scanner itself: moves over JSON text and says where a thing ends.
//!
//! It never recurses: open containers are one byte each on a small stack of its own, so depth costs no thread stack.

use smallvec::SmallVec;
use wide::u8x16;

use super::strings::{Known, Long, Strings};
use super::{JsonError, JsonErrorKind};

/// Why and where scanning stopped.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) kind: JsonErrorKind,
    pub(super) offset: usize,
}

impl Fault {
    pub(super) fn in_text(&self, text: &[u8]) -> JsonError {
        JsonError::at(self.kind, text, self.offset)
    }
}

/// The closing brackets that are still owed, the innermost last.
type Open = SmallVec<[u8; 64]>;

/// A text that is UTF-8, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) text: &'a [u8],
    /// Its long strings, where it was read before; at least those from the place on that is looked at.
    pub(super) strings: &'a [Long],
}

impl<'a> Source<'a> {
    /// A text of which nothing is known.
    pub(super) const fn new(text: &'a [u8]) -> Self {
        Self { text, strings: &[] }
    }
}

/// A position in a text that is UTF-8.
#[derive(Debug)]
pub(super) struct Scanner<'a, S = Known<'a>> {
    text: &'a [u8],
    pub(super) at: usize,
    strings: S,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(source: Source<'a>, at: usize) -> Self {
        Self { text: source.text, at, strings: Known::from(source.strings, at) }
    }

    /// The text, for whoever reads on from here.
    pub(super) const fn source(&self) -> Source<'a> {
        Source { text: self.text, strings: self.strings.ahead() }
    }
}

impl<'a, S: Strings> Scanner<'a, S> {
    pub(super) const fn with(text: &'a [u8], at: usize, strings: S) -> Self {
        Self { text, at, strings }
    }

    pub(super) const fn text(&self) -> &'a [u8] {
        self.text
    }

    /// What it knows, or has learned, of the strings.
    pub(super) fn into_strings(self) -> S {
        self.strings
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// What is wrong with the byte here, or with there being none.
    pub(super) fn unexpected(&self) -> Fault {
        let kind =
            if self.at < self.text.len() { JsonErrorKind::Syntax } else { JsonErrorKind::UnexpectedEnd };
        Fault { kind, offset: self.at }
    }

    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.peek() != Some(byte) {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(())
    }

    /// Reads `"key" :` and the space around it; gives where the key lies between its quotes.
    pub(super) fn key(&mut self) -> Result<(usize, usize), Fault> {
        let start = self.at + 1;
        self.string()?;
        let end = self.at - 1;
        self.space();
        self.expect(b':')?;
        self.space();
        Ok((start, end))
    }

    /// Moves past the value here, with at most `depth` containers inside each other.
    pub(super) fn value(&mut self, depth: usize) -> Result<(), Fault> {
        let mut open = Open::new();
        loop {
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    if open.len() >= depth {
                        return Err(Fault { kind: JsonErrorKind::Depth, offset: self.at });
                    }
                    if self.enter(bracket, &mut open)? {
                        continue;
                    }
                }
                Some(b'"') => self.string()?,
                _ => self.scalar()?,
            }
            if self.leave(&mut open)? {
                return Ok(());
            }
        }
    }

    /// Opens a container; true when a first value follows in it.
    fn enter(&mut self, bracket: u8, open: &mut Open) -> Result<bool, Fault> {
        let closer = if bracket == b'{' { b'}' } else { b']' };
        open.push(closer);
        self.at += 1;
        self.space();
        if self.peek() == Some(closer) {
            return Ok(false);
        }
        if closer == b'}' {
            self.key()?;
        }
        Ok(true)
    }

    /// After a value (or at the end of an empty container): closes what closes here. True when nothing is open any
    /// more; false when the next value stands here.
    fn leave(&mut self, open: &mut Open) -> Result<bool, Fault> {
        while let Some(closer) = open.last().copied() {
            self.space();
            if self.peek() == Some(closer) {
                self.at += 1;
                open.pop();
                continue;
            }
            self.expect(b',')?;
            self.space();
            if closer == b'}' {
                self.key()?;
            }
            return Ok(false);
        }
        Ok(true)
    }

    fn scalar(&mut self) -> Result<(), Fault> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            _ => Err(self.unexpected()),
        }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Fault> {
        for byte in word {
            self.expect(*byte)?;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.unexpected()) } else { Ok(()) }
    }

    pub(super) fn string(&mut self) -> Result<(), Fault> {
        let start = self.at;
        if let Some(end) = self.strings.end_of(start) {
            self.at = end;
            return Ok(());
        }
        self.expect(b'"')?;
        loop {
            self.at += plain_length(self.rest());
            if self.peek() != Some(b'\\') {
                break;
            }
            self.escape()?;
        }
        self.expect(b'"')?;
        self.strings.passed(start, self.at);
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Fault> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => return self.code_unit(),
            _ => return Err(self.unexpected()),
        }
        Ok(())
    }

    fn code_unit(&mut self) -> Result<(), Fault> {
        self.at += 1;
        for _ in 0..4 {
            if !self.peek().is_some_and(|digit| digit.is_ascii_hexdigit()) {
                return Err(self.unexpected());
            }
            self.at += 1;
        }
        Ok(())
    }
}

/// How many bytes are looked at together.
pub(super) const LANES: usize = 16;

/// How many bytes at the start of `rest` are neither a quote, a backslash nor a control character.
fn plain_length(rest: &[u8]) -> usize {
    let (lanes, tail) = rest.as_chunks::<LANES>();
    let mut at = 0;
    for bytes in lanes {
        let special = special_places(*bytes);
        if special != 0 {
            return at + special.trailing_zeros() as usize;
        }
        at += LANES;
    }
    at + tail.iter().position(|byte| is_special(*byte)).unwrap_or(tail.len())
}

/// Whether a byte ends a plain stretch.
const fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

/// The places of the bytes that end a plain stretch, a bit each.
#[inline]
fn special_places(bytes: [u8; LANES]) -> u32 {
    let bytes = u8x16::new(bytes);
    let is = |byte| bytes.simd_eq(u8x16::splat(byte));
    let is_control = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes);
    (is_control | is(b'"') | is(b'\\')).to_bitmask()
}

//! The scanner itself: moves over JSON text and says where a thing ends.
//!
//! It never recurses: open containers are one byte each on a small stack of its own, so depth costs no thread stack.

use smallvec::SmallVec;

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
    /// Its long strings, where it was read before.
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

    pub(super) const fn source(&self) -> Source<'a> {
        Source { text: self.text, strings: self.strings.all() }
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

/// How many bytes at the start of `rest` are neither a quote, a backslash nor a control character.
///
/// Strings full of escapes have short plain stretches, so the first words are looked at one by one; a stretch that is
/// longer is passed over in chunks, of which no byte is looked at apart until one of them ends it.
pub(super) fn plain_length(rest: &[u8]) -> usize {
    const NEAR: usize = 64;
    const CHUNK: usize = 32;
    let (near, far) = rest.split_at(rest.len().min(NEAR));
    if let Some(end) = first_special(near) {
        return end;
    }
    let (chunks, _) = far.as_chunks::<CHUNK>();
    // The fold has no early exit, so that all bytes of a chunk are compared at once.
    let is_plain = |chunk: &&[u8; CHUNK]| !chunk.iter().fold(false, |found, byte| found | is_special(*byte));
    let plain = near.len() + chunks.iter().take_while(is_plain).count() * CHUNK;
    let tail = rest.get(plain..).unwrap_or_default();
    plain + first_special(tail).unwrap_or(tail.len())
}

/// Where the first byte is that ends a plain stretch.
fn first_special(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut at = 0;
    for word in words {
        let special = special_bytes(u64::from_le_bytes(*word));
        if special != 0 {
            return Some(at + special.trailing_zeros() as usize / 8);
        }
        at += word.len();
    }
    rest.iter().position(|byte| is_special(*byte)).map(|after| at + after)
}

/// Whether a byte ends a plain stretch.
const fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

/// Marks, with the high bit, the first byte of `word` (the lowest) that ends a plain stretch; bytes above it may be
/// marked wrongly. The arithmetic is that of <https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord>: a byte
/// borrows from its high bit when it is below what is subtracted, and had none itself. What is sought is ASCII, so the
/// high bits are those of `word` in all three.
const fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let control = word.wrapping_sub(0x20 * ONES);
    let quote = (word ^ (b'"' as u64 * ONES)).wrapping_sub(ONES);
    let backslash = (word ^ (b'\\' as u64 * ONES)).wrapping_sub(ONES);
    (control | quote | backslash) & !word & HIGH
}

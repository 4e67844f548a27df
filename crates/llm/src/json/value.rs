//! One value: where it lies, and what it is once somebody asks.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::object::Limits;
use super::scan::{Scanner, Source};
use super::{JsonError, Object, check_utf8, nothing_after, text};

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// `null`
    Null,
    /// Not the start of any value. Only what was not validated can be this.
    Invalid,
}

/// One value: where it lies in the text. Reading it costs when it is read.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    pub(super) source: Source<'a>,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl<'a> Value<'a> {
    /// Reads a text that is one value of any kind and nothing else.
    ///
    /// # Errors
    /// As [`Object::parse`], but keys are not compared.
    pub fn parse(text: &'a [u8], max_depth: usize) -> Result<Self, JsonError> {
        let mut value = Self::unchecked(check_utf8(text)?);
        let mut scanner = Scanner::new(value.source, value.start);
        scanner.value(max_depth).map_err(|fault| fault.in_text(text))?;
        value.end = scanner.at;
        nothing_after(text, value.end)?;
        Ok(value)
    }

    /// The whole text without the space before it, not validated.
    pub(super) fn unchecked(text: &'a [u8]) -> Self {
        let source = Source::new(text);
        let mut scanner = Scanner::new(source, 0);
        scanner.space();
        Self { source, start: scanner.at, end: text.len() }
    }

    /// The bytes as they stand in the text.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.source.text.get(self.start..self.end).unwrap_or_default()
    }

    /// Where it lies in the text.
    #[must_use]
    pub const fn span(&self) -> Range<usize> {
        self.start..self.end
    }

    /// What it is, by its first byte.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.source.text.get(self.start) {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') => Kind::Null,
            _ => Kind::Invalid,
        }
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.kind() == Kind::Null
    }

    /// Whether it is a string.
    #[must_use]
    pub fn is_string(&self) -> bool {
        self.kind() == Kind::String
    }

    /// A string's bytes between its quotes, still escaped.
    pub(super) fn quoted(&self) -> Option<&'a [u8]> {
        (self.kind() == Kind::String)
            .then(|| self.source.text.get(self.start + 1..self.end.checked_sub(1)?))?
    }

    /// A string, unescaped; borrowed when it has no escapes.
    #[must_use]
    pub fn as_str(&self) -> Option<Cow<'a, str>> {
        self.quoted().map(text::decode)
    }

    /// A string, unescaped: borrowed when it has no escapes, else written over what is in `room`.
    pub(crate) fn read_into<'r>(&self, room: &'r mut String) -> Option<&'r str>
    where
        'a: 'r,
    {
        text::read_into(self.quoted()?, room)
    }

    /// How many bytes a string has once unescaped; 0 for anything else.
    #[must_use]
    pub fn text_len(&self) -> u64 {
        self.quoted().map_or(0, text::decoded_len)
    }

    /// A number that is whole and not negative, however it is written (`8`, `8.0`, `8e0`).
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        (self.kind() == Kind::Number).then(|| text::whole_number(self.raw()))?
    }

    /// `true` or `false`.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self.raw() {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        }
    }

    /// The members of an object. Its inside was validated with the whole text, so this only finds them again;
    /// of a key that stands there twice the last counts.
    #[must_use]
    pub fn as_object(&self) -> Option<Object<'a>> {
        let limits = Limits { depth: usize::MAX, unique_keys: false };
        (self.kind() == Kind::Object).then(|| Object::collect(self.source, self.start, limits).ok())?
    }

    /// The members of an object in which no key may stand twice: for objects that decide about money.
    ///
    /// # Errors
    /// When a key stands there twice or it has too many. `Ok(None)` when the value is no object.
    pub fn as_unique_object(&self) -> Result<Option<Object<'a>>, JsonError> {
        if self.kind() != Kind::Object {
            return Ok(None);
        }
        let limits = Limits { depth: usize::MAX, unique_keys: true };
        Object::collect(self.source, self.start, limits)
            .map(Some)
            .map_err(|fault| fault.in_text(self.source.text))
    }

    /// Those elements of an array that are objects. Finding where one ends and finding its members is one walk over it.
    pub fn objects(&self) -> impl Iterator<Item = Object<'a>> + use<'a> {
        let mut elements = self.elements();
        std::iter::from_fn(move || elements.next_object())
    }

    /// The elements of an array; nothing for anything else.
    #[must_use]
    pub fn elements(&self) -> Elements<'a> {
        Elements::new(*self)
    }
}

impl fmt::Debug for Value<'_> {
    /// Shows the place, not the content: a value may hold what must not be logged.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {}..{}", self.kind(), self.start, self.end)
    }
}

/// The elements of an array, one after another.
#[derive(Debug)]
pub struct Elements<'a> {
    scanner: Scanner<'a>,
    ended: bool,
}

impl<'a> Elements<'a> {
    fn new(array: Value<'a>) -> Self {
        let mut scanner = Scanner::new(array.source, array.start + 1);
        scanner.space();
        let ended = array.kind() != Kind::Array || scanner.peek() == Some(b']');
        Self { scanner, ended }
    }
}

impl<'a> Elements<'a> {
    /// The next element that is an object; what stands before it is left out.
    fn next_object(&mut self) -> Option<Object<'a>> {
        while !self.ended {
            if self.scanner.peek() != Some(b'{') {
                self.next();
                continue;
            }
            let limits = Limits { depth: usize::MAX, unique_keys: false };
            let object = Object::collect(self.scanner.source(), self.scanner.at, limits).ok();
            self.ended = object.is_none();
            self.scanner.at = object.as_ref().map_or(self.scanner.at, |object| object.close_offset() + 1);
            self.step();
            return object;
        }
        None
    }

    /// To the next element, from behind one.
    fn step(&mut self) {
        self.scanner.space();
        if self.scanner.expect(b',').is_err() {
            self.ended = true;
        }
        self.scanner.space();
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        if self.ended {
            return None;
        }
        let (source, start) = (self.scanner.source(), self.scanner.at);
        self.ended = self.scanner.value(usize::MAX).is_err();
        let value = Value { source, start, end: self.scanner.at };
        self.step();
        Some(value)
    }
}

//! One object: which members it has and where they lie.

use std::borrow::Cow;
use std::ops::Range;

use smallvec::SmallVec;

use super::scan::{Fault, Scanner, Source};
use super::strings::{Known, Strings};
use super::{JsonError, JsonErrorKind, Kind, Value, check_utf8, nothing_after, text};

/// How many members an object may have whose keys are compared with each other. The comparison is quadratic; real
/// requests have less than fifty.
const MAX_UNIQUE_KEYS: usize = 512;

/// Where one member of an object lies in the text.
#[derive(Debug, Clone, Copy)]
struct Member {
    /// The key's first byte after its quote.
    key_start: usize,
    /// The key's closing quote.
    key_end: usize,
    value_start: usize,
    value_end: usize,
}

impl Member {
    /// The key as it is written between its quotes.
    fn key<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        text.get(self.key_start..self.key_end).unwrap_or_default()
    }
}

/// What to insist on while the members of an object are collected.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) depth: usize,
    pub(super) unique_keys: bool,
}

/// An object: the text it lies in and where its members are.
///
/// Positions are those of the whole text, also for an object inside another.
#[derive(Debug, Clone)]
pub struct Object<'a> {
    source: Source<'a>,
    outline: Outline,
}

/// Where the members of an object are, without the text.
#[derive(Debug, Clone)]
pub(super) struct Outline {
    members: SmallVec<[Member; 16]>,
    close: usize,
}

impl Outline {
    /// The outline of a text that is one object and nothing else, and what was learned of its strings.
    pub(super) fn of_text<S: Strings>(
        text: &[u8],
        limits: Limits,
        strings: S,
    ) -> Result<(Self, S), JsonError> {
        let mut scanner = Scanner::with(check_utf8(text)?, 0, strings);
        scanner.space();
        let value = Value { source: Source::new(text), start: scanner.at, end: text.len() };
        match value.kind() {
            Kind::Object => {}
            Kind::Invalid => return Err(scanner.unexpected().in_text(text)),
            _ => return Err(JsonError::at(JsonErrorKind::NotAnObject, text, value.start)),
        }
        let outline = Self::read(&mut scanner, limits).map_err(|fault| fault.in_text(text))?;
        nothing_after(text, outline.close + 1)?;
        Ok((outline, scanner.into_strings()))
    }

    /// Reads the object whose `{` is here.
    fn read<S: Strings>(scanner: &mut Scanner<'_, S>, limits: Limits) -> Result<Self, Fault> {
        let start = scanner.at;
        let inner = limits.depth.checked_sub(1).ok_or(Fault { kind: JsonErrorKind::Depth, offset: start })?;
        let mut outline = Self { members: SmallVec::new(), close: start };
        scanner.expect(b'{')?;
        scanner.space();
        while scanner.peek() != Some(b'}') {
            if !outline.members.is_empty() {
                scanner.expect(b',')?;
                scanner.space();
            }
            let (key_start, key_end) = scanner.key()?;
            let value_start = scanner.at;
            scanner.value(inner)?;
            let member = Member { key_start, key_end, value_start, value_end: scanner.at };
            if limits.unique_keys {
                outline.refuse_repeated(scanner.text(), member)?;
            }
            outline.members.push(member);
            scanner.space();
        }
        outline.close = scanner.at;
        Ok(outline)
    }

    fn refuse_repeated(&self, text: &[u8], member: Member) -> Result<(), Fault> {
        if self.members.len() >= MAX_UNIQUE_KEYS {
            return Err(Fault { kind: JsonErrorKind::TooManyKeys, offset: member.key_start });
        }
        let key = text::decode_bytes(member.key(text));
        if self.members.iter().any(|other| text::reads_as(other.key(text), &key)) {
            return Err(Fault { kind: JsonErrorKind::DuplicateKey, offset: member.key_start });
        }
        Ok(())
    }
}

impl<'a> Object<'a> {
    /// Reads a text that is one object and nothing else, and checks everything inside it too.
    ///
    /// # Errors
    /// When the text is not valid JSON in UTF-8, is no object, nests deeper than `max_depth` (the object itself is
    /// one), or names a key twice at its top level. Keys are compared unescaped.
    pub fn parse(text: &'a [u8], max_depth: usize) -> Result<Self, JsonError> {
        Self::parse_within(text, Limits { depth: max_depth, unique_keys: true })
    }

    /// Reads a text that is one object and nothing else, in which a key may stand twice: the last one counts.
    ///
    /// # Errors
    /// As [`Object::parse`], but for repeated keys.
    pub fn parse_repeating(text: &'a [u8], max_depth: usize) -> Result<Self, JsonError> {
        Self::parse_within(text, Limits { depth: max_depth, unique_keys: false })
    }

    fn parse_within(text: &'a [u8], limits: Limits) -> Result<Self, JsonError> {
        let (outline, _nothing) = Outline::of_text(text, limits, Known::default())?;
        Ok(Self { source: Source::new(text), outline })
    }

    /// The object that was read of this very text before.
    pub(super) const fn within(source: Source<'a>, outline: Outline) -> Self {
        Self { source, outline }
    }

    /// Notes the members of the object whose `{` is at `start`.
    pub(super) fn collect(source: Source<'a>, start: usize, limits: Limits) -> Result<Self, Fault> {
        let outline = Outline::read(&mut Scanner::new(source, start), limits)?;
        Ok(Self { source, outline })
    }

    fn raw_key(&self, member: Member) -> &'a [u8] {
        member.key(self.source.text)
    }

    fn value_of(&self, member: Member) -> Value<'a> {
        Value { source: self.source, start: member.value_start, end: member.value_end }
    }

    fn member(&self, key: &str) -> Option<Member> {
        self.outline
            .members
            .iter()
            .rev()
            .copied()
            .find(|member| text::reads_as(self.raw_key(*member), key.as_bytes()))
    }

    /// The value of `key`; of the last one, should an inner object have it twice (as all common parsers do).
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        self.member(key).map(|member| self.value_of(member))
    }

    /// The value of `key` unless it is `null`, which means the same as its absence to every provider.
    #[must_use]
    pub fn some(&self, key: &str) -> Option<Value<'a>> {
        self.get(key).filter(|value| !value.is_null())
    }

    /// The objects in the array under `key`, in order; nothing where it is no array.
    pub fn objects(&self, key: &str) -> impl Iterator<Item = Object<'a>> + use<'a> {
        self.get(key).into_iter().flat_map(|list| list.objects())
    }

    /// The members in the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'a, str>, Value<'a>)> + '_ {
        self.outline
            .members
            .iter()
            .map(|member| (text::decode(self.raw_key(*member)), self.value_of(*member)))
    }

    /// Where `key` itself lies in the text, between its quotes.
    #[must_use]
    pub fn key_span_of(&self, key: &str) -> Option<Range<usize>> {
        self.member(key).map(|member| member.key_start..member.key_end)
    }

    /// Where the value of `key` lies in the text.
    #[must_use]
    pub fn span_of(&self, key: &str) -> Option<Range<usize>> {
        self.member(key).map(|member| member.value_start..member.value_end)
    }

    /// What to cut out of the text so that `key` is gone and the rest is still an object.
    #[must_use]
    pub fn cut_of(&self, key: &str) -> Option<Range<usize>> {
        let at = self
            .outline
            .members
            .iter()
            .rposition(|member| text::reads_as(self.raw_key(*member), key.as_bytes()))?;
        let member = self.outline.members.get(at)?;
        match at.checked_sub(1).and_then(|before| self.outline.members.get(before)) {
            Some(before) => Some(before.value_end..member.value_end),
            None => {
                let end = self.outline.members.get(1).map_or(member.value_end, |next| next.key_start - 1);
                Some(member.key_start - 1..end)
            }
        }
    }

    /// Where the closing brace is.
    #[must_use]
    pub const fn close_offset(&self) -> usize {
        self.outline.close
    }

    /// Whether there are no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.outline.members.is_empty()
    }
}

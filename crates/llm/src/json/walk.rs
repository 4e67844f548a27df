//! One forward walk over text that is already validated, however deep it goes.
//!
//! [`super::Object`] looks at one level and passes over what is below it; going down level by level that way reads
//! the bottom once for each level. The walk reads every byte once: for prompts, which are large and nested.

use super::scan::Scanner;
use super::{Kind, Value, text};

/// A position at the start of a value, or just behind one that was read.
pub(crate) struct Walk<'a> {
    scanner: Scanner<'a>,
}

impl<'a> Walk<'a> {
    /// A walk through `value`.
    pub(crate) fn over(value: Value<'a>) -> Self {
        Self { scanner: Scanner::new(value.source, value.start) }
    }

    /// Where in the text this is.
    pub(crate) const fn at(&self) -> usize {
        self.scanner.at
    }

    /// What stands here.
    pub(crate) fn kind(&self) -> Kind {
        Value { source: self.scanner.source(), start: self.scanner.at, end: self.scanner.at }.kind()
    }

    /// Reads the value here as one piece.
    pub(crate) fn value(&mut self) -> Value<'a> {
        let (source, start) = (self.scanner.source(), self.scanner.at);
        self.skip();
        Value { source, start, end: self.scanner.at }
    }

    fn skip(&mut self) {
        if self.scanner.value(usize::MAX).is_err() {
            // Cannot be in validated text; the end is where every loop stops.
            self.scanner.at = self.scanner.text().len();
        }
    }

    /// Calls `field` with each key of the object here; a value that it does not read is passed over. Anything that is
    /// no object is passed over.
    pub(crate) fn object(&mut self, mut field: impl FnMut(&[u8], &mut Self)) {
        self.quoted_object(|key, walk| field(&text::decode_bytes(key), walk));
    }

    /// The same, with the keys as they are written between their quotes.
    pub(super) fn quoted_object(&mut self, mut field: impl FnMut(&[u8], &mut Self)) {
        if self.kind() != Kind::Object {
            return self.skip();
        }
        self.each(b'}', |walk| {
            let Ok((start, end)) = walk.scanner.key() else { return };
            let key = walk.scanner.text().get(start..end).unwrap_or_default();
            let before = walk.scanner.at;
            field(key, walk);
            if walk.scanner.at == before {
                walk.skip();
            }
        });
    }

    /// Calls `element` for each element of the array here, as [`Walk::object`] does for fields.
    pub(crate) fn array(&mut self, mut element: impl FnMut(&mut Self)) {
        if self.kind() != Kind::Array {
            return self.skip();
        }
        self.each(b']', |walk| {
            let before = walk.scanner.at;
            element(walk);
            if walk.scanner.at == before {
                walk.skip();
            }
        });
    }

    fn each(&mut self, closer: u8, mut one: impl FnMut(&mut Self)) {
        self.scanner.at += 1;
        self.scanner.space();
        while self.scanner.peek().is_some_and(|byte| byte != closer) {
            let before = self.scanner.at;
            one(self);
            self.scanner.space();
            if self.scanner.expect(b',').is_ok() {
                self.scanner.space();
            }
            if self.scanner.at == before {
                self.scanner.at = self.scanner.text().len();
            }
        }
        self.scanner.at = (self.scanner.at + 1).min(self.scanner.text().len());
    }
}

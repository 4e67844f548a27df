//! A text together with the object that it was read as, for readers one after another.

use std::sync::Arc;

use bytes::Bytes;

use super::object::{Limits, Outline};
use super::scan::Source;
use super::strings::{Long, Noting};
use super::{JsonError, Object};

/// A text that is one JSON object: read and checked once, looked into as often as needed.
#[derive(Debug, Clone)]
pub struct Document {
    text: Bytes,
    outline: Outline,
    strings: Arc<[Long]>,
}

impl Document {
    /// Reads a text as [`Object::parse`] does.
    ///
    /// # Errors
    /// As [`Object::parse`].
    pub fn parse(text: Bytes, max_depth: usize) -> Result<Self, JsonError> {
        let limits = Limits { depth: max_depth, unique_keys: true };
        let (outline, Noting(strings)) = Outline::of_text(&text, limits, Noting::default())?;
        Ok(Self { text, outline, strings: strings.into() })
    }

    /// The text as it came.
    #[must_use]
    pub const fn text(&self) -> &Bytes {
        &self.text
    }

    /// Its members. Nothing is read again.
    #[must_use]
    pub fn object(&self) -> Object<'_> {
        let source = Source { text: &self.text, strings: &self.strings };
        Object::within(source, self.outline.clone())
    }
}

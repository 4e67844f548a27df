//! A text together with the object that it was read as, for readers one after another.

use bytes::Bytes;

use super::object::Outline;
use super::{JsonError, Object};

/// A text that is one JSON object: read and checked once, looked into as often as needed.
#[derive(Debug, Clone)]
pub struct Document {
    text: Bytes,
    outline: Outline,
}

impl Document {
    /// Reads a text as [`Object::parse`] does.
    ///
    /// # Errors
    /// As [`Object::parse`].
    pub fn parse(text: Bytes, max_depth: usize) -> Result<Self, JsonError> {
        let outline = Object::parse(&text, max_depth)?.into_outline();
        Ok(Self { text, outline })
    }

    /// The text as it came.
    #[must_use]
    pub const fn text(&self) -> &Bytes {
        &self.text
    }

    /// Its members. Nothing is read again.
    #[must_use]
    pub fn object(&self) -> Object<'_> {
        Object::within(&self.text, self.outline.clone())
    }
}

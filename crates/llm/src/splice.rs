//! Puts other bytes in the place of some bytes of a text: everything else stays as it is.

use std::ops::Range;

use smallvec::SmallVec;

use crate::json::Value;

/// What to put in the place of which bytes. No two may overlap.
#[derive(Debug, Default)]
pub(crate) struct Splices(SmallVec<[(Range<usize>, String); 4]>);

impl Splices {
    /// Whether nothing is to be changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `text` is to stand where `span` is. A span that is to be replaced already keeps its first replacement.
    pub(crate) fn put(&mut self, span: Range<usize>, text: String) {
        if self.0.iter().all(|(other, _)| *other != span) {
            self.0.push((span, text));
        }
    }

    /// `text`, a JSON text, is to stand in the place of a value.
    pub(crate) fn replace(&mut self, current: Value<'_>, text: String) {
        self.put(current.span(), text);
    }

    /// `text`, unescaped, is to stand in the place of a value, as a JSON string.
    pub(crate) fn say(&mut self, current: Value<'_>, text: &str) {
        self.replace(current, quoted(text));
    }

    /// The bytes with everything put in its place. Each splice is a different member, or the end of a different object.
    pub(crate) fn apply(mut self, bytes: &[u8]) -> Vec<u8> {
        self.0.sort_by_key(|(span, _)| span.start);
        let added: usize = self.0.iter().map(|(_, text)| text.len()).sum();
        let mut edited = Vec::with_capacity(bytes.len() + added);
        let mut at = 0;
        for (span, text) in self.0 {
            edited.extend_from_slice(bytes.get(at..span.start).unwrap_or_default());
            edited.extend_from_slice(text.as_bytes());
            at = span.end;
        }
        edited.extend_from_slice(bytes.get(at..).unwrap_or_default());
        edited
    }
}

/// A text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

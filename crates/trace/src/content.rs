//! What an event holds of payloads: prompts, answers, arguments and results of tools.
//!
//! Whoever records an event hands a copy of the payload over as it came ([`Payload`]); the writer's thread redacts it and makes
//! JSON of it, so that nobody else waits for that. What is to be taken out is decided by a [`Redact`], which another crate
//! brings; here is only how to reach every text in a payload: behind the escapes of JSON, in names, in JSON that is a string in
//! JSON, and at the end of a text that was cut.

mod json;
mod transcribe;

use std::fmt::{self, Debug, Write};
use std::sync::Arc;

use seawall_types::EventData;
use serde_json::Value;

use self::transcribe::push_quoted;

/// The most payloads of one event, bytes of them all together. What is more is cut.
const LARGEST: usize = 256 * 1024;
/// What a payload takes in its event beside itself: its name, and escapes that it had not.
const ROOM_BESIDE: usize = 64;

/// Takes out of a text what may not be written down.
pub trait Redact: Debug + Send + Sync {
    /// The text with a mark in the place of everything that may not be written down; `None` when all of it may.
    ///
    /// `name` is what it is the value of, empty when it has no name. With `is_cut` there was more of the text, and what could
    /// be the beginning of something that may not be written down has to go too.
    fn redact(&self, name: &str, text: &str, is_cut: bool) -> Option<String>;
}

/// A document without what may not be written down, in whichever of its texts that stands: names and documents within texts
/// included.
#[must_use]
pub fn redact_document(redact: &dyn Redact, document: &Value) -> Value {
    let mut redacted = String::new();
    json::write(Some(redact), &document.to_string(), false, &mut redacted);
    // What was written is a document. If it were none, nothing of it is the safe answer.
    serde_json::from_str(&redacted).unwrap_or_default()
}

/// How much of payloads is kept (`trace.content`).
#[derive(Debug, Clone, Default)]
pub enum Content {
    /// Nothing.
    #[default]
    None,
    /// All of it but what this takes out.
    Redacted(Arc<dyn Redact>),
    /// All of it.
    Full,
}

/// What a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
}

/// One payload of an event, as it came. Nobody has looked at it yet, so it is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    /// The field of the event's data that it becomes.
    field: &'static str,
    /// Where the field is a list: the key that this element has.
    element: Option<&'static str>,
    form: Form,
    text: String,
    /// The length of all of it.
    bytes: u64,
}

impl Payload {
    /// A text, of which there are `bytes` in all: the rest was cut off.
    #[must_use]
    pub fn text(field: &'static str, text: String, bytes: u64) -> Self {
        Self { field, element: None, form: Form::Text, text, bytes }
    }

    /// JSON, which may be cut anywhere. What turns out to be none is kept as a text.
    #[must_use]
    pub fn json(field: &'static str, text: String, bytes: u64) -> Self {
        Self { form: Form::Json, ..Self::text(field, text, bytes) }
    }

    /// The next element of a list, under this key in an object of its own.
    #[must_use]
    pub fn as_element(self, key: &'static str) -> Self {
        Self { element: Some(key), ..self }
    }

    /// What it takes while it waits.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.text.len()
    }

    fn is_cut(&self) -> bool {
        u64::try_from(self.text.len()).unwrap_or(u64::MAX) < self.bytes
    }

    fn cut_to(&mut self, most: usize) {
        self.text.truncate(self.text.floor_char_boundary(most));
    }
}

impl Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload")
            .field("field", &self.field)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Content {
    /// Whether anything is kept: otherwise nobody needs to copy it.
    #[must_use]
    pub fn keeps_payloads(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// The data with the payloads behind its own fields; and where one was cut, how long it was (`cut`).
    pub(crate) fn add(&self, data: &EventData, payloads: Vec<Payload>) -> Option<EventData> {
        let own = data.strip_suffix('}')?;
        let more: usize = payloads.iter().map(|payload| payload.text.len() + ROOM_BESIDE).sum();
        let mut out = String::with_capacity(data.len() + more.min(LARGEST));
        out.push_str(own);
        let mut writing = Writing { out, list: None };
        let mut cuts = Vec::new();
        let mut room = LARGEST;
        for mut payload in payloads {
            payload.cut_to(room);
            room = room.saturating_sub(payload.text.len());
            if payload.is_cut() {
                cuts.push((payload.field, payload.bytes));
            }
            writing.field(&payload, |out| self.write(&payload, out));
        }
        Some(EventData::of_json(writing.finish(&cuts)))
    }

    /// Writes a payload as JSON.
    fn write(&self, payload: &Payload, out: &mut String) {
        let redact = match self {
            Self::None => return out.push_str("null"),
            Self::Full => None,
            Self::Redacted(redact) => Some(&**redact),
        };
        let cut = payload.is_cut();
        if payload.form == Form::Json && json::write(redact, &payload.text, cut, out) {
            return;
        }
        let redacted = redact.and_then(|redact| json::text(redact, &payload.text, cut));
        push_quoted(out, redacted.as_deref().unwrap_or(&payload.text));
    }
}

/// Data while fields are put behind its own.
struct Writing {
    out: String,
    /// The list that is open.
    list: Option<&'static str>,
}

impl Writing {
    /// A field, or an element of one, whose value `write` writes.
    fn field(&mut self, payload: &Payload, write: impl FnOnce(&mut String)) {
        let &Payload { field, element, .. } = payload;
        let Some(key) = element else {
            self.begin(field);
            return write(&mut self.out);
        };
        if self.list == Some(field) {
            self.out.push(',');
        } else {
            self.begin(field);
            self.out.push('[');
            self.list = Some(field);
        }
        // Writing to a text can't fail.
        let _written = write!(self.out, "{{\"{key}\":");
        write(&mut self.out);
        self.out.push('}');
    }

    fn begin(&mut self, field: &str) {
        self.end_list();
        if !self.out.ends_with('{') {
            self.out.push(',');
        }
        let _written = write!(self.out, "\"{field}\":");
    }

    fn end_list(&mut self) {
        if self.list.take().is_some() {
            self.out.push(']');
        }
    }

    fn finish(mut self, cuts: &[(&'static str, u64)]) -> String {
        self.end_list();
        if !cuts.is_empty() {
            // Of several elements of a list their lengths together: which of them were cut shows in their own.
            let mut lengths = std::collections::BTreeMap::<&str, u64>::new();
            for (field, bytes) in cuts {
                let length = lengths.entry(field).or_default();
                *length = length.saturating_add(*bytes);
            }
            self.begin("cut");
            self.out.push_str(&serde_json::to_string(&lengths).unwrap_or_else(|_| "{}".to_owned()));
        }
        self.out.push('}');
        self.out
    }
}

#[cfg(test)]
mod tests;

//! One event that was read, and how another is made from it.

use std::borrow::Cow;

use bytes::Bytes;

use crate::json::Object;
use crate::splice::Splices;
use crate::sse::RawEvent;

/// An event with its data.
#[derive(Clone, Copy)]
pub(super) struct Read<'a, 'o> {
    pub(super) event: &'a RawEvent,
    pub(super) data: &'a [u8],
    pub(super) object: &'o Object<'a>,
}

impl Read<'_, '_> {
    /// The event with `splices` in its data; the very bytes when there are none.
    pub(super) fn with(&self, splices: Splices) -> Bytes {
        rebuilt(self.event, self.data, splices)
    }
}

/// The event with `splices` in its `data`.
pub(super) fn rebuilt(event: &RawEvent, data: &[u8], splices: Splices) -> Bytes {
    if splices.is_empty() {
        return event.bytes.clone();
    }
    let data = splices.apply(data);
    let Some(span) = event.data_span() else { return of_json(event.event(), &data) };
    let head = event.bytes.get(..span.start).unwrap_or_default();
    let tail = event.bytes.get(span.end..).unwrap_or_default();
    Bytes::from([head, &data, tail].concat())
}

/// An event from nothing: its name and its data, a JSON text, which may be written in several lines.
pub(super) fn of_json(name: Option<&str>, data: &[u8]) -> Bytes {
    let mut bytes = Vec::with_capacity(data.len() + 64);
    if let Some(name) = name {
        bytes.extend_from_slice(b"event: ");
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(b'\n');
    }
    for line in data.split(|byte| matches!(byte, b'\n' | b'\r')) {
        bytes.extend_from_slice(b"data: ");
        bytes.extend_from_slice(line);
        bytes.push(b'\n');
    }
    bytes.push(b'\n');
    Bytes::from(bytes)
}

/// The text of a member, when there is one that says something.
pub(super) fn text<'a>(object: &Object<'a>, key: &str) -> Option<Cow<'a, str>> {
    object.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// The number of a member; 0 when there is none, as zeros are left out by some.
pub(super) fn number(object: &Object<'_>, key: &str) -> u64 {
    object.get(key).and_then(|number| number.as_u64()).unwrap_or(0)
}

//! Writes JSON straight into the bytes of a request, so that a history is copied once: into the body. Fields that the caller
//! adds are merged on the way.

use std::borrow::Cow;

use serde_json::{Map, Value};
use smallvec::SmallVec;

use crate::json::quote;

/// What a caller can't change by adding fields: it would be another request than the one whose answer is awaited.
const OURS: &[&str] =
    &["model", "messages", "input", "contents", "stream", "include_usage", "n", "candidateCount"];

/// What can be written as it is.
///
/// Not all that serde knows: texts are nearly all of a conversation, and their writer is ours.
pub(super) trait Json {
    /// Writes it.
    fn write(&self, out: &mut Vec<u8>);
}

impl Json for str {
    fn write(&self, out: &mut Vec<u8>) {
        quote(out, self);
    }
}

impl Json for String {
    fn write(&self, out: &mut Vec<u8>) {
        quote(out, self);
    }
}

impl Json for Cow<'_, str> {
    fn write(&self, out: &mut Vec<u8>) {
        quote(out, self);
    }
}

impl<T: Json + ?Sized> Json for &T {
    fn write(&self, out: &mut Vec<u8>) {
        T::write(self, out);
    }
}

impl<T: Json> Json for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(out),
            None => out.extend_from_slice(b"null"),
        }
    }
}

/// Writes with serde, which can't fail here: memory takes all, and none of these has anything that JSON lacks.
macro_rules! json_by_serde {
    ($($kind:ty),*) => {$(
        impl Json for $kind {
            fn write(&self, out: &mut Vec<u8>) {
                let _ = serde_json::to_writer(out, self);
            }
        }
    )*};
}

json_by_serde!(bool, i32, u64, f64, Value);

/// Writes `value` as it is.
pub(super) fn json(out: &mut Vec<u8>, value: &(impl Json + ?Sized)) {
    value.write(out);
}

/// Writes an object; `extra` has members that are added to it or take the place of its own.
pub(super) fn object(
    out: &mut Vec<u8>,
    extra: Option<&Map<String, Value>>,
    write: impl FnOnce(&mut Members<'_, '_>),
) {
    out.push(b'{');
    let mut members = Members { out, extra, written: SmallVec::new(), is_first: true };
    write(&mut members);
    members.add_extra();
    out.push(b'}');
}

/// The members of an object.
pub(super) struct Members<'o, 'e> {
    out: &'o mut Vec<u8>,
    extra: Option<&'e Map<String, Value>>,
    written: SmallVec<[&'static str; 12]>,
    is_first: bool,
}

impl<'e> Members<'_, 'e> {
    /// Starts a member; its value is to be written to what this gives.
    pub(super) fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(b',');
        }
        json(self.out, key);
        self.out.push(b':');
        self.out
    }

    fn added(&self, key: &str) -> Option<&'e Value> {
        self.extra?.get(key).filter(|_| !OURS.contains(&key))
    }

    /// A value that a caller may replace.
    pub(super) fn member(&mut self, key: &'static str, value: &(impl Json + ?Sized)) {
        self.written.push(key);
        match self.added(key) {
            Some(other) => json(self.key(key), other),
            None => json(self.key(key), value),
        }
    }

    /// A value, where there is one.
    pub(super) fn some(&mut self, key: &'static str, value: Option<impl Json>) {
        if let Some(value) = value {
            self.member(key, &value);
        }
    }

    /// An object, merged with what a caller adds to it.
    pub(super) fn object(&mut self, key: &'static str, write: impl FnOnce(&mut Members<'_, '_>)) {
        self.written.push(key);
        match self.added(key) {
            Some(Value::Object(extra)) => object(self.key(key), Some(extra), write),
            Some(other) => json(self.key(key), other),
            None => object(self.key(key), None, write),
        }
    }

    /// A list, made longer by what a caller adds to it.
    pub(super) fn list(&mut self, key: &'static str, write: impl FnOnce(&mut Items<'_>)) {
        self.written.push(key);
        let added = self.added(key);
        if let Some(other) = added.filter(|added| !added.is_array()) {
            return json(self.key(key), other);
        }
        list(self.key(key), |items| {
            write(items);
            added.and_then(Value::as_array).into_iter().flatten().for_each(|item| json(items.next(), item));
        });
    }

    fn add_extra(&mut self) {
        for (key, value) in self.extra.into_iter().flatten() {
            if !OURS.contains(&key.as_str()) && !self.written.contains(&key.as_str()) {
                json(self.key(key), value);
            }
        }
    }
}

/// Writes a list.
pub(super) fn list(out: &mut Vec<u8>, write: impl FnOnce(&mut Items<'_>)) {
    out.push(b'[');
    write(&mut Items { out, is_first: true });
    out.push(b']');
}

/// The items of a list.
pub(super) struct Items<'o> {
    out: &'o mut Vec<u8>,
    is_first: bool,
}

impl Items<'_> {
    /// Starts an item; it is to be written to what this gives.
    pub(super) fn next(&mut self) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(b',');
        }
        self.out
    }

    /// An object.
    pub(super) fn object(&mut self, write: impl FnOnce(&mut Members<'_, '_>)) {
        object(self.next(), None, write);
    }

    /// An object of these texts.
    pub(super) fn texts(&mut self, members: &[(&'static str, &str)]) {
        self.object(|object| members.iter().for_each(|(key, text)| object.member(key, text)));
    }
}

//! Reading a foreign configuration so that nothing in it is passed over: every key of a section is either taken, or ends up
//! among the notes.

use std::cell::RefCell;
use std::collections::HashSet;

use serde_json::{Map, Value};

/// What could not be taken over, and why.
#[derive(Debug, Default)]
pub(super) struct Notes(RefCell<Vec<String>>);

impl Notes {
    /// Something has no counterpart. `what` is a path, never a value: it may be a secret.
    pub(super) fn skip(&self, what: impl std::fmt::Display, why: impl std::fmt::Display) {
        let line = format!("{what}: {why}");
        let mut lines = self.0.borrow_mut();
        if !lines.contains(&line) {
            lines.push(line);
        }
    }

    pub(super) fn into_lines(self) -> Vec<String> {
        self.0.into_inner()
    }
}

/// One table of the foreign configuration.
pub(super) struct Section<'v> {
    pub(super) path: String,
    map: &'v Map<String, Value>,
    taken: RefCell<HashSet<&'v str>>,
    pub(super) notes: &'v Notes,
}

impl<'v> Section<'v> {
    pub(super) fn new(path: String, map: &'v Map<String, Value>, notes: &'v Notes) -> Self {
        Self { path, map, taken: RefCell::default(), notes }
    }

    /// The value of a key, which counts as taken. An empty one is none.
    pub(super) fn take(&self, key: &str) -> Option<&'v Value> {
        let (key, value) = self.map.get_key_value(key)?;
        self.taken.borrow_mut().insert(key);
        Some(value).filter(|value| !value.is_null())
    }

    /// The table below a key.
    pub(super) fn section(&self, key: &str) -> Option<Section<'v>> {
        match self.take(key)? {
            Value::Object(map) => Some(Section::new(self.path_of(key), map, self.notes)),
            _ => self.refuse(key, "is no table"),
        }
    }

    pub(super) fn list(&self, key: &str) -> &'v [Value] {
        match self.take(key) {
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.skip(key, "is no list");
                &[]
            }
            None => &[],
        }
    }

    /// A text, with what stands for an environment variable there written as it is written here.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        match self.take(key)? {
            Value::String(text) => Some(reference(text).unwrap_or_else(|| literal(text))),
            Value::Number(number) => Some(number.to_string()),
            _ => self.refuse(key, "is no text"),
        }
    }

    /// A whole number.
    pub(super) fn integer(&self, key: &str) -> Option<u64> {
        let value = self.take(key)?;
        let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
        number.or_else(|| self.refuse(key, "is no whole number"))
    }

    /// A number that is not negative.
    pub(super) fn number(&self, key: &str) -> Option<f64> {
        let value = self.take(key)?;
        let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
        number
            .filter(|number| number.is_finite() && *number >= 0.0)
            .or_else(|| self.refuse(key, "is no number"))
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        match self.take(key) {
            None | Some(Value::Bool(false)) => false,
            Some(Value::Bool(true)) => true,
            Some(_) => self.refuse(key, "is neither true nor false").unwrap_or(false),
        }
    }

    pub(super) fn skip(&self, key: &str, why: impl std::fmt::Display) {
        self.notes.skip(self.path_of(key), why);
    }

    fn refuse<T>(&self, key: &str, why: &str) -> Option<T> {
        self.skip(key, why);
        None
    }

    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// What was not taken becomes a note, with the reason that `why` knows.
    pub(super) fn finish(&self, why: impl Fn(&str) -> Option<&'static str>) {
        let taken = self.taken.borrow();
        for (key, value) in self.map.iter().filter(|(key, _)| !taken.contains(key.as_str())) {
            if !is_off(value) {
                self.skip(key, why(key).unwrap_or("has no counterpart"));
            }
        }
    }
}

/// What was not set or not wanted needs no counterpart.
fn is_off(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::String(_) => false,
    }
}

/// `os.environ/NAME` as a reference of ours.
pub(super) fn reference(text: &str) -> Option<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name = |name: &&str| name.chars().all(is_part) && !name.starts_with(|c: char| c.is_ascii_digit());
    let name = text.trim().strip_prefix("os.environ/").filter(|name| !name.is_empty()).filter(is_name)?;
    Some(variable(name))
}

/// A reference to an environment variable.
pub(super) fn variable(name: &str) -> String {
    format!("${{{name}}}")
}

/// A text that means itself, whatever it looks like.
pub(super) fn literal(text: &str) -> String {
    text.replace("${", "$${")
}

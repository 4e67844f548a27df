//! What comes out of one declaration: the configuration, its effective values, its schema, its keys.

use seawall_types::Secret;
use serde::Serialize;
use serde_json::Value;

use super::declaration::{self, Field, KeyDoc};
use super::document::Document;
use super::error::{ConfigError, Errors};
use super::node::Origin;
use super::reader::{Mode, Reader};

/// The message of a key that nobody asked for.
pub(crate) const UNKNOWN_KEY: &str = "unknown key";
/// How its hint begins where none of its neighbours looks like it.
pub(crate) const KNOWN_HERE: &str = "known here: ";

/// One effective value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// The key with dots and indices.
    pub key: String,
    /// The value in force, secrets hidden; null when nothing is set and there is no default.
    pub value: Value,
    /// Where it was written.
    #[serde(serialize_with = "as_text")]
    pub origin: Origin,
    /// What was written (as JSON, references resolved) where something of it is hidden above: to see whether it is another than
    /// before.
    #[serde(skip)]
    pub hidden: Option<Secret<String>>,
}

fn as_text<S: serde::Serializer>(origin: &Origin, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(origin)
}

/// Reads a document.
///
/// # Errors
/// Everything that is wrong with it, all at once: references that lead nowhere, unknown keys (with the nearest known
/// one as a hint), wrong types, values out of range, missing keys, and what the reading code itself objects to.
pub fn read<T>(document: &Document, read: impl FnOnce(&mut Reader<'_>) -> T) -> Result<T, Errors> {
    let (value, outcome) = attempt(document, read);
    outcome.map(|()| value)
}

/// Reads a document as far as it goes: a faulty key has its default in the value, which is then good for finding more
/// faults (in files that it names) and for nothing else.
///
/// # Errors
/// As [`read`].
pub fn attempt<T>(document: &Document, read: impl FnOnce(&mut Reader<'_>) -> T) -> (T, Result<(), Errors>) {
    let (value, mut reader) = run(document, read);
    let mut errors = document.unresolved.clone();
    errors.append(&mut reader.errors);
    if errors.is_empty() {
        return (value, Ok(()));
    }
    suggest_elsewhere(&mut errors, &reader.fields);
    (value, Err(Errors(errors)))
}

/// Every key with its effective value, defaults included and secrets hidden. A faulty key shows its default.
pub fn show<T>(document: &Document, read: impl FnOnce(&mut Reader<'_>) -> T) -> Vec<Entry> {
    run(document, read).1.entries
}

/// The JSON Schema (2020-12) of a configuration file.
pub fn schema<T>(read: impl FnOnce(&mut Reader<'_>) -> T) -> Value {
    declaration::schema(&describe(read))
}

/// Every key, in the order in which it is read, for the documentation.
pub fn keys<T>(read: impl FnOnce(&mut Reader<'_>) -> T) -> Vec<KeyDoc> {
    let mut keys = Vec::new();
    declaration::list(&describe(read), "", &mut keys);
    keys
}

fn run<T>(document: &Document, read: impl FnOnce(&mut Reader<'_>) -> T) -> (T, Reader<'_>) {
    let mut reader = Reader::new(Mode::Read, String::new(), Some(&document.root));
    let value = read(&mut reader);
    reader.close();
    (value, reader)
}

fn describe<T>(read: impl FnOnce(&mut Reader<'_>) -> T) -> Vec<Field> {
    let mut reader = Reader::new(Mode::Describe, String::new(), None);
    read(&mut reader);
    reader.fields
}

/// A key in the wrong section has no neighbour that looks like it: points at the section that knows it.
fn suggest_elsewhere(errors: &mut [ConfigError], fields: &[Field]) {
    let mut known = Vec::new();
    declaration::list(fields, "", &mut known);
    let is_far = |error: &&mut ConfigError| {
        error.message == UNKNOWN_KEY && error.hint.as_ref().is_some_and(|hint| hint.starts_with(KNOWN_HERE))
    };
    for error in errors.iter_mut().filter(is_far) {
        let name = error.key.rsplit('.').next().unwrap_or(&error.key);
        if let Some(known) = known.iter().find(|known| known.key.rsplit('.').next() == Some(name)) {
            error.hint = Some(format!("did you mean {}?", known.key));
        }
    }
}

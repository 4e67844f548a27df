//! The kinds of value that a key can have: how each is read, described and shown.
//!
//! A value from a file has the type it was written with. A text from a variable, a flag or a `${…}` has none; it is
//! read as its key demands.

mod absent;
mod choice;
mod collection;
mod scalar;
mod text;
mod unit;

use std::fmt::Display;

use serde_json::Value;

use super::node::{Content, Node, Spelling};

pub(crate) use absent::{Absent, Partly};
pub(crate) use choice::Choice;
pub(crate) use collection::{Items, Map, Raw, SecretMap};
pub(crate) use scalar::{Boolean, Integer, Ratio};
pub(crate) use text::{Parsed, SecretText, Text};
pub(crate) use unit::{Money, Size, Time};

/// One kind of value.
pub(crate) trait Kind {
    /// What it is in the program.
    type Value;

    /// Its name in the documentation and in errors, without an article.
    fn name(&self) -> String;

    /// Its JSON Schema, as it is written in a file.
    fn schema(&self) -> Value;

    /// Reads it, or says everything that is wrong with it.
    fn parse(&self, node: &Node) -> Result<Self::Value, Vec<Fault>>;

    /// A value as people see it. Secrets are hidden here.
    fn show(&self, value: &Self::Value) -> Value;

    /// The value that was read from `node` as people see it.
    fn show_written(&self, _node: &Node, value: &Self::Value) -> Value {
        self.show(value)
    }
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Where within the value (`[2]`, `.name`); empty when the value itself is meant.
    pub(crate) place: String,
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { place: String::new(), message: message.into(), hint: hint.into() }
    }

    /// The value has another type. Never shows it.
    pub(crate) fn type_mismatch(expected: &str, node: &Node) -> Self {
        Self::new(format!("expected {expected}, found {}", node.kind()), "")
    }

    /// The text can't be read; `reason` may quote it, and so is left out when it came by reference.
    fn unreadable(expected: &str, node: &Node, reason: impl Display, hint: &str) -> Self {
        match node.spelling {
            Spelling::Reference(_) => {
                Self::new(format!("what the reference stands for is not {expected}"), hint)
            }
            Spelling::Literal | Spelling::Outside => Self::new(reason.to_string(), hint),
        }
    }

    fn within(mut self, place: &str) -> Self {
        self.place.insert_str(0, place);
        self
    }
}

/// The text of a value, whatever it came from.
fn text_of(node: &Node) -> Option<&str> {
    match &node.content {
        Content::Text(text) => Some(text),
        _ => None,
    }
}

/// A text in an error: quoted, and cut where it is long.
fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

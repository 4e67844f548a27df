//! What a run's earlier calls mean for its later ones.

use std::sync::{Mutex, MutexGuard, PoisonError};

use seawall_detect::taint::{Leak, Taint};
use seawall_policy::FlowState;
use serde_json::Value;

use super::drift::Course;

/// What happened in a run, as far as flow rules, taint and drift ask. Shared by all calls of the run, on any thread.
#[derive(Debug, Default)]
pub struct RunState(Mutex<Happened>);

#[derive(Debug, Default)]
pub(super) struct Happened {
    pub(super) flow: FlowState,
    pub(super) course: Course,
    taint: Option<Box<Taint>>,
}

impl RunState {
    /// Of the states in between, none is half-done.
    pub(super) fn lock(&self) -> MutexGuard<'_, Happened> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a part of the arguments was read from a sensitive source before.
    pub(super) fn leak_in(&self, arguments: &Value) -> Option<Leak> {
        let happened = self.lock();
        let taint = happened.taint.as_ref()?;
        let text = arguments.to_string();
        // As it stands, and each text by itself: escapes of JSON would hide the one, white space between fields the other.
        taint.find(text.as_bytes()).or_else(|| leak_in_texts(taint, arguments))
    }

    /// Remembers what a sensitive source gave.
    pub(super) fn remember(&self, source: &str, given: &Value) {
        let mut happened = self.lock();
        let taint = happened.taint.get_or_insert_default();
        remember_texts(taint, source, given);
    }
}

fn leak_in_texts(taint: &Taint, value: &Value) -> Option<Leak> {
    match value {
        Value::String(text) => taint.find(text.as_bytes()),
        Value::Array(items) => items.iter().find_map(|item| leak_in_texts(taint, item)),
        Value::Object(fields) => fields
            .iter()
            .find_map(|(name, value)| taint.find(name.as_bytes()).or_else(|| leak_in_texts(taint, value))),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn remember_texts(taint: &mut Taint, source: &str, value: &Value) {
    match value {
        Value::String(text) => taint.remember(source, text.as_bytes()),
        Value::Array(_) | Value::Object(_) => {
            // Rows of short values are recognised by their order, single long ones by themselves.
            taint.remember(source, value.to_string().as_bytes());
            each_text(value, &mut |text| taint.remember(source, text.as_bytes()));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Every text in a value, keys included.
pub(super) fn each_text(value: &Value, each: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => each(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, each)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            each(name);
            each_text(value, each);
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

//! What a wire format needs to put an answer into its own words, and what it hands back.

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use super::answer::{Answer, AnswerTokens, Delivery};
use super::play::{Deltas, Step};
use super::prompt::Prompt;

/// One answer on its way to a wire format.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    /// Twenty-four hexadecimal digits, from the request.
    pub(crate) id: &'a str,
    /// Seconds since the epoch.
    pub(crate) created: u64,
    pub(crate) request: &'a Value,
    pub(crate) prompt: &'a Prompt<'a>,
    pub(crate) answer: &'a Answer,
    pub(crate) tokens: AnswerTokens,
    pub(crate) delivery: &'a Delivery,
}

impl Scene<'_> {
    /// The usage, unless the answer is to have none.
    pub(crate) fn usage(&self, usage: impl FnOnce(AnswerTokens) -> Value) -> Option<Value> {
        self.delivery.with_usage.then(|| usage(self.tokens))
    }

    /// An identifier for the part `index` of the answer.
    pub(crate) fn part_id(&self, prefix: &str, index: usize) -> String {
        format!("{prefix}{}{index:02}", self.id)
    }

    pub(crate) fn text_deltas(&self, template: &Bytes, text: &str) -> Step {
        Step::Deltas(Deltas::new(template, None, text.to_owned(), self.delivery.text_pieces()))
    }

    pub(crate) fn argument_deltas(&self, template: &Bytes, arguments: &str) -> Step {
        Step::Deltas(Deltas::new(template, None, arguments.to_owned(), self.delivery.argument_pieces()))
    }
}

/// An answer in a wire format.
#[derive(Debug)]
pub(crate) enum Reply {
    /// At once, as JSON.
    Whole(Bytes),
    Stream {
        content_type: &'static str,
        steps: Vec<Step>,
    },
}

/// The content type of server-sent events.
pub(crate) const EVENT_STREAM: &str = "text/event-stream; charset=utf-8";
/// The content type of everything else.
pub(crate) const JSON: &str = "application/json";

impl Reply {
    pub(crate) fn json(body: &impl Serialize) -> Self {
        Self::Whole(to_json(body))
    }

    pub(crate) fn events(steps: Vec<Step>) -> Self {
        Self::Stream { content_type: EVENT_STREAM, steps }
    }
}

/// What is serialised here has string keys only, so this does not fail.
pub(crate) fn to_json(body: &impl Serialize) -> Bytes {
    serde_json::to_vec(body).map(Bytes::from).unwrap_or_default()
}

/// `data: …` and a blank line.
pub(crate) fn data_event(data: &impl Serialize) -> Bytes {
    Bytes::from([b"data: ".as_slice(), &to_json(data), b"\n\n"].concat())
}

/// `event: …`, `data: …` and a blank line.
pub(crate) fn named_event(name: &str, data: &impl Serialize) -> Bytes {
    Bytes::from([b"event: ".as_slice(), name.as_bytes(), b"\ndata: ", &to_json(data), b"\n\n"].concat())
}

/// Puts `value` at `key` when there is one.
pub(crate) fn set(object: &mut Value, key: &str, value: Option<Value>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(key.to_owned(), value);
    }
}

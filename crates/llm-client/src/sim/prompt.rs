//! What the simulated model sees of a request, whatever the wire format.

use serde_json::{Map, Value};

use super::BYTES_PER_TOKEN;
use super::refusal::Refusal;

/// One thing in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    /// A text of the user.
    User(&'a str),
    /// The result of a tool call.
    Result,
    /// An answer of the model, tool calls and all.
    Answer,
}

/// What form the answer must have.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Shape<'a> {
    /// Any text.
    #[default]
    Text,
    /// Some JSON object.
    Json,
    /// JSON of this schema.
    Schema(&'a Value),
}

/// A tool that the model must call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ForcedCall<'a> {
    pub(crate) name: &'a str,
    pub(crate) parameters: Option<&'a Value>,
}

/// A request to a model.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Prompt<'a> {
    pub(crate) model: &'a str,
    pub(crate) stream: bool,
    /// In the order of the conversation.
    pub(crate) items: Vec<Item<'a>>,
    /// All text in it: instructions, messages, tool calls and their results, but not the tools' definitions.
    pub(crate) text_bytes: u64,
    pub(crate) max_output_tokens: Option<u64>,
    pub(crate) stop: Vec<&'a str>,
    pub(crate) shape: Shape<'a>,
    pub(crate) forced_call: Option<ForcedCall<'a>>,
    /// How many answers are wanted.
    pub(crate) choices: u64,
}

impl<'a> Prompt<'a> {
    pub(crate) fn new(model: &'a str) -> Self {
        Self { model, choices: 1, ..Self::default() }
    }

    /// One token per four bytes, rounded up.
    pub(crate) fn input_tokens(&self) -> u64 {
        self.text_bytes.div_ceil(BYTES_PER_TOKEN)
    }

    pub(crate) fn user(&mut self, text: &'a str) {
        self.text(text);
        self.items.push(Item::User(text));
    }

    pub(crate) fn result(&mut self) {
        self.items.push(Item::Result);
    }

    /// Parts that follow one another are one answer.
    pub(crate) fn answer(&mut self) {
        if self.items.last() != Some(&Item::Answer) {
            self.items.push(Item::Answer);
        }
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.text_bytes = self.text_bytes.saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX));
    }

    /// Counts a JSON value that stands in the conversation, such as a call's arguments: a string for its text, anything
    /// else for its compact form.
    pub(crate) fn json(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                self.text(&value.to_string())
            }
        }
    }

    /// The newest text of the user.
    pub(crate) fn last_user_text(&self) -> &'a str {
        self.items
            .iter()
            .rev()
            .find_map(|item| match item {
                Item::User(text) => Some(*text),
                Item::Result | Item::Answer => None,
            })
            .unwrap_or_default()
    }
}

/// The texts in a message's content: a string, or a list of parts with a `text` (strings count as parts too).
pub(crate) fn texts(content: &Value) -> impl Iterator<Item = &str> {
    let parts = content.as_array().map(Vec::as_slice).unwrap_or_default();
    content.as_str().into_iter().chain(parts.iter().filter_map(part_text))
}

fn part_text(part: &Value) -> Option<&str> {
    part.as_str().or_else(|| part.get("text")?.as_str())
}

/// The elements of a list; none when it is no list.
pub(crate) fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The string at a key.
pub(crate) fn string<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get(key)?.as_str()
}

/// The value at a key unless it is null.
pub(crate) fn present<'a>(object: &'a Value, key: &str) -> Option<&'a Value> {
    object.get(key).filter(|value| !value.is_null())
}

/// The model of a request. Control characters are refused: no model has them, and streams rely on it.
pub(crate) fn model(request: &Map<String, Value>) -> Result<&str, Refusal> {
    let model = request.get("model").and_then(Value::as_str).unwrap_or_default();
    if model.is_empty() {
        return Err(Refusal::bad_request("you must provide a model parameter").param("model"));
    }
    checked_model(model)
}

pub(crate) fn checked_model(model: &str) -> Result<&str, Refusal> {
    if model.chars().any(char::is_control) {
        return Err(Refusal::bad_request("the model's name holds a control character").param("model"));
    }
    Ok(model)
}

/// The list at a key that must be there.
pub(crate) fn required_list<'a>(
    request: &'a Map<String, Value>,
    key: &'static str,
) -> Result<&'a [Value], Refusal> {
    match request.get(key) {
        Some(Value::Array(list)) => Ok(list),
        Some(_) => {
            Err(Refusal::bad_request(format!("invalid type for '{key}': expected an array")).param(key))
        }
        None => Err(Refusal::bad_request(format!("missing required parameter: '{key}'")).param(key)),
    }
}

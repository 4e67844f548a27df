//! Writes a request in a provider's format. One file each; `history` brings the conversation into the order that all of them
//! demand, `media` what is not words, `pen` writes the JSON.

mod anthropic;
mod gemini;
mod history;
mod media;
mod openai_chat;
mod openai_responses;
mod pen;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Ask, Format, Part, Reasoning, Source};

/// A request, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The path and query, without the provider's address.
    pub path: String,
    /// Headers beyond those of every request, credentials aside.
    pub headers: &'static [(&'static str, &'static str)],
    /// The body, JSON.
    pub body: Bytes,
}

/// Writes a request.
///
/// Whatever the conversation, the request is one that the provider takes: calls without result and results without call become
/// text, so does what a format can't carry, and neighbours of one speaker become one message.
#[must_use]
pub fn write(ask: &Ask<'_>, format: Format) -> Written {
    let (path, headers, body): (_, &[_], _) = match format {
        Format::OpenAiChat => ("/v1/chat/completions".to_owned(), &[], openai_chat::body(ask)),
        Format::OpenAiResponses => ("/v1/responses".to_owned(), &[], openai_responses::body(ask)),
        Format::Anthropic => {
            ("/v1/messages".to_owned(), &[("anthropic-version", "2023-06-01")], anthropic::body(ask))
        }
        Format::Gemini => (gemini::path(ask), &[], gemini::body(ask)),
    };
    Written { path, headers, body: Bytes::from(body) }
}

/// About how many bytes a body takes: most of it is what was said, and a buffer that grows copies all of it again each time.
fn room(ask: &Ask<'_>) -> usize {
    /// What stands around each text.
    const AROUND: usize = 96;
    fn of(part: &Part<'_>) -> usize {
        AROUND
            + match part {
                Part::Text(text) | Part::Reasoning(Reasoning { text, .. }) => text.len(),
                Part::ToolResult(result) => result.content.iter().map(of).sum(),
                Part::Image(media) | Part::Audio(media) | Part::File(media) => match media.source {
                    Source::Bytes(bytes) => bytes.len() / 3 * 4,
                    Source::Url(url) => url.len(),
                },
                Part::ToolUse(_) => AROUND,
            }
    }
    let said: usize = ask.messages.iter().flat_map(|turn| &turn.blocks).map(of).sum();
    // One in thirty-two is for what needs an escape: a line of code has its end, and perhaps a quote.
    (said + said / 32) + ask.system.map_or(0, str::len) + (ask.tools.len() + 8) * 4 * AROUND
}

/// The arguments of a call as every provider takes them: an object.
fn object_of(input: &Value) -> std::borrow::Cow<'_, Value> {
    match input {
        Value::Object(_) => std::borrow::Cow::Borrowed(input),
        other => std::borrow::Cow::Owned(json!({ "unreadable": other })),
    }
}

/// What a tool takes, as every provider wants it: the schema of an object that says so.
fn schema_of(parameters: &Value) -> std::borrow::Cow<'_, Value> {
    let Some(schema) = parameters.as_object() else {
        return std::borrow::Cow::Owned(json!({ "type": "object", "properties": {} }));
    };
    if schema.contains_key("type") {
        return std::borrow::Cow::Borrowed(parameters);
    }
    let mut schema = schema.clone();
    schema.insert("type".to_owned(), "object".into());
    std::borrow::Cow::Owned(Value::Object(schema))
}

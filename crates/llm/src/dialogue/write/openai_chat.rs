//! OpenAI chat completions, <https://platform.openai.com/docs/api-reference/chat/create>.
//!
//! Most other providers speak it, each a little less of it: so the plain forms are written wherever they say the same (a string
//! rather than a list of one text).

use std::borrow::Cow;

use serde_json::Map;

use super::history::{self, Message, Piece, Telling, Thoughts, words};
use super::media::{self, described, is_picture};
use super::pen::{self, Items, Members};
use super::{object_of, room, schema_of};
use crate::dialogue::{Ask, Effort, Media, Part, Role, Source, Thinking};

pub(super) fn body(ask: &Ask<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(room(ask));
    pen::object(&mut out, ask.extra, |body| {
        body.member("model", ask.model);
        body.list("messages", |items| write_messages(ask, items));
        if !ask.tools.is_empty() {
            body.list("tools", |items| write_tools(ask, items));
        }
        let has_limit = |extra: &Map<_, _>| LIMIT_NAMES.iter().any(|name| extra.contains_key(*name));
        // Several providers refuse a request with both names.
        let limit = ask.max_tokens.filter(|_| !ask.extra.is_some_and(has_limit));
        body.some(limit_name(ask.model), limit);
        body.some("temperature", ask.temperature);
        body.some("reasoning_effort", effort(ask.thinking));
        if ask.stream {
            body.member("stream", &true);
            body.object("stream_options", |options| options.member("include_usage", &true));
        }
    });
    out
}

const LIMIT_NAMES: [&str; 2] = ["max_completion_tokens", "max_tokens"];

/// OpenAI refuses the older name for models that reason; nearly all others know only that.
fn limit_name(model: &str) -> &'static str {
    let name = model.rsplit('/').next().unwrap_or(model);
    let is_openai = ["gpt-", "chatgpt-", "o1", "o3", "o4"].iter().any(|start| name.starts_with(start));
    // An open model of theirs is run by everybody else.
    let [new, old] = LIMIT_NAMES;
    if is_openai && !name.starts_with("gpt-oss") { new } else { old }
}

/// The words for an effort in both of OpenAI's formats.
pub(super) fn effort(thinking: Thinking) -> Option<&'static str> {
    let effort = match thinking {
        Thinking::Unset => return None,
        Thinking::Off => return Some("none"),
        Thinking::Budget(tokens) => Effort::within(tokens),
        Thinking::Effort(effort) => effort,
    };
    Some(match effort {
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::Highest => "xhigh",
    })
}

fn write_tools(ask: &Ask<'_>, items: &mut Items<'_>) {
    for tool in ask.tools {
        items.object(|item| {
            item.member("type", "function");
            item.object("function", |function| {
                function.member("name", tool.name);
                function.member("description", tool.description);
                function.member("parameters", &*schema_of(tool.parameters));
            });
        });
    }
}

fn write_messages(ask: &Ask<'_>, items: &mut Items<'_>) {
    if let Some(system) = ask.system {
        items.texts(&[("role", "system"), ("content", system)]);
    }
    for message in history::messages(ask, Thoughts { keeps: |_| false, may_end: false }) {
        match message.role {
            Role::Assistant => write_assistant(&message, items),
            Role::User => write_user(&message, items),
        }
    }
}

fn write_assistant(message: &Message<'_>, items: &mut Items<'_>) {
    let texts = message.pieces.iter().filter_map(|piece| match piece {
        Piece::Text(text) => Some(Cow::Borrowed(text.as_ref())),
        Piece::Call(_) | Piece::Thought(_) | Piece::Media(_) => None,
    });
    let text = joined(texts.collect());
    let calls = || {
        message
            .pieces
            .iter()
            .filter_map(|piece| if let Piece::Call(call) = piece { Some(call) } else { None })
    };
    items.object(|item| {
        item.member("role", "assistant");
        item.member("content", &text);
        if calls().next().is_none() {
            return;
        }
        item.list("tool_calls", |items| {
            for call in calls() {
                items.object(|item| {
                    item.member("id", call.id);
                    item.member("type", "function");
                    item.object("function", |function| {
                        function.member("name", call.name);
                        function.member("arguments", &object_of(call.input).to_string());
                    });
                });
            }
        });
    });
}

/// Nothing; the only text; or all of them, a line between two.
fn joined(mut texts: Vec<Cow<'_, str>>) -> Option<Cow<'_, str>> {
    match texts.len() {
        0 | 1 => texts.pop(),
        _ => Some(Cow::Owned(texts.join("\n\n"))),
    }
}

/// Results first, each a message of its own; they take only words, so that what else they have comes with what the user says.
fn write_user(message: &Message<'_>, items: &mut Items<'_>) {
    let telling = Telling { shows: is_shown, marks_errors: true };
    for result in &message.results {
        items.texts(&[("role", "tool"), ("tool_call_id", result.id), ("content", &words(result, telling))]);
    }
    let shown = message.results.iter().flat_map(|result| result.content.iter().filter(|part| is_shown(part)));
    let parts: Vec<Shown<'_>> =
        shown.map(Shown::Media).chain(message.pieces.iter().filter_map(Shown::of)).collect();
    if parts.is_empty() {
        return;
    }
    let has_media = parts.iter().any(|part| matches!(part, Shown::Media(_)));
    items.object(|item| {
        item.member("role", "user");
        if has_media {
            item.list("content", |items| parts.iter().for_each(|part| write_part(part, items)));
        } else {
            let texts = parts.iter().filter_map(|part| match part {
                Shown::Text(text) => Some(Cow::Borrowed(text.as_ref())),
                Shown::Media(_) => None,
            });
            item.member("content", &joined(texts.collect()));
        }
    });
}

/// A piece of what a user says.
enum Shown<'a> {
    Text(Cow<'a, str>),
    Media(&'a Part<'a>),
}

impl<'a> Shown<'a> {
    fn of(piece: &'a Piece<'a>) -> Option<Self> {
        match piece {
            Piece::Text(text) => Some(Self::Text(Cow::Borrowed(text.as_ref()))),
            Piece::Media(part) if is_shown(part) => Some(Self::Media(part)),
            Piece::Media(part) => Some(Self::Text(described(part))),
            Piece::Call(_) | Piece::Thought(_) => None,
        }
    }
}

/// The formats of sounds, as they are called here.
fn audio_format(mime_type: &str) -> Option<&'static str> {
    match mime_type {
        "audio/wav" | "audio/x-wav" | "audio/wave" => Some("wav"),
        "audio/mpeg" | "audio/mp3" => Some("mp3"),
        _ => None,
    }
}

/// What a message of a user can carry.
fn is_shown(part: &Part<'_>) -> bool {
    match part {
        Part::Image(image) => is_picture(*image),
        Part::Audio(Media { mime_type, source }) => {
            matches!(source, Source::Bytes(_)) && audio_format(mime_type).is_some()
        }
        Part::File(Media { mime_type, source }) => {
            matches!(source, Source::Bytes(_)) && *mime_type == "application/pdf"
        }
        Part::Text(_) | Part::ToolUse(_) | Part::ToolResult(_) | Part::Reasoning(_) => false,
    }
}

fn write_part(part: &Shown<'_>, items: &mut Items<'_>) {
    match part {
        Shown::Text(text) => items.texts(&[("type", "text"), ("text", text)]),
        Shown::Media(part) => items.object(|item| write_media(part, item)),
    }
}

fn write_media(part: &Part<'_>, item: &mut Members<'_, '_>) {
    match part {
        Part::Image(image) => {
            item.member("type", "image_url");
            item.object("image_url", |object| media::url(object.key("url"), *image));
        }
        Part::Audio(Media { mime_type, source: Source::Bytes(bytes) }) => {
            item.member("type", "input_audio");
            item.object("input_audio", |object| {
                media::base64(object.key("data"), bytes);
                object.some("format", audio_format(mime_type));
            });
        }
        Part::File(file) => {
            item.member("type", "file");
            item.object("file", |object| {
                object.member("filename", "file.pdf");
                media::url(object.key("file_data"), *file);
            });
        }
        other => {
            item.member("type", "text");
            item.member("text", &*described(other));
        }
    }
}

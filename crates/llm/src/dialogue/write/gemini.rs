//! Gemini's `generateContent`, <https://ai.google.dev/api/generate-content>.
//!
//! The key goes into a header, never into the path: paths are logged.

mod schema;

use std::collections::HashMap;
use std::fmt::Write as _;

use super::history::{self, Message, Piece, Telling, Thoughts, words};
use super::media::{self, described, media_of};
use super::pen::{self, Items, Members};
use super::{object_of, room, schema_of};
use crate::dialogue::signature::Signature;
use crate::dialogue::{Ask, Effort, Media, Part, Reasoning, Role, Source, Thinking};

/// What stands for the signature of a call that this provider has not signed (another's, or one from before there were any):
/// later models refuse such a call otherwise, <https://ai.google.dev/gemini-api/docs/thought-signatures>.
const UNSIGNED: &str = "skip_thought_signature_validator";

pub(super) fn path(ask: &Ask<'_>) -> String {
    let collection = if ["models/", "tunedModels/"].iter().any(|start| ask.model.starts_with(start)) {
        ""
    } else {
        "models/"
    };
    let verb = if ask.stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
    let mut path = format!("/v1beta/{collection}");
    for byte in ask.model.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing into a string does not fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path.push(':');
    path + verb
}

pub(super) fn body(ask: &Ask<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(room(ask));
    pen::object(&mut out, ask.extra, |body| {
        if let Some(system) = ask.system.filter(|system| !system.trim().is_empty()) {
            body.object("systemInstruction", |content| {
                content.list("parts", |parts| parts.texts(&[("text", system)]));
            });
        }
        body.list("contents", |items| write_contents(ask, items));
        if !ask.tools.is_empty() {
            body.list("tools", |items| {
                items.object(|item| item.list("functionDeclarations", |items| write_tools(ask, items)));
            });
        }
        if ask.max_tokens.is_some() || ask.temperature.is_some() || ask.thinking != Thinking::Unset {
            body.object("generationConfig", |config| write_config(ask, config));
        }
    });
    out
}

fn write_config(ask: &Ask<'_>, config: &mut Members<'_, '_>) {
    config.some("maxOutputTokens", ask.max_tokens);
    config.some("temperature", ask.temperature);
    if ask.thinking == Thinking::Unset {
        return;
    }
    config.object("thinkingConfig", |thinking| match ask.thinking {
        Thinking::Unset => {}
        Thinking::Off if is_old(ask.model) => thinking.member("thinkingBudget", &0),
        Thinking::Off => thinking.member("thinkingLevel", level(ask.model, Effort::Minimal)),
        Thinking::Budget(tokens) => {
            thinking.member("thinkingBudget", &tokens);
            thinking.member("includeThoughts", &true);
        }
        Thinking::Effort(effort) => {
            if is_old(ask.model) {
                thinking.member("thinkingBudget", &effort.budget());
            } else {
                thinking.member("thinkingLevel", level(ask.model, effort));
            }
            thinking.member("includeThoughts", &true);
        }
    });
}

/// The models before the third generation know no levels of thinking, and ask for no signatures.
fn is_old(model: &str) -> bool {
    ["gemini-1", "gemini-2"].iter().any(|name| model.contains(name))
}

/// The larger models know no level below low, and none lets itself be turned off.
fn level(model: &str, effort: Effort) -> &'static str {
    match effort {
        Effort::Minimal if model.contains("flash") => "minimal",
        Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::Highest => "high",
    }
}

fn write_tools(ask: &Ask<'_>, items: &mut Items<'_>) {
    for tool in ask.tools {
        items.object(|item| {
            item.member("name", tool.name);
            item.member("description", tool.description);
            schema::write(&schema_of(tool.parameters), item.key("parametersJsonSchema"));
        });
    }
}

fn write_contents(ask: &Ask<'_>, items: &mut Items<'_>) {
    let messages =
        history::messages(ask, Thoughts { keeps: |thought| signature(thought).is_some(), may_end: true });
    let calls = messages.iter().flat_map(|message| &message.pieces).filter_map(|piece| match piece {
        Piece::Call(call) => Some((call.id, call.name)),
        Piece::Text(_) | Piece::Thought(_) | Piece::Media(_) => None,
    });
    let names: HashMap<&str, &str> = calls.collect();
    for message in &messages {
        items.object(|item| {
            item.member("role", if message.role == Role::User { "user" } else { "model" });
            item.list("parts", |parts| match message.role {
                Role::User => write_user(message, &names, parts),
                Role::Assistant => write_model(ask.model, message, parts),
            });
        });
    }
}

fn signature<'a>(thought: &Reasoning<'a>) -> Option<&'a str> {
    match Signature::read(thought.signature?)? {
        Signature::Gemini(signature) => Some(signature),
        _ => None,
    }
}

/// A thought without words carries the signature of the part after it; one behind everything is a part of its own.
fn write_model(model: &str, message: &Message<'_>, parts: &mut Items<'_>) {
    let mut signed = None;
    let mut is_first_call = true;
    for piece in &message.pieces {
        match piece {
            Piece::Thought(thought) if thought.text.is_empty() => signed = signature(thought),
            Piece::Thought(thought) => parts.object(|part| {
                part.member("text", thought.text);
                part.member("thought", &true);
                part.some("thoughtSignature", signature(thought));
            }),
            Piece::Text(text) => write_text(text, signed.take(), parts),
            Piece::Media(media) => write_media(media, parts),
            Piece::Call(call) => {
                let unsigned = (is_first_call && !is_old(model)).then_some(UNSIGNED);
                is_first_call = false;
                parts.object(|part| {
                    part.object("functionCall", |function| {
                        function.member("id", call.id);
                        function.member("name", call.name);
                        function.member("args", &*object_of(call.input));
                    });
                    part.some("thoughtSignature", signed.take().or(unsigned));
                });
            }
        }
    }
    if signed.is_some() {
        write_text("", signed, parts);
    }
}

fn write_text(text: &str, signature: Option<&str>, parts: &mut Items<'_>) {
    parts.object(|part| {
        part.member("text", text);
        part.some("thoughtSignature", signature);
    });
}

fn write_user(message: &Message<'_>, names: &HashMap<&str, &str>, parts: &mut Items<'_>) {
    let telling = Telling { shows: is_shown, marks_errors: false };
    for result in &message.results {
        let name = names.get(result.id).copied().unwrap_or("unknown");
        parts.object(|part| {
            part.object("functionResponse", |response| {
                response.member("id", result.id);
                response.member("name", name);
                response.object("response", |object| {
                    object.member(if result.is_error { "error" } else { "output" }, &*words(result, telling));
                });
            });
        });
    }
    // What a result has besides words stands behind all results, which are to be together.
    let shown = message.results.iter().flat_map(|result| &result.content).filter(|part| is_shown(part));
    shown.for_each(|media| write_media(media, parts));
    for piece in &message.pieces {
        match piece {
            Piece::Text(text) => write_text(text, None, parts),
            Piece::Media(media) => write_media(media, parts),
            Piece::Call(_) | Piece::Thought(_) => {}
        }
    }
}

/// What the models read, <https://ai.google.dev/gemini-api/docs/file-input-methods>.
fn is_shown(part: &Part<'_>) -> bool {
    const KINDS: &[&str] =
        &["image/png", "image/jpeg", "image/webp", "image/heic", "image/heif", "application/pdf"];
    const STARTS: &[&str] = &["audio/", "video/", "text/"];
    media_of(part).is_some_and(|Media { mime_type, .. }| {
        KINDS.contains(&mime_type) || STARTS.iter().any(|start| mime_type.starts_with(start))
    })
}

fn write_media(part: &Part<'_>, parts: &mut Items<'_>) {
    let Some(Media { mime_type, source }) = media_of(part).filter(|_| is_shown(part)) else {
        return write_text(&described(part), None, parts);
    };
    parts.object(|object| match source {
        Source::Bytes(bytes) => object.object("inlineData", |data| {
            data.member("mimeType", mime_type);
            media::base64(data.key("data"), bytes);
        }),
        Source::Url(url) => object.object("fileData", |data| {
            data.member("mimeType", mime_type);
            data.member("fileUri", url);
        }),
    });
}

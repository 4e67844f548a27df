//! OpenAI responses, <https://platform.openai.com/docs/api-reference/responses/create>.
//!
//! Nothing is stored with the provider: the agent's log is the conversation. So thoughts travel with it, encrypted.

use super::history::{self, Piece, Telling, Thoughts, words};
use super::media::{self, described, is_picture, media_of};
use super::openai_chat::effort;
use super::pen::{self, Items, Members};
use super::{object_of, room, schema_of};
use crate::dialogue::signature::Signature;
use crate::dialogue::{Ask, Media, Part, Reasoning, Role, Source, Thinking, ToolResult};

pub(super) fn body(ask: &Ask<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(room(ask));
    pen::object(&mut out, ask.extra, |body| {
        body.member("model", ask.model);
        body.some("instructions", ask.system);
        body.list("input", |items| write_items(ask, items));
        if !ask.tools.is_empty() {
            body.list("tools", |items| write_tools(ask, items));
        }
        body.some("max_output_tokens", ask.max_tokens);
        body.some("temperature", ask.temperature);
        if let Some(effort) = effort(ask.thinking) {
            body.object("reasoning", |reasoning| {
                reasoning.member("effort", effort);
                if ask.thinking != Thinking::Off {
                    reasoning.member("summary", "auto");
                }
            });
        }
        body.member("store", &false);
        body.list("include", |items| pen::json(items.next(), "reasoning.encrypted_content"));
        if ask.stream {
            body.member("stream", &true);
        }
    });
    out
}

/// Not strict, which is the default here: it demands of every schema that all is required and nothing else allowed.
fn write_tools(ask: &Ask<'_>, items: &mut Items<'_>) {
    for tool in ask.tools {
        items.object(|item| {
            item.member("type", "function");
            item.member("name", tool.name);
            item.member("description", tool.description);
            item.member("parameters", &*schema_of(tool.parameters));
            item.member("strict", &false);
        });
    }
}

fn write_items(ask: &Ask<'_>, items: &mut Items<'_>) {
    // Thoughts that nothing follows are refused.
    let thoughts = Thoughts { keeps: |thought| sealed(thought).is_some(), may_end: false };
    for message in history::messages(ask, thoughts) {
        message.results.iter().for_each(|result| write_result(result, items));
        match message.role {
            Role::Assistant => write_assistant(&message.pieces, items),
            Role::User => write_user(&message.pieces, items),
        }
    }
}

/// The id and the content of thoughts of this provider's own.
fn sealed<'a>(thought: &Reasoning<'a>) -> Option<(&'a str, &'a str)> {
    match Signature::read(thought.signature?)? {
        Signature::OpenAi { id, encrypted_content } => Some((id, encrypted_content)),
        _ => None,
    }
}

/// Each piece is an item.
fn write_assistant(pieces: &[Piece<'_>], items: &mut Items<'_>) {
    for piece in pieces {
        match piece {
            Piece::Text(text) => write_said(text, items),
            Piece::Media(part) => write_said(&described(part), items),
            Piece::Call(call) => items.texts(&[
                ("type", "function_call"),
                ("call_id", call.id),
                ("name", call.name),
                ("arguments", &object_of(call.input).to_string()),
            ]),
            Piece::Thought(thought) => write_thought(thought, items),
        }
    }
}

fn write_said(text: &str, items: &mut Items<'_>) {
    items.object(|item| {
        item.member("type", "message");
        item.member("role", "assistant");
        item.list("content", |parts| parts.texts(&[("type", "output_text"), ("text", text)]));
    });
}

fn write_thought(thought: &Reasoning<'_>, items: &mut Items<'_>) {
    let Some((id, content)) = sealed(thought) else { return };
    items.object(|item| {
        item.member("type", "reasoning");
        item.member("id", id);
        item.list("summary", |parts| {
            if !thought.text.is_empty() {
                parts.texts(&[("type", "summary_text"), ("text", thought.text)]);
            }
        });
        item.member("encrypted_content", content);
    });
}

fn write_user(pieces: &[Piece<'_>], items: &mut Items<'_>) {
    if pieces.is_empty() {
        return;
    }
    items.object(|item| {
        item.member("type", "message");
        item.member("role", "user");
        item.list("content", |parts| {
            for piece in pieces {
                match piece {
                    Piece::Text(text) => write_text(text, parts),
                    Piece::Media(part) => write_media(part, parts),
                    Piece::Call(_) | Piece::Thought(_) => {}
                }
            }
        });
    });
}

/// A result is a text, or a list where it has more than words.
fn write_result(result: &ToolResult<'_>, items: &mut Items<'_>) {
    items.object(|item| {
        item.member("type", "function_call_output");
        item.member("call_id", result.id);
        if result.content.iter().all(|part| media_of(part).is_none()) {
            item.member("output", &*words(result, Telling::ALONE));
        } else {
            item.list("output", |parts| write_mixed(result, parts));
        }
    });
}

fn write_mixed(result: &ToolResult<'_>, parts: &mut Items<'_>) {
    if result.is_error {
        write_text("Error:", parts);
    }
    for part in &result.content {
        match part {
            Part::Text(text) => write_text(text, parts),
            part => write_media(part, parts),
        }
    }
}

fn write_text(text: &str, parts: &mut Items<'_>) {
    parts.texts(&[("type", "input_text"), ("text", text)]);
}

fn write_media(part: &Part<'_>, parts: &mut Items<'_>) {
    match part {
        Part::Image(image) if is_picture(*image) => parts.object(|item| {
            item.member("type", "input_image");
            media::url(item.key("image_url"), *image);
        }),
        Part::File(file) if is_shown(*file) => parts.object(|item| {
            item.member("type", "input_file");
            write_file(*file, item);
        }),
        other => write_text(&described(other), parts),
    }
}

/// At an address also what office programs and people write; here, what every model of theirs reads.
fn is_shown(file: Media<'_>) -> bool {
    let is_written = ["text/", "application/vnd."].iter().any(|start| file.mime_type.starts_with(start));
    file.mime_type == "application/pdf" || (is_written && matches!(file.source, Source::Url(_)))
}

fn write_file(file: Media<'_>, item: &mut Members<'_, '_>) {
    match file.source {
        Source::Url(url) => item.member("file_url", url),
        Source::Bytes(_) => {
            item.member("filename", "file.pdf");
            media::url(item.key("file_data"), file);
        }
    }
}

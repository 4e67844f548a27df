//! Anthropic messages, <https://docs.anthropic.com/en/api/messages>.

use serde_json::json;

use super::history::{self, Message, Piece, Telling, Thoughts, words};
use super::media::{self, described, is_picture, media_of};
use super::pen::{self, Items, Members};
use super::{object_of, room, schema_of};
use crate::dialogue::signature::Signature;
use crate::dialogue::{Ask, Effort, Media, Part, Reasoning, Role, Source, Thinking, ToolResult};

/// The longest answer where none is asked for: the format demands a number, and every model that is served takes this one.
const DEFAULT_MAX_TOKENS: u64 = 8_192;
/// The least tokens that a model can be given to think.
const LEAST_BUDGET: u64 = 1_024;

/// Models that are told how many tokens to think rather than how hard. The list is closed: every later one is told the effort,
/// and most of those refuse a number.
const TOLD_TOKENS: &[&str] = &[
    "claude-3",
    "claude-opus-4-0",
    "claude-opus-4-1",
    "claude-opus-4-5",
    "claude-opus-4-2025",
    "claude-sonnet-4-0",
    "claude-sonnet-4-5",
    "claude-sonnet-4-2025",
    "claude-haiku-4-5",
];

pub(super) fn body(ask: &Ask<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(room(ask));
    let max_tokens = ask.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS);
    let thoughts = Thoughts { keeps: |thought| signature(thought).is_some(), may_end: false };
    let messages = history::messages(ask, thoughts);
    let thinking = Thought::of(ask, max_tokens).filter(|thinking| thinking.goes_on_from(&messages));
    pen::object(&mut out, ask.extra, |body| {
        body.member("model", ask.model);
        body.member("max_tokens", &max_tokens);
        if let Some(system) = ask.system.filter(|system| !system.trim().is_empty()) {
            body.list("system", |items| {
                items.object(|item| {
                    item.member("type", "text");
                    item.member("text", system);
                    mark(item, ask.cache);
                });
            });
        }
        body.list("messages", |items| write_messages(ask, &messages, items));
        if !ask.tools.is_empty() {
            body.list("tools", |items| write_tools(ask, items));
        }
        match thinking {
            None => body.some("temperature", ask.temperature),
            Some(thinking) => thinking.write(body),
        }
        if ask.stream {
            body.member("stream", &true);
        }
    });
    out
}

/// How thinking is asked for.
enum Thought {
    Tokens(u64),
    Effort(Effort),
}

impl Thought {
    fn of(ask: &Ask<'_>, max_tokens: u64) -> Option<Self> {
        let (tokens, effort) = match ask.thinking {
            Thinking::Unset | Thinking::Off => return None,
            Thinking::Budget(tokens) => (tokens, Effort::within(tokens)),
            Thinking::Effort(effort) => (effort.budget(), effort),
        };
        if !TOLD_TOKENS.iter().any(|name| ask.model.contains(name)) {
            return Some(Self::Effort(effort));
        }
        // Thoughts are part of the answer. One that has no room for any is asked for without.
        let room = max_tokens.saturating_sub(1);
        (room >= LEAST_BUDGET).then(|| Self::Tokens(tokens.clamp(LEAST_BUDGET, room)))
    }

    /// Models that are told tokens refuse to think between calls of tools when they have not thought before the first: the
    /// thoughts were another provider's, or were not kept.
    fn goes_on_from(&self, messages: &[Message<'_>]) -> bool {
        let last = messages.iter().rev().find(|message| message.role == Role::Assistant);
        let Some(last) = last.filter(|_| matches!(self, Self::Tokens(_))) else { return true };
        let calls = last.pieces.iter().any(|piece| matches!(piece, Piece::Call(_)));
        !calls || matches!(last.pieces.first(), Some(Piece::Thought(_)))
    }

    fn write(self, body: &mut Members<'_, '_>) {
        match self {
            Self::Tokens(tokens) => body.object("thinking", |thinking| {
                thinking.member("type", "enabled");
                thinking.member("budget_tokens", &tokens);
            }),
            Self::Effort(effort) => {
                body.object("thinking", |thinking| thinking.member("type", "adaptive"));
                let effort = match effort {
                    Effort::Minimal | Effort::Low => "low",
                    Effort::Medium => "medium",
                    Effort::High => "high",
                    Effort::Highest => "max",
                };
                body.object("output_config", |config| config.member("effort", effort));
            }
        }
    }
}

/// Everything up to here may be read from the cache next time.
fn mark(item: &mut Members<'_, '_>, is_marked: bool) {
    if is_marked {
        item.member("cache_control", &json!({ "type": "ephemeral" }));
    }
}

fn write_tools(ask: &Ask<'_>, items: &mut Items<'_>) {
    for tool in ask.tools {
        items.object(|item| {
            item.member("name", tool.name);
            item.member("description", tool.description);
            item.member("input_schema", &*schema_of(tool.parameters));
        });
    }
}

fn write_messages(ask: &Ask<'_>, messages: &[Message<'_>], items: &mut Items<'_>) {
    let last = messages.len();
    for (number, message) in (1..).zip(messages) {
        let is_marked = ask.cache && number == last && message.role == Role::User;
        items.object(|item| {
            item.member("role", if message.role == Role::User { "user" } else { "assistant" });
            item.list("content", |blocks| write_blocks(message, is_marked, blocks));
        });
    }
}

/// What this provider signed.
fn signature<'a>(thought: &Reasoning<'a>) -> Option<Signature<'a>> {
    let signature = Signature::read(thought.signature?)?;
    matches!(signature, Signature::Anthropic(_) | Signature::AnthropicRedacted(_)).then_some(signature)
}

fn write_blocks(message: &Message<'_>, is_marked: bool, blocks: &mut Items<'_>) {
    let count = message.results.len() + message.pieces.len();
    for (number, result) in (1..).zip(&message.results) {
        blocks.object(|block| {
            write_result(result, block);
            mark(block, is_marked && number == count);
        });
    }
    for (number, piece) in (message.results.len() + 1..).zip(&message.pieces) {
        blocks.object(|block| {
            write_piece(piece, block);
            mark(block, is_marked && number == count);
        });
    }
}

fn write_piece(piece: &Piece<'_>, block: &mut Members<'_, '_>) {
    match piece {
        Piece::Text(text) => write_text(text, block),
        Piece::Media(part) => write_media(part, block),
        Piece::Call(call) => {
            block.member("type", "tool_use");
            block.member("id", call.id);
            block.member("name", call.name);
            block.member("input", &*object_of(call.input));
        }
        Piece::Thought(thought) => match signature(thought) {
            Some(Signature::AnthropicRedacted(data)) => {
                block.member("type", "redacted_thinking");
                block.member("data", data);
            }
            Some(Signature::Anthropic(signature)) => {
                block.member("type", "thinking");
                block.member("thinking", thought.text);
                block.member("signature", signature);
            }
            _ => {}
        },
    }
}

fn write_result(result: &ToolResult<'_>, block: &mut Members<'_, '_>) {
    block.member("type", "tool_result");
    block.member("tool_use_id", result.id);
    if result.content.iter().all(|part| media_of(part).is_none()) {
        block.member("content", &*words(result, Telling { marks_errors: false, ..Telling::ALONE }));
    } else {
        block.list("content", |parts| {
            for part in &result.content {
                match part {
                    Part::Text(text) if text.trim().is_empty() => {}
                    Part::Text(text) => parts.object(|part| write_text(text, part)),
                    other => parts.object(|part| write_media(other, part)),
                }
            }
        });
    }
    if result.is_error {
        block.member("is_error", &true);
    }
}

fn write_text(text: &str, block: &mut Members<'_, '_>) {
    block.member("type", "text");
    block.member("text", text);
}

fn write_media(part: &Part<'_>, block: &mut Members<'_, '_>) {
    match part {
        Part::Image(image) if is_picture(*image) => {
            block.member("type", "image");
            write_source(*image, block);
        }
        Part::File(file) if file.mime_type == "application/pdf" => {
            block.member("type", "document");
            write_source(*file, block);
        }
        other => write_text(&described(other), block),
    }
}

fn write_source(media: Media<'_>, block: &mut Members<'_, '_>) {
    block.object("source", |source| match media.source {
        Source::Url(url) => {
            source.member("type", "url");
            source.member("url", url);
        }
        Source::Bytes(bytes) => {
            source.member("type", "base64");
            source.member("media_type", media.mime_type);
            media::base64(source.key("data"), bytes);
        }
    });
}

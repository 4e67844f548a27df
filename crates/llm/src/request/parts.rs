//! One walk through the prompt: which tool results it carries, and whether all of it is in the body.
//!
//! Messages, items, blocks and parts of the four wire formats are one grammar here: objects that may have a `type`,
//! ids, and further such objects under a few known keys. Arguments and results of tools are never looked into: what
//! a tool calls `url` is no reference of ours.

use std::ops::Range;

use super::{Request, ToolResult};
use crate::json::{Kind, Object, Value, Walk};

/// How deep parts may lie in parts. Real prompts need four; what is deeper counts as hidden.
const MAX_NESTING: u32 = 16;

/// How much of that is left within a message: a list has taken one step, the message another.
const MESSAGE_DEPTH: u32 = MAX_NESTING - 2;

/// Types of parts that carry all their text with them.
const INLINE: &[&str] = &[
    // chat
    "text",
    "refusal",
    "image_url",
    "input_audio",
    "function",
    // responses
    "message",
    "input_text",
    "output_text",
    "summary_text",
    "reasoning_text",
    "input_image",
    "reasoning",
    "compaction",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "local_shell_call",
    "local_shell_call_output",
    "shell_call",
    "shell_call_output",
    "apply_patch_call",
    "apply_patch_call_output",
    "computer_call",
    "computer_call_output",
    "computer_screenshot",
    "image_generation_call",
    // messages
    "image",
    "thinking",
    "redacted_thinking",
    "tool_use",
    "tool_result",
    "document",
    "search_result",
    "tool_reference",
    "server_tool_use",
    "web_search_tool_result",
    "web_fetch_tool_result",
    "code_execution_tool_result",
    "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result",
    "tool_search_tool_result",
    "mcp_tool_use",
    "mcp_tool_result",
];

/// Reads the values of `keys` into `request`.
pub(super) fn read(object: &Object<'_>, keys: &[&str], request: &mut Request) {
    let mut reader = Reader { request, calls: Vec::new() };
    for (place, value) in keys.iter().filter_map(|key| object.get(key)).enumerate() {
        // The messages come first among the keys; what follows are instructions.
        if place == 0 {
            reader.request.news = inside(value);
        }
        reader.nested(&mut Walk::over(value), MAX_NESTING);
    }
    reader.name_results();
}

/// Where the elements of a list stand; any other value stands for itself.
fn inside(value: Value<'_>) -> Range<usize> {
    let Range { start, end } = value.span();
    if value.kind() == Kind::Array { start + 1..end.saturating_sub(1) } else { start..end }
}

/// The walk's findings.
struct Reader<'r, 'a> {
    request: &'r mut Request,
    /// Calls that the model made earlier: id and name.
    calls: Vec<(Value<'a>, Value<'a>)>,
}

/// What one object says about itself.
#[derive(Default)]
struct Facts<'a> {
    kind: Option<Value<'a>>,
    role: Option<Value<'a>>,
    id: Option<Value<'a>>,
    call_id: Option<Value<'a>>,
    name: Option<Value<'a>>,
    original: bool,
    failed: bool,
    images: u32,
    /// Where its content stands.
    output: Range<usize>,
}

impl<'a> Reader<'_, 'a> {
    /// An object or an array of objects; text needs no look.
    fn nested(&mut self, walk: &mut Walk<'a>, depth: u32) {
        let Some(depth) = depth.checked_sub(1) else {
            self.request.hidden_input = true;
            return;
        };
        match walk.kind() {
            Kind::Array => walk.array(|walk| self.nested(walk, depth)),
            Kind::Object => self.object(walk, depth),
            _ => {}
        }
    }

    fn object(&mut self, walk: &mut Walk<'a>, depth: u32) {
        let mut facts = Facts::default();
        walk.object(|key, walk| self.field(key, walk, depth, &mut facts));
        self.conclude(&facts, walk.at(), depth);
    }

    fn field(&mut self, key: &[u8], walk: &mut Walk<'a>, depth: u32, facts: &mut Facts<'a>) {
        match key {
            b"type" => facts.kind = Some(walk.value()),
            b"role" => facts.role = Some(walk.value()),
            b"id" => facts.id = Some(walk.value()),
            b"call_id" | b"tool_call_id" | b"tool_use_id" => facts.call_id = Some(walk.value()),
            b"is_error" => facts.failed = walk.value().as_bool() == Some(true),
            b"name" => facts.name = Some(walk.value()),
            b"content" | b"output" => {
                let start = walk.at();
                self.nested(walk, depth);
                if walk.at() == start {
                    walk.value();
                }
                facts.output = start..walk.at();
            }
            b"parts" | b"requests" => self.nested(walk, depth),
            b"image_url" => self.image_url(walk.value(), facts),
            b"input_audio" => self.request.sound |= !walk.value().is_null(),
            b"detail" => facts.original |= is_original(walk.value()),
            b"result" => facts.images += u32::from(walk.value().kind() == Kind::String),
            b"source" => self.source(walk, depth, facts),
            b"inlineData" | b"inline_data" => self.inline_data(walk.value(), facts),
            b"file_id" | b"file_url" | b"file_data" | b"file" | b"fileData" | b"video_url" => {
                self.request.hidden_input |= !walk.value().is_null();
            }
            b"tool_calls" => walk.array(|walk| self.chat_call(walk.value())),
            b"functionCall" | b"function_call" => {}
            b"functionResponse" | b"function_response" => self.function_response(walk, depth),
            _ => {}
        }
    }

    /// `image_url` is a URL in responses and an object with one in chat.
    fn image_url(&mut self, value: Value<'a>, facts: &mut Facts<'a>) {
        let object = value.as_object();
        let url = object.as_ref().map_or(Some(value), |object| object.get("url"));
        facts.original |= object.and_then(|object| object.get("detail")).is_some_and(is_original);
        match url {
            Some(url) if starts_with_data(url) => facts.images += 1,
            Some(url) if url.is_null() => {}
            _ => self.request.hidden_input = true,
        }
    }

    /// Where Anthropic's images and documents come from. A document in another form than text has pages that its
    /// bytes don't bound.
    fn source(&mut self, walk: &mut Walk<'a>, depth: u32, facts: &mut Facts<'a>) {
        let (mut kind, mut media) = (None, None);
        if walk.kind() != Kind::Object {
            // A search result's source is only its name.
            return;
        }
        walk.object(|key, walk| match key {
            b"type" => kind = walk.value().as_str(),
            b"media_type" => media = walk.value().as_str(),
            b"content" => self.nested(walk, depth),
            _ => {}
        });
        match (kind.as_deref(), media.as_deref()) {
            (Some("text" | "content"), _) => {}
            (Some("base64"), Some(media)) if media.starts_with("image/") => facts.images += 1,
            _ => self.request.hidden_input = true,
        }
    }

    fn inline_data(&mut self, value: Value<'a>, facts: &mut Facts<'a>) {
        let data = value.as_object();
        let media = data.and_then(|data| data.some("mimeType").or_else(|| data.some("mime_type"))?.as_str());
        match media.as_deref().unwrap_or_default() {
            media if media.starts_with("image/") => facts.images += 1,
            media if media.starts_with("audio/") => self.request.sound = true,
            media if media.starts_with("text/") => {}
            _ => self.request.hidden_input = true,
        }
    }

    fn chat_call(&mut self, call: Value<'a>) {
        let Some(call) = call.as_object() else { return };
        let function = call.some("function").or_else(|| call.some("custom")).and_then(|f| f.as_object());
        if let (Some(id), Some(name)) = (call.get("id"), function.and_then(|function| function.get("name"))) {
            self.calls.push((id, name));
        }
    }

    fn function_response(&mut self, walk: &mut Walk<'a>, depth: u32) {
        let (mut id, mut name, mut output) = (None, None, 0..0);
        walk.object(|key, walk| match key {
            b"response" => output = walk.value().span(),
            b"id" => id = Some(walk.value()),
            b"name" => name = Some(walk.value()),
            b"parts" => self.nested(walk, depth),
            _ => {}
        });
        self.result(id, name, false, output);
    }

    fn result(
        &mut self,
        id: Option<Value<'a>>,
        name: Option<Value<'a>>,
        is_error: bool,
        output: Range<usize>,
    ) {
        let text = |value: Option<Value<'a>>| value?.as_str().map(std::borrow::Cow::into_owned);
        self.request.tool_results.push(ToolResult { call_id: text(id), name: text(name), is_error, output });
    }

    /// An object ends at `end`; `depth` is what is left of the nesting.
    fn conclude(&mut self, facts: &Facts<'a>, end: usize, depth: u32) {
        let kind = facts.kind.and_then(|kind| kind.as_str());
        let kind = kind.as_deref();
        if kind.is_some_and(|kind| !INLINE.contains(&kind)) {
            self.request.hidden_input = true;
        }
        // An item of the responses format that has nothing but an id stands for one that the provider keeps.
        let only_an_id =
            facts.kind.is_none() && facts.role.is_none() && facts.name.is_none() && facts.call_id.is_none();
        self.request.hidden_input |= only_an_id && facts.id.is_some();
        if is_type(facts.role, "tool") || kind.is_some_and(is_client_result) {
            self.result(facts.call_id, facts.name, facts.failed, facts.output.clone());
        } else if let (Some(id), Some(name)) = (facts.call_id.or(facts.id), facts.name) {
            self.calls.push((id, name));
        }
        if is_of_model(facts.role, kind) {
            self.request.known_results = self.request.tool_results.len();
            if depth == MESSAGE_DEPTH {
                self.request.news.start = end.min(self.request.news.end);
            }
        }
        let images = &mut self.request.inline_images;
        *images = images.saturating_add(facts.images);
        if facts.original {
            let originals = &mut self.request.original_images;
            *originals = originals.saturating_add(facts.images.max(1));
        }
    }

    /// Most formats name the tool only in the call. The call stands before its result and close to it.
    fn name_results(self) {
        for result in self.request.tool_results.iter_mut().filter(|result| result.name.is_none()) {
            let Some(id) = result.call_id.as_deref() else { continue };
            let call = self.calls.iter().rev().find(|(call, _)| is_type(Some(*call), id));
            result.name = call.and_then(|(_, name)| name.as_str()).map(std::borrow::Cow::into_owned);
        }
    }
}

/// Whether the model said it: a message of its, or a call that stands as an item of its own.
fn is_of_model(role: Option<Value<'_>>, kind: Option<&str>) -> bool {
    is_type(role, "assistant")
        || is_type(role, "model")
        || kind.is_some_and(|kind| kind.ends_with("_call") || kind == "reasoning")
}

/// Results of tools that the client ran; those of the provider's own tools are not the client's word.
fn is_client_result(kind: &str) -> bool {
    kind == "tool_result" || kind.ends_with("_call_output")
}

fn is_type(value: Option<Value<'_>>, text: &str) -> bool {
    value.and_then(|value| value.as_str()).as_deref() == Some(text)
}

fn is_original(detail: Value<'_>) -> bool {
    is_type(Some(detail), "original")
}

fn starts_with_data(url: Value<'_>) -> bool {
    let raw = url.raw();
    raw.get(1..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"data:"))
}

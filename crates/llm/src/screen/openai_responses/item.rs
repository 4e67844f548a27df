//! The items of a response's output: which are calls, where their texts stand, and what stands in place of a refused one.

use bytes::Bytes;

use super::super::call::Pending;
use super::super::core::Core;
use super::super::event::{of_json, rebuilt, text};
use super::super::{Field, Judge};
use super::value_text;
use crate::json::{ANSWER_DEPTH, Object, Value};
use crate::splice::{Splices, quoted};
use crate::sse::RawEvent;

/// The calls that the client runs: type of the item, tool (where the item does not name it), key of what it is given.
const CALLS: &[(&str, Option<&str>, &str)] = &[
    ("function_call", None, "arguments"),
    ("custom_tool_call", None, "input"),
    ("local_shell_call", Some("local_shell"), "action"),
    ("shell_call", Some("shell"), "action"),
    ("apply_patch_call", Some("apply_patch"), "operation"),
    ("computer_call", Some("computer"), "action"),
];

/// Keys of texts, in an item, in a part and in the event that ends a text.
const TEXTS: &[(&str, Field)] = &[
    ("text", Field::Text),
    ("refusal", Field::Refusal),
    ("transcript", Field::Transcript),
    ("arguments", Field::Arguments),
    ("input", Field::Arguments),
    ("code", Field::Arguments),
];

/// An item that is a call of a tool which the client runs.
pub(super) struct CallItem<'a> {
    pub(super) pending: Pending,
    given: Option<Value<'a>>,
}

impl<'a> CallItem<'a> {
    pub(super) fn of(item: &Object<'a>) -> Option<Self> {
        let kind = text(item, "type")?;
        let (_, name, key) = CALLS.iter().find(|(of, ..)| *of == kind)?;
        let name = name.map_or_else(|| text(item, "name").unwrap_or_default().into_owned(), str::to_owned);
        // A computer can be given several actions at once.
        let given = item.some(key).or_else(|| item.some("actions"));
        let id = text(item, "call_id").or_else(|| text(item, "id")).map(std::borrow::Cow::into_owned);
        let mut pending = Pending::new(id, name, *key == "input");
        pending.set(&given.map(value_text).unwrap_or_default());
        Some(Self { pending, given })
    }

    /// New arguments in the place of the old ones.
    pub(super) fn put(&self, new: &str, splices: &mut Splices) {
        let Some(given) = self.given else { return };
        let is_text = given.is_string();
        splices.replace(given, if is_text { quoted(new) } else { new.to_owned() });
    }
}

/// Screens an item in one piece: a message, reasoning, or a tool of the provider's own.
pub(super) fn whole<J: Judge>(core: &mut Core<J>, item: &Object<'_>, splices: &mut Splices) {
    text_of(core, item, splices);
    for key in ["content", "summary"] {
        item.objects(key).for_each(|part| text_of(core, &part, splices));
    }
}

/// Screens the texts that stand in an object itself.
pub(super) fn text_of<J: Judge>(core: &mut Core<J>, object: &Object<'_>, splices: &mut Splices) {
    let mut is_changed = false;
    for (key, field) in TEXTS {
        if let Some(value) = object.get(key) {
            is_changed |= core.whole(*field, value, splices);
        }
    }
    if let Some(logprobs) = object.some("logprobs").filter(|_| is_changed) {
        splices.replace(logprobs, "[]".to_owned());
    }
}

/// An event of a call with new arguments, and whether it is a piece of them. The first piece has them all.
pub(super) fn with_arguments(event: &RawEvent, new: &str, is_given: bool) -> (Bytes, bool) {
    let data = event.data();
    let Ok(object) = Object::parse(&data, ANSWER_DEPTH) else { return (event.bytes.clone(), false) };
    let mut splices = Splices::default();
    let delta = object.get("delta");
    if let Some(delta) = delta {
        // What a patch changes is no piece of its arguments.
        let kind = text(&object, "type").unwrap_or_default();
        let is_piece = kind.contains("arguments") || kind.contains("input");
        splices.say(delta, if is_given || !is_piece { "" } else { new });
    }
    for key in ["arguments", "input"] {
        object.get(key).into_iter().for_each(|whole| splices.say(whole, new));
    }
    if let Some(item) = object.get("item").and_then(|item| item.as_object())
        && let Some(call) = CallItem::of(&item)
        // At its beginning a call has no arguments yet, or all that it will have.
        && call.pending.has_arguments()
    {
        call.put(new, &mut splices);
    }
    (rebuilt(event, &data, splices), delta.is_some())
}

/// The message that stands in the place of a refused call.
pub(super) fn message(call_id: &str, words: &str) -> String {
    item(call_id, "completed", &format!("[{}]", part(words)))
}

fn item(call_id: &str, status: &str, content: &str) -> String {
    let id = quoted(&format!("msg_{call_id}"));
    format!(
        "{{\"id\":{id},\"type\":\"message\",\"status\":\"{status}\",\"role\":\"assistant\",\"content\":{content}}}"
    )
}

fn part(words: &str) -> String {
    let words = quoted(words);
    format!("{{\"type\":\"output_text\",\"text\":{words},\"annotations\":[],\"logprobs\":[]}}")
}

/// The events of that message. Their numbers are put in when they are sent.
pub(super) fn message_events(index: u64, call_id: &str, words: &str, is_numbered: bool) -> [Bytes; 6] {
    let id = quoted(&format!("msg_{call_id}"));
    let number = if is_numbered { "\"sequence_number\":0," } else { "" };
    let of_item = |kind: &str, item: &str| {
        let data = format!("{{\"type\":\"{kind}\",{number}\"output_index\":{index},\"item\":{item}}}");
        of_json(Some(kind), data.as_bytes())
    };
    let of_part = |kind: &str, rest: &str| {
        let place = format!("\"item_id\":{id},\"output_index\":{index},\"content_index\":0");
        of_json(Some(kind), format!("{{\"type\":\"{kind}\",{number}{place},{rest}}}").as_bytes())
    };
    let text = quoted(words);
    [
        of_item("response.output_item.added", &item(call_id, "in_progress", "[]")),
        of_part("response.content_part.added", &format!("\"part\":{}", part(""))),
        of_part("response.output_text.delta", &format!("\"delta\":{text},\"logprobs\":[]")),
        of_part("response.output_text.done", &format!("\"text\":{text},\"logprobs\":[]")),
        of_part("response.content_part.done", &format!("\"part\":{}", part(words))),
        of_item("response.output_item.done", &message(call_id, words)),
    ]
}

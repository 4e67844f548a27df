//! Anthropic messages, whole and as events.

use crate::answer::{Answer, ToolCall, text};
use crate::dialogue::signature;
use crate::json::Object;
use crate::stream::Progress;
use crate::transcript::Channel;
use crate::usage::AnthropicCounts;

/// Reads a whole message.
pub(crate) fn whole(object: &Object<'_>, answer: &mut Answer) {
    answer.note(object, "model");
    let mut counts = AnthropicCounts::default();
    object.some("usage").into_iter().for_each(|usage| counts.add(usage));
    answer.usage = counts.usage();
    read_speed(object, answer);
    answer.finished(object.some("stop_reason"));
    for (index, block) in (0..).zip(object.objects("content")) {
        read_block(&block, index, answer);
    }
}

/// How the pieces of texts are called, in blocks and in their deltas.
const TEXTS: [(&str, Channel); 2] = [("text", Channel::Text), ("thinking", Channel::Reasoning)];

/// A content block: whole, or as it starts.
fn read_block(block: &Object<'_>, index: u64, answer: &mut Answer) {
    for (key, channel) in TEXTS {
        block.get(key).into_iter().for_each(|text| answer.said(channel, index, text));
    }
    let kind = block.get("type").and_then(text);
    let call = (kind.as_deref() == Some("tool_use")).then(|| {
        let name = block.get("name").and_then(text).unwrap_or_default();
        answer.called(ToolCall { id: block.get("id").and_then(text), name })
    });
    if matches!(kind.as_deref(), Some("tool_use" | "server_tool_use" | "mcp_tool_use")) {
        let input =
            block.get("input").filter(|input| input.as_object().is_some_and(|input| !input.is_empty()));
        input.into_iter().for_each(|input| answer.argued_raw(call, input));
    }
    if kind.as_deref() == Some("server_tool_use") {
        let name = block.get("name").and_then(text).unwrap_or_default();
        // The usage counts searches; reading a page and finding a tool cost nothing but tokens.
        let is_known =
            ["web_search", "web_fetch", "tool_search_tool"].iter().any(|tool| name.starts_with(tool));
        answer.tool_runs += u64::from(!is_known);
    }
    read_signature(block, index, answer);
}

/// What the provider wants to see again with the thoughts; or in their place, where they are for nobody's eyes.
fn read_signature(holder: &Object<'_>, index: u64, answer: &mut Answer) {
    let Some(ear) = answer.ear() else { return };
    if let Some(signature) = holder.get("signature").and_then(text) {
        ear.signed(index, signature::anthropic(&signature));
    }
    let is_redacted = holder.get("type").and_then(text).as_deref() == Some("redacted_thinking");
    if let Some(data) = holder.get("data").and_then(text).filter(|_| is_redacted) {
        ear.signed(index, signature::anthropic_redacted(&data));
    }
}

/// Reads one event of a stream.
pub(crate) fn event(object: &Object<'_>, progress: &mut Progress) {
    let kind = object.get("type").and_then(|kind| kind.as_str()).unwrap_or_default();
    match kind.as_ref() {
        "content_block_delta" => read_delta(object, progress),
        "content_block_start" => {
            if let Some(block) = object.get("content_block").and_then(|block| block.as_object()) {
                let (index, calls) = (index_of(object), progress.answer.tool_calls.len());
                read_block(&block, index, &mut progress.answer);
                progress.growing_call = (progress.answer.tool_calls.len() > calls).then_some((index, calls));
            }
        }
        "message_start" => {
            if let Some(message) = object.get("message").and_then(|message| message.as_object()) {
                progress.answer.note(&message, "model");
                count(&message, progress);
            }
        }
        "message_delta" => {
            let delta = object.get("delta").and_then(|delta| delta.as_object());
            progress.answer.finished(delta.and_then(|delta| delta.some("stop_reason")));
            count(object, progress);
        }
        "message_stop" => progress.complete = true,
        "error" => {
            progress.answer.failed = true;
            progress.complete = true;
        }
        _ => {}
    }
}

fn read_delta(object: &Object<'_>, progress: &mut Progress) {
    let Some(delta) = object.get("delta").and_then(|delta| delta.as_object()) else { return };
    let index = index_of(object);
    for (key, channel) in TEXTS {
        delta.get(key).into_iter().for_each(|text| progress.answer.said(channel, index, text));
    }
    read_signature(&delta, index, &mut progress.answer);
    let call = progress.growing_call.filter(|(block, _)| *block == index).map(|(_, call)| call);
    delta.get("partial_json").into_iter().for_each(|json| progress.answer.argued(call, json));
}

/// The place of a block in the message.
fn index_of(event: &Object<'_>) -> u64 {
    event.get("index").and_then(|index| index.as_u64()).unwrap_or(0)
}

fn count(holder: &Object<'_>, progress: &mut Progress) {
    if let Some(usage) = holder.some("usage") {
        progress.anthropic.add(usage);
        progress.answer.usage = progress.anthropic.usage();
        read_speed(holder, &mut progress.answer);
    }
}

/// How fast the answer was made, which decides about its price. (`service_tier` does not: priority is paid for in
/// advance.)
fn read_speed(holder: &Object<'_>, answer: &mut Answer) {
    let usage = holder.some("usage").and_then(|usage| usage.as_object());
    if let Some(speed) = usage.and_then(|usage| usage.some("speed")).and_then(text) {
        answer.premium = Some(speed != "standard");
    }
}

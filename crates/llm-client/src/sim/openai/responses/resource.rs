//! A response as one resource.

use serde_json::{Map, Value, json};

use crate::sim::answer::{AnswerTokens, Finish};
use crate::sim::prompt::{list, present, string};
use crate::sim::scene::{Scene, set};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    InProgress,
    Done,
}

pub(super) fn response(scene: &Scene<'_>, stage: Stage) -> Value {
    let is_cut = scene.answer.finish == Finish::Length;
    let (status, output) = match stage {
        Stage::InProgress => ("in_progress", vec![]),
        Stage::Done => (if is_cut { "incomplete" } else { "completed" }, output(scene)),
    };
    let is_done = stage == Stage::Done;
    let mut resource = json!({
        "id": format!("resp_{}", scene.id),
        "object": "response",
        "created_at": scene.created,
        "completed_at": (is_done && !is_cut).then_some(scene.created),
        "status": status,
        "error": null,
        "incomplete_details": (is_done && is_cut).then(|| json!({"reason": "max_output_tokens"})),
        "model": scene.prompt.model,
        "output": output,
        "usage": if is_done { scene.usage(usage) } else { None },
    });
    if let Some(object) = resource.as_object_mut() {
        object.extend(echoed(scene.request));
    }
    resource
}

/// What the provider repeats of the request, with its defaults.
fn echoed(request: &Value) -> Map<String, Value> {
    let or = |key: &str, default: Value| (key.to_owned(), present(request, key).cloned().unwrap_or(default));
    let mut echoed: Map<String, Value> = [
        or("instructions", Value::Null),
        or("previous_response_id", Value::Null),
        or("tool_choice", json!("auto")),
        or("parallel_tool_calls", json!(true)),
        or("truncation", json!("disabled")),
        or("temperature", json!(1.0)),
        or("top_p", json!(1.0)),
        or("presence_penalty", json!(0.0)),
        or("frequency_penalty", json!(0.0)),
        or("top_logprobs", json!(0)),
        or("max_output_tokens", Value::Null),
        or("max_tool_calls", Value::Null),
        or("store", json!(true)),
        or("background", json!(false)),
        or("metadata", json!({})),
        or("safety_identifier", Value::Null),
        or("prompt_cache_key", Value::Null),
        or("user", Value::Null),
    ]
    .into_iter()
    .collect();
    let reasoning = |key| request.get("reasoning").and_then(|reasoning| present(reasoning, key));
    let tools: Vec<Value> = list(request.get("tools")).iter().map(tool).collect();
    echoed.insert("tools".to_owned(), Value::Array(tools));
    echoed.insert("text".to_owned(), text_options(request.get("text")));
    echoed.insert(
        "reasoning".to_owned(),
        json!({"effort": reasoning("effort"), "summary": reasoning("summary")}),
    );
    echoed.insert("service_tier".to_owned(), json!("default"));
    echoed
}

/// A function with all the keys that the provider fills in; other tools as they are.
fn tool(tool: &Value) -> Value {
    let mut tool = tool.clone();
    if string(&tool, "type") == Some("function")
        && let Some(object) = tool.as_object_mut()
    {
        object.entry("description").or_insert(Value::Null);
        object.entry("parameters").or_insert(Value::Null);
        object.entry("strict").or_insert(Value::Bool(true));
    }
    tool
}

fn text_options(text: Option<&Value>) -> Value {
    let mut text = text.filter(|text| text.is_object()).cloned().unwrap_or_else(|| json!({}));
    if let Some(object) = text.as_object_mut() {
        object.entry("format").or_insert_with(|| json!({"type": "text"}));
        object.entry("verbosity").or_insert_with(|| json!("medium"));
    }
    text
}

fn usage(tokens: AnswerTokens) -> Value {
    json!({
        "input_tokens": tokens.input,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.total(),
    })
}

fn output(scene: &Scene<'_>) -> Vec<Value> {
    let answer = scene.answer;
    let mut items = Vec::new();
    if let Some(thinking) = &answer.thinking {
        items.push(reasoning_item(scene, Some(thinking)));
    }
    if !answer.text.is_empty() || answer.calls.is_empty() {
        let status = if answer.finish == Finish::Length { "incomplete" } else { "completed" };
        items.push(message_item(scene, status, &[text_part(&answer.text)]));
    }
    for (index, call) in answer.calls.iter().enumerate() {
        items.push(call_item(scene, index, "completed", &call.name, &call.arguments));
    }
    items
}

pub(super) fn reasoning_item(scene: &Scene<'_>, summary: Option<&str>) -> Value {
    let summary: Vec<Value> = summary.into_iter().map(summary_part).collect();
    let mut item = json!({"type": "reasoning", "id": format!("rs_{}", scene.id), "summary": summary});
    let is_wanted = list(scene.request.get("include")).iter().any(|key| key == "reasoning.encrypted_content");
    set(&mut item, "encrypted_content", is_wanted.then(|| json!(format!("sealed-{}", scene.id))));
    item
}

pub(super) fn summary_part(text: &str) -> Value {
    json!({"type": "summary_text", "text": text})
}

pub(super) fn message_item(scene: &Scene<'_>, status: &str, content: &[Value]) -> Value {
    json!({
        "type": "message",
        "id": format!("msg_{}", scene.id),
        "status": status,
        "role": "assistant",
        "content": content,
    })
}

pub(super) fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

pub(super) fn call_item(scene: &Scene<'_>, index: usize, status: &str, name: &str, arguments: &str) -> Value {
    json!({
        "type": "function_call",
        "id": scene.part_id("fc_", index),
        "call_id": scene.part_id("call_", index),
        "name": name,
        "arguments": arguments,
        "status": status,
    })
}

//! OpenAI responses, whole and as typed events.

use crate::answer::{Answer, ToolCall, text};
use crate::dialogue::signature;
use crate::json::{Object, Value};
use crate::stream::Progress;
use crate::transcript::Channel;
use crate::usage;

/// Reads a whole response object.
pub(crate) fn whole(object: &Object<'_>, answer: &mut Answer) {
    read_state(object, answer);
    for (index, item) in (0..).zip(items(object)) {
        let call = read_call(&item, answer);
        read_item(&item, (index, call), answer);
        count_tool(&item, answer);
    }
}

/// The provider bills each search that it made for the model, and each run of most other tools of its own.
fn count_tool(item: &Object<'_>, answer: &mut Answer) {
    match item.get("type").and_then(text).as_deref() {
        Some("web_search_call") => answer.searches += 1,
        Some("file_search_call" | "code_interpreter_call" | "image_generation_call") => answer.tool_runs += 1,
        _ => {}
    }
}

/// Model, usage, status: what the object says besides its output.
fn read_state(object: &Object<'_>, answer: &mut Answer) {
    answer.note(object, "model");
    answer.served_as(object.some("service_tier"));
    answer.usage = usage::larger(answer.usage, object.some("usage").and_then(usage::openai));
    let status = object.get("status").and_then(text);
    answer.failed |= status.as_deref() == Some("failed");
    let reason = object.some("incomplete_details").and_then(|details| details.as_object()?.get("reason"));
    match status.as_deref() {
        None | Some("in_progress" | "queued") => {}
        Some(_) => answer.finished(reason.or_else(|| object.get("status"))),
    }
}

fn items<'a>(object: &Object<'a>) -> impl Iterator<Item = Object<'a>> + use<'a> {
    object.objects("output")
}

/// What the model wrote in one item: message parts, reasoning, arguments.
fn read_item(item: &Object<'_>, (index, call): (u64, Option<usize>), answer: &mut Answer) {
    let is_reasoning = item.get("type").and_then(text).as_deref() == Some("reasoning");
    let channel = if is_reasoning { Channel::Reasoning } else { Channel::Text };
    for key in ["content", "summary"] {
        for part in item.objects(key) {
            let texts = ["text", "refusal"].iter().filter_map(|key| part.get(key));
            texts.for_each(|text| answer.said(channel, index, text));
        }
    }
    read_signature(item, index, answer);
    for key in ["arguments", "input", "code"] {
        item.get(key).into_iter().for_each(|text| answer.argued(call, text));
    }
    // A local shell call is an action rather than arguments.
    if let Some(action) = item.get("action").filter(|action| action.as_object().is_some()) {
        answer.argued_raw(call, action);
    }
}

/// The thoughts themselves, for nobody's eyes but the provider's own when it sees them again.
fn read_signature(item: &Object<'_>, index: u64, answer: &mut Answer) {
    let is_reasoning = item.get("type").and_then(text).as_deref() == Some("reasoning");
    let (Some(ear), true) = (answer.ear(), is_reasoning) else { return };
    if let (Some(id), Some(content)) =
        (item.get("id").and_then(text), item.get("encrypted_content").and_then(text))
    {
        ear.signed(index, signature::openai(&id, &content));
    }
}

/// Notes a call of a tool that the client runs, once, whether it shows when added, when done or at the end; which call of the
/// answer it is.
fn read_call(item: &Object<'_>, answer: &mut Answer) -> Option<usize> {
    let kind = item.get("type").and_then(text).unwrap_or_default();
    let name = match kind.as_str() {
        "function_call" | "custom_tool_call" => item.get("name").and_then(text).unwrap_or_default(),
        "local_shell_call" | "shell_call" | "apply_patch_call" | "computer_call" => {
            kind.trim_end_matches("_call").to_owned()
        }
        _ => return None,
    };
    let id = item.get("call_id").or_else(|| item.get("id")).and_then(text);
    let known = id.as_ref().and_then(|_| answer.tool_calls.iter().position(|call| call.id == id));
    known.or_else(|| Some(answer.called(ToolCall { id, name })))
}

/// A piece of a text or of arguments, by the kind of its event. Sound is no text: its tokens are not its bytes.
fn read_delta(kind: &str, object: &Object<'_>, answer: &mut Answer) {
    let Some(delta) = object.get("delta").filter(|_| !kind.starts_with("response.audio.")) else { return };
    let index = object.get("output_index").and_then(|index| index.as_u64()).unwrap_or(0);
    match kind {
        "response.output_text.delta" | "response.refusal.delta" => answer.said(Channel::Text, index, delta),
        kind if kind.starts_with("response.reasoning") => answer.said(Channel::Reasoning, index, delta),
        "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
            // Its item was added before it. Should two grow at once, the whole arguments at the end put that right.
            answer.argued(answer.tool_calls.len().checked_sub(1), delta);
        }
        _ => answer.wrote(delta),
    }
}

/// The item is complete, and with it the arguments that had come in pieces.
fn complete_call(item: &Object<'_>, call: Option<usize>, answer: &mut Answer) {
    let arguments = ["arguments", "input", "action"].iter().find_map(|key| item.some(key));
    arguments.into_iter().for_each(|arguments| answer.argued_whole(call, arguments));
}

/// Reads one event of a stream.
pub(crate) fn event(object: &Object<'_>, progress: &mut Progress) {
    let kind = object.get("type").and_then(|kind| kind.as_str()).unwrap_or_default();
    if kind.ends_with(".delta") {
        return read_delta(&kind, object, &mut progress.answer);
    }
    match kind.as_ref() {
        "response.output_item.added" | "response.output_item.done" => {
            if let Some(item) = object.get("item").and_then(|item| item.as_object()) {
                let call = read_call(&item, &mut progress.answer);
                if kind == "response.output_item.done" {
                    complete_call(&item, call, &mut progress.answer);
                    let index = object.get("output_index").and_then(|index| index.as_u64()).unwrap_or(0);
                    read_signature(&item, index, &mut progress.answer);
                    count_tool(&item, &mut progress.answer);
                }
            }
        }
        "response.created" | "response.in_progress" | "response.queued" => {
            read_response(object.get("response"), progress);
        }
        "response.completed" | "response.failed" | "response.incomplete" => {
            read_response(object.get("response"), progress);
            progress.answer.failed |= kind == "response.failed";
            progress.complete = true;
        }
        "error" => {
            progress.answer.failed = true;
            progress.complete = true;
        }
        _ => {
            progress.answer.failed |= object.some("error").is_some();
            progress.complete |= progress.answer.failed;
        }
    }
}

/// The response object inside an event. Its output was seen as deltas already, unless the server sends none.
fn read_response(response: Option<Value<'_>>, progress: &mut Progress) {
    let Some(response) = response.and_then(|response| response.as_object()) else { return };
    let no_deltas = progress.answer.output_bytes == 0;
    read_state(&response, &mut progress.answer);
    let mut whole = Answer::default();
    for (index, item) in (0..).zip(items(&response)) {
        let call = read_call(&item, &mut progress.answer);
        count_tool(&item, &mut whole);
        if no_deltas {
            read_item(&item, (index, call), &mut progress.answer);
        }
    }
    progress.answer.searches = progress.answer.searches.max(whole.searches);
    progress.answer.tool_runs = progress.answer.tool_runs.max(whole.tool_runs);
}

//! Gemini's GenerateContentResponse: an answer is one of them, a stream several.

use crate::answer::{Answer, ToolCall, text};
use crate::dialogue::signature;
use crate::json::Object;
use crate::stream::Progress;
use crate::transcript::Channel;
use crate::usage;

/// Reads one response object into `answer`, which may hold earlier ones.
pub(crate) fn part(object: &Object<'_>, answer: &mut Answer) {
    read(object, answer, |_, _| {});
}

/// Reads one event of a stream. A finish reason of each candidate ends it; usage may still follow.
pub(crate) fn event(object: &Object<'_>, progress: &mut Progress) {
    let choices = &mut progress.choices;
    let blocked = read(object, &mut progress.answer, |index, ended| choices.note(index, ended));
    progress.complete |= blocked || progress.answer.failed || progress.choices.all_ended();
}

/// True when the prompt was refused, so that no candidate will come. `note` hears of each candidate, and whether it
/// has ended.
fn read(object: &Object<'_>, answer: &mut Answer, mut note: impl FnMut(u64, bool)) -> bool {
    answer.note(object, "modelVersion");
    read_tier(object, answer);
    answer.usage = usage::larger(answer.usage, object.some("usageMetadata").and_then(usage::gemini));
    for candidate in object.objects("candidates") {
        // The first candidate's index is left out, as zeros are in Google's JSON.
        let index = candidate.get("index").and_then(|index| index.as_u64()).unwrap_or(0);
        read_content(&candidate, index, answer);
        count_searches(&candidate, answer);
        let reason = candidate.some("finishReason");
        note(index, reason.is_some());
        answer.finished(reason);
    }
    let feedback = object.some("promptFeedback").and_then(|feedback| feedback.as_object());
    let blocked = feedback.and_then(|feedback| feedback.some("blockReason"));
    answer.finished(blocked);
    blocked.is_some()
}

/// Under which service the answer was made, in either of the two words that Google has for it.
fn read_tier(object: &Object<'_>, answer: &mut Answer) {
    let Some(usage) = object.some("usageMetadata").and_then(|usage| usage.as_object()) else { return };
    answer.served_as(usage.some("serviceTier"));
    if let Some(traffic) = usage.some("trafficType").and_then(text) {
        answer.premium = Some(traffic.contains("PRIORITY"));
    }
}

/// The searches behind an answer: each query counts, though some models are billed by the prompt. Maps are billed by the
/// prompt too, at a fee of their own.
fn count_searches(candidate: &Object<'_>, answer: &mut Answer) {
    let grounding = candidate.some("groundingMetadata").and_then(|grounding| grounding.as_object());
    let queries = grounding.as_ref().and_then(|grounding| grounding.get("webSearchQueries"));
    let count = queries.map_or(0, |queries| queries.elements().count());
    answer.searches = answer.searches.max(u64::try_from(count).unwrap_or(u64::MAX));
    let mut chunks = grounding.and_then(|grounding| grounding.get("groundingChunks")).into_iter();
    let has_maps = chunks.any(|chunks| {
        let mut chunks = chunks.objects();
        chunks.any(|chunk| chunk.some("maps").is_some())
    });
    answer.tool_runs = answer.tool_runs.max(u64::from(has_maps));
}

fn read_content(candidate: &Object<'_>, index: u64, answer: &mut Answer) {
    let content = candidate.get("content").and_then(|content| content.as_object());
    for part in content.into_iter().flat_map(|content| content.objects("parts")) {
        let is_thought = part.get("thought").and_then(|thought| thought.as_bool()) == Some(true);
        let channel = if is_thought { Channel::Reasoning } else { Channel::Text };
        let signature = part.get("thoughtSignature").and_then(text).map(|signed| signature::gemini(&signed));
        // A thought's own, once its words are there; any other part's in the place before it.
        let (own, next) = if is_thought { (signature, None) } else { (None, signature) };
        next.into_iter().for_each(|signature| answer.signs_next(signature));
        part.get("text").into_iter().for_each(|text| answer.said(channel, index, text));
        own.into_iter().for_each(|signature| answer.signed(index, signature));
        let executed = part.get("executableCode").and_then(|code| code.as_object());
        executed.and_then(|code| code.get("code")).into_iter().for_each(|code| answer.wrote(code));
        if let Some(call) = part.some("functionCall").and_then(|call| call.as_object()) {
            read_call(&call, answer);
        }
    }
}

/// A call; or, when its arguments are streamed, a piece of one, which has no name.
fn read_call(call: &Object<'_>, answer: &mut Answer) {
    let which = match call.get("name").and_then(text) {
        Some(name) => Some(answer.called(ToolCall { id: call.get("id").and_then(text), name })),
        None => answer.tool_calls.len().checked_sub(1),
    };
    for key in ["args", "partialArgs"] {
        call.get(key).into_iter().for_each(|arguments| answer.argued_raw(which, arguments));
    }
}

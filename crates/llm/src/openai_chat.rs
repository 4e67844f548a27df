//! OpenAI chat completions and the older completions, whole and as deltas.

use smallvec::SmallVec;

use crate::answer::{Answer, ToolCall, text};
use crate::json::{Object, Value};
use crate::stream::Progress;
use crate::transcript::Channel;
use crate::usage;

/// How many choices and tool calls of one stream are told apart; more than any provider sends.
const MAX_TRACKED: usize = 4_096;

/// Reads a whole answer.
pub(crate) fn whole(object: &Object<'_>, answer: &mut Answer) {
    answer.note(object, "model");
    answer.served_as(object.some("service_tier"));
    answer.usage = object.some("usage").and_then(usage::openai);
    let mut calls = Calls::default();
    for (place, choice) in (0..).zip(choices(object)) {
        let at = Place { choice: place, streamed: false };
        if let Some(message) = choice.get("message").and_then(|message| message.as_object()) {
            read_message(&message, at, answer, &mut calls);
        }
        read_ending(&choice, at, answer);
    }
}

/// Which choice something belongs to.
#[derive(Clone, Copy)]
struct Place {
    choice: u64,
    /// It is a piece; a whole answer has everything once.
    streamed: bool,
}

/// Reads one chunk of a stream.
pub(crate) fn event(object: &Object<'_>, progress: &mut Progress) {
    progress.answer.note(object, "model");
    progress.answer.served_as(object.some("service_tier"));
    progress.complete |= progress.answer.failed;
    let reported = object.some("usage").and_then(usage::openai);
    progress.answer.usage = usage::larger(progress.answer.usage, reported);
    for choice in choices(object) {
        let index = choice.get("index").and_then(|index| index.as_u64()).unwrap_or(0);
        let at = Place { choice: index, streamed: true };
        if let Some(delta) = choice.get("delta").and_then(|delta| delta.as_object()) {
            read_message(&delta, at, &mut progress.answer, &mut progress.calls);
        }
        let ended = read_ending(&choice, at, &mut progress.answer);
        progress.choices.note(index, ended);
    }
}

fn choices<'a>(object: &Object<'a>) -> impl Iterator<Item = Object<'a>> + use<'a> {
    object.objects("choices")
}

/// The text of a plain completion, and the finish reason; true when there is one.
fn read_ending(choice: &Object<'_>, at: Place, answer: &mut Answer) -> bool {
    if let Some(text) = choice.get("text") {
        answer.said(Channel::Text, at.choice, text);
    }
    let reason = choice.some("finish_reason");
    answer.finished(reason);
    reason.is_some()
}

/// A message or a delta of one, which have the same members.
fn read_message(message: &Object<'_>, at: Place, answer: &mut Answer, calls: &mut Calls) {
    let thought = (Channel::Reasoning, at.choice);
    for (key, value) in message.iter() {
        match key.as_ref() {
            "content" | "refusal" => read_content(value, at, answer),
            // Some servers send the same reasoning under both names.
            "reasoning_content" => answer.said(thought.0, thought.1, value),
            "reasoning" if message.some("reasoning_content").is_none() => {
                answer.said(thought.0, thought.1, value);
            }
            "audio" => read_transcript(value, at, answer),
            "tool_calls" => {
                for call in value.objects() {
                    calls.read(&call, at, answer);
                }
            }
            "function_call" => calls.read_old(value, at, answer),
            _ => {}
        }
    }
}

fn read_content(value: Value<'_>, at: Place, answer: &mut Answer) {
    const TEXTS: [(&str, Channel); 3] =
        [("text", Channel::Text), ("refusal", Channel::Text), ("thinking", Channel::Reasoning)];
    answer.said(Channel::Text, at.choice, value);
    for part in value.objects() {
        for (key, channel) in TEXTS {
            part.get(key).into_iter().for_each(|text| answer.said(channel, at.choice, text));
        }
    }
}

fn read_transcript(value: Value<'_>, at: Place, answer: &mut Answer) {
    if let Some(transcript) = value.as_object().and_then(|audio| audio.get("transcript")) {
        answer.said(Channel::Text, at.choice, transcript);
    }
}

/// Which delta belongs to which tool call.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// Choice and index of each of the answer's tool calls, in their order.
    keys: Vec<(u64, Option<u64>)>,
}

impl Calls {
    /// One tool call, or the next piece of it. Its index may have gaps, be missing, or be the same for all calls, each
    /// of which some server does: another id is another call.
    fn read(&mut self, call: &Object<'_>, at: Place, answer: &mut Answer) {
        let function =
            call.some("function").or_else(|| call.some("custom")).and_then(|value| value.as_object());
        let id = call.get("id").and_then(text);
        let name = function.as_ref().and_then(|function| function.get("name")).and_then(text);
        let index = call.get("index").and_then(|index| index.as_u64());
        let known = self.add((at, index), id, name, answer);
        if let Some(function) = &function {
            arguments(function, known, answer);
        }
    }

    /// The single call of the API before tools.
    fn read_old(&mut self, value: Value<'_>, at: Place, answer: &mut Answer) {
        let Some(function) = value.as_object() else { return };
        let known = self.add((at, None), None, function.get("name").and_then(text), answer);
        arguments(&function, known, answer);
    }

    /// Which of the answer's calls this is.
    fn add(
        &mut self,
        (at, index): (Place, Option<u64>),
        id: Option<String>,
        name: Option<String>,
        answer: &mut Answer,
    ) -> Option<usize> {
        let key = (at.choice, index);
        // A whole answer has every call once.
        let place = if at.streamed && index.is_some() {
            self.keys.iter().rposition(|known| *known == key)
        } else if at.streamed && name.is_none() {
            self.keys.iter().rposition(|known| known.0 == key.0)
        } else {
            None
        };
        let known = place.and_then(|at| answer.tool_calls.get_mut(at));
        match known.filter(|known| id.is_none() || known.id.is_none() || known.id == id) {
            Some(known) => {
                known.id = known.id.take().or(id);
                // The name comes whole, or in pieces that clients join; a repeated one is no piece.
                if let Some(name) = name.filter(|name| *name != known.name) {
                    known.name.push_str(&name);
                }
                place
            }
            None if self.keys.len() < MAX_TRACKED && (id.is_some() || name.is_some()) => {
                self.keys.push(key);
                Some(answer.called(ToolCall { id, name: name.unwrap_or_default() }))
            }
            None => None,
        }
    }
}

fn arguments(function: &Object<'_>, call: Option<usize>, answer: &mut Answer) {
    if let Some(arguments) = function.get("arguments").or_else(|| function.get("input")) {
        answer.argued(call, arguments);
    }
}

/// The choices of a stream: which have begun and which have ended, of how many. Gemini calls them candidates.
#[derive(Debug, Default)]
pub(crate) struct Choices {
    /// How many were asked for; nothing is as good as one.
    pub(crate) asked_for: u64,
    open: SmallVec<[u64; 4]>,
    ended: SmallVec<[u64; 4]>,
}

impl Choices {
    /// An event brought something of this choice. What has ended stays so.
    pub(crate) fn note(&mut self, index: u64, ended: bool) {
        let list = if ended { &mut self.ended } else { &mut self.open };
        if !list.contains(&index) && list.len() < MAX_TRACKED {
            list.push(index);
        }
    }

    /// As many as were asked for have a finish reason, and of those that have begun every one.
    pub(crate) fn all_ended(&self) -> bool {
        let ended = u64::try_from(self.ended.len()).unwrap_or(u64::MAX);
        ended >= self.asked_for.max(1) && self.open.iter().all(|open| self.ended.contains(open))
    }
}

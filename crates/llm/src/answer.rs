//! What an answer that came in one piece says: usage, model, tool calls, how it ended.
//!
//! Reading an answer never fails: the client gets the bytes whatever they are, and what can't be read is absent.
//! Answers that come as a stream are read by [`crate::stream`] into the same [`Answer`].

use seawall_types::Usage;

use crate::dialogue::Ear;
use crate::json::{ANSWER_DEPTH, JsonError, JsonErrorKind, Object, Value};
use crate::request::is_premium_name;
use crate::transcript::{Channel, Transcript, words};
use crate::wire::Wire;
use crate::{anthropic, gemini, openai_chat, openai_responses, usage};

/// The facts of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The tokens that the provider says it used.
    pub usage: Option<Usage>,
    /// The model that answered, which may be another than was asked.
    pub model: Option<String>,
    /// The length of all that the model wrote: text, reasoning, refusals, arguments of tools, in bytes.
    pub output_bytes: u64,
    /// The tools that the client is to run, in order.
    pub tool_calls: Vec<ToolCall>,
    /// How the answer ended, in the provider's word; of the first choice that has one.
    pub finish: Option<String>,
    /// Whether it came from a faster, dearer service, where the provider says; it need not be the one asked for.
    pub premium: Option<bool>,
    /// Searches of the provider that the answer shows, where its usage does not count them.
    pub searches: u64,
    /// Runs of other tools of the provider that cost more than their tokens.
    pub tool_runs: u64,
    /// The provider reported an error in the answer itself.
    pub failed: bool,
    /// Its words, where they are wanted.
    pub transcript: Option<Box<Transcript>>,
}

/// One tool that the model asks the client to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The id that its result must name, where the wire format has one.
    pub id: Option<String>,
    /// The tool.
    pub name: String,
}

/// Reads a whole answer body.
#[must_use]
pub fn read_answer(wire: Wire, body: &[u8]) -> Answer {
    read_json_answer(wire, body).unwrap_or_default()
}

/// Reads a whole answer body that must be JSON: a provider's answer that was cut off is none. A byte that is no UTF-8
/// spoils the text it stands in, not the usage beside it.
///
/// # Errors
/// When it is no JSON, or nests deeper than [`ANSWER_DEPTH`].
pub fn read_json_answer(wire: Wire, body: &[u8]) -> Result<Answer, JsonError> {
    read_lossy(wire, body, None)
}

/// The same, with its words taken down, bounded.
///
/// # Errors
/// As [`read_json_answer`].
pub fn transcribe_json_answer(wire: Wire, body: &[u8]) -> Result<Answer, JsonError> {
    read_lossy(wire, body, Some(Transcript::default))
}

/// The same, with every word of it heard.
pub(crate) fn hear_json_answer(wire: Wire, body: &[u8]) -> Result<Answer, JsonError> {
    read_lossy(wire, body, Some(Transcript::heard))
}

fn read_lossy(wire: Wire, body: &[u8], listener: Option<fn() -> Transcript>) -> Result<Answer, JsonError> {
    match read_text(wire, body, listener) {
        Err(error) if error.kind == JsonErrorKind::Utf8 => {
            read_text(wire, String::from_utf8_lossy(body).as_bytes(), listener)
        }
        read => read,
    }
}

fn read_text(wire: Wire, body: &[u8], listener: Option<fn() -> Transcript>) -> Result<Answer, JsonError> {
    let transcript = listener.map(|listener| Box::new(listener()));
    let mut answer = Answer { transcript, ..Answer::default() };
    match Object::parse_repeating(body, ANSWER_DEPTH) {
        Ok(object) => answer.take(wire, &object),
        // Gemini streams a JSON array when it is not asked for server-sent events.
        Err(error) if error.kind == JsonErrorKind::NotAnObject => {
            for part in Value::parse(body, ANSWER_DEPTH)?.elements() {
                if let Some(object) = part.as_object() {
                    answer.take(wire, &object);
                }
            }
        }
        Err(error) => return Err(error),
    }
    Ok(answer)
}

impl Answer {
    fn take(&mut self, wire: Wire, object: &Object<'_>) {
        match wire {
            Wire::OpenAiChat | Wire::OpenAiCompletions => openai_chat::whole(object, self),
            Wire::OpenAiResponses | Wire::OpenAiCompact => openai_responses::whole(object, self),
            Wire::AnthropicMessages => anthropic::whole(object, self),
            Wire::GeminiGenerate | Wire::GeminiStream | Wire::GeminiEmbed => gemini::part(object, self),
            Wire::OpenAiEmbeddings | Wire::AnthropicCountTokens | Wire::GeminiCountTokens | Wire::Other => {
                self.note(object, "model");
                self.usage = usage::any(object);
            }
        }
    }

    /// What all formats have: a model and, when something went wrong, an error.
    pub(crate) fn note(&mut self, object: &Object<'_>, model_key: &str) {
        if self.model.is_none() {
            self.model = object.get(model_key).and_then(text);
        }
        self.failed |= object.some("error").is_some();
    }

    /// The service tier that the answer names, which is the one that is billed. `auto` is only a wish.
    pub(crate) fn served_as(&mut self, tier: Option<Value<'_>>) {
        let named = tier.filter(|tier| tier.as_str().is_some_and(|name| !name.is_empty() && name != "auto"));
        self.premium = named.map(|tier| is_premium_name(&tier)).or(self.premium);
    }

    pub(crate) fn wrote(&mut self, text: Value<'_>) {
        self.output_bytes = self.output_bytes.saturating_add(text.text_len());
    }

    /// A text of the model for its reader, or the next piece of it. What is no text is none.
    pub(crate) fn said(&mut self, channel: Channel, index: u64, text: Value<'_>) {
        self.wrote(text);
        if let Some(transcript) = &mut self.transcript
            && let Some(text) = text.as_str()
        {
            transcript.say(channel, index, &text);
        }
    }

    /// The model asks for a tool: which of the answer's calls that is.
    pub(crate) fn called(&mut self, tool: ToolCall) -> usize {
        let call = self.tool_calls.len();
        if let Some(transcript) = &mut self.transcript {
            transcript.call_begins(call, &tool);
        }
        self.tool_calls.push(tool);
        call
    }

    /// The thoughts at `index` are signed with what the provider wants to see again.
    pub(crate) fn signed(&mut self, index: u64, with: serde_json::Value) {
        if let Some(ear) = self.ear() {
            ear.signed(index, with);
        }
    }

    /// The same for the part that comes next.
    pub(crate) fn signs_next(&mut self, with: serde_json::Value) {
        if let Some(ear) = self.ear() {
            ear.signs_next(with);
        }
    }

    /// Who hears every word of it, if anybody does.
    pub(crate) fn ear(&mut self) -> Option<&mut Ear> {
        self.transcript.as_mut()?.ear()
    }

    /// The arguments of one of the tool calls as a string, or the next piece of them.
    pub(crate) fn argued(&mut self, call: Option<usize>, arguments: Value<'_>) {
        self.wrote(arguments);
        self.takes_arguments(call, arguments);
    }

    /// The same as JSON.
    pub(crate) fn argued_raw(&mut self, call: Option<usize>, json: Value<'_>) {
        self.wrote_raw(json);
        self.takes_arguments(call, json);
    }

    fn takes_arguments(&mut self, call: Option<usize>, arguments: Value<'_>) {
        if arguments.is_null() {
            return;
        }
        if let (Some(transcript), Some(call)) = (&mut self.transcript, call) {
            transcript.argue(call, &words(&arguments));
        }
    }

    /// Arguments that were counted as they came have come once more and whole.
    pub(crate) fn argued_whole(&mut self, call: Option<usize>, arguments: Value<'_>) {
        if let (Some(transcript), Some(call)) = (&mut self.transcript, call) {
            transcript.argue_whole(call, &words(&arguments));
        }
    }

    /// Arguments that come as JSON rather than as a string of it.
    pub(crate) fn wrote_raw(&mut self, json: Value<'_>) {
        self.output_bytes =
            self.output_bytes.saturating_add(u64::try_from(json.raw().len()).unwrap_or(u64::MAX));
    }

    pub(crate) fn finished(&mut self, reason: Option<Value<'_>>) {
        if self.finish.is_none() {
            self.finish = reason.and_then(text);
        }
    }
}

/// A string that says something.
pub(crate) fn text(value: Value<'_>) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(std::borrow::Cow::into_owned)
}

//! What an answer that comes as a stream says, event by event.
//!
//! The reader looks at each event once, on its way to the client, and never holds one back. It says what to do with
//! the event's bytes: pass them on, or take out what is there only because the gateway asked for usage. Splitting
//! bytes into events is [`crate::sse`]'s.

use bytes::{BufMut, Bytes, BytesMut};

use crate::answer::Answer;
use crate::json::{ANSWER_DEPTH, Object};
use crate::sse::RawEvent;
use crate::transcript::Transcript;
use crate::usage::{self, AnthropicCounts};
use crate::wire::Wire;
use crate::{anthropic, gemini, openai_chat, openai_responses};

/// Rewritten events are slices of blocks of this size, so that not each of them is an allocation.
const BLOCK: usize = 1024;

/// What to do with an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send it on as it is.
    Pass,
    /// Don't send it: it is usage that the client did not ask for.
    Drop,
    /// Send this in its place: the event without the `"usage":null` that came of our asking.
    Replace(Bytes),
}

/// What has been read so far.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) answer: Answer,
    pub(crate) complete: bool,
    pub(crate) calls: openai_chat::Calls,
    /// Which answers have begun and ended, of how many.
    pub(crate) choices: openai_chat::Choices,
    pub(crate) anthropic: AnthropicCounts,
    /// The block that is a tool call and grows, and which call it is.
    pub(crate) growing_call: Option<(u64, usize)>,
}

/// Reads the events of one answer.
#[derive(Debug)]
pub struct StreamReader {
    wire: Wire,
    strip_usage: bool,
    progress: Progress,
    garbage: bool,
    deltas: u64,
    block: BytesMut,
}

impl StreamReader {
    /// A reader for a stream of `wire`. With `strip_usage` the client does not get to see usage in the stream: it did
    /// not ask, we did.
    #[must_use]
    pub fn new(wire: Wire, strip_usage: bool) -> Self {
        let strip_usage = strip_usage && matches!(wire, Wire::OpenAiChat | Wire::OpenAiCompletions);
        Self {
            wire,
            strip_usage,
            progress: Progress::default(),
            garbage: false,
            deltas: 0,
            block: BytesMut::new(),
        }
    }

    /// The words of the answer are taken down, bounded.
    #[must_use]
    pub fn taking_down(mut self) -> Self {
        self.progress.answer.transcript = Some(Box::default());
        self
    }

    /// Every word of the answer is heard.
    #[must_use]
    pub(crate) fn listening(mut self) -> Self {
        self.progress.answer.transcript = Some(Box::new(Transcript::heard()));
        self
    }

    /// The answer, for whoever listens to it.
    pub(crate) const fn answer_mut(&mut self) -> &mut Answer {
        &mut self.progress.answer
    }

    /// What was read.
    pub(crate) fn into_answer(self) -> Answer {
        self.progress.answer
    }

    /// So many answers come at once: the stream is whole when each has ended.
    #[must_use]
    pub const fn with_answers(mut self, answers: u64) -> Self {
        self.progress.choices.asked_for = answers;
        self
    }

    /// Reads the next event and says what to send in its place.
    pub fn event(&mut self, event: &RawEvent) -> Step {
        let data = event.data();
        let trimmed = data.trim_ascii();
        if trimmed.is_empty() {
            return Step::Pass;
        }
        if trimmed == b"[DONE]" {
            self.progress.complete = true;
            return Step::Pass;
        }
        let Ok(object) = Object::parse(&data, ANSWER_DEPTH) else {
            self.garbage = true;
            return Step::Pass;
        };
        let before = (self.progress.answer.output_bytes, self.progress.answer.tool_calls.len());
        self.read(&object);
        let after = (self.progress.answer.output_bytes, self.progress.answer.tool_calls.len());
        self.deltas = self.deltas.saturating_add(u64::from(before != after));
        if self.strip_usage { self.without_usage(event, &object) } else { Step::Pass }
    }

    fn read(&mut self, object: &Object<'_>) {
        let progress = &mut self.progress;
        match self.wire {
            Wire::OpenAiChat | Wire::OpenAiCompletions => openai_chat::event(object, progress),
            Wire::OpenAiResponses | Wire::OpenAiCompact => openai_responses::event(object, progress),
            Wire::AnthropicMessages => anthropic::event(object, progress),
            Wire::GeminiGenerate | Wire::GeminiStream => gemini::event(object, progress),
            Wire::OpenAiEmbeddings
            | Wire::AnthropicCountTokens
            | Wire::GeminiCountTokens
            | Wire::GeminiEmbed
            | Wire::Other => {
                progress.answer.note(object, "model");
                progress.answer.usage = usage::larger(progress.answer.usage, usage::any(object));
            }
        }
    }

    /// With `include_usage` OpenAI sends one more chunk, with usage and no choices, and `"usage":null` on all others.
    fn without_usage(&mut self, event: &RawEvent, object: &Object<'_>) -> Step {
        let Some(usage) = object.get("usage") else { return Step::Pass };
        if usage.is_null() {
            return object.cut_of("usage").map_or(Step::Pass, |cut| self.cut(event, cut));
        }
        let has_choices = object.get("choices").is_some_and(|choices| choices.elements().next().is_some());
        if has_choices { Step::Pass } else { Step::Drop }
    }

    /// The event without a stretch of its data. Data in several lines is left alone: no provider sends it so.
    fn cut(&mut self, event: &RawEvent, cut: std::ops::Range<usize>) -> Step {
        let Some(data) = event.data_span() else { return Step::Pass };
        let head = event.bytes.get(..data.start + cut.start);
        let tail = event.bytes.get(data.start + cut.end..);
        let (Some(head), Some(tail)) = (head, tail) else { return Step::Pass };
        let length = head.len() + tail.len();
        if self.block.capacity() < length {
            self.block.reserve(length.max(BLOCK));
        }
        self.block.put_slice(head);
        self.block.put_slice(tail);
        Step::Replace(self.block.split().freeze())
    }

    /// What the answer says so far.
    #[must_use]
    pub const fn answer(&self) -> &Answer {
        &self.progress.answer
    }

    /// What the answer says, for whoever reads no further: nothing of it is left here.
    #[must_use]
    pub fn take_answer(&mut self) -> Answer {
        std::mem::take(&mut self.progress.answer)
    }

    /// The answer is whole, or ended in an error that the client has seen. By wire format: `[DONE]` or a finish reason
    /// on every choice (some servers send no `[DONE]`); `message_stop`; `response.completed`, `failed` or
    /// `incomplete`; a `finishReason` of every candidate. Usage may still follow. Other formats have no end, so they are
    /// always whole.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let progress = &self.progress;
        match self.wire {
            Wire::OpenAiChat | Wire::OpenAiCompletions => progress.complete || progress.choices.all_ended(),
            Wire::OpenAiResponses
            | Wire::OpenAiCompact
            | Wire::AnthropicMessages
            | Wire::GeminiGenerate
            | Wire::GeminiStream => progress.complete,
            Wire::OpenAiEmbeddings
            | Wire::AnthropicCountTokens
            | Wire::GeminiCountTokens
            | Wire::GeminiEmbed
            | Wire::Other => true,
        }
    }

    /// An event was seen whose data is no JSON object.
    #[must_use]
    pub const fn is_garbage(&self) -> bool {
        self.garbage
    }

    /// How many events brought something that the model wrote.
    #[must_use]
    pub const fn deltas(&self) -> u64 {
        self.deltas
    }

    /// Whether the model has written anything yet. Pings, comments and empty deltas are not writing.
    #[must_use]
    pub const fn first_token_seen(&self) -> bool {
        self.deltas > 0
    }
}

/// How many tokens a text of `bytes` is taken for when the provider does not say: a third, rounded up. More than what
/// is measured for prose and code (a fourth); about right for CJK text.
#[must_use]
pub const fn estimate_tokens(bytes: u64) -> u64 {
    bytes.div_ceil(3)
}

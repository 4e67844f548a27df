//! Hears an answer: as a stream, chunk by chunk, or in one piece.

use bytes::Bytes;
use seawall_types::Usage;

use super::reply::{Reply, Stop};
use super::{Failure, FailureClass, Format, Heard};
use crate::answer::{Answer, hear_json_answer};
use crate::sse::{RawEvent, Splitter};
use crate::stream::{StreamReader, estimate_tokens};

/// The largest event that is heard, in bytes: more than any provider sends, pictures in it aside.
const LARGEST_EVENT: usize = 32 * 1024 * 1024;

/// The longest stream that is heard, in bytes: hundreds for each token of the longest answers that models give.
const LONGEST_STREAM: usize = 256 * 1024 * 1024;

/// Hears one answer that comes as a stream of server-sent events.
///
/// Chunks may end anywhere. After a failure nothing more is heard, and [`Hearer::finish`] tells it again. An answer that came as
/// plain JSON although a stream was asked for (see its `content-type`) is [`hear_whole`]'s.
#[derive(Debug)]
pub struct Hearer {
    splitter: Splitter,
    reader: StreamReader,
    usage: Option<Usage>,
    has_stopped: bool,
    failure: Option<Failure>,
    length: usize,
}

impl Hearer {
    /// A hearer for one answer.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self {
            splitter: Splitter::new(LARGEST_EVENT),
            reader: StreamReader::new(format.wire(true), false).listening(),
            usage: None,
            has_stopped: false,
            failure: None,
            length: 0,
        }
    }

    /// Takes the next chunk of the body; what it brought, in order.
    pub fn hear(&mut self, chunk: Bytes) -> Vec<Heard> {
        let mut heard = Vec::new();
        if self.failure.is_some() {
            return heard;
        }
        self.length = self.length.saturating_add(chunk.len());
        if self.length > LONGEST_STREAM {
            let message = format!("the model's answer is longer than {LONGEST_STREAM} bytes");
            self.fail(Failure::new(FailureClass::Other, &message), &mut heard);
            return heard;
        }
        self.splitter.push(chunk);
        while self.failure.is_none() {
            match self.splitter.next_event() {
                Ok(Some(event)) => self.event(&event, &mut heard),
                Ok(None) => break,
                Err(error) => self.fail(Failure::broken(&error.to_string()), &mut heard),
            }
        }
        heard
    }

    fn event(&mut self, event: &RawEvent, heard: &mut Vec<Heard>) {
        self.reader.event(event);
        if let Some(ear) = self.reader.answer_mut().ear() {
            heard.extend(ear.news().map(Heard::from));
        }
        let answer = self.reader.answer();
        if answer.failed {
            return self.fail(Failure::from_event(&event.data()), heard);
        }
        if self.reader.is_garbage() {
            // What was in it is lost: words, or half of a call's arguments.
            return self.fail(Failure::broken("an event of the model's answer can't be read"), heard);
        }
        if let Some(usage) = answer.usage.filter(|usage| self.usage != Some(*usage)) {
            self.usage = Some(usage);
            heard.push(Heard::Usage(usage));
        }
        if !self.has_stopped && answer.finish.is_some() {
            self.has_stopped = true;
            heard.push(Heard::Stop(stop_of(answer)));
        }
    }

    fn fail(&mut self, failure: Failure, heard: &mut Vec<Heard>) {
        self.failure = Some(failure.clone());
        heard.push(Heard::Error(failure));
    }

    /// The body has ended: all that was said.
    ///
    /// # Errors
    /// When the provider said so, when the stream ended without its format's end mark, so that nobody knows what is missing, and
    /// when a filter left nothing of the answer.
    pub fn finish(mut self) -> Result<Reply, Failure> {
        // Some servers leave out the blank line after their last event.
        if let Some(rest) = self.splitter.finish().filter(|_| self.failure.is_none()) {
            self.last_event(&RawEvent::new(rest));
        }
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        if !self.reader.is_complete() {
            return Err(Failure::broken("the model's answer broke off before its end"));
        }
        reply(self.reader.into_answer())
    }

    /// What is left at the end counts only if it is whole.
    fn last_event(&mut self, event: &RawEvent) {
        let was_garbage = self.reader.is_garbage();
        self.reader.event(event);
        if self.reader.answer().failed && !was_garbage {
            self.failure = Some(Failure::from_event(&event.data()));
        }
    }
}

/// Hears an answer that came in one piece, with a status that means success.
///
/// # Errors
/// When it is no answer, says that something failed, or has nothing in it because of a filter.
pub fn hear_whole(format: Format, body: &[u8]) -> Result<Reply, Failure> {
    let answer = hear_json_answer(format.wire(false), body)
        .map_err(|error| Failure::broken(&format!("the model's answer can't be read: {error}")))?;
    if answer.failed {
        return Err(Failure::from_event(body));
    }
    let reply = reply(answer)?;
    if reply.parts.is_empty() && reply.stop == Stop::Other(String::new()) {
        return Err(Failure::broken("what came in place of the model's answer is none"));
    }
    Ok(reply)
}

fn stop_of(answer: &Answer) -> Stop {
    Stop::of(answer.finish.as_deref(), !answer.tool_calls.is_empty())
}

/// Ends that are no answer, though the format calls them one.
const GIVEN_UP: [&str; 4] = ["error", "failed", "cancelled", "insufficient_system_resource"];

fn reply(mut answer: Answer) -> Result<Reply, Failure> {
    let stop = stop_of(&answer);
    let ear = answer.ear().map(std::mem::take).unwrap_or_default();
    if let Stop::Other(word) = &stop
        && GIVEN_UP.contains(&word.as_str())
    {
        return Err(Failure::broken(&format!("the provider gave the answer up: {word}")));
    }
    if stop == Stop::Filtered && ear.is_empty() {
        let word = answer.finish.as_deref().unwrap_or_default();
        return Err(Failure::new(
            FailureClass::ContentFilter,
            &format!("the provider's filter let nothing of the answer through: {word}"),
        ));
    }
    let parts = ear.into_parts(&answer.tool_calls);
    let guess = Usage { output: estimate_tokens(answer.output_bytes), estimated: true, ..Usage::default() };
    let usage = answer.usage.map_or(guess, |usage| Usage {
        searches: usage.searches.max(answer.searches),
        tool_runs: usage.tool_runs.max(answer.tool_runs),
        ..usage
    });
    Ok(Reply { parts, stop, usage, model: answer.model })
}

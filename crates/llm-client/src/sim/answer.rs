//! The answer that the simulated model gives, before it is put into a wire format.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use super::BYTES_PER_TOKEN;
use super::directive::{Call, Manner, Say};
use super::piece::Pieces;
use super::play::{Pace, StreamFaults};
use super::prompt::{Prompt, Shape};
use super::schema;
use super::turn::Turn;

/// Why the answer ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finish {
    /// The model was done.
    Stop,
    /// It wants tools to be called.
    Calls,
    /// It was cut at the number of tokens that the request allows.
    Length,
    /// It was cut before this stop sequence.
    Sequence(String),
}

/// What the model says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) thinking: Option<String>,
    pub(crate) text: String,
    pub(crate) calls: Vec<Call>,
    pub(crate) finish: Finish,
}

impl Answer {
    /// The answer that `turn` asks for, within what the request allows. `id` makes it this request's own.
    pub(crate) fn new(prompt: &Prompt<'_>, turn: &Turn, id: &str) -> Self {
        let mut answer =
            Self { thinking: None, text: String::new(), calls: Vec::new(), finish: Finish::Stop };
        for say in &turn.says {
            answer.say(say, prompt, id);
        }
        if turn.says.is_empty() {
            answer.by_default(prompt, id);
        }
        answer.thinking = turn.manners.iter().rev().find_map(|manner| match manner {
            Manner::Think(text) => Some(text.clone()),
            _ => None,
        });
        answer.stop_at(&prompt.stop);
        if let Some(tokens) = prompt.max_output_tokens {
            answer.limit(tokens);
        }
        if !answer.calls.is_empty() && answer.finish == Finish::Stop {
            answer.finish = Finish::Calls;
        }
        answer
    }

    fn say(&mut self, say: &Say, prompt: &Prompt<'_>, id: &str) {
        match say {
            Say::Text(text) => self.text.push_str(text),
            Say::Echo => self.text.push_str(prompt.last_user_text()),
            Say::Secret => self.text.push_str(&secret(id)),
            Say::Calls(calls) => self.calls.extend_from_slice(calls),
            // These never come to an answer.
            Say::Error { .. } | Say::Hang | Say::Raw(_) => {}
        }
    }

    fn by_default(&mut self, prompt: &Prompt<'_>, id: &str) {
        if let Some(call) = prompt.forced_call {
            let arguments = call.parameters.map_or_else(|| json!({}), schema::example);
            let arguments = if arguments.is_object() { arguments } else { json!({}) };
            self.calls.push(Call { name: call.name.to_owned(), arguments: arguments.to_string() });
            return;
        }
        self.text = match prompt.shape {
            Shape::Text => format!("Hello from the simulated provider ({}).", id.get(..8).unwrap_or(id)),
            Shape::Json => json!({"answer": "simulated"}).to_string(),
            Shape::Schema(schema) => schema::example(schema).to_string(),
        };
    }

    fn stop_at(&mut self, sequences: &[&str]) {
        let found = sequences
            .iter()
            .filter(|sequence| !sequence.is_empty())
            .filter_map(|sequence| self.text.find(sequence).map(|at| (at, *sequence)))
            .min_by_key(|(at, _)| *at);
        if let Some((at, sequence)) = found {
            self.text.truncate(at);
            self.calls.clear();
            self.finish = Finish::Sequence(sequence.to_owned());
        }
    }

    /// Cuts the answer to so many tokens: thinking first, then text, then whole calls as long as they fit.
    fn limit(&mut self, tokens: u64) {
        let limit = usize::try_from(tokens.saturating_mul(BYTES_PER_TOKEN)).unwrap_or(usize::MAX);
        if self.bytes() <= limit {
            return;
        }
        self.finish = Finish::Length;
        let mut left = limit;
        for text in self.thinking.iter_mut().chain([&mut self.text]) {
            text.truncate(text.floor_char_boundary(left));
            left -= text.len();
        }
        self.calls.retain(|call| {
            let fits = call.bytes() <= left;
            left = if fits { left - call.bytes() } else { 0 };
            fits
        });
    }

    fn bytes(&self) -> usize {
        let calls: usize = self.calls.iter().map(Call::bytes).sum();
        self.thinking.as_ref().map_or(0, String::len) + self.text.len() + calls
    }

    /// The tokens of `choices` such answers.
    pub(crate) fn tokens(&self, prompt: &Prompt<'_>) -> AnswerTokens {
        let bytes = self.answer_bytes().saturating_mul(prompt.choices);
        let output = bytes.div_ceil(BYTES_PER_TOKEN);
        let thinking = self.thinking.as_ref().map_or(0, |text| length(text)).saturating_mul(prompt.choices);
        // Rounded down, so that it never is more than its share.
        let reasoning = thinking / BYTES_PER_TOKEN;
        AnswerTokens { input: prompt.input_tokens(), output, reasoning }
    }

    /// The bytes of one such answer.
    pub(crate) fn answer_bytes(&self) -> u64 {
        u64::try_from(self.bytes()).unwrap_or(u64::MAX)
    }
}

/// What an answer costs in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnswerTokens {
    pub(crate) input: u64,
    /// Reasoning included.
    pub(crate) output: u64,
    pub(crate) reasoning: u64,
}

impl AnswerTokens {
    pub(crate) fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

/// The bytes of a text.
pub(crate) fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

/// Something of the form of an AWS key pair. It is made up from the request, so no real key can be in the source.
fn secret(id: &str) -> String {
    const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let digest = blake3::hash(id.as_bytes());
    let mut bytes = digest.as_bytes().iter().chain(digest.as_bytes()).map(|byte| byte % 32);
    let mut letters = |count: usize| -> String {
        bytes
            .by_ref()
            .take(count)
            .filter_map(|index| BASE32.get(usize::from(index)).map(|letter| char::from(*letter)))
            .collect()
    };
    let mut text = String::from("The credentials are ");
    // Writing into a string does not fail.
    let _ = write!(text, "AKIA{} and {}.", letters(16), letters(40));
    text
}

/// How the answer leaves: the manners of a turn, gathered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) delay: Duration,
    pub(crate) pace: Option<Duration>,
    pub(crate) chunk: Option<usize>,
    pub(crate) break_after: Option<u64>,
    pub(crate) stall_after: Option<u64>,
    pub(crate) garbage: bool,
    pub(crate) gzip: bool,
    pub(crate) with_usage: bool,
}

impl Delivery {
    pub(crate) fn new(turn: &Turn) -> Self {
        let mut delivery = Self {
            delay: Duration::ZERO,
            pace: None,
            chunk: None,
            break_after: None,
            stall_after: None,
            garbage: false,
            gzip: false,
            with_usage: true,
        };
        for manner in &turn.manners {
            match *manner {
                Manner::Delay(delay) => delivery.delay += delay,
                Manner::Pace(pace) => delivery.pace = Some(pace),
                Manner::Chunk(characters) => delivery.chunk = Some(characters),
                Manner::Disconnect { after } => delivery.break_after = Some(after),
                Manner::Stall { after } => delivery.stall_after = Some(after),
                Manner::Garbage => delivery.garbage = true,
                Manner::Gzip => delivery.gzip = true,
                Manner::NoUsage => delivery.with_usage = false,
                Manner::Think(_) | Manner::Fail { .. } => {}
            }
        }
        delivery
    }

    /// How texts are cut.
    pub(crate) fn text_pieces(&self) -> Pieces {
        self.chunk.map_or(Pieces::Words, Pieces::Characters)
    }

    /// How arguments of tool calls are cut: they have few spaces, so not by words.
    pub(crate) fn argument_pieces(&self) -> Pieces {
        Pieces::Characters(self.chunk.unwrap_or(8))
    }

    pub(crate) fn stream_faults(&self) -> StreamFaults {
        StreamFaults {
            break_after: self.break_after,
            stall_after: self.stall_after,
            garbage: self.garbage.then(|| Bytes::from_static(GARBAGE_EVENT)),
        }
    }

    pub(crate) fn pace(&self, tokens_per_second: Option<u32>) -> Pace {
        match (self.pace, tokens_per_second) {
            (Some(pace), _) => Pace::Each(pace),
            (None, Some(speed)) => Pace::TokensPerSecond(speed),
            (None, None) => Pace::Unpaced,
        }
    }
}

/// What `sim:garbage` puts into a stream.
const GARBAGE_EVENT: &[u8] = b"data: {\"this is not\": JSON\n\n";
/// What `sim:garbage` answers where no stream was asked for.
pub(crate) const GARBAGE_BODY: &[u8] = b"{\"this is not\": JSON";

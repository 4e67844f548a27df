//! What a model has answered, once all of it is there.

use seawall_types::Usage;
use serde_json::{Map, Value};

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// What it says, in order. Nothing at all is an answer too: what that means is the agent's to judge.
    pub parts: Vec<Said>,
    /// Why it ends.
    pub stop: Stop,
    /// What it cost in tokens. `estimated` where the provider did not say: then by the length of what was heard, the prompt not
    /// counted.
    pub usage: Usage,
    /// The model that answered, which may be another than was asked.
    pub model: Option<String>,
}

impl Reply {
    /// All its words, without thoughts.
    #[must_use]
    pub fn text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Said::Text(text) => Some(text.as_str()),
            Said::Thought { .. } | Said::Call(_) => None,
        });
        texts.collect()
    }

    /// The tools it asks for.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.parts.iter().filter_map(|part| match part {
            Said::Call(call) => Some(call),
            Said::Text(_) | Said::Thought { .. } => None,
        })
    }
}

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// Words.
    Text(String),
    /// Thoughts.
    Thought {
        /// As far as they are shown.
        text: String,
        /// What the provider wants to see again with them. To be kept as it is, in its place among the other parts, and given
        /// back as [`super::Reasoning::signature`]. A thought without words may have one.
        signature: Option<Value>,
    },
    /// A tool is asked for.
    Call(Call),
}

/// A tool that the model asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// What the provider calls it, where it has a name for it.
    pub provider_id: Option<String>,
    /// The tool.
    pub name: String,
    /// Its arguments.
    pub input: Input,
}

/// The arguments of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// As they should be. Nothing written is an empty object, which several models mean by it.
    Object(Map<String, Value>),
    /// What the model wrote instead: cut off, or no JSON object. The call is to be answered with an error that says so.
    Unreadable(String),
}

impl Input {
    pub(super) fn read(text: String) -> Self {
        if text.trim().is_empty() {
            return Self::Object(Map::new());
        }
        serde_json::from_str(&text).map_or(Self::Unreadable(text), Self::Object)
    }
}

/// Why an answer ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The model had said everything.
    Done,
    /// It waits for tools.
    Calls,
    /// It was cut at the output limit or at the end of the model's context.
    Length,
    /// The provider's filter cut it off, or the model declined.
    Filtered,
    /// In the provider's word, which we don't know; empty where it gave none.
    Other(String),
}

/// What each provider's words for an end mean. They don't contradict each other.
const WORDS: [(&[&str], Stop); 4] = [
    (&["stop", "end_turn", "stop_sequence", "completed", "STOP", "eos"], Stop::Done),
    (&["tool_calls", "function_call", "tool_use"], Stop::Calls),
    (
        &["length", "max_tokens", "max_output_tokens", "MAX_TOKENS", "model_context_window_exceeded"],
        Stop::Length,
    ),
    (
        &[
            "content_filter",
            "refusal",
            "sensitive",
            "SAFETY",
            "RECITATION",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
            "OTHER",
        ],
        Stop::Filtered,
    ),
];

impl Stop {
    /// By the provider's word. Two providers have no word for waiting: whoever asks for tools does.
    pub(super) fn of(word: Option<&str>, has_calls: bool) -> Self {
        let word = word.unwrap_or_default();
        let known = WORDS.iter().find(|(words, _)| words.contains(&word));
        match known.map(|(_, stop)| stop.clone()) {
            Some(Self::Done) if has_calls => Self::Calls,
            Some(stop) => stop,
            None => Self::Other(word.to_owned()),
        }
    }
}

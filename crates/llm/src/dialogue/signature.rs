//! What providers want to see again with a model's thoughts, as one value that says whose it is.
//!
//! A conversation may change providers; a signature goes back only to the one who made it, since any other refuses it.

use serde_json::{Value, json};

const ANTHROPIC: &str = "anthropic";
const ANTHROPIC_REDACTED: &str = "anthropic_redacted";
const OPENAI: &str = "openai";
const GEMINI: &str = "gemini";

/// The signature of a thinking block.
pub(crate) fn anthropic(signature: &str) -> Value {
    json!({ ANTHROPIC: signature })
}

/// The whole of a block that only the provider can read.
pub(crate) fn anthropic_redacted(data: &str) -> Value {
    json!({ ANTHROPIC_REDACTED: data })
}

/// A reasoning item, encrypted: nothing of it needs to be stored with the provider.
pub(crate) fn openai(id: &str, encrypted_content: &str) -> Value {
    json!({ OPENAI: { "id": id, "encrypted_content": encrypted_content } })
}

/// The signature of the part that it stands before, or of the thoughts that it stands with.
pub(crate) fn gemini(signature: &str) -> Value {
    json!({ GEMINI: signature })
}

/// A signature, read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signature<'a> {
    Anthropic(&'a str),
    AnthropicRedacted(&'a str),
    OpenAi { id: &'a str, encrypted_content: &'a str },
    Gemini(&'a str),
}

impl<'a> Signature<'a> {
    /// Nothing, where it is none that we made.
    pub(super) fn read(value: &'a Value) -> Option<Self> {
        let text = |key: &str| value.get(key)?.as_str();
        if let Some(item) = value.get(OPENAI) {
            let text = |key: &str| item.get(key)?.as_str();
            return Some(Self::OpenAi { id: text("id")?, encrypted_content: text("encrypted_content")? });
        }
        let anthropic = text(ANTHROPIC).map(Self::Anthropic);
        let redacted = || text(ANTHROPIC_REDACTED).map(Self::AnthropicRedacted);
        anthropic.or_else(redacted).or_else(|| text(GEMINI).map(Self::Gemini))
    }
}

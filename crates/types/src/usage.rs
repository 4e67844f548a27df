//! What a model call consumed, in one form for all providers.

use serde::{Deserialize, Serialize};

/// Tokens of one model call, normalised.
///
/// Providers count differently (OpenAI's prompt includes cached tokens, Anthropic's excludes them, Gemini's thoughts
/// stand outside its candidates); here `input` is *everything* that was read, `output` *everything* that was
/// written, and the other fields say how much of those had another price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// All tokens read: fresh, cached and written to a cache.
    pub input: u64,
    /// All tokens written, reasoning included.
    pub output: u64,
    /// Of `input`: read from a cache; sound among it is not counted where the provider tells how much there was.
    pub cached: u64,
    /// Of `input`: written to a short-lived cache.
    pub cache_write: u64,
    /// Of `input`: written to a cache that lives an hour.
    pub cache_write_1h: u64,
    /// Of `output`: reasoning.
    pub reasoning: u64,
    /// Of `input`: sound.
    #[serde(default)]
    pub sound_in: u64,
    /// Of `output`: sound.
    #[serde(default)]
    pub sound_out: u64,
    /// Searches that the provider made for the model and bills one by one.
    #[serde(default)]
    pub searches: u64,
    /// Runs of other tools of the provider, which it bills one by one at a fee that no price table tells.
    #[serde(default)]
    pub tool_runs: u64,
    /// We counted this ourselves, from what we saw, because the provider did not say.
    pub estimated: bool,
}

impl Usage {
    /// All tokens, read and written.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

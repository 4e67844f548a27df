//! What an agent is made of: the part of a template that decisions depend on.
//!
//! The schemas and descriptions of tools, the model's settings and what hooks there are belong to the runtime, which
//! finds them by the template's name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use seawall_types::{Tokens, Usd};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Permission;

/// What running a tool again after a crash would do. Declared by the tool; `unsafe` where it says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectClass {
    /// It changes nothing: it is run again.
    Pure,
    /// Twice is the same as once: it is run again.
    Idempotent,
    /// It knows by the key what it has done already: it is run again with the same key.
    Keyed,
    /// It can tell whether a key was done: it is asked.
    Reconcilable,
    /// Nothing is known: it is never run again blindly.
    #[default]
    Unsafe,
}

/// What decisions need to know of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// What running it again would do.
    #[serde(default)]
    pub effect: EffectClass,
    /// Whether it changes anything, if the tool says so. What `readonly` goes by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutates: Option<bool>,
    /// How long it may run.
    #[serde(default = "a_minute", rename = "timeout_ms", with = "millis")]
    pub timeout: Duration,
    /// Whether hooks look at what it gave before the model does.
    #[serde(default)]
    pub post_hook: bool,
    /// Whether it does nothing itself and only waits for what goes on without it, so that the end of a process breaks
    /// nothing off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waits: bool,
}

fn a_minute() -> Duration {
    Duration::from_mins(1)
}

/// Durations in logs: whole milliseconds.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Ok(Duration::from_millis(u64::deserialize(deserializer)?))
    }
}

impl Default for ToolSpec {
    fn default() -> Self {
        Self {
            effect: EffectClass::Unsafe,
            mutates: None,
            timeout: a_minute(),
            post_hook: false,
            waits: false,
        }
    }
}

/// What happens to a call of which nobody knows whether it took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnInDoubt {
    /// The model is told so, and goes on.
    #[default]
    Seal,
    /// The agent waits for a person who finds out.
    Park,
}

/// What an agent may use up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Money over the agent's life. The budgets of the checkpoint count besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usd: Option<Usd>,
    /// Tokens, read and written, over the agent's life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
    /// Model calls for one turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Tools that run at the same time.
    pub parallel_tools: usize,
    /// Messages that wait.
    pub queued: usize,
    /// How often the agent may be taken up after a crash that broke something off, without getting anywhere.
    pub recoveries: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { usd: None, tokens: None, steps: None, parallel_tools: 3, queued: 1_000, recoveries: 10 }
    }
}

/// When and how a history is made shorter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Context {
    /// Tokens of the last model call from which on the history is compressed before the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compress_at: Option<Tokens>,
    /// Messages at the end that are kept as they are; more where a tool's call would be parted from its result.
    pub keep: usize,
}

impl Default for Context {
    fn default() -> Self {
        Self { compress_at: None, keep: 10 }
    }
}

/// What an agent is made of. Immutable but for its tools, which may come and go ([`crate::Command::SetTools`]).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Config {
    /// The template's name.
    pub template: Arc<str>,
    /// And its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_version: Option<Arc<str>>,
    /// What was changed of the template for this agent, unread here; the runtime applies it when it takes the agent up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Arc<Value>>,
    /// Whatever else its maker wants to find again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Arc<Value>>,
    /// Which tools it may call, and which a person is asked about.
    #[serde(default)]
    pub permission: Permission,
    /// Its tools by their names.
    #[serde(default)]
    pub tools: Arc<BTreeMap<Arc<str>, ToolSpec>>,
    /// What it may use up.
    #[serde(default)]
    pub limits: Limits,
    /// When its history is made shorter.
    #[serde(default)]
    pub context: Context,
    /// What happens to a call that may or may not have taken effect.
    #[serde(default)]
    pub on_in_doubt: OnInDoubt,
    /// With every n-th step its list of todos is shown to it, if anything on it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_todos_every: Option<u64>,
    /// Whether it is a room: it has members, and neither model nor tools.
    #[serde(default, rename = "room", skip_serializing_if = "std::ops::Not::not")]
    pub is_room: bool,
}

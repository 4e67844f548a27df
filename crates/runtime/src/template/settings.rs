//! The keys of a template.

use std::path::PathBuf;
use std::time::Duration;

use seawall_engine::{OnInDoubt, Permission};
use seawall_types::{Tokens, Usd};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::place::{KeyReference, ModelPlace, ModelUrl};
use super::{HooksSettings, HttpToolSettings};

/// What agents are made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Its name.
    pub id: String,
    /// Its version, in whatever form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What stands before every conversation.
    #[serde(default)]
    pub system_prompt: String,
    /// Who answers.
    pub model: ModelSettings,
    /// Which of the tools that there are.
    #[serde(default)]
    pub tools: ToolChoice,
    /// Tools behind URLs, declared here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http_tools: Vec<HttpToolSettings>,
    /// Which of them may be called, and which a person is asked about.
    #[serde(default)]
    pub permission: Permission,
    /// Where the agent's files and commands are.
    #[serde(default)]
    pub sandbox: SandboxSettings,
    /// When and how the history is made shorter.
    #[serde(default)]
    pub context: ContextSettings,
    /// Whether the agent keeps a list of what it wants to do.
    #[serde(default)]
    pub todo: TodoSettings,
    /// Which agents it may give work to.
    #[serde(default)]
    pub subagents: SubagentSettings,
    /// What it may use up.
    #[serde(default)]
    pub limits: LimitSettings,
    /// What happens to a call that may or may not have taken effect.
    #[serde(default)]
    pub on_in_doubt: OnInDoubt,
    /// Folders of skills, each of which has folders with a `SKILL.md`. In a file, relative ones begin where the file is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<PathBuf>,
    /// What is asked around what its agents do. The operator's: no overrides change it.
    #[serde(default)]
    pub hooks: HooksSettings,
    /// Whatever else its author wants to find again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
}

/// Who answers, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSettings {
    /// `openai`, `openai-responses`, `anthropic` or `gemini`: the format in which the model is spoken to.
    pub provider: String,
    /// The model.
    pub name: String,
    /// Where it is. `None`: where the configuration's upstreams and routes say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<ModelUrl>,
    /// Who knows its key, beside an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<KeyReference>,
    /// The longest answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// How freely it chooses its words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// How many tokens it may think before it answers; 0: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking_tokens: Option<u64>,
    /// Whether clients see its thoughts.
    #[serde(default)]
    pub expose_thinking: bool,
    /// Whether its thoughts stay in the history.
    #[serde(default)]
    pub retain_thinking: bool,
    /// Tokens that it can read and write together, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_window: Option<u64>,
    /// Time limits.
    #[serde(default)]
    pub timeout: TimeoutSettings,
    /// Further fields of the provider, put into each request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Map<String, Value>>,
}

impl ModelSettings {
    /// Where its calls go. `None`: where the configuration says.
    pub(crate) fn place(&self) -> Option<ModelPlace> {
        let base_url = self.base_url.clone()?;
        let (provider, api_key, timeout) = (self.provider.clone(), self.api_key.clone(), self.timeout);
        Some(ModelPlace { provider, base_url, api_key, timeout })
    }

    /// What can't be done.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let is_lone = self.api_key.is_some() && self.base_url.is_none();
        is_lone.then_some(
            "model.api_key needs a model.base_url beside it: the keys of the configuration's upstreams are in the configuration",
        )
    }

    /// Tokens from which on a history is too long for a good answer: four fifths of what the model can take.
    pub(super) fn usable_context(&self) -> Option<Tokens> {
        self.context_window.map(|window| window / 5 * 4)
    }
}

/// How long a model is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimeoutSettings {
    /// For the first of its words.
    #[serde(with = "duration")]
    pub first_byte: Duration,
    /// Between two of them.
    #[serde(with = "duration")]
    pub idle: Duration,
    /// For all.
    #[serde(with = "duration")]
    pub total: Duration,
}

impl Default for TimeoutSettings {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_mins(1),
            idle: Duration::from_mins(1),
            total: Duration::from_mins(10),
        }
    }
}

/// Which tools.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ToolChoice {
    /// `"*"`: all of them.
    All(Star),
    /// Those of these names; one `*` in a name stands for any text.
    Named(Vec<String>),
}

impl Default for ToolChoice {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

/// The word for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Star {
    /// `*`.
    #[serde(rename = "*")]
    Star,
}

/// Where an agent's files and commands are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SandboxSettings {
    /// The folder that it works in. `None`: one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<PathBuf>,
    /// Whether its commands have a network.
    pub network: bool,
    /// Whether it can run commands at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commands: Option<bool>,
}

/// When and how a history is made shorter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContextSettings {
    /// Tokens of the last model call from which on. Where the model's window is known: four fifths of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compress_at: Option<Tokens>,
    /// Messages at the end that are kept as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<usize>,
    /// The model that sums up. `None`: the agent's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What it is told to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
}

/// A list of what is to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TodoSettings {
    /// Whether there is one: the agent has `todo_read` and `todo_write` then, named among its tools or not.
    pub enabled: bool,
    /// With every how-manieth step the agent is shown what is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remind_every: Option<u64>,
}

/// Agents that work for an agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubagentSettings {
    /// Of which templates. `None`: of any, where `depth` is above 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub templates: Option<Vec<String>>,
    /// How deep: 1 for agents that have none themselves. Above 0 the agent has `task_run`, named among its tools or not.
    pub depth: u32,
}

/// What an agent may use up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// Money over its life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usd: Option<Usd>,
    /// Tokens over its life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
    /// Model calls for one turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Tools that run at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel_tools: Option<usize>,
}

/// Durations as people write them.
pub(super) mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&seawall_config::units::format_duration(*value))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        seawall_config::units::parse_duration(&text).map_err(serde::de::Error::custom)
    }
}

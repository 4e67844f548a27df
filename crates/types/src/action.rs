//! What an agent is about to do to the world.

use serde::{Deserialize, Serialize};

/// The kinds of action that pass the checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// A request to a language model.
    ModelCall,
    /// A call of a tool, by us or asked for by a model.
    ToolCall,
    /// A process that is started.
    Process,
}

impl ActionKind {
    /// The name used in traces, metrics and policies.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ModelCall => "model_call",
            Self::ToolCall => "tool_call",
            Self::Process => "process",
        }
    }
}

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

/// What a tool call touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It reads a file or a folder.
    FsRead,
    /// It writes or makes one.
    FsWrite,
    /// It removes one.
    FsDelete,
    /// It talks to another machine.
    Net,
    /// It starts a program.
    Exec,
}

impl Effect {
    /// Every effect.
    pub const ALL: [Self; 5] = [Self::FsRead, Self::FsWrite, Self::FsDelete, Self::Net, Self::Exec];

    /// The name used in traces and policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FsRead => "fs_read",
            Self::FsWrite => "fs_write",
            Self::FsDelete => "fs_delete",
            Self::Net => "net",
            Self::Exec => "exec",
        }
    }
}

//! What the runtime tells clients beside the agent's own work, and of what of that the model is reminded.

use std::sync::Arc;

use seawall_types::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Block, Todo};

/// What the runtime tells clients beside the agent's own work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Note {
    /// A tool says something while it runs.
    ToolCustomEvent {
        /// Which.
        tool: Arc<str>,
        /// What kind of thing.
        event: Arc<str>,
        /// The thing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Arc<Value>>,
    },
    /// A file that the agent has read was changed by somebody else.
    FileChanged {
        /// Which.
        path: Arc<str>,
        /// When.
        changed_at: Timestamp,
        /// What its model reads with the next step; nothing, where clients alone are told.
        #[serde(default, skip_serializing_if = "is_empty")]
        content: Arc<[Block]>,
    },
    /// There are other skills than before.
    SkillsMetadataUpdated {
        /// Which.
        skills: Arc<[Arc<str>]>,
    },
    /// The agent was reminded of what it wants to do.
    TodoReminder {
        /// Of what.
        todos: Arc<[Todo]>,
        /// Why now: `startup` or `interval`.
        reason: Arc<str>,
        /// What its model reads with the next step; nothing, where clients alone are told.
        #[serde(default, skip_serializing_if = "is_empty")]
        content: Arc<[Block]>,
    },
    /// Something went wrong beside the agent's work.
    Error {
        /// What happened and what to do.
        message: Arc<str>,
    },
}

pub(super) fn is_empty<T>(list: &Arc<[T]>) -> bool {
    list.is_empty()
}

impl Note {
    /// What the agent's model is to read, if anything, and what about.
    pub(crate) fn reminder(&self) -> Option<(&'static str, &Arc<[Block]>)> {
        let reminder = match self {
            Self::FileChanged { content, .. } => ("file", content),
            Self::TodoReminder { content, .. } => ("todo", content),
            Self::ToolCustomEvent { .. } | Self::SkillsMetadataUpdated { .. } | Self::Error { .. } => {
                return None;
            }
        };
        (!reminder.1.is_empty()).then_some(reminder)
    }
}

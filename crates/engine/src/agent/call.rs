//! One call of a tool from the model's wish to its result, with what happened to it on the way.

use std::sync::Arc;

use seawall_types::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::config::EffectClass;
use crate::{Approval, Block, CallId, ToolResult};

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// The model asked for it; hooks and policy have not said anything yet.
    Pending,
    /// A person is asked.
    ApprovalRequired,
    /// A person allowed it; it has not begun.
    Approved,
    /// The intent is in the log. It may have taken effect from here on.
    Executing,
    /// It gave a result.
    Completed,
    /// It failed.
    Failed,
    /// It was refused and never ran.
    Denied,
    /// It was given up, and the model is told honestly what is known.
    Sealed,
    /// It was begun, its process died, and nobody knows whether it took effect.
    InDoubt,
}

impl CallState {
    /// The name in the API and in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::ApprovalRequired => "approval_required",
            Self::Approved => "approved",
            Self::Executing => "executing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Denied => "denied",
            Self::Sealed => "sealed",
            Self::InDoubt => "in_doubt",
        }
    }

    /// Whether there is a result and nothing more happens to it.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Denied | Self::Sealed)
    }
}

/// One entry of a call's audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// The state that it came into.
    pub state: CallState,
    /// When.
    #[serde(rename = "timestamp")]
    pub at: Timestamp,
    /// Why, or by whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Arc<str>>,
}

/// A call's row in the ledger of tools.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Our name of it.
    pub id: CallId,
    /// What the provider called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<Arc<str>>,
    /// The tool.
    pub name: Arc<str>,
    /// The arguments that the model gave.
    pub input: Arc<Value>,
    /// The first 200 characters of them.
    pub preview: Arc<str>,
    /// The arguments that a person, or a hook, put in their place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<Arc<Value>>,
    /// Whether that was a hook.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_rewritten: bool,
    /// How far it has come.
    pub state: CallState,
    /// What running it again would do, as the tool declared when it was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<EffectClass>,
    /// How often it was begun.
    pub attempt: u32,
    /// Whether it was begun by a process that died.
    #[serde(default)]
    pub is_lost: bool,
    /// Whether it waits for a person who finds out whether it took effect.
    #[serde(default)]
    pub is_parked: bool,
    /// Whether its result waits for hooks.
    #[serde(default)]
    pub awaits_hook: bool,
    /// What a person was asked, and said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// When it was begun, the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it was settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// What the model is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ToolResult>,
    /// Every state that it was in.
    pub audit: Vec<Audit>,
}

/// The length of a preview, in characters. As users of the peer know it.
const PREVIEW: usize = 200;

impl Call {
    /// Whether nothing happens to it before a person decides or finds out.
    pub(crate) fn waits_for_people(&self) -> bool {
        match self.state {
            CallState::ApprovalRequired => {
                self.approval.as_ref().is_some_and(|asked| asked.decided.is_none())
            }
            CallState::InDoubt => self.is_parked,
            _ => false,
        }
    }

    /// Whether its result is final.
    pub(crate) fn is_over(&self) -> bool {
        self.state.is_settled() && !self.awaits_hook
    }

    pub(crate) fn new(
        id: CallId,
        provider_id: Option<Arc<str>>,
        name: Arc<str>,
        input: Arc<Value>,
        at: Timestamp,
    ) -> Self {
        let preview = input.to_string().chars().take(PREVIEW).collect::<String>().into();
        let asked = Audit { state: CallState::Pending, at, note: None };
        Self {
            id,
            provider_id,
            name,
            input,
            preview,
            edited: None,
            is_rewritten: false,
            state: CallState::Pending,
            effect: None,
            attempt: 0,
            is_lost: false,
            is_parked: false,
            awaits_hook: false,
            approval: None,
            started_at: None,
            completed_at: None,
            result: None,
            audit: vec![asked],
        }
    }

    /// The arguments that it runs with.
    #[must_use]
    pub fn arguments(&self) -> &Arc<Value> {
        self.edited.as_ref().unwrap_or(&self.input)
    }

    /// A hook has put these in the place of its arguments, if it has.
    pub(crate) fn rewrite(&mut self, arguments: Option<&Arc<Value>>) {
        if let Some(arguments) = arguments {
            self.edited = Some(Arc::clone(arguments));
            self.is_rewritten = true;
        }
    }

    pub(crate) fn enter(&mut self, state: CallState, at: Timestamp, note: Option<Arc<str>>) {
        self.state = state;
        (self.is_lost, self.is_parked) = (false, false);
        self.audit.push(Audit { state, at, note });
    }

    pub(crate) fn settle(&mut self, state: CallState, at: Timestamp, result: &ToolResult) {
        self.completed_at = Some(at);
        self.result = Some(result.clone());
        let note = result.is_error.then(|| result.words().into());
        self.enter(state, at, note);
    }

    /// The block that answers the model's wish. A call without a result is told to have none: the pair is never broken.
    pub(crate) fn answer(&self) -> Block {
        let none = || ToolResult::error("this call has no result");
        let result = self.result.clone().unwrap_or_else(none);
        let edited = self.edited.as_ref().map(|arguments| {
            let who = if self.is_rewritten { "a hook of the operator" } else { "a person" };
            Block::text(format!("[seawall] {who} changed the arguments of this call to {arguments}"))
        });
        let content = match edited {
            Some(note) => std::iter::once(note).chain(result.content.iter().cloned()).collect(),
            None => result.content,
        };
        Block::ToolResult { tool_use_id: self.id, content, is_error: result.is_error }
    }
}

//! What a person is asked, what comes of it, and who can be asked.

use std::fmt;
use std::sync::Arc;

use seawall_store::{ApprovalRow, ApprovalState, StoreError};
use seawall_types::{ActionId, Actor, ApprovalId, Code, Finding, RunId, Timestamp};
use serde_json::Value;

use super::Approvals;
use crate::{Denial, PendingApproval};

/// What an approval is bound to beside the arguments that are judged and shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Binding {
    /// Nothing: they are what the tool gets.
    #[default]
    Arguments,
    /// They only describe what the tool gets, and this is a hash of all of that.
    Original([u8; 32]),
    /// They only describe it, and not all of it can be known. Nobody can say yes to that.
    Impossible {
        /// Of which kind the value is that can't be bound.
        kind: String,
    },
}

/// A call that a person is to decide on.
#[derive(Debug, Clone, Copy)]
pub struct ApprovalRequest<'a> {
    /// In which run.
    pub run: RunId,
    /// Which action waits for it.
    pub action: Option<ActionId>,
    /// On whose behalf.
    pub actor: &'a Arc<Actor>,
    /// The tool.
    pub tool: &'a str,
    /// How the model named the call.
    pub call_id: Option<&'a str>,
    /// The exact arguments, as the tool will get them: an answer holds for these and no others. What is kept of them is
    /// their hash, and for people a copy without secrets.
    pub arguments: &'a Value,
    /// What they describe, where they are not themselves what the tool gets.
    pub binding: &'a Binding,
    /// Why a person is asked.
    pub findings: &'a [Finding],
    /// Approvals that the caller was given when it asked before. The one that was asked for this very call is good in
    /// another run too, so that a caller which was started again may come back with it.
    pub known: &'a [ApprovalId],
}

/// What a caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The call may happen. What was allowed once is used up by this answer.
    Allowed,
    /// It must not.
    Denied {
        /// What the person says to it.
        note: Option<String>,
    },
    /// Nobody decided in time. Who asks after this answer asks a person anew.
    Expired,
    /// Nobody has decided yet.
    Pending {
        /// The approval.
        id: ApprovalId,
        /// When it is denied by itself.
        expires_at: Timestamp,
    },
    /// There is something in the call that no answer could be bound to, so that nobody is asked.
    Unbound {
        /// Of which kind.
        kind: String,
    },
    /// Nobody can be asked, so the call must not happen.
    Unavailable {
        /// Why, and what to do.
        reason: String,
    },
}

impl Answer {
    /// The refusal that it comes to, for a call of this tool; none when it allows.
    #[must_use]
    pub fn into_denial(self, tool: &str, findings: Vec<Finding>) -> Option<Denial> {
        let denial = match self {
            Self::Allowed => return None,
            Self::Denied { note } => {
                let note = note.map(|note| format!(": {note}")).unwrap_or_default();
                let message = format!("a person has refused this call of {tool}{note}");
                Denial::new(Code::ApprovalDenied, message, "do something else, or ask with other arguments")
            }
            Self::Expired => {
                let message = format!("nobody decided on this call of {tool} in time");
                Denial::new(Code::ApprovalExpired, message, "call it again, so that a person is asked again")
            }
            Self::Unavailable { reason } => {
                let message =
                    format!("a person has to approve this call of {tool}, and nobody can be asked: {reason}");
                let remedy = "see to it that approvals can be kept, then call it again";
                Denial::new(Code::ApprovalDenied, message, remedy)
            }
            Self::Unbound { kind } => {
                let message = format!(
                    "a person has to approve this call of {tool}, and nobody could see all that the {kind} in it holds"
                );
                let remedy = "pass plain data: text, bytes, numbers, lists, mappings or dataclasses of these";
                Denial::new(Code::ApprovalDenied, message, remedy)
            }
            Self::Pending { id, expires_at } => {
                let message = format!(
                    "a person has to approve this call of {tool} (approval {id}, until {expires_at})"
                );
                let remedy = "let it be decided, then make the same call again";
                let approval = Some(Box::new(PendingApproval { id, expires_at }));
                Denial { approval, ..Denial::new(Code::ApprovalRequired, message, remedy) }
            }
        };
        Some(Denial { findings: findings.into(), ..denial })
    }
}

impl From<&ApprovalRow> for Answer {
    fn from(row: &ApprovalRow) -> Self {
        match row.state {
            ApprovalState::Allowed => Self::Allowed,
            ApprovalState::Denied => Self::Denied { note: row.note.clone() },
            ApprovalState::Expired => Self::Expired,
            ApprovalState::Pending => Self::Pending { id: row.id, expires_at: row.expires_at },
        }
    }
}

impl From<StoreError> for Answer {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "approvals can't be read or written; what needs one is refused");
        Self::Unavailable { reason: error.to_string() }
    }
}

/// Somebody who asks people: [`Approvals`], but for tests.
pub trait Approver: Send + Sync + fmt::Debug {
    /// Asks, or says what was decided before. It may block on a store, and waits for no person.
    fn ask(&self, request: &ApprovalRequest<'_>) -> Answer;

    /// Blocks until the approval is decided, at most until `until`. Uses nothing up.
    fn wait(&self, id: ApprovalId, until: Timestamp) -> Answer;
}

impl Approver for Approvals {
    fn ask(&self, request: &ApprovalRequest<'_>) -> Answer {
        Self::ask(self, request)
    }

    fn wait(&self, id: ApprovalId, until: Timestamp) -> Answer {
        self.wait_blocking(id, until)
    }
}

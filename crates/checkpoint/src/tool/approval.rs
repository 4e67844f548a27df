//! Asking a person, as far as the checkpoint sees it.

use std::fmt;
use std::sync::Arc;

use seawall_types::{ActionId, Actor, Code, Finding, RunId, Timestamp};
use serde_json::Value;

use crate::Denial;
use crate::denial::PendingApproval;

/// What a person is asked.
#[derive(Debug, Clone, Copy)]
pub struct ApprovalRequest<'a> {
    /// The run.
    pub run: RunId,
    /// The action that waits.
    pub action: ActionId,
    /// On whose behalf.
    pub actor: &'a Arc<Actor>,
    /// The tool.
    pub tool: &'a str,
    /// The arguments as the tool will get them: an answer holds for these and no others.
    pub arguments: &'a Value,
    /// The approval that the caller was given when it asked before, if it still has it.
    pub approval: Option<&'a str>,
    /// Why a person is asked.
    pub findings: &'a [Finding],
    /// What time it is.
    pub now: Timestamp,
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Go on.
    Allowed,
    /// Don't.
    Denied {
        /// What the person had to say about it.
        note: Option<String>,
    },
    /// Nobody decided in time.
    Expired,
    /// Nobody can be asked, so that the call must not happen.
    Unavailable {
        /// Why.
        reason: String,
    },
    /// Nobody has decided yet; the same call may be tried again.
    Pending {
        /// The approval.
        id: String,
        /// When it is too late.
        expires_at: Timestamp,
    },
}

/// Somebody who asks people.
pub trait Approver: Send + Sync + fmt::Debug {
    /// Asks, or says what was answered before. May block as long as it likes.
    fn ask(&self, request: &ApprovalRequest<'_>) -> Answer;
}

impl Answer {
    /// The refusal that it comes to; none when it allows.
    pub(super) fn into_denial(self, tool: &str, findings: Vec<Finding>) -> Option<Denial> {
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
                Denial::new(
                    Code::ApprovalDenied,
                    message,
                    "see to it that approvals can be kept, then call it again",
                )
            }
            Self::Pending { id, expires_at } => {
                let message = format!("a person has to approve this call of {tool} (approval {id})");
                let remedy = "let it be decided, then make the same call again";
                let approval = Some(Box::new(PendingApproval { id, expires_at }));
                Denial { approval, ..Denial::new(Code::ApprovalRequired, message, remedy) }
            }
        };
        Some(Denial { findings: findings.into(), ..denial })
    }
}

/// The refusal where there is nobody to ask.
pub(super) fn nobody_to_ask(tool: &str, findings: Vec<Finding>) -> Denial {
    let message =
        format!("the policy wants a person to approve this call of {tool}, and nobody can be asked here");
    let remedy = "run it where approvals are answered, or change the rule's verdict";
    Denial { findings: findings.into(), ..Denial::new(Code::ApprovalDenied, message, remedy) }
}

//! Why a run did not begin, or a call did not happen.

use std::time::Duration;

use seawall_checkpoint::{Denial, ExhaustedBudget, PendingApproval};
use seawall_types::{ActionId, ApprovalId, Code, Finding, Timestamp};

/// What a guarded program has to deal with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The call was refused: by policy, by a person, or because it could not be written down.
    #[error("{0}")]
    PolicyDenied(Box<PolicyDenied>),
    /// A budget has not enough left.
    #[error("{0}")]
    BudgetExceeded(Box<BudgetExceeded>),
    /// A person has to decide first.
    #[error("{0}")]
    ApprovalRequired(Box<ApprovalRequired>),
    /// The tool took longer than it may.
    #[error("[TIMEOUT] {tool} took longer than {limit:?}; give it longer, or let it do less at once")]
    ToolTimeout {
        /// The tool.
        tool: String,
        /// How long it may take.
        limit: Duration,
    },
    /// What the tool gave is not what its contract says.
    #[error("[TOOL_CONTRACT] what {tool} gave is not what its contract says: {message}")]
    ContractViolation {
        /// The tool.
        tool: String,
        /// What is wrong with it.
        message: String,
    },
    /// The run can't begin or go on as it was asked for: an option, a policy, or the data folder.
    #[error("{0}")]
    Config(String),
}

impl Error {
    /// The stable code; none for what is wrong with the options.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::PolicyDenied(denied) => Some(denied.code),
            Self::BudgetExceeded(exceeded) => Some(exceeded.code),
            Self::ApprovalRequired(_) => Some(Code::ApprovalRequired),
            Self::ToolTimeout { .. } => Some(Code::Timeout),
            Self::ContractViolation { .. } => Some(Code::ToolContract),
            Self::Config(_) => None,
        }
    }

    pub(crate) fn config(error: impl std::fmt::Display) -> Self {
        Self::Config(error.to_string())
    }

    pub(crate) fn denied(action: ActionId, denial: Denial) -> Self {
        let Denial { code, message, remedy, budget, findings, approval, .. } = denial;
        if let Some(approval) = approval {
            let PendingApproval { id: approval_id, expires_at } = *approval;
            return Self::ApprovalRequired(Box::new(ApprovalRequired {
                approval_id,
                expires_at,
                message,
                remedy,
                action,
            }));
        }
        if let Some(budget) = budget {
            return Self::BudgetExceeded(Box::new(BudgetExceeded {
                code,
                message,
                remedy,
                budget: *budget,
                action,
            }));
        }
        Self::PolicyDenied(Box::new(PolicyDenied {
            code,
            message,
            remedy,
            findings: findings.into(),
            action,
        }))
    }
}

/// A refused call.
#[derive(Debug, Clone, thiserror::Error)]
#[error("[{code}] {message}; {remedy}")]
pub struct PolicyDenied {
    /// The stable code of the gravest reason.
    pub code: Code,
    /// What happened.
    pub message: String,
    /// What to change.
    pub remedy: String,
    /// Every reason.
    pub findings: Vec<Finding>,
    /// The refused action, as it stands in the trace.
    pub action: ActionId,
}

/// A call that no budget pays for.
#[derive(Debug, Clone, thiserror::Error)]
#[error("[{code}] {message}; {remedy}")]
pub struct BudgetExceeded {
    /// `BUDGET_EXCEEDED`, `TOKENS_EXCEEDED` or `BURN_RATE_EXCEEDED`.
    pub code: Code,
    /// What happened.
    pub message: String,
    /// What to change.
    pub remedy: String,
    /// The budget that refused, with its scope, its limit, and what is spent and held.
    pub budget: ExhaustedBudget,
    /// The refused action.
    pub action: ActionId,
}

/// A call that waits for a person.
#[derive(Debug, Clone, thiserror::Error)]
#[error("[APPROVAL_REQUIRED] {message}; {remedy}")]
pub struct ApprovalRequired {
    /// What the person decides on. The same call succeeds once it is allowed; in another run, where
    /// [`RunOptions::approvals`](crate::RunOptions::approvals) or [`Call::approval`](crate::Call::approval) names it.
    pub approval_id: ApprovalId,
    /// When it is too late.
    pub expires_at: Timestamp,
    /// What happened.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// The action that was not admitted.
    pub action: ActionId,
}

/// How a guarded call failed: because it was guarded, or by itself.
#[derive(Debug, thiserror::Error)]
pub enum CallError<E> {
    /// The checkpoint refused the call or what it gave.
    #[error(transparent)]
    Refused(#[from] Error),
    /// The tool's own error, unchanged.
    #[error("{0}")]
    Tool(E),
}

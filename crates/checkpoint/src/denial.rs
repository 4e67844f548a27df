//! Why an action must not happen, in the caller's terms.

use std::time::Duration;

use seawall_budget::{LimitValue, Refusal};
use seawall_types::{Amount, ApprovalId, Code, Finding, Scope, Severity, Timestamp, Tokens, Usd, Window};

/// A refused action.
#[derive(Debug, Clone)]
pub struct Denial {
    /// The stable code.
    pub code: Code,
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
    /// When it is worth trying again.
    pub retry_after: Option<Duration>,
    /// The budget that refused, if one did.
    pub budget: Option<Box<ExhaustedBudget>>,
    /// The findings of the policy.
    pub findings: Box<[Finding]>,
    /// The approval that it waits for, if it does.
    pub approval: Option<Box<PendingApproval>>,
}

/// A decision that a person has yet to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingApproval {
    /// Its identifier.
    pub id: ApprovalId,
    /// When it is too late.
    pub expires_at: Timestamp,
}

/// A budget that has not enough left, as it stood.
#[derive(Debug, Clone)]
pub struct ExhaustedBudget {
    /// Whose.
    pub scope: Scope,
    /// Over what time.
    pub window: Window,
    /// The limit in money, when that is what refused.
    pub limit_usd: Option<Usd>,
    /// The limit in tokens, when that is what refused.
    pub limit_tokens: Option<Tokens>,
    /// Spent so far.
    pub spent: Amount,
    /// Held for calls under way.
    pub held: Amount,
    /// What the call might have cost.
    pub wanted: Amount,
    /// When the window frees up.
    pub frees_at: Option<Timestamp>,
}

impl Denial {
    /// A refusal for one reason.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (message, remedy) = (message.into(), remedy.into());
        Self {
            code,
            message,
            remedy,
            retry_after: None,
            budget: None,
            findings: Box::default(),
            approval: None,
        }
    }

    /// A refusal because the trace can't be written.
    #[must_use]
    pub fn trace_unavailable(error: &seawall_trace::Unavailable) -> Self {
        Self::new(
            Code::TraceUnavailable,
            format!("the trace can't be written: {error}"),
            "free the disk of the data directory, or set trace.on_unavailable: count to go on without a full trace",
        )
    }

    /// A refusal because so many actions are under way.
    #[must_use]
    pub fn too_many(most: usize) -> Self {
        let message = format!("the policy allows {most} actions at the same time");
        let denial = Self::new(
            Code::Overloaded,
            message,
            "wait for one to end, or raise limits.concurrent of the policy",
        );
        Self { retry_after: Some(Duration::from_secs(1)), ..denial }
    }

    /// A refusal by policy, in the words of the gravest finding; of several such, the first.
    #[must_use]
    pub fn by_policy(findings: Vec<Finding>) -> Self {
        // The first of the gravest, where `max_by_key` would give the last.
        let gravest = findings.iter().rev().max_by_key(|finding| finding.severity);
        let spoken = gravest.map(|finding| (finding.code, finding.message.clone(), finding.remedy.clone()));
        let (code, message, remedy) = spoken.unwrap_or_else(|| {
            (Code::Forbidden, "refused by policy".to_owned(), "change the policy".to_owned())
        });
        Self { findings: findings.into(), ..Self::new(code, message, remedy) }
    }

    /// A refusal by the ledger.
    #[must_use]
    pub fn by_ledger(refusal: Refusal, now: Timestamp) -> Self {
        match refusal {
            Refusal::Exceeded { scope, window, limit, spent, held, wanted, frees_at, code } => {
                let (limit_usd, limit_tokens) = match limit {
                    LimitValue::Usd(usd) => (Some(usd), None),
                    LimitValue::Tokens(tokens) => (None, Some(tokens)),
                };
                let budget =
                    ExhaustedBudget { scope, window, limit_usd, limit_tokens, spent, held, wanted, frees_at };
                let may_fit = limit_usd.is_some_and(|limit| wanted.usd <= limit)
                    || limit_tokens.is_some_and(|limit| wanted.tokens <= limit);
                // Where only calls under way stand against it, any of them may end at once.
                let when_one_ends =
                    || (window == Window::Minute && may_fit).then_some(Duration::from_secs(1));
                let remedy = match window {
                    _ if !may_fit => {
                        "the call alone is above the limit: lower its output limit or its prompt, or raise the budget (seawall budget set)"
                    }
                    Window::Total => {
                        "wait for calls under way, lower the request's output limit, or raise the budget (seawall budget set)"
                    }
                    Window::Minute | Window::Day | Window::Month => {
                        "wait for calls under way or for the window to free up, lower the request's output limit, or raise the budget (seawall budget set)"
                    }
                };
                Self {
                    retry_after: frees_at.map(|at| at.since(now)).or_else(when_one_ends),
                    message: budget.to_string(),
                    budget: Some(Box::new(budget)),
                    ..Self::new(code, "", remedy)
                }
            }
            Refusal::Unavailable { reason } => Self::new(
                Code::LedgerUnavailable,
                format!("the ledger can't be written: {reason}"),
                "free the disk of the data directory; the budget refuses rather than lose count",
            ),
            Refusal::DuplicateHold => {
                Self::new(Code::Internal, "the reservation exists already", "try again with a new request")
            }
        }
    }

    /// What a model is told in the place of what it asked for, so that an agent can correct itself.
    #[must_use]
    pub fn told_to_model(&self) -> String {
        format!("[seawall] denied {}: {}. {}", self.code, self.message, self.remedy)
    }

    /// The findings to write down: those of the policy, or one made of this refusal.
    #[must_use]
    pub fn as_findings(&self) -> Vec<Finding> {
        if !self.findings.is_empty() {
            return self.findings.to_vec();
        }
        vec![Finding {
            rule: self
                .budget
                .as_ref()
                .map_or_else(|| "gateway".to_owned(), |budget| format!("budget.{}", budget.scope)),
            code: self.code,
            severity: Severity::High,
            message: self.message.clone(),
            location: String::new(),
            remedy: self.remedy.clone(),
        }]
    }
}

impl std::fmt::Display for ExhaustedBudget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { scope, window, limit_usd, spent, held, wanted, .. } = self;
        match (limit_usd, self.limit_tokens) {
            (Some(limit), _) => write!(
                f,
                "the budget of {scope} ({window}) is ${limit}: ${} spent, ${} held, and this call may cost up to ${}",
                spent.usd, held.usd, wanted.usd
            ),
            (None, limit) => write!(
                f,
                "the budget of {scope} ({window}) is {} tokens: {} spent, {} held, and this call may use up to {}",
                limit.unwrap_or_default(),
                spent.tokens,
                held.tokens,
                wanted.tokens
            ),
        }
    }
}

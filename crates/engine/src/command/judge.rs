//! What hooks and policy say of a call, and what follows: run, ask, refuse, or answer in its place.

use std::sync::Arc;

use seawall_types::{ApprovalId, Code, Timestamp};
use serde_json::Value;

use super::denial;
use super::finish::end;
use crate::agent::{Call, CallState};
use crate::decide::{Draft, Refused, forbidden, is_running};
use crate::event::Fact;
use crate::permission::Permitted;
use crate::{Binding, CallId, Ruling, ToolResult};

/// What hooks and policy say of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Judgement {
    /// It may run, as far as they are concerned.
    Proceed,
    /// A person is to be asked.
    Ask {
        /// Why, in a line for people.
        summary: Arc<str>,
    },
    /// It may run with other arguments, as far as they are concerned.
    Rewrite {
        /// All of them.
        arguments: Arc<Value>,
        /// Why a person is to be asked about it first, if one is.
        summary: Option<Arc<str>>,
    },
    /// It must not run.
    Deny {
        /// What kind of refusal.
        code: Code,
        /// Why, and what to do instead: the model reads it.
        message: Arc<str>,
    },
    /// This is the result, without running it.
    Answer {
        /// The result.
        result: ToolResult,
    },
    /// It can't be judged, since whoever does it can't be reached: it has failed with this, and did nothing.
    Unreached {
        /// What the model is told.
        result: ToolResult,
    },
}

/// Hooks and policy have judged a call. What the agent's permission says is joined to it here: the gravest wins.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The call.
    pub call: CallId,
    /// The version of the policy that judged. Approvals are bound to it.
    pub policy: Arc<str>,
    /// What it said.
    pub judgement: Judgement,
    /// The name of the question, should a person have to be asked.
    pub approval: ApprovalId,
    /// When that question is denied by itself.
    pub expires_at: Option<Timestamp>,
}

impl Judged {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        let call = draft.call(self.call)?;
        if !matches!(call.state, CallState::Pending | CallState::Approved) {
            return Err(Refused::Late { what: "judging this call" });
        }
        let note = call.note();
        if let Some(why) = forbidden(draft, &call.name) {
            return draft.record(Fact::ToolDenied { call: note, result: denial(Code::ToolNotAllowed, &why) });
        }
        let (summary, arguments) = match &self.judgement {
            Judgement::Deny { code, message } => {
                return draft.record(Fact::ToolDenied { call: note, result: denial(*code, message) });
            }
            Judgement::Answer { result } => {
                return draft.record(Fact::ToolAnswered { call: note, result: result.clone() });
            }
            Judgement::Unreached { result } => {
                start(draft, self.call, None)?;
                return end(draft, self.call, result.clone(), None);
            }
            Judgement::Ask { summary } => (Some(Arc::clone(summary)), None),
            Judgement::Proceed => (asks(draft, call), None),
            Judgement::Rewrite { arguments, summary } => {
                let changed = Some(Arc::clone(arguments)).filter(|new| new != call.arguments());
                (summary.clone().or_else(|| asks(draft, call)), changed)
            }
        };
        let binding =
            Binding::of(&call.name, arguments.as_ref().unwrap_or_else(|| call.arguments()), &self.policy);
        match (ruling(draft, call, &self.policy, &binding), summary) {
            (Some(Ruling::Deny), _) => {
                let result = denial(Code::ApprovalDenied, "a person refused calls like this one");
                draft.record(Fact::ToolDenied { call: note, result })
            }
            (None, Some(summary)) => {
                let (approval, expires_at, policy) = (self.approval, self.expires_at, self.policy);
                let call = note;
                draft.record(Fact::ApprovalAsked {
                    call,
                    approval,
                    binding,
                    policy,
                    summary,
                    expires_at,
                    arguments,
                })
            }
            (Some(Ruling::Allow), _) | (None, None) => start(draft, self.call, arguments),
        }
    }
}

/// Why the agent's permission asks about a tool, if it does.
fn asks(draft: &Draft, call: &Call) -> Option<Arc<str>> {
    let spec = draft.config().tools.get(&call.name)?;
    let asks = draft.config().permission.of(&call.name, spec) == Permitted::Ask;
    asks.then(|| format!("the agent's permission asks about {}", call.name).into())
}

/// What a person has said of exactly this call, or of all like it.
fn ruling(draft: &Draft, call: &Call, policy: &str, binding: &Binding) -> Option<Ruling> {
    let asked = call.approval.as_ref().filter(|asked| asked.binding == *binding);
    let own = asked.and_then(|asked| asked.decided.as_ref()).map(|decided| decided.ruling);
    let for_all = draft.agent.grants().of(&call.name, policy, binding);
    if for_all == Some(Ruling::Deny) { for_all } else { own.or(for_all) }
}

fn start(draft: &mut Draft, id: CallId, arguments: Option<Arc<Value>>) -> Result<(), Refused> {
    let running = draft.agent.calls().iter().filter(|call| is_running(call)).count();
    if running >= draft.config().limits.parallel_tools {
        return Err(draft.not_now("judge the call when another one has ended"));
    }
    let call = draft.call(id)?;
    let effect = draft.config().tools.get(&call.name).map(|spec| spec.effect).unwrap_or_default();
    let attempt = call.attempt.saturating_add(1);
    draft.record(Fact::ToolStarted { call: call.note(), attempt, effect, arguments })
}

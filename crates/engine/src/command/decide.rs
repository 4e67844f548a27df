//! What a person says of a call.

use std::sync::Arc;

use seawall_types::ApprovalId;
use serde_json::Value;

use crate::agent::Call;
use crate::decide::{Draft, Refused};
use crate::event::Fact;
use crate::{ApprovalScope, Binding, CallId, Ruling};

/// What is decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A question, by its name.
    Approval(ApprovalId),
    /// The question that was asked about a call.
    Call(CallId),
}

/// A person has decided on a call. Good from any process, also after a restart.
#[derive(Debug, Clone, PartialEq)]
pub struct Decide {
    /// On what.
    pub subject: Subject,
    /// What.
    pub ruling: Ruling,
    /// Who.
    pub by: Arc<str>,
    /// What else it is good for.
    pub scope: ApprovalScope,
    /// What the person says to it.
    pub note: Option<Arc<str>>,
    /// Other arguments, with which alone the call may run. The model is told of them.
    pub arguments: Option<Arc<Value>>,
}

impl Decide {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        let call = self.find(draft)?;
        let Some(asked) = &call.approval else {
            return Err(Refused::Invalid("nobody was asked about this call".to_owned()));
        };
        if let Some(decided) = &asked.decided {
            let is_same = decided.ruling == self.ruling && decided.arguments == self.arguments;
            return if is_same { Ok(()) } else { Err(Refused::Decided) };
        }
        if call.state != crate::CallState::ApprovalRequired {
            return Err(Refused::Late { what: "the question" });
        }
        if asked.expires_at.is_some_and(|expiry| expiry <= draft.at) {
            return Err(Refused::Expired);
        }
        if self.ruling == Ruling::Deny && self.arguments.is_some() {
            return Err(Refused::Invalid("arguments can be changed where a call is allowed".to_owned()));
        }
        let binding = match &self.arguments {
            Some(arguments) => Binding::of(&call.name, arguments, &asked.policy),
            None => asked.binding,
        };
        let (call, approval) = (call.note(), asked.id);
        let Self { ruling, by, scope, note, arguments, .. } = self;
        draft.record(Fact::ApprovalDecided { call, approval, binding, ruling, by, scope, note, arguments })
    }

    fn find<'d>(&self, draft: &'d Draft) -> Result<&'d Call, Refused> {
        match self.subject {
            Subject::Call(id) => draft.call(id),
            Subject::Approval(id) => draft.agent.asked(id).ok_or(Refused::NoSuchApproval(id)),
        }
    }
}

//! What the time brings: questions that nobody answered, and reminders.

use std::sync::Arc;

use crate::agent::CallState;
use crate::decide::{Draft, EXPIRED, Refused};
use crate::event::Fact;
use crate::{ApprovalScope, Ruling};

/// It is time. Give it at [`crate::Agent::wake_at`], and whenever events were appended by somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wake;

impl Wake {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        let expired = expired(draft);
        let due = due(draft);
        expired.into_iter().chain(due).try_for_each(|fact| draft.record(fact))
    }
}

fn expired(draft: &Draft) -> Vec<Fact> {
    let waiting = draft.agent.calls().iter().filter(|call| call.state == CallState::ApprovalRequired);
    let expired = waiting.filter_map(|call| {
        let asked = call.approval.as_ref().filter(|asked| asked.decided.is_none())?;
        asked.expires_at.filter(|expiry| *expiry <= draft.at)?;
        Some(Fact::ApprovalDecided {
            call: call.note(),
            approval: asked.id,
            binding: asked.binding,
            ruling: Ruling::Deny,
            by: EXPIRED.into(),
            scope: ApprovalScope::Once,
            note: None,
            arguments: None,
        })
    });
    expired.collect()
}

fn due(draft: &Draft) -> Vec<Fact> {
    let due = draft.agent.schedules().iter().filter(|(_, schedule)| schedule.is_due(draft.at));
    let triggered = due.map(|(id, schedule)| {
        let (trigger, text) = (schedule.trigger.clone(), Arc::clone(&schedule.text));
        Fact::ScheduleTriggered { id: Arc::clone(id), trigger, text }
    });
    triggered.collect()
}

//! How a tool ended.

use seawall_types::Amount;

use crate::agent::CallState;
use crate::decide::{Draft, Refused};
use crate::event::{Fact, Outcome};
use crate::{CallId, ToolResult};

/// A tool has ended: with what it gave, or with the failure that the model is told, a time-out among them.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolFinished {
    /// The call.
    pub call: CallId,
    /// Which beginning of it.
    pub attempt: u32,
    /// What the model is told.
    pub result: ToolResult,
    /// What others have cost that worked for the call: it counts for the agent's limits.
    pub spent: Option<Amount>,
}

impl ToolFinished {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        let call = draft.call(self.call)?;
        // An attempt of a process that died is resolved, not ended: its outcome can only come from a stale holder.
        let runs = call.state == CallState::Executing && call.attempt == self.attempt && !call.is_lost;
        if !runs {
            return Err(Refused::Late { what: "this attempt of the call" });
        }
        end(draft, self.call, self.result, self.spent)
    }
}

/// Records how a call ended that was begun.
pub(super) fn end(
    draft: &mut Draft,
    id: CallId,
    result: ToolResult,
    spent: Option<Amount>,
) -> Result<(), Refused> {
    let call = draft.call(id)?;
    let started_at = call.started_at.unwrap_or(draft.at);
    let failed = result.is_error;
    let outcome = Outcome { call: call.note(), attempt: call.attempt, started_at, result, spent };
    draft.record(if failed { Fact::ToolFailed { outcome } } else { Fact::ToolCompleted { outcome } })
}

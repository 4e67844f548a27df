//! Stopping a turn.

use std::sync::Arc;

use super::stream::discard;
use crate::ToolResult;
use crate::agent::{Call, CallState, Phase};
use crate::decide::{Draft, Refused};
use crate::event::Fact;

/// Stop the turn: the model call, tools that run, questions to people. Calls get honest results. What waits goes on
/// waiting for the next message. Changes nothing between two turns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupt {
    /// Who stops it.
    pub by: Arc<str>,
    /// Why.
    pub note: Option<Arc<str>>,
}

impl Interrupt {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        if matches!(draft.phase(), Phase::Idle | Phase::Failed) {
            return Ok(());
        }
        discard(draft)?;
        seal_all(draft)?;
        let step = draft.agent.steps();
        draft.record(Fact::TurnInterrupted { step, by: self.by, note: self.note })
    }
}

/// Gives every call that has no result one that says what is known.
pub(super) fn seal_all(draft: &mut Draft) -> Result<(), Refused> {
    let open: Vec<_> = draft.agent.calls().iter().filter(|call| !call.state.is_settled()).map(seal).collect();
    open.into_iter().try_for_each(|fact| draft.record(fact))
}

/// What is known of a call that is given up.
pub(super) fn seal(call: &Call) -> Fact {
    let words = match call.state {
        CallState::Executing => {
            "[seawall] stopped while this tool ran. It may have taken effect, in whole or in part. Find out before \
             doing it once more."
        }
        CallState::InDoubt => {
            "[seawall] the process died while this tool ran, and nobody found out whether it took effect."
        }
        _ => "[seawall] not run: the turn was stopped before this tool began.",
    };
    Fact::ToolSealed { call: call.note(), result: ToolResult::error(words) }
}

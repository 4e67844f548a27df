//! Putting an agent away.

use std::sync::Arc;

use crate::agent::Phase;
use crate::decide::{Draft, Refused};
use crate::event::Fact;

/// Put the agent away: it stays readable, can be forked, and does nothing any more. Not while it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// Who does.
    pub by: Arc<str>,
}

impl Archive {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        if !matches!(draft.phase(), Phase::Idle | Phase::Failed) {
            return Err(draft.not_now("interrupt it first"));
        }
        let waiting = draft.agent.room().map_or(0, |room| room.waiting());
        if waiting > 0 {
            // What was acknowledged reaches whom it is for.
            return Err(draft.not_now("wait until everybody has heard what was said in the room"));
        }
        draft.record(Fact::AgentArchived { by: self.by })
    }
}

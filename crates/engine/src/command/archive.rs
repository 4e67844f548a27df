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
        draft.record(Fact::AgentArchived { by: self.by })
    }
}

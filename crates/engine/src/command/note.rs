//! What the runtime tells clients beside the agent's own work.

use crate::decide::{Draft, Refused};
use crate::event::{Fact, Note};

/// Tell clients something.
#[derive(Debug, Clone, PartialEq)]
pub struct Tell {
    /// What.
    pub note: Note,
}

impl Tell {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        draft.record(Fact::Noted { note: self.note })
    }
}

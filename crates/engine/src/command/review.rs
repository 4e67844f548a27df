//! What hooks make of a result.

use crate::decide::{Draft, Refused};
use crate::event::Fact;
use crate::{CallId, ToolResult};

/// Hooks have looked at a result. What the tool gave stays in the log whatever they say.
#[derive(Debug, Clone, PartialEq)]
pub struct Reviewed {
    /// The call.
    pub call: CallId,
    /// What the model is told instead, if anything.
    pub result: Option<ToolResult>,
}

impl Reviewed {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        let call = draft.call(self.call)?;
        if !call.awaits_hook {
            return Err(Refused::Late { what: "looking at this result" });
        }
        draft.record(Fact::ToolReviewed { call: call.note(), result: self.result })
    }
}

//! A tool whose side can't be reached.

use super::finish::end;
use crate::agent::{CallState, EffectClass, OnInDoubt};
use crate::decide::{Draft, Refused};
use crate::event::Fact;
use crate::{CallId, ToolResult};

/// Whoever does what a tool is for can't be reached. Where that was the call's first beginning, it has failed. Where a process
/// died over it before, what that had done can't be found out either: the call is in doubt, unless it is one that does nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolUnreached {
    /// The call.
    pub call: CallId,
    /// Which beginning of it.
    pub attempt: u32,
    /// What the model is told, where it has failed.
    pub result: ToolResult,
}

impl ToolUnreached {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        let call = draft.call(self.call)?;
        if !(call.state == CallState::Executing && call.attempt == self.attempt && !call.is_lost) {
            return Err(Refused::Late { what: "this attempt of the call" });
        }
        if call.attempt <= 1 || call.effect == Some(EffectClass::Pure) {
            return end(draft, self.call, self.result, None);
        }
        let (call, parks) = (call.note(), draft.config().on_in_doubt == OnInDoubt::Park);
        draft.record(Fact::ToolInDoubt { call, parks })
    }
}

//! What a tool says of a call whose process died.

use super::finish::end;
use crate::agent::{CallState, EffectClass, OnInDoubt};
use crate::decide::{Draft, Refused};
use crate::event::Fact;
use crate::{CallId, ToolResult};

/// What a tool found under a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// It was done, with this result.
    Done {
        /// The result.
        result: ToolResult,
    },
    /// It was not: it is run again, with the same key.
    NotDone,
    /// It can't tell, or can't be asked: the call is in doubt.
    Unknown,
}

/// A tool was asked whether it had done a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Reconciled {
    /// The call.
    pub call: CallId,
    /// Which beginning of it was asked about.
    pub attempt: u32,
    /// What it says.
    pub found: Found,
}

impl Reconciled {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        let call = draft.call(self.call)?;
        if !(call.state == CallState::Executing && call.is_lost && call.attempt == self.attempt) {
            return Err(Refused::Late { what: "asking about this attempt" });
        }
        let (note, attempt) = (call.note(), call.attempt.saturating_add(1));
        match self.found {
            Found::Done { result } => end(draft, self.call, result, None),
            Found::NotDone => {
                let effect = EffectClass::Reconcilable;
                draft.record(Fact::ToolStarted { call: note, attempt, effect, arguments: None })
            }
            Found::Unknown => {
                let parks = draft.config().on_in_doubt == OnInDoubt::Park;
                draft.record(Fact::ToolInDoubt { call: note, parks })
            }
        }
    }
}

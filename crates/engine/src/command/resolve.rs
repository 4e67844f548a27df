//! What a person found out about a call in doubt.

use std::sync::Arc;

use crate::CallId;
use crate::agent::CallState;
use crate::decide::{Draft, Refused};
use crate::event::{Fact, Resolution};

/// An operator settles a call in doubt. What had not taken effect is judged anew and may run.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolve {
    /// The call.
    pub call: CallId,
    /// What was found out.
    pub resolution: Resolution,
    /// By whom.
    pub by: Arc<str>,
    /// How they know.
    pub note: Arc<str>,
}

impl Resolve {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        let call = draft.call(self.call)?;
        if call.state != CallState::InDoubt {
            return Err(Refused::Invalid(format!("the call is {} and not in doubt", call.state.as_str())));
        }
        let call = call.note();
        let Self { resolution, by, note, .. } = self;
        draft.record(Fact::ToolResolved { call, resolution, by, note })
    }
}

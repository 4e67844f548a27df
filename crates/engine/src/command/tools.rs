//! Other tools than before.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ToolSpec;
use crate::decide::{Draft, Refused};
use crate::event::Fact;

/// These are the agent's tools now: after a server of tools came or went, or when a process registers others than the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetTools {
    /// All of them.
    pub tools: Arc<BTreeMap<Arc<str>, ToolSpec>>,
}

impl SetTools {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        if draft.config().tools == self.tools {
            return Ok(());
        }
        draft.record(Fact::ToolsChanged { tools: self.tools })
    }
}

//! A name for a point to fork from.

use std::sync::Arc;

use crate::decide::{Draft, Refused};
use crate::event::Fact;

/// Give the state as it is a name. To fork from it the store folds the log up to the snapshot's event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeSnapshot {
    /// The name. That it is used once is the store's to check.
    pub id: Arc<str>,
    /// What it is called.
    pub label: Option<Arc<str>>,
}

impl TakeSnapshot {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        draft.record(Fact::SnapshotTaken { id: self.id, label: self.label })
    }
}

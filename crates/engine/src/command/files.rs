//! Files that an agent waits for.

use std::sync::Arc;

use crate::Trigger;
use crate::decide::{Draft, Refused};
use crate::event::Fact;

/// Files have changed that a schedule waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesChanged {
    /// The name of the schedule.
    pub id: Arc<str>,
    /// Its pattern.
    pub pattern: Arc<str>,
    /// What the agent reads: of what it is reminded, and which files.
    pub text: Arc<str>,
}

impl FilesChanged {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        let Self { id, pattern, text } = self;
        let trigger = Trigger::Files { pattern };
        if draft.agent.schedules().get(&id).is_none_or(|schedule| schedule.trigger != trigger) {
            return Err(Refused::Late { what: "waiting for these files" });
        }
        // Words that wait already are not said once more for each change.
        let name = format!("{id}@");
        if draft.agent.queued().iter().any(|queued| queued.id.0.starts_with(&name)) {
            return Err(draft.not_now("it has not read of the last change yet"));
        }
        draft.record(Fact::ScheduleTriggered { id, trigger, text })
    }
}

//! When a cron expression holds next.

use std::sync::Arc;

use seawall_types::Timestamp;

use crate::Trigger;
use crate::decide::{Draft, Refused};
use crate::event::Fact;

/// It is known when a schedule's expression holds next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The name of the schedule.
    pub id: Arc<str>,
    /// When; never again without a time, and the schedule is removed.
    pub next: Option<Timestamp>,
}

impl Plan {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        let is_open = draft.agent.schedules().get(&self.id).is_some_and(|schedule| {
            matches!(schedule.trigger, Trigger::Cron { .. }) && schedule.next.is_none()
        });
        if !is_open {
            return Err(Refused::Late { what: "planning this schedule" });
        }
        draft.record(Fact::SchedulePlanned { id: self.id, next: self.next })
    }
}

//! Reminders that come by themselves.

use std::sync::Arc;

use crate::decide::{Draft, Refused};
use crate::event::Fact;
use crate::{Schedule, Trigger};

/// Be reminded. A schedule of this name is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetSchedule {
    /// The name of the schedule.
    pub id: Arc<str>,
    /// When.
    pub trigger: Trigger,
    /// Of what.
    pub text: Arc<str>,
}

impl SetSchedule {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        let Self { id, trigger, text } = self;
        if matches!(trigger, Trigger::Steps { every: 0 }) {
            return Err(Refused::Invalid("a reminder comes with every first step at the most".to_owned()));
        }
        if text.trim().is_empty() {
            return Err(Refused::Invalid("a reminder says something".to_owned()));
        }
        let next = if let Trigger::Time { at } = trigger { Some(at) } else { None };
        let since = matches!(trigger, Trigger::Files { .. }).then_some(draft.at);
        draft
            .record(Fact::ScheduleSet { id, schedule: Schedule { trigger, text, next, last_step: 0, since } })
    }
}

/// Not be reminded any more. There need be no such schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unschedule {
    /// The name of the schedule.
    pub id: Arc<str>,
}

impl Unschedule {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        if !draft.agent.schedules().contains_key(&self.id) {
            return Ok(());
        }
        draft.record(Fact::ScheduleRemoved { id: self.id })
    }
}

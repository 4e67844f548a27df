//! What wakes an agent by itself: a time, a recurring time, a number of steps.
//!
//! When a cron expression next holds is computed by the runtime, which has the crate for it, and told as a time.

use std::sync::Arc;

use seawall_types::Timestamp;
use serde::{Deserialize, Serialize};

/// When a reminder is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Trigger {
    /// With every n-th step. Starts nothing: it goes along.
    Steps {
        /// After how many.
        every: u64,
    },
    /// Once, at a time. Starts a step.
    Time {
        /// When.
        at: Timestamp,
    },
    /// Each time that the expression holds. Starts a step.
    Cron {
        /// The expression, unread here.
        spec: Arc<str>,
    },
    /// Each time that files have changed which a pattern fits. Starts a step. The agent is held meanwhile.
    Files {
        /// The pattern, from the folder that the agent works in; unread here.
        pattern: Arc<str>,
    },
}

/// A reminder that an agent gives itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// When.
    pub trigger: Trigger,
    /// What it says.
    pub text: Arc<str>,
    /// The next time, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// The step that it last went along with.
    #[serde(default)]
    pub last_step: u64,
    /// Since when files are waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl Schedule {
    pub(crate) fn is_due(&self, at: Timestamp) -> bool {
        self.next.is_some_and(|next| next <= at)
    }

    /// Whether nothing is to be done for it before a time that is known, or a step.
    pub(crate) fn is_planned(&self) -> bool {
        match self.trigger {
            Trigger::Steps { .. } | Trigger::Time { .. } => true,
            Trigger::Cron { .. } => self.next.is_some(),
            // Somebody has to look at the files.
            Trigger::Files { .. } => false,
        }
    }

    /// Whether it goes along with this step.
    pub(crate) fn goes_along(&self, step: u64) -> bool {
        match self.trigger {
            Trigger::Steps { every } => self.last_step != step && step.is_multiple_of(every.max(1)),
            Trigger::Time { .. } | Trigger::Cron { .. } | Trigger::Files { .. } => false,
        }
    }
}

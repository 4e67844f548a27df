//! A model call that failed and is worth another try.

use seawall_types::{Amount, Timestamp};

use super::stream::{at_model, discard};
use crate::decide::{Draft, Refused};
use crate::event::{Fact, ModelFailure};

/// Ask the model once more, not before a time. What was streamed of the answer is void.
///
/// How often, and after how long, is the runtime's to say; that it happens is written down, so a process that takes the
/// agent over goes on counting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// The step.
    pub step: u64,
    /// Which time in this step has failed.
    pub attempt: u32,
    /// Why.
    pub failure: ModelFailure,
    /// Not before then.
    pub not_before: Timestamp,
    /// What it has cost all the same, where anything: an answer that broke off, or that nobody may see.
    pub spent: Option<Amount>,
}

impl Retry {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        at_model(draft, self.step, self.attempt)?;
        discard(draft)?;
        let Self { step, failure, not_before, spent, .. } = self;
        draft.record(Fact::ModelRetried { step, failure, not_before, spent })
    }
}

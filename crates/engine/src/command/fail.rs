//! A model call that failed, its retries over.

use seawall_types::Amount;

use super::stream::{at_model, discard};
use crate::decide::{Draft, Refused, replaceable};
use crate::event::{Fact, FailureClass, ModelFailure};

/// The model has not answered. The turn is over, and says why; only a history that is too long is made shorter first, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFailed {
    /// The step.
    pub step: u64,
    /// Which time in this step.
    pub attempt: u32,
    /// Why.
    pub failure: ModelFailure,
    /// What it has cost all the same, where anything: an answer that broke off, or that nobody may see.
    pub spent: Option<Amount>,
}

impl ModelFailed {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        at_model(draft, self.step, self.attempt)?;
        discard(draft)?;
        let is_too_long = self.failure.class == FailureClass::ContextLength && !draft.turn().is_compressed;
        if is_too_long && let Some(replaces) = replaceable(draft) {
            return draft.record(Fact::CompressionStarted { replaces, then_step: true, spent: self.spent });
        }
        draft.record(Fact::ModelFailed { step: self.step, failure: self.failure, spent: self.spent })
    }
}

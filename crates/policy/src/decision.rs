//! What a policy says about one call.

use std::sync::Arc;

use seawall_detect::network::Target;
use seawall_types::{Finding, Verdict};

use crate::Novelty;

/// The judgement of one call: the verdict, why, and what to put in the place of what was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    /// What is to happen, in the policy's mode.
    pub verdict: Verdict,
    /// What strict mode makes of it.
    pub would: Verdict,
    /// Everything that was found, in the order of the arguments, then of the rules.
    pub findings: Vec<Finding>,
    /// What is to be put into the arguments before they are used, in any mode.
    pub replacements: Vec<Replacement>,
    /// The hosts that the arguments lead to. Whoever connects resolves each name once, shows the addresses to
    /// [`Policy::network`](crate::Policy::network), and connects to one of them.
    pub targets: Vec<Target>,
    /// Steps of flow rules that the call takes; for [`FlowState::advance`](crate::FlowState::advance) once it was performed.
    pub steps: Vec<Arc<str>>,
    /// What about the call is new against the baseline; each has its finding.
    pub novelties: Vec<Novelty>,
    /// Whether what the call gives is sensitive.
    pub sensitive: bool,
    /// Whether data leaves by the call.
    pub sink: bool,
}

/// A text that takes the place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// Where: a JSON pointer into the arguments.
    pub location: String,
    /// What.
    pub text: String,
}

impl Decision {
    /// Puts the replacements into the arguments.
    pub fn apply(&self, args: &mut serde_json::Value) {
        for replacement in &self.replacements {
            if let Some(place) = args.pointer_mut(&replacement.location) {
                *place = serde_json::Value::String(replacement.text.clone());
            }
        }
    }
}

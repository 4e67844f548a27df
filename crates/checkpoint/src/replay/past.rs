//! What one caller did in a run before, as rules about the order and the rate of calls ask.

use std::collections::HashMap;

use seawall_policy::{FlowState, Pace, Policy};

use super::recorded::Recorded;

#[derive(Debug, Default)]
pub(super) struct Past {
    pub(super) flow: FlowState,
    /// The calls of each tool of the baseline, within the minute.
    paces: HashMap<Box<str>, Pace>,
}

impl Past {
    /// Counts a call, where its rate is compared with a baseline: how many there were in its minute, with it.
    ///
    /// As when they are made, calls that were refused count too, and those that a model only asked for do not.
    pub(super) fn count(&mut self, policy: &Policy, event: &Recorded<'_>, tool: &str) -> Option<u64> {
        let counts = event.is_tool_call() && policy.counts_calls_of(tool);
        counts.then(|| self.paces.entry(tool.into()).or_default().call(event.ts))
    }
}

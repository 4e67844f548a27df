//! Drift over the calls of a run: how often each tool is called, and what was told already.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use seawall_policy::{Decision, Novelty, Pace};
use seawall_types::{ActionId, Event, EventKind, Timestamp};

use super::ToolCall;
use super::run_state::Happened;
use crate::{Checkpoint, record};

/// So many novelties of a run are events of their own. What is new after them is still a finding of its call.
const MOST_TOLD: usize = 1_000;

/// What a run did so far, as a baseline asks. It has an entry for each tool of the baseline at the most.
#[derive(Debug, Default)]
pub(super) struct Course {
    paces: HashMap<Box<str>, Pace>,
    told: BTreeSet<Novelty>,
}

impl Course {
    /// Counts a call. How many of the tool there were in its minute, with it.
    fn call(&mut self, tool: &str, at: Timestamp) -> u64 {
        match self.paces.get_mut(tool) {
            Some(pace) => pace.call(at),
            None => self.paces.entry(tool.into()).or_default().call(at),
        }
    }

    /// How many there would be with another one.
    fn with_another(&self, tool: &str, at: Timestamp) -> u64 {
        self.paces.get(tool).copied().unwrap_or_default().call(at)
    }

    /// Whether this is told for the first time.
    fn begins_with(&mut self, novelty: &Novelty) -> bool {
        self.told.len() < MOST_TOLD && self.told.insert(novelty.clone())
    }
}

/// Counts a call whose tool's rate the policy compares with a baseline. A call that is refused was made all the same.
pub(super) fn count(call: &ToolCall<'_>, now: Timestamp) -> Option<u64> {
    call.policy.counts_calls_of(call.name).then(|| call.state.lock().course.call(call.name, now))
}

/// What [`count`] would give, of a call that is not made yet. `happened` is the state of its run where the caller has it.
pub(super) fn count_without_noting(
    call: &ToolCall<'_>,
    happened: Option<&Happened>,
    now: Timestamp,
) -> Option<u64> {
    let with_another = |happened: &Happened| happened.course.with_another(call.name, now);
    let counts = call.policy.counts_calls_of(call.name);
    counts.then(|| happened.map_or_else(|| with_another(&call.state.lock()), with_another))
}

impl Checkpoint {
    /// Writes down what is new about a call, once a run.
    pub(super) fn note_drift(
        &self,
        action: ActionId,
        call: &ToolCall<'_>,
        decision: &Decision,
        now: Timestamp,
    ) {
        // The usual call pays for nothing here, not even for the lock.
        if decision.novelties.is_empty() {
            return;
        }
        let new: Vec<&Novelty> = {
            let mut happened = call.state.lock();
            decision.novelties.iter().filter(|novelty| happened.course.begins_with(novelty)).collect()
        };
        for novelty in new {
            let data = record::Drift {
                name: call.name,
                new: novelty.kind,
                value: &novelty.value,
                baseline: call.policy.baseline(),
                verdict: decision.verdict,
            };
            let event = Event::new(now, call.run, EventKind::Drift, &data);
            self.trace().record(event.about(action, Arc::clone(call.actor)));
        }
    }
}

#[cfg(test)]
mod tests {
    use seawall_policy::NoveltyKind;

    use super::*;

    #[test]
    fn a_run_tells_so_many_novelties_and_each_once() {
        let mut course = Course::default();
        let novelty = |number: usize| Novelty { kind: NoveltyKind::Host, value: format!("{number}.example") };
        let told = (0..2 * MOST_TOLD).filter(|number| course.begins_with(&novelty(*number / 2))).count();
        assert_eq!(told, MOST_TOLD);
        assert!(!course.begins_with(&novelty(MOST_TOLD)));
    }
}

//! What is being done for an agent: one task for each effect that is outstanding.

use std::collections::HashMap;
use std::sync::Arc;

use seawall_engine::{Agent, Effect, EffectKey, outstanding};
use tokio_util::task::AbortOnDropHandle;

use super::Begun;
use crate::perform::perform;
use crate::session::Session;

/// Effects that are being performed. Dropping it stops all of them.
#[derive(Debug, Default)]
pub(super) struct Doing {
    tasks: HashMap<EffectKey, (u64, AbortOnDropHandle<()>)>,
    /// How many were begun.
    begun: u64,
}

impl Doing {
    /// Makes what is done what is outstanding.
    pub(super) fn go_on(&mut self, agent: &Agent, session: &Arc<Session>) {
        let wanted = outstanding(agent);
        self.tasks.retain(|key, _| wanted.iter().any(|(wanted, _)| wanted == key));
        for (key, effect) in wanted {
            if !is_performed(&effect) || self.tasks.contains_key(&key) {
                continue;
            }
            self.begun = self.begun.saturating_add(1);
            let begun = Begun { key: key.clone(), number: self.begun };
            let task = perform(Arc::clone(session), begun, effect);
            let task = session.shared.tasks.spawn("effect of an agent", task);
            self.tasks.insert(key, (self.begun, AbortOnDropHandle::new(task)));
        }
    }

    /// Whether an effect that has ended is still wanted: nobody has answered it, and nobody will. The end of an earlier
    /// performance may be heard of late, when there is another one already.
    pub(super) fn left_undone(&self, ended: &[Begun], agent: &Agent) -> bool {
        let is_last =
            |ended: &&Begun| self.tasks.get(&ended.key).is_some_and(|(last, _)| *last == ended.number);
        let is_wanted = |ended: &Begun| outstanding(agent).iter().any(|(wanted, _)| *wanted == ended.key);
        ended.iter().filter(is_last).any(is_wanted)
    }

    /// Whether an effect is being performed.
    pub(super) fn performs(&self, key: &EffectKey) -> bool {
        self.tasks.contains_key(key)
    }

    /// Whether nothing is done.
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Stops everything, and waits until it has: what was admitted and not settled says so in the trace before that ends.
    pub(super) async fn stop(&mut self) {
        self.tasks.values().for_each(|(_, task)| task.abort());
        for (_, (_, task)) in self.tasks.drain() {
            let _stopped = task.await;
        }
    }
}

/// People are asked by what is in the store, and time is the holder's.
fn is_performed(effect: &Effect) -> bool {
    !matches!(effect, Effect::AskApproval { .. } | Effect::WakeAt { .. } | Effect::Abort { .. })
}

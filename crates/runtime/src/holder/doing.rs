//! What is being done for an agent: one task for each effect that is outstanding.

use std::collections::HashMap;
use std::sync::Arc;

use seawall_engine::{Agent, Effect, EffectKey, outstanding};
use tokio_util::task::AbortOnDropHandle;

use crate::perform::perform;
use crate::session::Session;

/// Effects that are being performed. Dropping it stops all of them.
#[derive(Debug, Default)]
pub(super) struct Doing(HashMap<EffectKey, AbortOnDropHandle<()>>);

impl Doing {
    /// Makes what is done what is outstanding.
    pub(super) fn go_on(&mut self, agent: &Agent, session: &Arc<Session>) {
        let wanted = outstanding(agent);
        self.0.retain(|key, _| wanted.iter().any(|(wanted, _)| wanted == key));
        for (key, effect) in wanted {
            if !is_performed(&effect) || self.0.contains_key(&key) {
                continue;
            }
            let task = perform(Arc::clone(session), key.clone(), effect);
            let task = session.shared.tasks.spawn("effect of an agent", task);
            self.0.insert(key, AbortOnDropHandle::new(task));
        }
    }

    /// Whether an effect that has ended is still wanted: nobody has answered it, and nobody will.
    pub(super) fn left_undone(ended: &[EffectKey], agent: &Agent) -> bool {
        let is_wanted = |key: &EffectKey| outstanding(agent).iter().any(|(wanted, _)| wanted == key);
        ended.iter().any(is_wanted)
    }

    /// Whether nothing is done.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Stops everything, and waits until it has: what was admitted and not settled says so in the trace before that ends.
    pub(super) async fn stop(&mut self) {
        self.0.values().for_each(AbortOnDropHandle::abort);
        for (_, task) in self.0.drain() {
            let _stopped = task.await;
        }
    }
}

/// People are asked by what is in the store, and time is the holder's.
fn is_performed(effect: &Effect) -> bool {
    !matches!(effect, Effect::AskApproval { .. } | Effect::WakeAt { .. } | Effect::Abort { .. })
}

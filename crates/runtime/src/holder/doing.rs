//! What is being done for an agent: one task for each effect that is outstanding.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use seawall_engine::{Agent, Effect, EffectKey, outstanding};
use tokio_util::task::AbortOnDropHandle;

use super::Begun;
use crate::perform::perform;
use crate::session::Session;

/// An effect that is being performed.
type Performing = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Effects that are being performed. Dropping it stops all of them.
#[derive(Debug, Default)]
pub(super) struct Doing {
    tasks: HashMap<EffectKey, (u64, AbortOnDropHandle<()>)>,
    /// How many were begun.
    begun: u64,
    /// Those that were begun for what is not written yet, over or not.
    ahead: Vec<EffectKey>,
}

impl Doing {
    /// Makes what is done what is outstanding.
    pub(super) fn go_on(&mut self, agent: &Agent, session: &Arc<Session>) {
        self.ahead.clear();
        let wanted = outstanding(agent);
        self.tasks.retain(|key, _| wanted.iter().any(|(wanted, _)| wanted == key));
        for (key, effect) in wanted {
            if is_performed(&effect) && !self.tasks.contains_key(&key) {
                let performing = self.begin(key.clone(), effect, session);
                self.spawn(key, performing, session);
            }
        }
    }

    /// Begins what would be outstanding, if `may` says so, before that is written. Each goes as far as it comes without waiting;
    /// what has to wait goes on as a task.
    pub(super) async fn go_ahead(
        &mut self,
        agent: &Agent,
        session: &Arc<Session>,
        may: impl Fn(&Effect) -> bool,
    ) {
        for (key, effect) in outstanding(agent) {
            if !may(&effect) || self.tasks.contains_key(&key) || self.ahead.contains(&key) {
                continue;
            }
            self.ahead.push(key.clone());
            let mut performing = self.begin(key.clone(), effect, session);
            let is_over = poll_fn(|context| Poll::Ready(performing.as_mut().poll(context).is_ready())).await;
            if !is_over {
                self.spawn(key, performing, session);
            }
        }
    }

    /// Stops what was begun before it was written, and waits until it has. What that was.
    pub(super) async fn come_back(&mut self) -> Vec<EffectKey> {
        let keys = std::mem::take(&mut self.ahead);
        for key in &keys {
            if let Some((_, task)) = self.tasks.remove(key) {
                task.abort();
                let _stopped = task.await;
            }
        }
        keys
    }

    fn begin(&mut self, key: EffectKey, effect: Effect, session: &Arc<Session>) -> Performing {
        self.begun = self.begun.saturating_add(1);
        let begun = Begun { key, number: self.begun };
        Box::pin(perform(Arc::clone(session), begun, effect))
    }

    fn spawn(&mut self, key: EffectKey, performing: Performing, session: &Session) {
        let task = session.shared.tasks.spawn("effect of an agent", performing);
        self.tasks.insert(key, (self.begun, AbortOnDropHandle::new(task)));
    }

    /// Whether an effect that has ended is still wanted: nobody has answered it, and nobody will. The end of an earlier
    /// performance may be heard of late, when there is another one already.
    pub(super) fn left_undone(&self, ended: &[Begun], agent: &Agent) -> bool {
        let is_last =
            |ended: &&Begun| self.tasks.get(&ended.key).is_some_and(|(last, _)| *last == ended.number);
        let is_wanted = |ended: &Begun| outstanding(agent).iter().any(|(wanted, _)| *wanted == ended.key);
        ended.iter().filter(is_last).any(is_wanted)
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

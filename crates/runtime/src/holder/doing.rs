//! What is being done for an agent: one task for each effect that is outstanding, unless it was over as soon as it was begun.

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
    tasks: HashMap<EffectKey, Task>,
    /// How many were begun.
    begun: u64,
    /// Those that were begun for what is not written yet, over or not.
    ahead: Vec<EffectKey>,
}

#[derive(Debug)]
struct Task {
    number: u64,
    /// Nothing where it was over at once, and its answer is on its way.
    handle: Option<AbortOnDropHandle<()>>,
}

/// How an effect is begun whose decision is not written yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ahead {
    /// It goes as far as it comes without waiting, and then on as a task.
    AtOnce,
    /// As a task, beside the write: it has much to do before it has to wait.
    Beside,
}

impl Doing {
    /// Makes what is done what is outstanding.
    pub(super) fn go_on(&mut self, agent: &Agent, session: &Arc<Session>) {
        self.ahead.clear();
        let wanted = outstanding(agent);
        self.tasks.retain(|key, _| wanted.iter().any(|(wanted, _)| wanted == key));
        for (key, effect) in wanted {
            if is_performed(&effect) && !self.tasks.contains_key(&key) {
                let performing = self.begin(&key, effect, session);
                self.note(key, Some(spawned(performing, session)));
            }
        }
    }

    /// Begins what would be outstanding before that is written, as `how` says.
    pub(super) async fn go_ahead(
        &mut self,
        agent: &Agent,
        session: &Arc<Session>,
        how: impl Fn(&Effect) -> Option<Ahead>,
    ) {
        for (key, effect) in outstanding(agent) {
            if self.tasks.contains_key(&key) {
                continue;
            }
            let Some(how) = how(&effect) else { continue };
            let mut performing = self.begin(&key, effect, session);
            let is_over = how == Ahead::AtOnce && is_over_at_once(&mut performing).await;
            self.ahead.push(key.clone());
            self.note(key, (!is_over).then(|| spawned(performing, session)));
        }
    }

    /// Stops what was begun before it was written, and waits until it has. What that was.
    pub(super) async fn come_back(&mut self) -> Vec<EffectKey> {
        let keys = std::mem::take(&mut self.ahead);
        let tasks: Vec<_> = keys.iter().filter_map(|key| self.tasks.remove(key)).collect();
        end(tasks).await;
        keys
    }

    fn begin(&mut self, key: &EffectKey, effect: Effect, session: &Arc<Session>) -> Performing {
        self.begun = self.begun.saturating_add(1);
        let begun = Begun { key: key.clone(), number: self.begun };
        Box::pin(perform(Arc::clone(session), begun, effect))
    }

    /// Remembers what was begun last.
    fn note(&mut self, key: EffectKey, handle: Option<AbortOnDropHandle<()>>) {
        self.tasks.insert(key, Task { number: self.begun, handle });
    }

    /// Whether an effect that has ended is still wanted: nobody has answered it, and nobody will. The end of an earlier
    /// performance may be heard of late, when there is another one already.
    pub(super) fn left_undone(&self, ended: &[Begun], agent: &Agent) -> bool {
        let is_last =
            |ended: &&Begun| self.tasks.get(&ended.key).is_some_and(|last| last.number == ended.number);
        let is_wanted = |ended: &Begun| outstanding(agent).iter().any(|(wanted, _)| *wanted == ended.key);
        ended.iter().filter(is_last).any(is_wanted)
    }

    /// Whether nothing is done.
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Stops everything, and waits until it has: what was admitted and not settled says so in the trace before that ends.
    pub(super) async fn stop(&mut self) {
        end(self.tasks.drain().map(|(_, task)| task).collect()).await;
    }
}

async fn end(tasks: Vec<Task>) {
    let handles: Vec<_> = tasks.into_iter().filter_map(|task| task.handle).collect();
    handles.iter().for_each(AbortOnDropHandle::abort);
    for handle in handles {
        let _stopped = handle.await;
    }
}

async fn is_over_at_once(performing: &mut Performing) -> bool {
    poll_fn(|context| Poll::Ready(performing.as_mut().poll(context).is_ready())).await
}

fn spawned(performing: Performing, session: &Session) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(session.shared.tasks.spawn("effect of an agent", performing))
}

/// People are asked by what is in the store, and time is the holder's.
fn is_performed(effect: &Effect) -> bool {
    !matches!(effect, Effect::AskApproval { .. } | Effect::WakeAt { .. } | Effect::Abort { .. })
}

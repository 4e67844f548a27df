//! Going on before it is written: what follows from a decision, and may be had twice, is begun while the decision is not in the
//! store yet. What comes of it at once is written together with what has brought it about; the rest goes on beside the write.
//!
//! Nobody is told of anything that is not written. A process that dies here has asked a model, or a tool that changes nothing,
//! and nobody knows: it is asked again, as after every death. Where the decision can't be written, what was begun for it is
//! stopped and what it has said is forgotten.

use seawall_engine::{Agent, Effect, EffectClass, Event, Fact};

use super::batch::{Batch, Decided};
use super::{BATCH, Holder, Job};
use crate::hooks::Moment;
use crate::perform::is_judged_alone;
use crate::session::Session;

/// Events that are written at once because of what came at once, at the most.
const EVENTS: usize = 256;

impl Holder {
    /// Begins what may be begun before what was decided is written. Whether that has given more to decide on with the batch.
    pub(super) async fn go_ahead(&mut self, batch: &mut Batch, decided: &Decided) -> bool {
        // Who has just taken the agent up writes that down before all else.
        let is_taken_up = self.kept.agent().epoch() == self.epoch;
        let is_long = batch.len() >= BATCH || decided.events.len() >= EVENTS;
        if batch.holds_back || !is_taken_up || is_long || !self.member.may_begin_now() {
            return false;
        }
        // The store says whether a message was accepted before under its name: no model is asked about it once more.
        if decided.events.iter().any(has_name) {
            return false;
        }
        let (agent, session) = (&decided.agent, &self.session);
        self.doing.go_ahead(agent, session, |effect| may_be_had_twice(session, agent, effect)).await;
        // Files are looked at before each step that is decided on: with a batch of its own.
        !self.session.may_know_files() && self.hear_answers(batch)
    }

    /// Takes in what effects have come to by now, as far as nobody has asked for something else in between.
    fn hear_answers(&mut self, batch: &mut Batch) -> bool {
        let before = batch.len();
        while self.put_by.is_empty() {
            match self.inbox.try_recv() {
                Ok(Job::Command(command, None)) => batch.add(*command, None),
                Ok(Job::Ended(begun)) => batch.ended.push(*begun),
                Ok(other) => self.put_by.push_back(other),
                Err(_) => break,
            }
        }
        batch.len() > before
    }

    /// Stops what was begun before it was written and forgets what it has said: what it follows from is not so.
    pub(super) async fn come_back(&mut self, batch: &mut Batch) {
        let keys = self.doing.come_back().await;
        if keys.is_empty() {
            return;
        }
        while let Ok(job) = self.inbox.try_recv() {
            match job {
                Job::Command(command, None) => batch.add(*command, None),
                other => self.put_by.push_back(other),
            }
        }
        batch.forget(&keys);
    }
}

/// Whether it brings something under a name that is used once.
fn has_name(event: &Event) -> bool {
    matches!(event.fact, Fact::MessageReceived { .. } | Fact::RoomSaid { .. } | Fact::SnapshotTaken { .. })
}

/// Whether an effect may be performed for nothing, and once more: it changes nothing in the world.
fn may_be_had_twice(session: &Session, agent: &Agent, effect: &Effect) -> bool {
    match effect {
        Effect::CallModel { .. } => {
            !session.has_hooks(Moment::PreModel) && !session.has_hooks(Moment::PostModel)
        }
        Effect::Judge { tool, .. } => is_judged_alone(session, tool),
        Effect::RunTool { call, attempt, .. } => {
            let is_pure = agent.call(*call).is_some_and(|call| call.effect == Some(EffectClass::Pure));
            is_pure && *attempt == 1
        }
        _ => false,
    }
}

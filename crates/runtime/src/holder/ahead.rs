//! Going on before it is written: where a turn is under way, models are asked and calls are judged while the decision that this
//! follows from is not in the store yet. What comes of it at once is written together with what has brought it about; the rest
//! goes on beside the write.
//!
//! Nobody is told of anything that is not written, and no tool runs whose intent is not. A process that dies here has asked a
//! model, and nobody knows: it is asked again, as after every death. Where the decision can't be written, what was begun for it
//! is stopped and what it has said is forgotten.

use seawall_engine::{Authority, Block, Effect, Event, Fact, History};

use super::batch::{Batch, Decided};
use super::doing::Ahead;
use super::{BATCH, Holder, Job};
use crate::hooks::Moment;
use crate::perform::is_judged_alone;
use crate::session::Session;

/// A conversation of at most so many bytes is put into a model's words before the write, a longer one beside it.
const SHORT: usize = 256 * 1024;

impl Holder {
    /// Begins what may be begun before what was decided is written, and decides on what has come of it. Whether anything has.
    pub(super) async fn go_ahead(&mut self, batch: &mut Batch, decided: &mut Decided) -> bool {
        if !self.may_go_ahead(batch, decided) {
            return false;
        }
        let session = &self.session;
        self.doing.go_ahead(&decided.agent, session, |effect| how(session, effect)).await;
        self.hear_answers(batch, decided)
    }

    fn may_go_ahead(&self, batch: &Batch, decided: &Decided) -> bool {
        let agent = self.kept.agent();
        !batch.holds_back
            && batch.len() < BATCH
            // Who has just taken the agent up writes that down before all else.
            && agent.epoch() == self.epoch
            // Whatever kills this process has to be found in the log, and counted, by the next one.
            && agent.is_in_flight(self.now())
            && self.member.may_begin_now()
            && !decided.events.iter().any(has_name)
    }

    /// Takes in what effects have come to by now, as far as nobody has asked for something else in between.
    ///
    /// At most one step begins with a batch: files are looked at before each, which is done once for it.
    fn hear_answers(&mut self, batch: &mut Batch, decided: &mut Decided) -> bool {
        let (commands, ended) = (batch.len(), batch.ended.len());
        while self.put_by.is_empty() {
            match self.inbox.try_recv() {
                Ok(Job::Command(command, None)) => batch.add(*command, None),
                Ok(Job::Ended(begun)) => batch.ended.push(*begun),
                Ok(other) => self.put_by.push_back(other),
                Err(_) => break,
            }
        }
        if batch.len() == commands {
            return false;
        }
        let before = (decided.steps() > 0).then(|| decided.clone());
        batch.decide(decided, Authority::Holder { epoch: self.epoch }, self.now());
        if let (2.., Some(before)) = (decided.steps(), before) {
            *decided = before;
            let heard = batch.split_off(commands).into_iter();
            let heard = heard.map(|(command, reply)| Job::Command(Box::new(command), reply));
            let ended = batch.ended.split_off(ended).into_iter().map(|begun| Job::Ended(Box::new(begun)));
            let later = std::mem::take(&mut self.put_by);
            self.put_by = heard.chain(ended).chain(later).collect();
            return false;
        }
        true
    }

    /// Stops what was begun before it was written and forgets what it has said: what it follows from is not so.
    pub(super) async fn come_back(&mut self, batch: &mut Batch) {
        let keys = self.doing.come_back().await;
        if keys.is_empty() {
            return;
        }
        // What was put by may have been said by them too.
        let mut waiting = std::mem::take(&mut self.put_by);
        waiting.extend(std::iter::from_fn(|| self.inbox.try_recv().ok()));
        for job in waiting {
            match job {
                Job::Command(command, None) => batch.add(*command, None),
                other => self.put_by.push_back(other),
            }
        }
        batch.forget(&keys);
    }
}

/// Whether it brings something under a name that is used once. The store knows whether it was accepted before: no model is asked
/// about a message once more because it was sent once more.
fn has_name(event: &Event) -> bool {
    matches!(event.fact, Fact::MessageReceived { .. } | Fact::RoomSaid { .. } | Fact::SnapshotTaken { .. })
}

/// How an effect is begun before its decision is written: one that changes nothing in the world, and that no hook hears of.
fn how(session: &Session, effect: &Effect) -> Option<Ahead> {
    match effect {
        Effect::CallModel { messages, .. } => {
            let is_heard = session.has_hooks(Moment::PreModel) || session.has_hooks(Moment::PostModel);
            let how = if is_short(messages) { Ahead::AtOnce } else { Ahead::Beside };
            (!is_heard).then_some(how)
        }
        Effect::Judge { tool, .. } => is_judged_alone(session, tool).then_some(Ahead::AtOnce),
        _ => None,
    }
}

fn is_short(messages: &History) -> bool {
    let mut bytes = 0_usize;
    messages.iter().flat_map(|message| message.content.iter()).all(|block| {
        bytes = bytes.saturating_add(size(block));
        bytes <= SHORT
    })
}

/// About how many bytes a block becomes. Pictures and the like are never short.
fn size(block: &Block) -> usize {
    const CALL: usize = 512;
    match block {
        Block::Text { text } | Block::Reasoning { text, .. } => text.len(),
        Block::ToolUse { .. } => CALL,
        Block::ToolResult { content, .. } => content.iter().map(size).fold(CALL, usize::saturating_add),
        _ => usize::MAX,
    }
}

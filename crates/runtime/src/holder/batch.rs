//! Commands that are decided on together, and who waits for them.

use seawall_engine::{
    Agent, Authority, Bookmark, Call, CallId, CallState, Command, Effect, EffectKey, Event, Fact, Note,
    Refused, Tell, Wake, decide, outstanding,
};
use seawall_store::StoreError;
use seawall_types::Timestamp;

use super::{Begun, Done, NotDone, Reply};
use crate::AgentError;

/// Commands, in their order.
#[derive(Debug, Default)]
pub(super) struct Batch {
    commands: Vec<(Command, Option<Reply>)>,
    /// The log is to be read first.
    pub(super) looks: bool,
    /// Files were looked at, for the step that it begins.
    pub(super) has_looked: bool,
    /// Calls that were judged as soon as they were asked for.
    pub(super) judged: Vec<CallId>,
    /// Effects that are not performed any more.
    pub(super) ended: Vec<Begun>,
}

/// What was decided on a batch.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) events: Vec<Event>,
    /// What the agent is after them.
    agent: Agent,
    /// The lease is another's.
    pub(super) is_stale: bool,
    /// One for each command.
    outcomes: Vec<Result<Done, Refused>>,
}

impl Decided {
    /// Whether a model is to be asked in a new step.
    pub(super) fn begins_step(&self) -> bool {
        self.events.iter().any(|event| matches!(event.fact, Fact::StepStarted { .. }))
    }

    /// Calls that are to be judged, and have not been for this batch.
    pub(super) fn to_judge(&self, batch: &Batch) -> Vec<(EffectKey, Effect)> {
        let is_new = |call: &Call| {
            matches!(call.state, CallState::Pending | CallState::Approved) && !batch.judged.contains(&call.id)
        };
        if self.events.is_empty() || !self.agent.calls().iter().any(is_new) {
            return Vec::new();
        }
        let is_asked = |(key, _): &(EffectKey, Effect)| matches!(key, EffectKey::Judge(call) if !batch.judged.contains(call));
        outstanding(&self.agent).into_iter().filter(is_asked).collect()
    }
}

impl Batch {
    pub(super) fn add(&mut self, command: Command, reply: Option<Reply>) {
        self.commands.push((command, reply));
    }

    /// Has the agent looked at anew, whatever else is decided.
    pub(super) fn wake(&mut self) {
        if !self.commands.iter().any(|(command, _)| matches!(command, Command::Wake(_))) {
            self.add(Wake.into(), None);
        }
    }

    /// Has clients, and the model with its next step, told something before all else.
    pub(super) fn tell_first(&mut self, notes: impl DoubleEndedIterator<Item = Note>) {
        for note in notes.rev() {
            self.commands.insert(0, (Tell { note }.into(), None));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.commands.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Whether somebody waits for everything that is in it.
    pub(super) fn is_asked(&self) -> bool {
        self.commands.iter().all(|(_, reply)| reply.is_some())
    }

    /// Forgets how calls were judged at once: what was judged may be another one by now.
    pub(super) fn unjudge(&mut self) {
        let judged = std::mem::take(&mut self.judged);
        let is_kept =
            |command: &Command| !matches!(command, Command::Judged(known) if judged.contains(&known.call));
        self.commands.retain(|(command, _)| is_kept(command));
    }

    /// Each command for itself.
    pub(super) fn apart(mut self) -> impl Iterator<Item = Self> {
        self.unjudge();
        let has_looked = self.has_looked;
        let alone = move |command| Self { commands: vec![command], has_looked, ..Self::default() };
        self.commands.into_iter().map(alone)
    }

    /// Decides on all of them, each on what the one before has left.
    pub(super) fn decide(&self, agent: &Agent, authority: Authority, at: Timestamp) -> Decided {
        let agent = agent.clone();
        let mut decided = Decided { events: Vec::new(), agent, is_stale: false, outcomes: Vec::new() };
        for (command, _) in &self.commands {
            let agent = &mut decided.agent;
            let outcome = decide(agent, command.clone(), authority, at).and_then(|decision| {
                let first = decision.events.first().map_or_else(|| agent.seq(), |event| event.seq);
                for event in &decision.events {
                    agent.apply(event).map_err(Refused::Fault)?;
                }
                decided.events.extend(decision.events);
                let bookmark = Bookmark { seq: agent.seq(), timestamp: agent.last_event_at() };
                Ok(Done { first, bookmark })
            });
            decided.is_stale |= matches!(outcome, Err(Refused::StaleEpoch { .. }));
            decided.outcomes.push(outcome);
        }
        decided
    }

    /// Tells everybody what came of it.
    pub(super) fn answer(self, decided: Decided) {
        for ((command, reply), outcome) in self.commands.into_iter().zip(decided.outcomes) {
            match (reply, outcome) {
                (Some(reply), outcome) => {
                    let _gone = reply.send(outcome.map_err(|refused| NotDone::Refused(refused.into())));
                }
                // An answer to what was given up in the meantime.
                (None, Ok(_) | Err(Refused::Late { .. })) => {}
                (None, Err(refused)) => {
                    tracing::warn!(%refused, ?command, "the engine refuses what the runtime says");
                }
            }
        }
    }

    /// Tells those who wait that nothing could be written, and forgets what they asked for. What effects have come to stays.
    pub(super) fn fail(&mut self, error: &StoreError) {
        self.send_away(|| NotDone::Refused(AgentError::Store(error.clone())));
    }

    /// Tells those who wait to look elsewhere.
    pub(super) fn turn_away(&mut self) {
        self.send_away(|| NotDone::Elsewhere);
    }

    fn send_away(&mut self, why: impl Fn() -> NotDone) {
        for (_, reply) in self.commands.extract_if(.., |(_, reply)| reply.is_some()) {
            if let Some(reply) = reply {
                let _gone = reply.send(Err(why()));
            }
        }
    }
}

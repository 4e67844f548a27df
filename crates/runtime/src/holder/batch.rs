//! Commands that are decided on together, and who waits for them.

use seawall_engine::{
    Agent, Authority, Bookmark, Command, EffectKey, Event, Fact, Note, Refused, Tell, Wake, decide,
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
    /// Nothing is begun before it is written: that has failed once.
    pub(super) holds_back: bool,
    /// Effects that are not performed any more.
    pub(super) ended: Vec<Begun>,
}

/// What was decided on a batch, as far as it goes.
#[derive(Debug, Clone)]
pub(super) struct Decided {
    pub(super) events: Vec<Event>,
    /// What the agent is after them.
    pub(super) agent: Agent,
    /// The lease is another's.
    pub(super) is_stale: bool,
    /// One for each command that was decided on.
    outcomes: Vec<Result<Done, Refused>>,
}

impl Decided {
    /// Nothing yet, for an agent as it is.
    pub(super) fn nothing(agent: &Agent) -> Self {
        Self { events: Vec::new(), agent: agent.clone(), is_stale: false, outcomes: Vec::new() }
    }

    /// In how many new steps a model is to be asked.
    pub(super) fn steps(&self) -> usize {
        self.events.iter().filter(|event| matches!(event.fact, Fact::StepStarted { .. })).count()
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

    /// Takes the last commands out again, but for so many.
    pub(super) fn split_off(&mut self, at: usize) -> Vec<(Command, Option<Reply>)> {
        self.commands.split_off(at)
    }

    /// Forgets what these effects have come to.
    pub(super) fn forget(&mut self, effects: &[EffectKey]) {
        self.commands
            .retain(|(command, _)| command.answers().is_none_or(|effect| !effects.contains(&effect)));
    }

    /// The agent was claimed by a write that was said to have failed. A second claim would be taken for another holder's.
    pub(super) fn drop_claim(&mut self) {
        self.commands.retain(|(command, _)| !matches!(command, Command::Claim(_)));
    }

    /// Each command for itself, and nothing with it.
    pub(super) fn apart(self) -> impl Iterator<Item = Self> {
        let has_looked = self.has_looked;
        let alone =
            move |command| Self { commands: vec![command], has_looked, holds_back: true, ..Self::default() };
        self.commands.into_iter().map(alone)
    }

    /// Decides on those that were not decided on, each on what the one before has left.
    pub(super) fn decide(&self, decided: &mut Decided, authority: Authority, at: Timestamp) {
        for (command, _) in self.commands.iter().skip(decided.outcomes.len()) {
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
    }

    /// Tells everybody what came of it. The effects that are not performed any more.
    pub(super) fn answer(self, decided: Decided) -> Vec<Begun> {
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
        self.ended
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

//! Commands that are decided on together, and who waits for them.

use seawall_engine::{Agent, Authority, Bookmark, Command, EffectKey, Event, Refused, Wake, decide};
use seawall_store::StoreError;
use seawall_types::Timestamp;

use super::{Done, NotDone, Reply};
use crate::AgentError;

/// Commands, in their order.
#[derive(Debug, Default)]
pub(super) struct Batch {
    commands: Vec<(Command, Option<Reply>)>,
    /// The log is to be read first.
    pub(super) looks: bool,
    /// Effects that are not performed any more.
    pub(super) ended: Vec<EffectKey>,
}

/// What was decided on a batch.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) events: Vec<Event>,
    /// The lease is another's.
    pub(super) is_stale: bool,
    /// One for each command.
    outcomes: Vec<Result<Done, Refused>>,
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

    pub(super) fn len(&self) -> usize {
        self.commands.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Each command for itself.
    pub(super) fn apart(self) -> impl Iterator<Item = Self> {
        let alone = |command| Self { commands: vec![command], ..Self::default() };
        self.commands.into_iter().map(alone)
    }

    /// Decides on all of them, each on what the one before has left.
    pub(super) fn decide(&self, agent: &Agent, authority: Authority, at: Timestamp) -> Decided {
        let mut agent = agent.clone();
        let mut decided = Decided { events: Vec::new(), is_stale: false, outcomes: Vec::new() };
        for (command, _) in &self.commands {
            let outcome = decide(&agent, command.clone(), authority, at).and_then(|decision| {
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

//! A decision in the making: a copy of the state that each event moves on.

use std::sync::Arc;

use seawall_types::Timestamp;

use super::{Authority, Decision, Refused};
use crate::agent::{Call, CallState, Phase, Turn};
use crate::command::{Command, Commanded};
use crate::effect::{Effect, outstanding};
use crate::event::{CallNote, Event, Fact, VERSION};
use crate::{Agent, CallId, Config};

/// A decision in the making.
pub(crate) struct Draft {
    pub(crate) agent: Agent,
    pub(crate) at: Timestamp,
    epoch: u64,
    events: Vec<Event>,
    /// Whether everything outstanding is to be done, and not only what is new: nobody does any of it yet.
    is_takeover: bool,
    is_holder: bool,
}

impl Draft {
    /// Checks the right to decide.
    pub(super) fn open(
        agent: &Agent,
        command: &Command,
        authority: Authority,
        at: Timestamp,
    ) -> Result<Self, Refused> {
        let is_takeover = matches!(command, Command::Claim(_));
        let current = agent.epoch();
        let epoch = match authority {
            Authority::Holder { epoch: held } => {
                let holds = if is_takeover { held > current } else { held == current };
                if !holds {
                    return Err(Refused::StaleEpoch { held, current });
                }
                held
            }
            Authority::Outsider if command.needs_lease() => return Err(Refused::NeedsLease),
            Authority::Outsider => current,
        };
        if agent.is_archived() {
            return Err(Refused::Archived);
        }
        if agent.room().is_some() && command.is_for_work() {
            return Err(Refused::IsRoom);
        }
        let is_holder = matches!(authority, Authority::Holder { .. });
        Ok(Self { is_takeover, is_holder, ..Self::of(agent.clone(), epoch, at) })
    }

    /// Goes on from an agent, whoever may decide.
    pub(crate) fn of(agent: Agent, epoch: u64, at: Timestamp) -> Self {
        // A clock may jump back; a log doesn't.
        let at = at.max(agent.last_event_at());
        Self { agent, at, epoch, events: Vec::new(), is_takeover: false, is_holder: false }
    }

    /// Begins with an agent's first event.
    pub(crate) fn begin(fact: Fact, at: Timestamp) -> Result<Self, Refused> {
        let event = Event { v: VERSION, seq: 1, at, epoch: 0, moved: None, fact };
        let agent = Agent::begin(&event).map_err(Refused::Fault)?;
        Ok(Self { events: vec![event], ..Self::of(agent, 0, at) })
    }

    /// Records what happened.
    pub(crate) fn record(&mut self, fact: Fact) -> Result<(), Refused> {
        let seq = self.agent.seq().saturating_add(1);
        let mut event = Event { v: VERSION, seq, at: self.at, epoch: self.epoch, moved: None, fact };
        self.agent.enact(&mut event).map_err(Refused::Fault)?;
        self.events.push(event);
        Ok(())
    }

    /// What was decided, with what is to be done now and was not before.
    pub(super) fn close(self, before: &Agent, aborts: Commanded) -> Decision {
        let known: Vec<_> = if self.is_takeover {
            Vec::new()
        } else {
            outstanding(before).into_iter().map(|(key, _)| key).collect()
        };
        let now = if self.is_holder { outstanding(&self.agent) } else { Vec::new() };
        let aborted = match aborts {
            Commanded::Stop if self.is_holder => {
                let goes_on = |key: &&_| !now.iter().any(|(now, _)| now == *key);
                known.iter().filter(goes_on).cloned().collect()
            }
            Commanded::Stop | Commanded::GoOn => Vec::new(),
        };
        let aborted = aborted.into_iter().map(|key| Effect::Abort { key });
        let new = now.into_iter().filter(|(key, _)| !known.contains(key)).map(|(_, effect)| effect);
        Decision { effects: aborted.chain(new).collect(), events: self.events }
    }

    /// The events of an agent that did not exist before. Nothing is to be done for it yet: it waits for a claim.
    pub(crate) fn into_decision(self) -> Decision {
        Decision { events: self.events, effects: Vec::new() }
    }

    pub(crate) fn config(&self) -> &Arc<Config> {
        self.agent.config()
    }

    pub(crate) fn turn(&self) -> &Turn {
        self.agent.turn()
    }

    pub(crate) fn phase(&self) -> Phase {
        self.turn().phase
    }

    pub(crate) fn call(&self, id: CallId) -> Result<&Call, Refused> {
        self.agent.call(id).ok_or(Refused::NoSuchCall(id))
    }

    /// The calls in a state, as facts name them.
    pub(crate) fn notes(&self, is_meant: impl Fn(&Call) -> bool) -> Vec<CallNote> {
        self.agent.calls().iter().filter(|call| is_meant(call)).map(Call::note).collect()
    }

    /// A refusal because of where the agent is.
    pub(crate) fn not_now(&self, remedy: &'static str) -> Refused {
        Refused::NotNow { state: self.agent.status().state.as_str(), remedy }
    }
}

/// Whether a call was begun and has not ended.
pub(crate) fn is_running(call: &Call) -> bool {
    call.state == CallState::Executing
}

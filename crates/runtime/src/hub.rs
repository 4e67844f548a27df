//! What was written of agents lately, for those who follow them: the last events of each, pieces of answers among them.
//!
//! A place to look, not a queue: nobody is waited for, and who falls behind reads the log. Pieces of an answer are nowhere
//! else; they are here for as long as the agent is talked to, so that a client that comes back finds them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seawall_engine::{AgentId, AgentState, Event, Fact};
use tokio::sync::watch;

/// How much is kept of one agent: events, and bytes of the pieces among them.
const MOST_EVENTS: usize = 8_192;
const MOST_BYTES: usize = 1024 * 1024;

/// Events that are kept of an agent that has rested for a while.
const KEPT_AT_REST: usize = 4;

/// What was written of all agents of this process.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    agents: Mutex<HashMap<AgentId, Recent>>,
}

#[derive(Debug)]
struct Recent {
    /// In the order of their numbers.
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    /// Touched with every change. What it says is how often there may have been news that is not here.
    changes: watch::Sender<u64>,
}

impl Default for Recent {
    fn default() -> Self {
        Self { events: VecDeque::new(), bytes: 0, changes: watch::Sender::new(0) }
    }
}

/// What is known after a number.
#[derive(Debug)]
pub(crate) enum Known {
    /// These follow it without a gap.
    Next(Vec<Arc<Event>>),
    /// Something is missing: the log has it. These pieces are to be put among what it says.
    Pieces(Vec<Arc<Event>>),
}

impl Hub {
    /// Of changes here none is half-done.
    fn agents(&self) -> MutexGuard<'_, HashMap<AgentId, Recent>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of events that were written, or that need not be. Those that are known already are not told again.
    pub(crate) fn publish(&self, agent: &AgentId, events: &[Arc<Event>]) {
        let mut agents = self.agents();
        let recent = agents.entry(agent.clone()).or_default();
        events.iter().for_each(|event| recent.insert(event));
        recent.changes.send_modify(|_| {});
    }

    /// Says that there may be something new in the log.
    pub(crate) fn nudge(&self, agent: &AgentId) {
        if let Some(recent) = self.agents().get(agent) {
            recent.changes.send_modify(|changes| *changes = changes.wrapping_add(1));
        }
    }

    /// Says so of all agents. Of those that nobody follows any more nothing is kept.
    pub(crate) fn nudge_all(&self) {
        let mut agents = self.agents();
        agents.retain(|_, recent| !recent.events.is_empty() || recent.changes.receiver_count() > 0);
        for recent in agents.values() {
            recent.changes.send_modify(|changes| *changes = changes.wrapping_add(1));
        }
    }

    /// What an agent does by the newest event that is known here, where that with this number is too.
    pub(crate) fn state(&self, agent: &AgentId, seq: u64) -> Option<AgentState> {
        let agents = self.agents();
        let known = agents.get(agent).filter(|recent| recent.knows(seq))?;
        let mut next = None;
        for event in known.events.iter().rev() {
            // What is missing between them may have moved it.
            if next.is_some_and(|next| event.last_seq().saturating_add(1) < next) {
                return None;
            }
            if let Some(state) = event.moved.as_ref().and_then(|moved| moved.state) {
                return Some(state);
            }
            next = Some(event.seq);
        }
        None
    }

    /// Whether the event with this number is among those that are kept.
    pub(crate) fn knows(&self, agent: &AgentId, seq: u64) -> bool {
        self.agents().get(agent).is_some_and(|recent| recent.knows(seq))
    }

    /// Learns of changes from now on.
    pub(crate) fn follow(&self, agent: &AgentId) -> watch::Receiver<u64> {
        self.agents().entry(agent.clone()).or_default().changes.subscribe()
    }

    /// Lets go of what is kept of an agent that is held here no more, and of the agent if nobody follows it.
    pub(crate) fn forget(&self, agent: &AgentId) {
        let mut agents = self.agents();
        if let Some(recent) = agents.get_mut(agent) {
            if recent.changes.receiver_count() == 0 {
                agents.remove(agent);
            } else {
                recent.events.clear();
                recent.bytes = 0;
            }
        }
    }

    /// Lets go of all but the last events of an agent that rests: whoever is behind reads them in the log.
    pub(crate) fn trim(&self, agent: &AgentId) {
        if let Some(recent) = self.agents().get_mut(agent) {
            let old = recent.events.len().saturating_sub(KEPT_AT_REST);
            recent.events.drain(..old);
            recent.events.shrink_to_fit();
            recent.bytes = recent.events.iter().map(|event| weight(event)).sum();
        }
    }

    /// What follows after a number.
    pub(crate) fn after(&self, agent: &AgentId, seq: u64) -> Known {
        let agents = self.agents();
        let Some(recent) = agents.get(agent) else { return Known::Pieces(Vec::new()) };
        let events = &recent.events;
        let new = events.range(events.partition_point(|event| event.last_seq() <= seq)..);
        let mut expected = seq.saturating_add(1);
        let mut follows = true;
        for event in new.clone() {
            follows &= event.seq <= expected;
            expected = event.last_seq().saturating_add(1);
        }
        if follows {
            return Known::Next(new.cloned().collect());
        }
        Known::Pieces(new.filter(|event| event.expires()).cloned().collect())
    }
}

impl Recent {
    fn knows(&self, seq: u64) -> bool {
        let at = self.events.partition_point(|event| event.last_seq() < seq);
        self.events.get(at).is_some_and(|event| event.seq <= seq)
    }

    fn insert(&mut self, event: &Arc<Event>) {
        let at = self.events.partition_point(|known| known.seq < event.seq);
        if self.events.get(at).is_some_and(|known| known.seq == event.seq) {
            return;
        }
        self.bytes = self.bytes.saturating_add(weight(event));
        self.events.insert(at, Arc::clone(event));
        while self.events.len() > MOST_EVENTS || self.bytes > MOST_BYTES {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(weight(&oldest));
        }
    }
}

/// What an event takes: its words, roughly. What else it holds is shared with the agent.
fn weight(event: &Event) -> usize {
    const OTHERS: usize = 256;
    match &event.fact {
        Fact::StreamChunk { delta, .. } => OTHERS.saturating_add(delta.len()),
        _ => OTHERS,
    }
}

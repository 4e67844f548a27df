//! An agent as it is kept: its state, and what a store has of it.

use std::sync::Arc;

use seawall_engine::{Agent, AgentId, Call, Event, Fact, History, LogError, Message};
use serde::{Deserialize, Serialize};

use super::append::{Append, Body, EventRow, Right, State};
use super::row::{Accepted, AgentRow, CallRow, MessageRow, Owner, SnapshotRow};
use super::window::Window;
use crate::StoreError;

/// How many numbers the log may go on after a state that was kept before another one is. What is folded when an agent is
/// loaded is at most this long, and a step takes about twenty.
const STATE_EVERY: u64 = 256;

/// An agent, with what is known of it to be in a store.
///
/// It moves on with its agent's events: [`Kept::append`] says what is to be written for them.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    agent: Agent,
    owner: Owner,
    /// The last number in the store.
    seq: u64,
    window: Window,
    /// The last number in the state that was kept last.
    state: u64,
}

/// What of an agent is kept as its state.
#[derive(Debug, Serialize, Deserialize)]
struct Folded {
    agent: Agent,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    summary: Option<Arc<Message>>,
}

impl Kept {
    /// An agent that is to be made, by these first events of its log, and what is to be written for it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where the events make no agent.
    pub fn create(owner: Owner, events: &[Event]) -> Result<(Self, Append), StoreError> {
        let (first, rest) = events.split_first().ok_or(LogError::Beginning { seq: 0 }).map_err(damaged)?;
        let agent = Agent::begin(first).map_err(damaged)?;
        let new = Self { agent, owner, seq: 0, window: Window::default(), state: 0 };
        let mut blobs = Vec::new();
        let row = EventRow::of(first, &mut blobs)?;
        let mut append = new.empty(Right::Outsider, blobs);
        append.events.push(row);
        new.moved(append, rest)
    }

    /// An agent as a store has it: the state that was kept last with the messages of its window, and the events since; or
    /// all events from the first.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], naming the event that no agent can have written.
    pub fn load(
        owner: Owner,
        state: Option<(u64, Window, &[u8])>,
        messages: impl IntoIterator<Item = Arc<Message>>,
        events: &[Event],
    ) -> Result<Self, StoreError> {
        let (mut kept, events) = match state {
            Some((seq, window, body)) => {
                let folded: Folded = serde_json::from_slice(body).map_err(|error| StoreError::Corrupt {
                    reason: format!("the state of an agent at event {seq} can't be read: {error}"),
                })?;
                let history: History = folded.summary.into_iter().chain(messages).collect();
                let agent = folded.agent.with_history(history);
                (Self { agent, owner, seq, window, state: seq }, events)
            }
            None => {
                let (first, rest) =
                    events.split_first().ok_or(LogError::Beginning { seq: 0 }).map_err(damaged)?;
                let agent = Agent::begin(first).map_err(damaged)?;
                let seq = agent.seq();
                (Self { agent, owner, seq, window: Window::default(), state: 0 }, rest)
            }
        };
        for event in events {
            kept.follow(event)?;
        }
        kept.agent = kept.agent.settle();
        Ok(kept)
    }

    /// The agent.
    #[must_use]
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// Whose it is.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The last number that the store has.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The messages that its model sees, as the store counts them.
    #[must_use]
    pub fn window(&self) -> Window {
        self.window
    }

    /// Lets go of the messages, which the store has. Until [`Kept::with_messages`] it is for no decision about the agent.
    #[must_use]
    pub fn without_messages(self) -> Self {
        let agent = self.agent.without_history().with_history(self.summary().into_iter().collect());
        Self { agent, ..self }
    }

    /// With the messages of its [window](Self::window) again, after [`Kept::without_messages`].
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where they are not as many.
    pub fn with_messages(self, messages: impl IntoIterator<Item = Arc<Message>>) -> Result<Self, StoreError> {
        let summary: Vec<_> = self.agent.history().iter().cloned().collect();
        let before = summary.len();
        let history: History = summary.into_iter().chain(messages).collect();
        let there = history.len().saturating_sub(before);
        if u64::try_from(there).ok() != Some(self.window.len()) {
            let (id, window) = (self.id(), self.window);
            let reason =
                format!("of the messages {} to {} of {id} there are {there}", window.from, window.to);
            return Err(StoreError::Corrupt { reason });
        }
        Ok(Self { agent: self.agent.with_history(history), ..self })
    }

    /// Moves on by an event that was written by somebody else, or one that [expires](Event::expires).
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where it does not follow.
    pub fn follow(&mut self, event: &Event) -> Result<(), StoreError> {
        let mut unheard = Vec::new();
        self.apply(event, &mut unheard)
    }

    /// The agent after these events, and what is to be written for them. Those that expire move the agent on and are not
    /// written.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where they do not follow.
    pub fn append(&self, right: Right, events: &[Event]) -> Result<(Self, Append), StoreError> {
        self.clone().moved(self.empty(right, Vec::new()), events)
    }

    fn empty(&self, right: Right, blobs: Vec<(super::BlobId, Vec<u8>)>) -> Append {
        Append {
            agent: self.agent.id().clone(),
            right,
            after: self.seq,
            events: Vec::new(),
            messages: Vec::new(),
            calls: Vec::new(),
            accepted: Vec::new(),
            snapshots: Vec::new(),
            blobs,
            row: AgentRow::of(&self.agent, &self.owner, self.seq),
            state: None,
        }
    }

    fn moved(mut self, mut append: Append, events: &[Event]) -> Result<(Self, Append), StoreError> {
        for event in events {
            let calls = self.agent.calls().to_vec();
            self.apply(event, &mut append.messages)?;
            if event.expires() {
                continue;
            }
            append.events.push(EventRow::of(event, &mut append.blobs)?);
            self.note_calls(&calls, event, &mut append.calls);
            self.note(event, &mut append)?;
        }
        if let Some(last) = append.events.last() {
            self.seq = last.last_seq;
        }
        let is_summed_up = append.events.iter().any(|event| event.kind == "compression.finished");
        if is_summed_up || self.seq.saturating_sub(self.state) >= STATE_EVERY {
            append.state = Some(self.keep_state(&mut append.blobs)?);
        }
        append.row = AgentRow::of(&self.agent, &self.owner, self.seq);
        Ok((self, append))
    }

    fn apply(&mut self, event: &Event, messages: &mut Vec<MessageRow>) -> Result<(), StoreError> {
        let before = self.agent.message_count();
        self.agent.apply(event).map_err(damaged)?;
        if !event.expires() {
            self.seq = event.last_seq();
        }
        let history = self.agent.history();
        if let Fact::CompressionFinished { .. } = &event.fact {
            let kept = u64::try_from(history.len()).unwrap_or(u64::MAX).saturating_sub(1);
            self.window = self.window.last(kept);
            return Ok(());
        }
        let new = usize::try_from(self.agent.message_count().saturating_sub(before)).unwrap_or(usize::MAX);
        let mut said: Vec<_> = history.newest_first().take(new).cloned().collect();
        said.reverse();
        for message in said {
            self.window = self.window.grown();
            let (agent, place, at) = (self.agent.id().clone(), self.window.to, event.at);
            messages.push(MessageRow { agent, place, at, message });
        }
        Ok(())
    }

    /// Calls leave the state when their step is closed; an interruption or a limit settles them in the event before.
    fn note_calls(&self, before: &[Call], event: &Event, rows: &mut Vec<CallRow>) {
        for call in self.agent.calls() {
            let known = before.iter().find(|known| known.id == call.id);
            if known == Some(call) {
                continue;
            }
            let created_at = call.audit.first().map_or(event.at, |first| first.at);
            let (agent, run) = (self.agent.id().clone(), self.agent.run());
            let row = CallRow { agent, run, created_at, updated_at: event.at, call: call.clone() };
            match rows.iter_mut().find(|row| row.call.id == call.id) {
                Some(earlier) => *earlier = row,
                None => rows.push(row),
            }
        }
    }

    fn note(&self, event: &Event, append: &mut Append) -> Result<(), StoreError> {
        match &event.fact {
            Fact::MessageReceived { id, message, content } => {
                let content = Accepted::hash(*message, content)?;
                let (seq, at) = (event.seq, event.at);
                append.accepted.push(Accepted { message: id.clone(), content, seq, at });
            }
            Fact::RoomSaid { id, from, text, only, .. } => {
                let content = Accepted::hash_of_said(from, text, only)?;
                let (seq, at) = (event.seq, event.at);
                append.accepted.push(Accepted { message: id.clone(), content, seq, at });
            }
            Fact::SnapshotTaken { id, label } => {
                let (id, label) = (Arc::clone(id), label.clone());
                append.snapshots.push(SnapshotRow { id, label, seq: event.seq, at: event.at });
            }
            _ => {}
        }
        Ok(())
    }

    fn keep_state(&mut self, blobs: &mut Vec<(super::BlobId, Vec<u8>)>) -> Result<State, StoreError> {
        let body = Body::of(&Folded { agent: self.agent.without_history(), summary: self.summary() }, blobs)?;
        self.state = self.seq;
        Ok(State { seq: self.seq, window: self.window, body })
    }

    /// What stands before the messages of the window.
    fn summary(&self) -> Option<Arc<Message>> {
        let history = self.agent.history();
        let in_window = usize::try_from(self.window.len()).unwrap_or(usize::MAX);
        if history.len() > in_window { history.iter().next().cloned() } else { None }
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &AgentId {
        self.agent.id()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn damaged(error: LogError) -> StoreError {
    StoreError::Corrupt { reason: error.to_string() }
}

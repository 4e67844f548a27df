//! An agent's state: what its events make of it, and nothing that they don't.
//!
//! Small whatever it has lived through: calls of the step at hand, what waits, and the messages that a model still sees.
//! Rows of older calls, windows and events are the store's.

mod apply;
mod call;
mod config;
mod fold;
mod turn;

use std::collections::BTreeMap;
use std::sync::Arc;

use seawall_types::{Amount, ApprovalId, RunId, Timestamp, Tokens, Usd};
use serde::{Deserialize, Serialize};

use crate::approval::Grants;
use crate::event::{Ancestor, CallNote};
use crate::{AgentId, CallId, History, MessageKind, Queued, Room, Schedule, Todo};

pub use call::{Audit, Call, CallState};
pub use config::{Config, Context, EffectClass, Limits, OnInDoubt, ToolSpec};
pub use turn::{AgentState, Breakpoint, Status, StreamKind};
pub(crate) use turn::{Phase, Stream, Turn};

/// A durable agent.
///
/// Made by [`Agent::fold`] from its log, moved on by [`Agent::apply`], asked by [`crate::decide`]. A copy costs the same
/// however long the history is. Its serialised form is a snapshot of the fold: read back it goes on with the event
/// after [`Agent::seq`]. A snapshot saves time and nothing else: one that a later release can't read is folded anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    id: AgentId,
    run: RunId,
    config: Arc<Config>,
    lineage: Arc<[Ancestor]>,
    created_at: Timestamp,
    /// The last number taken.
    seq: u64,
    /// When that was.
    at: Timestamp,
    epoch: u64,
    owner: Option<Arc<str>>,
    is_archived: bool,
    steps: u64,
    messages: u64,
    tokens: Tokens,
    /// Tokens of the last model call: how much of the model's context is in use.
    context: Tokens,
    cost: Usd,
    /// What others have cost that worked for its calls.
    #[serde(default, skip_serializing_if = "is_nothing")]
    others: Amount,
    /// How often it was taken up after a crash that broke something off, since it last got somewhere.
    recoveries: u32,
    turn: Turn,
    queue: Arc<Vec<Queued>>,
    todos: Arc<[Todo]>,
    schedules: Arc<BTreeMap<Arc<str>, Schedule>>,
    grants: Arc<Grants>,
    history: History,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    room: Option<Arc<Room>>,
}

impl Agent {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> &AgentId {
        &self.id
    }

    /// The run that its actions count for.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// What it is made of.
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// What it was forked from, or works for, the nearest last.
    #[must_use]
    pub fn lineage(&self) -> &[Ancestor] {
        &self.lineage
    }

    /// When it was created.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// The last number that was taken: the next event has the one after it. With [`Agent::last_event_at`] it is the
    /// agent's bookmark.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// When the last event was that lasts.
    #[must_use]
    pub fn last_event_at(&self) -> Timestamp {
        self.at
    }

    /// The number of the lease under which it may be changed.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Who claimed it last, if anybody ever did.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// Whether it was put away.
    #[must_use]
    pub fn is_archived(&self) -> bool {
        self.is_archived
    }

    /// What it does and where exactly it is.
    #[must_use]
    pub fn status(&self) -> Status {
        self.turn.status()
    }

    /// Model calls in its life, those before a fork included.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Messages in its life; more than [`Agent::history`] has once that was compressed.
    #[must_use]
    pub fn message_count(&self) -> u64 {
        self.messages
    }

    /// What it has cost so far.
    #[must_use]
    pub fn cost(&self) -> Usd {
        self.cost
    }

    /// Tokens read and written so far.
    #[must_use]
    pub fn tokens(&self) -> Tokens {
        self.tokens
    }

    /// What counts for its limits: its own cost and tokens, and what others have cost that worked for its calls.
    #[must_use]
    pub fn spent(&self) -> Amount {
        Amount { usd: self.cost, tokens: self.tokens }.saturating_add(self.others)
    }

    /// The messages that its model sees. Those that wait are in [`Agent::queued`].
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Messages that wait for the next step, in the order of their arrival.
    #[must_use]
    pub fn queued(&self) -> &[Queued] {
        &self.queue
    }

    /// The calls of the step at hand. Once the step is closed their rows are only in the store.
    #[must_use]
    pub fn calls(&self) -> &[Call] {
        &self.turn.calls
    }

    /// One of them.
    #[must_use]
    pub fn call(&self, id: CallId) -> Option<&Call> {
        self.turn.call(id)
    }

    /// The call of the step at hand that a person was asked about by this approval.
    #[must_use]
    pub fn asked(&self, approval: ApprovalId) -> Option<&Call> {
        let is_it = |call: &&Call| call.approval.as_ref().is_some_and(|asked| asked.id == approval);
        self.turn.calls.iter().find(is_it)
    }

    /// What it still wants to do.
    #[must_use]
    pub fn todos(&self) -> &[Todo] {
        &self.todos
    }

    /// What it will be reminded of, by the schedules' names.
    #[must_use]
    pub fn schedules(&self) -> &BTreeMap<Arc<str>, Schedule> {
        &self.schedules
    }

    /// Who is in it and what is to be passed on to them, where it is a room.
    #[must_use]
    pub fn room(&self) -> Option<&Room> {
        self.room.as_deref()
    }

    /// When it has to be woken ([`crate::Command::Wake`]): the earliest of what it sleeps for. The store keeps this in its
    /// index, so an agent that sleeps costs nothing else.
    #[must_use]
    pub fn wake_at(&self) -> Option<Timestamp> {
        let expiries = self.turn.calls.iter().filter_map(|call| {
            let asked = call.approval.as_ref().filter(|asked| asked.decided.is_none())?;
            asked.expires_at.filter(|_| call.state == CallState::ApprovalRequired)
        });
        let schedules = self.schedules.values().filter_map(|schedule| schedule.next);
        if self.is_archived { None } else { expiries.chain(schedules).min() }
    }

    /// Whether nothing is done for it and nothing is to be done before somebody says something or it [has to be
    /// woken](Agent::wake_at): it waits for a message, for people's decisions, or was put away.
    #[must_use]
    pub fn rests(&self) -> bool {
        if self.is_archived {
            return true;
        }
        let is_done = match self.turn.phase {
            Phase::Idle | Phase::Failed => {
                self.turn.is_held || !self.queue.iter().any(|queued| queued.kind == MessageKind::User)
            }
            Phase::Tools => {
                !self.turn.is_settled()
                    && self.turn.calls.iter().all(|call| call.waits_for_people() || call.is_over())
            }
            Phase::Model | Phase::Answered | Phase::Between | Phase::Compressing => false,
        };
        let is_passed_on = self.room.as_ref().is_none_or(|room| room.waiting() == 0);
        is_done && is_passed_on && self.schedules.values().all(Schedule::is_planned)
    }

    /// The agent without its messages: what a store keeps beside rows of messages. [`Agent::with_history`] undoes it.
    #[must_use]
    pub fn without_history(&self) -> Self {
        Self { history: History::default(), ..self.clone() }
    }

    /// The agent with the messages of its current window.
    #[must_use]
    pub fn with_history(self, history: History) -> Self {
        Self { history, ..self }
    }

    pub(crate) fn turn(&self) -> &Turn {
        &self.turn
    }

    pub(crate) fn grants(&self) -> &Grants {
        &self.grants
    }

    pub(crate) fn recoveries(&self) -> u32 {
        self.recoveries
    }

    /// Whether the end of a process at this time breaks something off. What only waits goes on where it was: for a time
    /// before which the model is not asked, or a tool for what others do.
    #[must_use]
    pub fn is_in_flight(&self, at: Timestamp) -> bool {
        let only_waits = |call: &Call| self.config.tools.get(&call.name).is_some_and(|tool| tool.waits);
        match self.turn.phase {
            Phase::Model => self.turn.not_before.is_none_or(|not_before| not_before <= at),
            Phase::Compressing => true,
            _ => self.turn.calls.iter().any(|call| call.state == CallState::Executing && !only_waits(call)),
        }
    }

    pub(crate) fn context(&self) -> Tokens {
        self.context
    }
}

fn is_nothing(amount: &Amount) -> bool {
    *amount == Amount::ZERO
}

impl Call {
    pub(crate) fn note(&self) -> CallNote {
        CallNote { id: self.id, name: Arc::clone(&self.name), preview: Arc::clone(&self.preview) }
    }
}

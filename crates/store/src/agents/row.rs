//! Rows that follow from an agent's log.

use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{
    Agent, AgentId, AgentState, Ancestor, Block, Breakpoint, Call, Message, MessageId, MessageKind,
};
use seawall_types::{RunId, Timestamp, Tokens, Usd};
use serde::{Deserialize, Serialize};

use super::due::due;
use crate::StoreError;

/// Whose an agent is: given when it is made, and never changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Arc<str>>,
    /// The key by which it was made; its budgets count for the agent's actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Arc<str>>,
    /// The hash of the request that made it: the same request again finds it, another one with its name is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Arc<str>>,
}

/// An agent's index entry: all that lists and queues need to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentRow {
    /// Its name.
    pub id: AgentId,
    /// The run that its actions count for.
    pub run: RunId,
    /// Whose it is.
    pub owner: Owner,
    /// The template's name.
    pub template: Arc<str>,
    /// And its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_version: Option<Arc<str>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When something happened to it last.
    pub updated_at: Timestamp,
    /// The last number in its log.
    pub seq: u64,
    /// The epoch of its log: who claims it gets a higher one, and writes that down first.
    pub epoch: u64,
    /// What it does.
    pub state: AgentState,
    /// Where exactly it is.
    pub breakpoint: Breakpoint,
    /// Model calls in its life.
    pub steps: u64,
    /// Messages in its life.
    pub messages: u64,
    /// What it has cost.
    pub cost: Usd,
    /// Tokens read and written.
    pub tokens: Tokens,
    /// What it was forked from, the nearest last.
    pub lineage: Arc<[Ancestor]>,
    /// When it is to be run ([`due`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// Whether it was put away.
    pub is_archived: bool,
}

impl AgentRow {
    /// The entry of an agent as it is, of which the last number that is kept is `seq`.
    #[must_use]
    pub fn of(agent: &Agent, owner: &Owner, seq: u64) -> Self {
        let (config, status) = (agent.config(), agent.status());
        Self {
            id: agent.id().clone(),
            run: agent.run(),
            owner: owner.clone(),
            template: Arc::clone(&config.template),
            template_version: config.template_version.clone(),
            created_at: agent.created_at(),
            updated_at: agent.last_event_at(),
            seq,
            epoch: agent.epoch(),
            state: status.state,
            breakpoint: status.breakpoint,
            steps: agent.steps(),
            messages: agent.message_count(),
            cost: agent.cost(),
            tokens: agent.tokens(),
            lineage: agent.lineage().into(),
            due: due(agent),
            is_archived: agent.is_archived(),
        }
    }
}

impl AgentRow {
    /// Whether somebody has to run it at once, whatever the clock says: the time since when that is so is by the clock of
    /// whoever wrote it, which may have been put back since, or be ahead of the store's.
    #[must_use]
    pub fn is_due_at_once(&self) -> bool {
        self.due.is_some_and(|due| due <= self.updated_at)
    }
}

/// A message of an agent's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageRow {
    /// The agent.
    pub agent: AgentId,
    /// Its place: the how-manieth message of the agent's life, from 1.
    pub place: u64,
    /// When it came into the history.
    pub at: Timestamp,
    /// The message.
    pub message: Arc<Message>,
}

/// A call of a tool, as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallRow {
    /// The agent.
    pub agent: AgentId,
    /// The run that it counts for.
    pub run: RunId,
    /// When the model asked for it.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// The call.
    pub call: Call,
}

/// A message that was accepted: who sends it again under its name is told the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Its name.
    pub message: MessageId,
    /// The hash of what it says.
    pub content: [u8; 32],
    /// The number of the event by which it arrived.
    pub seq: u64,
    /// When that was.
    pub at: Timestamp,
}

impl Accepted {
    /// The hash of what a message says.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where it can't be written as JSON.
    pub fn hash(kind: MessageKind, content: &[Block]) -> Result<[u8; 32], StoreError> {
        hashed(&(kind, content))
    }

    /// The hash of what was said in a room: by whom, what, and to whom where that was said beside it.
    ///
    /// # Errors
    /// As for [`hash`](Self::hash).
    pub fn hash_of_said(from: &str, text: &str, only: &[Arc<str>]) -> Result<[u8; 32], StoreError> {
        hashed(&("room", from, text, only))
    }
}

fn hashed(said: &impl Serialize) -> Result<[u8; 32], StoreError> {
    let json = serde_json::to_vec(said).map_err(|error| StoreError::Corrupt {
        reason: format!("a message can't be written as JSON: {error}"),
    })?;
    Ok(*blake3::hash(&json).as_bytes())
}

/// A point of an agent's log that has a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotRow {
    /// Its name, unique in the agent.
    pub id: Arc<str>,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Arc<str>>,
    /// The event that gave it its name: the point is before it.
    pub seq: u64,
    /// When that was.
    pub at: Timestamp,
}

/// How a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether it can be read.
    pub connected: bool,
    /// Whether it can be written.
    pub writable: bool,
    /// How long both took.
    pub latency: Duration,
    /// What is wrong, if anything is.
    pub reason: Option<String>,
}

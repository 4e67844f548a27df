//! Facts that happened in a run.

mod data;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{ActionId, RunId, Timestamp, Usd};

pub use data::EventData;

/// What kind of fact an event states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EventKind {
    /// A run began.
    #[serde(rename = "run.started")]
    RunStarted,
    /// A run ended.
    #[serde(rename = "run.finished")]
    RunFinished,
    /// An action may happen.
    #[serde(rename = "action.admitted")]
    ActionAdmitted,
    /// An action was refused.
    #[serde(rename = "action.denied")]
    ActionDenied,
    /// An action ended and its cost is known.
    #[serde(rename = "action.settled")]
    ActionSettled,
    /// An action was admitted and nobody said how it ended; it stays charged at its reservation.
    #[serde(rename = "action.abandoned")]
    ActionAbandoned,
    /// A model asked for a tool.
    #[serde(rename = "tool.called")]
    ToolCalled,
    /// A tool's result went to a model.
    #[serde(rename = "tool.returned")]
    ToolReturned,
    /// A person was asked.
    #[serde(rename = "approval.asked")]
    ApprovalAsked,
    /// A person decided.
    #[serde(rename = "approval.decided")]
    ApprovalDecided,
    /// Money or tokens were held.
    #[serde(rename = "budget.reserved")]
    BudgetReserved,
    /// A hold became spend.
    #[serde(rename = "budget.settled")]
    BudgetSettled,
    /// A hold was given back.
    #[serde(rename = "budget.released")]
    BudgetReleased,
    /// A reservation was refused.
    #[serde(rename = "budget.exceeded")]
    BudgetExceeded,
    /// A policy came into force.
    #[serde(rename = "policy.loaded")]
    PolicyLoaded,
    /// Another policy took its place.
    #[serde(rename = "policy.changed")]
    PolicyChanged,
    /// A run departs from its baseline.
    #[serde(rename = "drift")]
    Drift,
    /// Something went wrong in Seawall itself.
    #[serde(rename = "error")]
    Error,
    /// Anything else worth keeping.
    #[serde(rename = "note")]
    Note,
}

impl EventKind {
    /// The name in the trace.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunStarted => "run.started",
            Self::RunFinished => "run.finished",
            Self::ActionAdmitted => "action.admitted",
            Self::ActionDenied => "action.denied",
            Self::ActionSettled => "action.settled",
            Self::ActionAbandoned => "action.abandoned",
            Self::ToolCalled => "tool.called",
            Self::ToolReturned => "tool.returned",
            Self::ApprovalAsked => "approval.asked",
            Self::ApprovalDecided => "approval.decided",
            Self::BudgetReserved => "budget.reserved",
            Self::BudgetSettled => "budget.settled",
            Self::BudgetReleased => "budget.released",
            Self::BudgetExceeded => "budget.exceeded",
            Self::PolicyLoaded => "policy.loaded",
            Self::PolicyChanged => "policy.changed",
            Self::Drift => "drift",
            Self::Error => "error",
            Self::Note => "note",
        }
    }
}

/// On whose behalf something happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Actor {
    /// The name of the API key that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Arc<str>>,
    /// The tenant of that key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Arc<str>>,
    /// The agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Arc<str>>,
}

/// A fact on its way into the trace. Its place in the chain (`seq`, `prev`, `hash`) is given by the trace's writer.
#[derive(Debug, Clone)]
pub struct Event {
    /// When it happened.
    pub ts: Timestamp,
    /// In which run.
    pub run: RunId,
    /// What kind of fact it is.
    pub kind: EventKind,
    /// Which action it is about.
    pub action: Option<ActionId>,
    /// The action that caused that one.
    pub parent: Option<ActionId>,
    /// On whose behalf.
    pub actor: Arc<Actor>,
    /// What an ended action was charged, also where `data` says so: the trace's totals count it without reading `data`.
    pub charged: Usd,
    /// What is to be said about it.
    pub data: EventData,
}

impl Event {
    /// An event whose data is `data` as JSON. Data that can't be written as an object is replaced by `{}`.
    #[must_use]
    pub fn new(ts: Timestamp, run: RunId, kind: EventKind, data: &impl Serialize) -> Self {
        let data = EventData::of(data);
        Self { ts, run, kind, action: None, parent: None, actor: Arc::default(), charged: Usd::ZERO, data }
    }

    /// The same event, of an action that ended at this cost.
    #[must_use]
    pub fn charging(mut self, charged: Usd) -> Self {
        self.charged = charged;
        self
    }

    /// The same event, about this action on behalf of this actor.
    #[must_use]
    pub fn about(mut self, action: ActionId, actor: Arc<Actor>) -> Self {
        self.action = Some(action);
        self.actor = actor;
        self
    }
}

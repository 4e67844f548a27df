//! What can be asked of a store about agents.

use std::collections::BTreeMap;
use std::sync::Arc;

use seawall_engine::{AgentId, AgentState, CallState, Role};
use seawall_types::Timestamp;

/// Which agents.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AgentQuery {
    /// Names that begin so.
    pub prefix: Option<Arc<str>>,
    /// Of this template.
    pub template: Option<Arc<str>>,
    /// Of this tenant. `None`: of all.
    pub tenant: Option<Arc<str>>,
    /// In this state.
    pub state: Option<AgentState>,
    /// Also those that were put away.
    pub archived: bool,
    /// Created at this time or later.
    pub from: Option<Timestamp>,
    /// Created before this time.
    pub until: Option<Timestamp>,
    /// In which order.
    pub order: AgentOrder,
    /// How many to leave out.
    pub skip: u32,
    /// How many at the most; none are given for 0.
    pub most: u32,
}

/// In which order agents are listed. Equal ones by their names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AgentOrder {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
    /// What something happened to last, first.
    Active,
    /// By their names.
    Name,
}

/// Which messages, in the order in which they arrived.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MessageQuery {
    /// Of this agent. `None`: of all, by agent.
    pub agent: Option<AgentId>,
    /// Said by.
    pub role: Option<Role>,
    /// Said at this time or later.
    pub from: Option<Timestamp>,
    /// Said before this time.
    pub until: Option<Timestamp>,
    /// After the message with this place.
    pub after: u64,
    /// How many to leave out.
    pub skip: u32,
    /// How many at the most.
    pub most: u32,
}

/// Which calls of tools, in the order in which they were asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallQuery {
    /// Of this agent. `None`: of all, by agent.
    pub agent: Option<AgentId>,
    /// Of agents of this tenant. `None`: of all.
    pub tenant: Option<Arc<str>>,
    /// Of this tool.
    pub tool: Option<Arc<str>>,
    /// In this state.
    pub state: Option<CallState>,
    /// Asked for at this time or later.
    pub from: Option<Timestamp>,
    /// Asked for before this time.
    pub until: Option<Timestamp>,
    /// How many to leave out.
    pub skip: u32,
    /// How many at the most.
    pub most: u32,
}

/// How much there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Agents, those put away too.
    pub agents: u64,
    /// Messages.
    pub messages: u64,
    /// Calls of tools.
    pub calls: u64,
    /// Named points.
    pub snapshots: u64,
    /// Calls by tool.
    pub calls_by_tool: BTreeMap<Arc<str>, u64>,
    /// Calls by state ([`CallState::as_str`]).
    pub calls_by_state: BTreeMap<Arc<str>, u64>,
    /// Bytes of the store on its disk, where it knows.
    pub bytes: Option<u64>,
}

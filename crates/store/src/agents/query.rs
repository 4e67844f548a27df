//! What can be asked of a store about agents.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::sync::Arc;

use seawall_engine::{AgentId, AgentState, CallState, Role};
use seawall_types::Timestamp;

use super::row::{AgentRow, CallRow, MessageRow};

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
    /// Of agents of this tenant. `None`: of all.
    pub tenant: Option<Arc<str>>,
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

/// Which calls of tools, in the order in which they were asked for: by their steps and numbers.
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

impl AgentQuery {
    /// Whether an agent is asked for, its place in the list apart.
    #[must_use]
    pub fn admits(&self, row: &AgentRow) -> bool {
        self.prefix.as_ref().is_none_or(|prefix| row.id.as_str().starts_with(&**prefix))
            && self.template.as_ref().is_none_or(|template| row.template == *template)
            && self.tenant.as_ref().is_none_or(|tenant| row.owner.tenant.as_ref() == Some(tenant))
            && self.state.is_none_or(|state| row.state == state)
            && (self.archived || !row.is_archived)
            && is_within(row.created_at, self.from, self.until)
    }
}

impl AgentOrder {
    /// Which of two agents comes first.
    #[must_use]
    pub fn compare(self, a: &AgentRow, b: &AgentRow) -> Ordering {
        let first = match self {
            Self::Newest => Reverse(a.created_at).cmp(&Reverse(b.created_at)),
            Self::Oldest => a.created_at.cmp(&b.created_at),
            Self::Active => Reverse(a.updated_at).cmp(&Reverse(b.updated_at)),
            Self::Name => Ordering::Equal,
        };
        first.then_with(|| a.id.cmp(&b.id))
    }
}

impl MessageQuery {
    /// Whether a message of an agent of this tenant is asked for, its place in the list apart.
    #[must_use]
    pub fn admits(&self, row: &MessageRow, tenant: Option<&str>) -> bool {
        self.tenant.as_ref().is_none_or(|wanted| tenant == Some(&**wanted))
            && self.agent.as_ref().is_none_or(|agent| row.agent == *agent)
            && self.role.is_none_or(|role| row.message.role == role)
            && row.place > self.after
            && is_within(row.at, self.from, self.until)
    }
}

impl CallQuery {
    /// Whether a call of an agent of this tenant is asked for, its place in the list apart.
    #[must_use]
    pub fn admits(&self, row: &CallRow, tenant: Option<&str>) -> bool {
        self.agent.as_ref().is_none_or(|agent| row.agent == *agent)
            && self.tenant.as_ref().is_none_or(|wanted| tenant == Some(&**wanted))
            && self.tool.as_ref().is_none_or(|tool| row.call.name == *tool)
            && self.state.is_none_or(|state| row.call.state == state)
            && is_within(row.created_at, self.from, self.until)
    }
}

fn is_within(at: Timestamp, from: Option<Timestamp>, until: Option<Timestamp>) -> bool {
    from.is_none_or(|from| at >= from) && until.is_none_or(|until| at < until)
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

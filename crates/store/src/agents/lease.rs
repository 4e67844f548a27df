//! Who has the right to run an agent, and for how long.
//!
//! A worker has one lease on everything that it holds, so being alive costs one write however many agents that are. Holding
//! an agent is an entry with a number, the epoch: it rises with every claim, and a store refuses to append under any other.
//! The lease says when others may claim; the epoch is what keeps a holder out that has not noticed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use seawall_engine::AgentId;
use serde::{Deserialize, Serialize};

/// The name of a process that runs agents: another one with every start.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkerId(pub Arc<str>);

impl fmt::Debug for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A process that runs agents, or only accepts what others say to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Its name.
    pub id: WorkerId,
    /// For how long from now it is to be taken for alive.
    pub lease: Duration,
    /// How many agents it would hold at once. 0: it takes up none, but writes for them.
    pub max_agents: u32,
}

/// What came of claiming an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lease {
    /// It is the caller's, under this epoch. It may have been the caller's before.
    Held {
        /// The epoch.
        epoch: u64,
    },
    /// Somebody else holds it and is alive.
    Elsewhere(Holder),
    /// There is no such agent.
    Gone,
    /// The caller's own lease has lapsed, or it never said that it is alive.
    Lapsed,
}

/// Who holds an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The worker.
    pub worker: WorkerId,
    /// The epoch under which it does.
    pub epoch: u64,
}

/// An agent that a worker holds, as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The agent.
    pub agent: AgentId,
    /// The epoch.
    pub epoch: u64,
}

/// An agent that was claimed because it is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The agent.
    pub agent: AgentId,
    /// The epoch.
    pub epoch: u64,
    /// Whether it was taken from a worker that is not alive any more.
    pub taken_over: bool,
}

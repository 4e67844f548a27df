//! A new agent.

use std::sync::Arc;

use seawall_types::{RunId, Timestamp};

use crate::decide::{Decision, Draft, Refused};
use crate::event::Fact;
use crate::{AgentId, Config};

/// An agent that is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAgent {
    /// Its name. That there is none of this name yet is the store's to check.
    pub id: AgentId,
    /// The run that its actions will count for.
    pub run: RunId,
    /// What it is made of.
    pub config: Config,
}

/// Creates an agent: the first events of its log. It does nothing until somebody claims it.
///
/// # Errors
///
/// [`Refused::Invalid`] where no agent could work with its limits.
pub fn create(agent: NewAgent, at: Timestamp) -> Result<Decision, Refused> {
    let NewAgent { id, run, config } = agent;
    Ok(begin(id, run, Arc::new(config), Arc::default(), 0, at)?.into_decision())
}

pub(super) fn begin(
    id: AgentId,
    run: RunId,
    config: Arc<Config>,
    lineage: Arc<[crate::Ancestor]>,
    steps: u64,
    at: Timestamp,
) -> Result<Draft, Refused> {
    if config.limits.parallel_tools == 0 || config.limits.queued == 0 {
        let message = "limits.parallel_tools and limits.queued are at least 1";
        return Err(Refused::Invalid(message.to_owned()));
    }
    Draft::begin(Fact::AgentCreated { id, run, config, lineage, steps }, at)
}

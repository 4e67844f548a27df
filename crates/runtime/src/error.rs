//! What can go wrong with an agent, in the words of whoever asked.

use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{AgentId, Member, Refused};
use seawall_store::StoreError;
use seawall_store::agents::AgentRow;

/// Something could not be done for an agent. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// There is no such agent.
    #[error("there is no agent {0}; create it first")]
    NotFound(AgentId),
    /// There is another one of this name.
    #[error("there is an agent {} already, made by another request; choose another name", .0.id)]
    Exists(Box<AgentRow>),
    /// The engine refuses.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// No agent can be made of this.
    #[error(transparent)]
    Template(#[from] crate::TemplateError),
    /// A member of a room has no agent any more.
    #[error("the agent {} of {:?} was removed or put away; have {:?} leave the room, and join with another agent if need be", .0.agent, .0.name, .0.name)]
    MemberGone(Member),
    /// The key of a message was used for another one.
    #[error("a message with this idempotency key says something else; use a new key for a new message")]
    KeyReused,
    /// The store refuses or fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The process ends.
    #[error("the server is shutting down; try again in a moment, or at another server")]
    Stopping,
    /// Too much is waiting.
    #[error(
        "{waiting} agents{} wait for a worker already, the first in the queue for {}s; try again later, or start more workers",
        tenant.as_ref().map(|_| " of this tenant").unwrap_or_default(), oldest.as_secs()
    )]
    Busy {
        /// How many agents.
        waiting: u64,
        /// How long the first of all has waited.
        oldest: Duration,
        /// Whose they are. `None`: everybody's.
        tenant: Option<Arc<str>>,
        /// When it is worth trying again.
        retry_after: Duration,
    },
}

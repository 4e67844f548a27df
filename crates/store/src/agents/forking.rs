//! Several agents that begin with what one has said.

use seawall_engine::{Agent, AgentId, Event, NewFork, Refused, fork};
use seawall_types::Timestamp;

use super::media::mentioned;
use super::{AgentRow, AgentStore, Creation, Kept, Owner};
use crate::StoreError;

/// Events that are read at once.
const PAGE: u32 = 256;

/// Agents that are to be, from one that there is.
#[derive(Debug, Clone, PartialEq)]
pub struct Forks {
    /// From which one.
    pub parent: AgentId,
    /// The last number of its log that they know. `None`: as it is. For a snapshot: the number before the snapshot's.
    pub up_to: Option<u64>,
    /// Whose they are.
    pub owner: Owner,
    /// What they are called.
    pub forks: Vec<NewFork>,
    /// When.
    pub at: Timestamp,
}

/// There is no fork.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForkError {
    /// The store refuses, or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No agent can be made so.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// Makes forks of an agent, with the pictures, sounds and files that it speaks of. They stay whole when it is removed.
///
/// # Errors
/// [`StoreError::NotFound`] without the parent or such a point of its log, [`StoreError::Conflict`] at the first name that
/// there is already; those before it are made.
pub async fn batch_fork<S: AgentStore + ?Sized>(store: &S, forks: Forks) -> Result<Vec<AgentRow>, ForkError> {
    let Forks { parent: id, up_to, owner, forks, at } = forks;
    let parent = agent_at(store, &id, up_to).await?;
    let mut made = Vec::with_capacity(forks.len());
    for new in forks {
        let events = fork(&parent, new, at)?.events;
        let (kept, mut first) = Kept::create(owner.clone(), &events)?;
        for blob in events.iter().flat_map(mentioned) {
            let bytes = store.blob(&id, &blob).await?;
            first.blobs.extend(bytes.map(|bytes| (blob, bytes)));
        }
        let row = first.row.clone();
        match store.create(first).await? {
            Creation::Made => made.push(row),
            Creation::Exists(_) => {
                return Err(StoreError::Conflict { what: format!("agent {}", kept.id()) }.into());
            }
        }
    }
    Ok(made)
}

/// An agent as it was when a number of its log was the last one; as it is, without a number.
///
/// # Errors
/// [`StoreError::NotFound`] where there is no such agent, or its log has not come so far.
pub async fn agent_at<S: AgentStore + ?Sized>(
    store: &S,
    id: &AgentId,
    up_to: Option<u64>,
) -> Result<Agent, StoreError> {
    let Some(kept) = store.load(id).await? else {
        return Err(StoreError::NotFound { what: format!("agent {id}") });
    };
    let Some(up_to) = up_to else { return Ok(kept.agent().clone()) };
    if up_to == 0 || up_to > kept.seq() {
        return Err(StoreError::NotFound { what: format!("number {up_to} in the log of agent {id}") });
    }
    let mut log: Vec<Event> = Vec::new();
    loop {
        let after = log.last().map_or(0, Event::last_seq);
        let page = store.events(id, after, PAGE).await?;
        let is_over = page.last().is_none_or(|last| last.last_seq() > up_to);
        log.extend(page.into_iter().take_while(|event| event.last_seq() <= up_to));
        if is_over {
            break;
        }
    }
    Agent::fold(&log).map_err(|error| StoreError::Corrupt { reason: error.to_string() })
}

//! Writing to an agent without holding it: facts are recorded and nothing is begun. Whoever holds the agent, or claims it
//! next, goes on from there.

use std::sync::Arc;

use seawall_engine::{AgentId, Authority, Bookmark, Command, Event, decide};
use seawall_store::AgentStore;
use seawall_store::agents::{Appended, Right};
use seawall_types::{Clock, RunId};

use crate::holder::Done;
use crate::shared::Shared;
use crate::{AgentError, subagents};

/// How often to decide anew because somebody else has written in between. Each time somebody got on.
const TRIES: usize = 64;

/// Decides and writes as an outsider, tells this process, and stops who worked for what was given up.
pub(crate) async fn write(shared: &Arc<Shared>, id: &AgentId, command: &Command) -> Result<Done, AgentError> {
    let (done, run, events) = append(&*shared.store, &*shared.clock, id, command).await?;
    if !events.is_empty() {
        shared.was_written(id);
        subagents::abandon(shared, run, &events);
    }
    Ok(done)
}

/// Gives an agent of a store a command without a runtime: whoever holds it, or claims it next, goes on from there.
///
/// # Errors
/// [`AgentError::NotFound`], what the engine refuses, a store that fails.
pub async fn record(
    store: &dyn AgentStore,
    clock: &dyn Clock,
    id: &AgentId,
    command: &Command,
) -> Result<Done, AgentError> {
    append(store, clock, id, command).await.map(|(done, _, _)| done)
}

async fn append(
    store: &dyn AgentStore,
    clock: &dyn Clock,
    id: &AgentId,
    command: &Command,
) -> Result<(Done, RunId, Vec<Event>), AgentError> {
    for _ in 0..TRIES {
        let Some(kept) = store.load(id).await? else { return Err(AgentError::NotFound(id.clone())) };
        let agent = kept.agent();
        let decision = decide(agent, command.clone(), Authority::Outsider, clock.now())?;
        let Some(first) = decision.events.first() else {
            // Of the log: while an answer is streamed the agent itself is ahead, by the numbers that are kept for pieces.
            let bookmark = Bookmark { seq: kept.seq(), timestamp: agent.last_event_at() };
            return Ok((Done { first: kept.seq(), bookmark }, agent.run(), Vec::new()));
        };
        let first = first.seq;
        let (next, append) = kept.append(Right::Outsider, &decision.events)?;
        match store.append(append).await? {
            Appended::Done => {
                let bookmark = Bookmark { seq: next.agent().seq(), timestamp: next.agent().last_event_at() };
                return Ok((Done { first, bookmark }, agent.run(), decision.events));
            }
            Appended::Moved => {}
            Appended::Fenced | Appended::Gone => return Err(AgentError::NotFound(id.clone())),
        }
    }
    let reason = "others write to this agent all the time; try again".to_owned();
    Err(AgentError::Store(seawall_store::StoreError::Unavailable { reason }))
}

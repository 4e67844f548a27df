//! Writing to an agent without holding it: facts are recorded and nothing is begun. Whoever holds the agent, or claims it
//! next, goes on from there.

use std::sync::Arc;

use seawall_engine::{AgentId, Authority, Bookmark, Command, decide};
use seawall_store::agents::{Appended, Right};

use crate::holder::Done;
use crate::shared::Shared;
use crate::{AgentError, subagents};

/// How often to decide anew because somebody else has written in between. Each time somebody got on.
const TRIES: usize = 64;

/// Decides and writes as an outsider.
pub(crate) async fn write(shared: &Arc<Shared>, id: &AgentId, command: &Command) -> Result<Done, AgentError> {
    for _ in 0..TRIES {
        let Some(kept) = shared.store.load(id).await? else { return Err(AgentError::NotFound(id.clone())) };
        let agent = kept.agent();
        let decision = decide(agent, command.clone(), Authority::Outsider, shared.clock.now())?;
        let Some(first) = decision.events.first() else {
            let bookmark = Bookmark { seq: agent.seq(), timestamp: agent.last_event_at() };
            return Ok(Done { first: agent.seq(), bookmark });
        };
        let first = first.seq;
        let (next, append) = kept.append(Right::Outsider, &decision.events)?;
        match shared.store.append(append).await? {
            Appended::Done => {
                let bookmark = Bookmark { seq: next.agent().seq(), timestamp: next.agent().last_event_at() };
                shared.was_written(id);
                subagents::abandon(shared, agent.run(), &decision.events);
                return Ok(Done { first, bookmark });
            }
            Appended::Moved => {}
            Appended::Fenced | Appended::Gone => return Err(AgentError::NotFound(id.clone())),
        }
    }
    let reason = "others write to this agent all the time; try again".to_owned();
    Err(AgentError::Store(seawall_store::StoreError::Unavailable { reason }))
}

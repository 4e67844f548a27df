//! `task_run`: an agent gives work to another one, and goes on with what comes of it.
//!
//! The other one is an agent of its own, in the store like every agent. Its name follows from the call's key, so a call
//! that is begun anew after a crash finds it and what it has done by then. Its lineage names the call. While it works the
//! call waits on no thread, and lends the place of its agent, so that agents that wait never keep those out that they wait for.

mod outcome;
mod tool;

use std::sync::Arc;

use seawall_engine::{
    Agent, AgentId, CallId, CallState, ClientEvent, Event, Fact, MessageId, Note, Tell, project,
};
use seawall_store::{AgentStore, StoreError};
use seawall_types::RunId;
use serde_json::Value;

use crate::shared::Shared;
use crate::{AgentError, Runtime};

pub(crate) use tool::TaskRun;

/// The tool's name.
const TASK_RUN: &str = "task_run";

/// The name of the one message that the other agent is sent for its call.
const TASK: &str = "task";

/// The name of the agent that works for a call: the same for every attempt of the call.
fn child_of(run: RunId, call: CallId) -> Option<AgentId> {
    format!("sub-{run}-{}-{}", call.step, call.index).parse().ok()
}

/// Tells those who follow an agent of one that works for it. Nothing depends on it.
async fn tell(runtime: &Runtime, agent: &AgentId, event: &str, data: Value) {
    let note =
        Note::ToolCustomEvent { tool: TASK_RUN.into(), event: event.into(), data: Some(Arc::new(data)) };
    if let Err(error) = runtime.command(agent, Tell { note }).await {
        tracing::debug!(%agent, %error, "nobody was told of an agent that works for another one");
    }
}

/// Stops the agents that worked for calls which were given up.
pub(crate) fn abandon(shared: &Arc<Shared>, run: RunId, events: &[Event]) {
    let given_up = events.iter().filter_map(|event| match &event.fact {
        Fact::ToolSealed { call, .. } if *call.name == *TASK_RUN => child_of(run, call.id),
        _ => None,
    });
    for child in given_up {
        let runtime = Runtime { shared: Arc::clone(shared) };
        let stopping = async move {
            let why = "the call that it worked for was given up";
            match runtime.interrupt(&child, "seawall", Some(why)).await {
                Ok(_) | Err(AgentError::NotFound(_)) => {}
                Err(error) => {
                    tracing::warn!(agent = %child, %error, "an agent that works for nobody goes on")
                }
            }
        };
        let _home = shared.home.enter();
        drop(shared.tasks.spawn("stop of an agent", stopping));
    }
}

/// Whether an agent is still at the task of a call that does not run any more: the process that gave the call up may have
/// died before it could stop the agent.
pub(crate) async fn works_for_nobody(shared: &Shared, agent: &Agent) -> bool {
    let Some((maker, call)) = agent.lineage().last().and_then(|maker| Some((maker, maker.call?))) else {
        return false;
    };
    if agent.rests() {
        return false;
    }
    let is_given_up = match shared.store.load(&maker.agent).await {
        Ok(Some(parent)) => !parent.agent().call(call).is_some_and(|call| call.state == CallState::Executing),
        Ok(None) => true,
        Err(_) => false,
    };
    is_given_up && is_at_its_task(&*shared.store, agent.id()).await.unwrap_or(false)
}

/// Whether the turn at hand is the one of the task: once that is over, however it ended, whoever talks to the agent does
/// so for themselves. The log says so; of its messages a summary may have taken the place.
async fn is_at_its_task(store: &dyn AgentStore, agent: &AgentId) -> Result<bool, StoreError> {
    const PAGE: u32 = 256;
    let Some(task) = store.accepted(agent, &MessageId(TASK.into())).await? else { return Ok(false) };
    let ends_turn = |event: &Event| project(event).any(|face| matches!(face.event, ClientEvent::Done { .. }));
    let mut read = task.seq;
    loop {
        let events = store.events(agent, read, PAGE).await?;
        if events.iter().any(ends_turn) {
            return Ok(false);
        }
        let Some(last) = events.last() else { return Ok(true) };
        read = last.last_seq();
    }
}

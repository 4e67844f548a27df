//! A new agent that begins with what another one has said.

use std::sync::Arc;

use seawall_types::{RunId, Timestamp};

use super::create::begin;
use crate::agent::Phase;
use crate::decide::{Decision, Refused};
use crate::event::{Ancestor, Fact};
use crate::{Agent, AgentId, Config};

/// Messages in one event, so that no event grows with the history.
const MESSAGES: usize = 32;

/// An agent that is to be, from another one.
#[derive(Debug, Clone, PartialEq)]
pub struct NewFork {
    /// Its name.
    pub id: AgentId,
    /// The run that its actions will count for.
    pub run: RunId,
    /// What it is made of, where that is something else than its parent.
    pub config: Option<Config>,
}

/// Forks an agent as it stands: the first events of the fork's log. For an earlier point, or a snapshot, fold the parent's
/// log up to that event and fork what comes out.
///
/// The fork has the parent's messages and todos, so it stays whole when the parent is removed. It has not what waited, nor
/// schedules, nor what people have allowed. Calls that have no result yet, and the message that asked for them, stay
/// with the parent: no tool runs for two agents.
///
/// # Errors
///
/// [`Refused::Invalid`] as for [`super::create`], [`Refused::IsRoom`].
pub fn fork(parent: &Agent, new: NewFork, at: Timestamp) -> Result<Decision, Refused> {
    if parent.room().is_some() {
        return Err(Refused::IsRoom);
    }
    let NewFork { id, run, config } = new;
    let config = config.map_or_else(|| Arc::clone(parent.config()), Arc::new);
    let ancestor = Ancestor { agent: parent.id().clone(), seq: parent.seq(), call: None };
    let lineage = parent.lineage().iter().cloned().chain([ancestor]).collect();
    let mut draft = begin(id, run, config, lineage, parent.steps(), at)?;
    let open = usize::from(parent.turn().phase == Phase::Tools);
    let whole = parent.history().len().saturating_sub(open);
    let messages: Vec<_> = parent.history().iter().take(whole).cloned().collect();
    for messages in messages.chunks(MESSAGES) {
        draft.record(Fact::HistoryInherited { messages: messages.to_vec() })?;
    }
    if !parent.todos().is_empty() {
        let current = parent.todos().into();
        draft.record(Fact::TodosChanged { current, previous: Arc::default() })?;
    }
    Ok(draft.into_decision())
}

//! A new agent that works for another one.

use seawall_types::Timestamp;

use super::create::{NewAgent, begin};
use crate::decide::{Decision, Refused};
use crate::event::Ancestor;
use crate::{Agent, CallId, CallState};

/// Creates an agent for a call that is running: the first events of its log, which name the call.
///
/// # Errors
///
/// [`Refused::Late`] where the call is not running any more: nobody waits for the agent then. [`Refused::Invalid`] as for
/// [`super::create`].
pub fn spawn(parent: &Agent, call: CallId, new: NewAgent, at: Timestamp) -> Result<Decision, Refused> {
    let runs = parent.call(call).is_some_and(|call| call.state == CallState::Executing);
    if !runs {
        return Err(Refused::Late { what: "the call that the agent was to work for" });
    }
    let maker = Ancestor { agent: parent.id().clone(), seq: parent.seq(), call: Some(call) };
    let lineage = parent.lineage().iter().cloned().chain([maker]).collect();
    let NewAgent { id, run, config } = new;
    Ok(begin(id, run, config.into(), lineage, 0, at)?.into_decision())
}

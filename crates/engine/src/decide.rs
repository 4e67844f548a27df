//! From a state and a command to events and effects: the only place where anything is decided.
//!
//! A decision is made on a copy of the state, event by event, so that what is decided and what the fold makes of it can't
//! part ways.

mod advance;
mod draft;

use std::sync::Arc;

use seawall_types::{ApprovalId, Timestamp};

use crate::effect::Effect;
use crate::event::{Event, LogError};
use crate::{Agent, AgentId, CallId, Command};

pub(crate) use advance::{EXPIRED, forbidden, replaceable};
pub(crate) use draft::{Draft, is_running};

/// What follows from a command.
///
/// First append the events, all in one transaction that checks the epoch and the number of the first; then apply them;
/// then tell clients ([`crate::project`]) and perform the effects. Those that change nothing in the world, asking a model and
/// judging a call, may be begun before, if they are taken back where the append is refused. A crash before the append loses
/// nothing that was acknowledged, one after it nothing at all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    /// What happened, numbered.
    pub events: Vec<Event>,
    /// What is to be done now and was not before.
    pub effects: Vec<Effect>,
}

/// With what right a command is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// Of the lease with this number. For [`crate::Claim`]: of the new one.
    Holder {
        /// The number.
        epoch: u64,
    },
    /// Of nobody's: an API that takes a message or a decision. Only facts are recorded, nothing is begun; the holder, or
    /// whoever claims the agent next, goes on from there.
    Outsider,
}

/// Why a command changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Somebody else has claimed the agent. Stop: nothing may be begun for it, and its state is out of date.
    #[error("epoch {held} is stale: the agent was claimed under {current}; stop working on it")]
    StaleEpoch {
        /// What the caller has.
        held: u64,
        /// What holds.
        current: u64,
    },
    /// Only the holder of the lease may do this.
    #[error("only who has claimed the agent may do this; claim it first")]
    NeedsLease,
    /// It was put away.
    #[error("the agent is archived; fork it to go on")]
    Archived,
    /// The agent is at another point of its work.
    #[error("this can't be done now: the agent is {state}; {remedy}")]
    NotNow {
        /// What it does.
        state: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// An answer to what is not being done any more: its attempt was given up. Drop it.
    #[error("{what} is over, was given up or was begun anew; drop this answer")]
    Late {
        /// What.
        what: &'static str,
    },
    /// There is no such call in the step at hand.
    #[error("no call {0} is open; see the agent's tool calls")]
    NoSuchCall(CallId),
    /// Nobody was asked, or not in the step at hand.
    #[error("no approval {0} is open; see the agent's approvals")]
    NoSuchApproval(ApprovalId),
    /// The opposite was decided already.
    #[error("this was decided otherwise before; the first decision stands")]
    Decided,
    /// Nobody decided in time.
    #[error("the time to decide is over; the call is denied")]
    Expired,
    /// Too many messages wait.
    #[error("{0} messages wait already; send again when the agent has caught up")]
    QueueFull(usize),
    /// It is a room, and rooms do no work.
    #[error("this is a room, which has no model; say it in the room, or send it to a member")]
    IsRoom,
    /// It is no room.
    #[error("this is an agent and no room; make a room first")]
    NotARoom,
    /// Nobody in the room is called so.
    #[error("nobody in the room is called {name:?}; there are: {known}")]
    NoSuchMember {
        /// What was asked for.
        name: Arc<str>,
        /// Who is there.
        known: Arc<str>,
    },
    /// Another agent has this name in the room.
    #[error(
        "{name:?} is the agent {agent} in this room already; choose another name, or have that one leave"
    )]
    MemberExists {
        /// The name.
        name: Arc<str>,
        /// Whose it is.
        agent: AgentId,
    },
    /// What the command says can't be.
    #[error("{0}")]
    Invalid(String),
    /// A fault of ours: the decision would not fit its own state. Nothing was changed.
    #[error("the decision doesn't fit the agent's state, which is a fault of the engine: {0}")]
    Fault(LogError),
}

/// Decides on a command.
///
/// Deterministic: the same state, command, authority and time give the same decision, on every machine. Costs the same
/// however long the agent's history is. A command that says what is so already changes nothing and is no error.
///
/// # Errors
///
/// [`Refused`]; the agent is as it was.
pub fn decide(
    agent: &Agent,
    command: impl Into<Command>,
    authority: Authority,
    at: Timestamp,
) -> Result<Decision, Refused> {
    let command = command.into();
    let mut draft = Draft::open(agent, &command, authority, at)?;
    let aborts = command.run(&mut draft)?;
    if let Authority::Holder { .. } = authority {
        advance::advance(&mut draft)?;
    }
    Ok(draft.close(agent, aborts))
}

//! Where an agent stands in its work: between two turns, at the model, at the tools, or shortening its history.

use seawall_types::Timestamp;
use serde::{Deserialize, Serialize};

use super::call::{Call, CallState};
use crate::{Block, CallId};

/// What an agent does, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// It waits for a message.
    #[default]
    Ready,
    /// It works.
    Working,
    /// Nothing but people's decisions on calls of tools is missing.
    Paused,
    /// It waits for a person who finds out whether a call took effect.
    Parked,
    /// Its last turn failed. The next message starts another one.
    Failed,
}

impl AgentState {
    /// The name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Working => "working",
            Self::Paused => "paused",
            Self::Parked => "parked",
            Self::Failed => "failed",
        }
    }
}

/// The point of a step that an agent is at; where several tools run, the busiest one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Breakpoint {
    /// Between two turns.
    #[default]
    Ready,
    /// The model was not heard from yet.
    PreModel,
    /// It speaks.
    StreamingModel,
    /// It asked for tools; hooks and policy judge them.
    ToolPending,
    /// A person is asked, or has to find out.
    AwaitingApproval,
    /// What was approved is about to run.
    PreTool,
    /// Tools run.
    ToolExecuting,
    /// All of them have ended.
    PostTool,
}

/// Both words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status {
    /// What the agent does.
    pub state: AgentState,
    /// Where exactly it is.
    pub breakpoint: Breakpoint,
}

/// What the agent waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// A message.
    #[default]
    Idle,
    /// A message, after a turn that failed.
    Failed,
    /// The model.
    Model,
    /// Nothing: the model answered, and the step can be closed.
    Answered,
    /// Tools, or what people say of them.
    Tools,
    /// Nothing: the tools' results are in the history, and the next step can begin.
    Between,
    /// A shorter history.
    Compressing,
}

/// What of a model's answer is on its way to clients piece by piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stream {
    pub(crate) kind: StreamKind,
    /// Up to this number pieces may have been told that are not in the log any more.
    pub(crate) reserved: u64,
}

/// What is streamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamKind {
    /// The answer.
    Text,
    /// The thoughts before it.
    Think,
}

/// A history that is being made shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Compressing {
    /// The number of the event that began it.
    pub(crate) id: u64,
    /// How many of the oldest messages a summary takes the place of.
    pub(crate) replaces: usize,
    /// Whether the next step waits for it.
    pub(crate) then_step: bool,
}

/// The work at hand. Small: it never holds more than one step.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Turn {
    pub(crate) phase: Phase,
    /// Model calls of this turn so far.
    pub(crate) steps: u64,
    /// How often the model was asked in this step.
    pub(crate) attempt: u32,
    /// How often it was asked once more in this step because it had failed.
    #[serde(default)]
    pub(crate) retries: u32,
    /// It is not asked before then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) step_started_at: Timestamp,
    pub(crate) stream: Option<Stream>,
    /// What of the answer was streamed to its end.
    pub(crate) parts: Vec<Block>,
    pub(crate) calls: Vec<Call>,
    pub(crate) compressing: Option<Compressing>,
    /// Whether the history was made as short as it gets before this step.
    pub(crate) is_compressed: bool,
    /// Whether messages wait although nothing is done: after an interruption and at a limit.
    pub(crate) is_held: bool,
}

impl Turn {
    pub(crate) fn call(&self, id: CallId) -> Option<&Call> {
        self.calls.iter().find(|call| call.id == id)
    }

    pub(crate) fn call_mut(&mut self, id: CallId) -> Option<&mut Call> {
        self.calls.iter_mut().find(|call| call.id == id)
    }

    /// Whether every call has its final result.
    pub(crate) fn is_settled(&self) -> bool {
        self.calls.iter().all(Call::is_over)
    }

    pub(crate) fn status(&self) -> Status {
        let (state, breakpoint) = match self.phase {
            Phase::Idle => (AgentState::Ready, Breakpoint::Ready),
            Phase::Failed => (AgentState::Failed, Breakpoint::Ready),
            Phase::Model | Phase::Answered if self.stream.is_some() || !self.parts.is_empty() => {
                (AgentState::Working, Breakpoint::StreamingModel)
            }
            Phase::Model | Phase::Answered | Phase::Compressing => {
                (AgentState::Working, Breakpoint::PreModel)
            }
            Phase::Tools => self.at_the_tools(),
            Phase::Between => (AgentState::Working, Breakpoint::PostTool),
        };
        Status { state, breakpoint }
    }

    fn at_the_tools(&self) -> (AgentState, Breakpoint) {
        /// What the busiest call is in says where the agent is. A call in doubt is parked, or about to be given up.
        const BUSIEST: [(CallState, bool, AgentState, Breakpoint); 6] = [
            (CallState::Executing, false, AgentState::Working, Breakpoint::ToolExecuting),
            (CallState::InDoubt, false, AgentState::Working, Breakpoint::ToolExecuting),
            (CallState::Pending, false, AgentState::Working, Breakpoint::ToolPending),
            (CallState::Approved, false, AgentState::Working, Breakpoint::PreTool),
            (CallState::ApprovalRequired, false, AgentState::Paused, Breakpoint::AwaitingApproval),
            (CallState::InDoubt, true, AgentState::Parked, Breakpoint::AwaitingApproval),
        ];
        if self.calls.iter().any(|call| call.awaits_hook) {
            return (AgentState::Working, Breakpoint::PostTool);
        }
        let is_in =
            |state, parked| self.calls.iter().any(|call| call.state == state && call.is_parked == parked);
        let busiest = BUSIEST.into_iter().find(|(state, parked, ..)| is_in(*state, *parked));
        busiest.map_or((AgentState::Working, Breakpoint::PostTool), |(.., state, point)| (state, point))
    }
}

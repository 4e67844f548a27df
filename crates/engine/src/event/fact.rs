//! What can happen to an agent. Version 1.
//!
//! A fact says what was decided, never what to do about it: effects follow from the state ([`crate::outstanding`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use seawall_types::{Amount, ApprovalId, RunId, Timestamp, Usage, Usd};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::note::{Note, is_empty};
use crate::{
    AgentId, ApprovalScope, Binding, Block, CallId, Config, EffectClass, Member, Message, MessageId,
    MessageKind, Ruling, Schedule, StreamKind, Todo, ToolResult, ToolSpec, Trigger,
};

/// An agent that another one was forked from, at which event; or by a call of which it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ancestor {
    /// The agent.
    pub agent: AgentId,
    /// The last event of it that the fork knows.
    pub seq: u64,
    /// The call that the other one works for; none for a fork.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
}

/// Enough of a call for people to know which one is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallNote {
    /// The call.
    pub id: CallId,
    /// The tool.
    pub name: Arc<str>,
    /// The beginning of its arguments.
    pub preview: Arc<str>,
}

/// How a call ended that was begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The call.
    pub call: CallNote,
    /// Which beginning of it.
    pub attempt: u32,
    /// When that was.
    pub started_at: Timestamp,
    /// What it gave.
    pub result: ToolResult,
    /// What others have cost that worked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Amount>,
}

/// A piece of a model's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    /// The n-th piece that was streamed, from 0; it stands in its `stream.closed`.
    Streamed(usize),
    /// What was not streamed.
    Block(Block),
    /// A call of a tool.
    Call {
        /// Our name of it.
        id: CallId,
        /// What the provider calls it.
        provider_id: Option<Arc<str>>,
        /// The tool.
        name: Arc<str>,
        /// Its arguments.
        input: Arc<Value>,
    },
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It was done.
    EndTurn,
    /// It wants tools.
    ToolUse,
    /// It had no tokens left.
    MaxTokens,
    /// The provider cut it off.
    ContentFilter,
    /// Anything else.
    Other,
}

/// What kind of failure a model call ended with, its retries over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// Too many requests.
    RateLimit,
    /// It took too long.
    Timeout,
    /// Nobody answered, or the stream broke off.
    Unavailable,
    /// The provider doesn't know us.
    Authentication,
    /// The provider's account has nothing left.
    Quota,
    /// The history is too long for the model.
    ContextLength,
    /// The provider refuses the request for its form.
    Invalid,
    /// The provider refuses it for its content.
    ContentFilter,
    /// Our policy refuses it.
    Denied,
    /// A budget of ours refuses it.
    Budget,
    /// It answered nothing at all.
    Empty,
    /// Anything else.
    Other,
}

/// How a model call failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFailure {
    /// What kind of failure.
    pub class: FailureClass,
    /// What happened and what to do, in words.
    pub message: Arc<str>,
}

/// Which of its own limits an agent has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// Money.
    Usd,
    /// Tokens.
    Tokens,
    /// Model calls in one turn.
    Steps,
    /// Taking it up after a crash.
    Recoveries,
}

/// What a person, or a tool that was asked, found out about a call in doubt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Resolution {
    /// It took effect, with this result.
    Done {
        /// What the model is told.
        result: ToolResult,
    },
    /// It did not. It is judged anew and may run.
    NotDone,
}

/// What an operator has done to an agent by hand. What came of it are the facts after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Repaired {
    /// What the step waited for was given up.
    StepSkipped {
        /// The step.
        step: u64,
        /// The calls of it that were open.
        calls: Vec<CallNote>,
    },
    /// A call got its result from a person.
    CallAnswered {
        /// The call.
        call: CallNote,
    },
    /// A message was put in.
    MessageInjected {
        /// Its name.
        message: MessageId,
    },
    /// Clients were told something.
    EventInjected {
        /// What kind of thing.
        event: Arc<str>,
    },
    /// A turn that had failed, or was stopped, goes on.
    Resumed,
}

macro_rules! facts {
    ($($(#[$doc:meta])* $name:ident $kind:literal {$($(#[$field_doc:meta])* $field:ident: $type:ty,)*})*) => {
        /// What happened. The names on the wire are stable.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", content = "data")]
        pub enum Fact {$(
            $(#[$doc])*
            #[serde(rename = $kind)]
            $name {$($(#[$field_doc])* $field: $type,)*},
        )*}

        impl Fact {
            /// The stable name of this kind of fact.
            #[must_use]
            pub const fn kind(&self) -> &'static str {
                match self {$(Self::$name { .. } => $kind,)*}
            }

            /// Every kind.
            pub const KINDS: &'static [&'static str] = &[$($kind,)*];
        }
    };
}

facts! {
    /// The agent exists.
    AgentCreated "agent.created" {
        /// Its name.
        id: AgentId,
        /// The run that its actions count for.
        run: RunId,
        /// What it is made of.
        config: Arc<Config>,
        /// What it was forked from, or works for, the nearest last.
        lineage: Arc<[Ancestor]>,
        /// Steps that were made before it was forked, so that calls keep names of their own.
        steps: u64,
    }
    /// It begins with what the agent said that it was forked from. Takes a number for each message.
    HistoryInherited "history.inherited" {
        /// The messages.
        messages: Vec<Arc<Message>>,
    }
    /// Somebody has the right to run it. The epoch is the event's.
    AgentClaimed "agent.claimed" {
        /// Who.
        owner: Arc<str>,
    }
    /// It goes on after its process died.
    AgentResumed "agent.resumed" {
        /// Calls that are given up since nobody knows whether they took effect.
        sealed: Vec<CallNote>,
    }
    /// It is put away: nothing more happens to it.
    AgentArchived "agent.archived" {
        /// By whom.
        by: Arc<str>,
    }
    /// An operator has mended it by hand.
    AgentRepaired "agent.repaired" {
        /// What was done.
        repair: Repaired,
        /// By whom.
        by: Arc<str>,
        /// Why.
        note: Option<Arc<str>>,
    }
    /// Its tools are others than before.
    ToolsChanged "tools.changed" {
        /// All of them.
        tools: Arc<BTreeMap<Arc<str>, ToolSpec>>,
    }
    /// A message was accepted and waits for the next step.
    MessageReceived "message.received" {
        /// Its name.
        id: MessageId,
        /// Whether it starts a step.
        message: MessageKind,
        /// What it says.
        content: Arc<[Block]>,
    }
    /// The model is to be asked, with everything that waited.
    StepStarted "step.started" {
        /// Which step of the agent.
        step: u64,
    }
    /// A piece of an answer begins.
    StreamOpened "stream.opened" {
        /// The step.
        step: u64,
        /// Which time that the model is asked in it: what came of an earlier one is void.
        attempt: u32,
        /// What it is.
        stream: StreamKind,
    }
    /// Some of it. Need not be kept.
    StreamChunk "stream.chunk" {
        /// The step.
        step: u64,
        /// What it is.
        stream: StreamKind,
        /// The words.
        delta: Arc<str>,
    }
    /// The piece is whole, or void.
    StreamClosed "stream.closed" {
        /// The step.
        step: u64,
        /// What it is.
        stream: StreamKind,
        /// The piece; none where the answer was broken off.
        block: Option<Block>,
    }
    /// The model has answered.
    ModelFinished "model.finished" {
        /// The step.
        step: u64,
        /// What.
        content: Vec<Piece>,
        /// Why it stopped.
        stop: StopReason,
        /// What it consumed.
        usage: Usage,
        /// What that cost.
        cost: Usd,
    }
    /// The model has not answered, and the turn is over.
    ModelFailed "model.failed" {
        /// The step.
        step: u64,
        /// Why.
        failure: ModelFailure,
        /// What it has cost all the same, where anything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spent: Option<Amount>,
    }
    /// The model has not answered, and is asked once more in the same step.
    ModelRetried "model.retried" {
        /// The step.
        step: u64,
        /// Why it has not.
        failure: ModelFailure,
        /// It is not asked before then.
        not_before: Timestamp,
        /// What it has cost all the same, where anything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spent: Option<Amount>,
    }
    /// A limit of the agent's own ends the turn before its next step.
    LimitReached "limit.reached" {
        /// The last step.
        step: u64,
        /// Which limit.
        limit: LimitKind,
        /// What was used up of how much, in words.
        message: Arc<str>,
    }
    /// A call must not run.
    ToolDenied "tool.denied" {
        /// The call.
        call: CallNote,
        /// What the model is told.
        result: ToolResult,
    }
    /// A hook answered in the tool's place.
    ToolAnswered "tool.answered" {
        /// The call.
        call: CallNote,
        /// With what.
        result: ToolResult,
    }
    /// A person is asked about a call.
    ApprovalAsked "approval.asked" {
        /// The call.
        call: CallNote,
        /// The question.
        approval: ApprovalId,
        /// What exactly a yes is good for.
        binding: Binding,
        /// The policy that was in force.
        policy: Arc<str>,
        /// Why, in a line for people.
        summary: Arc<str>,
        /// When it is denied by itself.
        expires_at: Option<Timestamp>,
        /// The arguments that a hook put in the place of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        arguments: Option<Arc<Value>>,
    }
    /// The person said something, or nothing in time.
    ApprovalDecided "approval.decided" {
        /// The call.
        call: CallNote,
        /// The question.
        approval: ApprovalId,
        /// What exactly is decided on: with other arguments, those.
        binding: Binding,
        /// What was said.
        ruling: Ruling,
        /// By whom; `expired` for nobody.
        by: Arc<str>,
        /// What else it is good for.
        scope: ApprovalScope,
        /// What was said to it.
        note: Option<Arc<str>>,
        /// Other arguments.
        arguments: Option<Arc<Value>>,
    }
    /// The intent: from here on the call may have taken effect.
    ToolStarted "tool.started" {
        /// The call.
        call: CallNote,
        /// How often it was begun, this time included.
        attempt: u32,
        /// What running it again would do.
        effect: EffectClass,
        /// The arguments that a hook put in the place of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        arguments: Option<Arc<Value>>,
    }
    /// It gave a result.
    ToolCompleted "tool.completed" {
        /// What.
        outcome: Outcome,
    }
    /// It failed.
    ToolFailed "tool.failed" {
        /// How.
        outcome: Outcome,
    }
    /// Hooks have looked at a result.
    ToolReviewed "tool.reviewed" {
        /// The call.
        call: CallNote,
        /// What they put in its place, if they did.
        result: Option<ToolResult>,
    }
    /// Its process died, and nobody knows whether it took effect.
    ToolInDoubt "tool.in_doubt" {
        /// The call.
        call: CallNote,
        /// Whether a person is waited for who finds out; else the call is given up at once.
        parks: bool,
    }
    /// Somebody found out.
    ToolResolved "tool.resolved" {
        /// The call.
        call: CallNote,
        /// What.
        resolution: Resolution,
        /// Who.
        by: Arc<str>,
        /// How.
        note: Arc<str>,
    }
    /// It is given up.
    ToolSealed "tool.sealed" {
        /// The call.
        call: CallNote,
        /// What the model is told: what is known, and no more.
        result: ToolResult,
    }
    /// All results are in the history, and with no calls the turn is over.
    StepCompleted "step.completed" {
        /// The step.
        step: u64,
        /// When it began.
        started_at: Timestamp,
        /// Whether that was the turn.
        ends_turn: bool,
    }
    /// Somebody stopped the turn.
    TurnInterrupted "turn.interrupted" {
        /// The step.
        step: u64,
        /// Who.
        by: Arc<str>,
        /// Why.
        note: Option<Arc<str>>,
    }
    /// The oldest messages are to be summed up.
    CompressionStarted "compression.started" {
        /// How many of them.
        replaces: usize,
        /// Whether the next step waits for it.
        then_step: bool,
        /// What a model has cost before it said that the history is too long for it, where anything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spent: Option<Amount>,
    }
    /// A summary stands in their place. They stay readable in the log: the window before this event.
    CompressionFinished "compression.finished" {
        /// The summary.
        summary: Arc<str>,
        /// Messages before.
        before: usize,
        /// Messages after.
        after: usize,
        /// What a model has cost that was asked for it, where anything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spent: Option<Amount>,
    }
    /// There is no summary; the history stays as it is.
    CompressionFailed "compression.failed" {
        /// Why.
        message: Arc<str>,
        /// What a model has cost that was asked for it, where anything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spent: Option<Amount>,
    }
    /// A point to fork from has a name: the state before this event.
    SnapshotTaken "snapshot.taken" {
        /// Its name, unique in the agent.
        id: Arc<str>,
        /// What it is called.
        label: Option<Arc<str>>,
    }
    /// Its list of todos is another one.
    TodosChanged "todos.changed" {
        /// The new list.
        current: Arc<[Todo]>,
        /// The old one.
        previous: Arc<[Todo]>,
    }
    /// It will be reminded.
    ScheduleSet "schedule.set" {
        /// The name of the schedule.
        id: Arc<str>,
        /// When and of what.
        schedule: Schedule,
    }
    /// It will not.
    ScheduleRemoved "schedule.removed" {
        /// The name of the schedule.
        id: Arc<str>,
    }
    /// It is known when a cron expression holds next; never again without a time.
    SchedulePlanned "schedule.planned" {
        /// The name of the schedule.
        id: Arc<str>,
        /// When.
        next: Option<Timestamp>,
    }
    /// It was reminded: the words wait for the next step.
    ScheduleTriggered "schedule.triggered" {
        /// The name of the schedule.
        id: Arc<str>,
        /// What triggered it.
        trigger: Trigger,
        /// The words.
        text: Arc<str>,
    }
    /// An agent is in the room.
    RoomJoined "room.joined" {
        /// Who, under which name.
        member: Member,
    }
    /// It is not any more.
    RoomLeft "room.left" {
        /// The name.
        name: Arc<str>,
    }
    /// Something was said in the room, and is to be passed on.
    RoomSaid "room.said" {
        /// The name of the message.
        id: MessageId,
        /// Who says it.
        from: Arc<str>,
        /// What.
        text: Arc<str>,
        /// Who was named beside the text.
        #[serde(default, skip_serializing_if = "is_empty")]
        only: Arc<[Arc<str>]>,
        /// Who is to hear it.
        to: Vec<Member>,
    }
    /// It has reached a member, or never will.
    RoomDelivered "room.delivered" {
        /// The number of the event by which it was said.
        said: u64,
        /// To whom.
        to: Member,
        /// Why it never will.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Arc<str>>,
    }
    /// The runtime tells clients something.
    Noted "noted" {
        /// What.
        note: Note,
    }
}

//! The types of what clients are told. Which fact is told how is in `faces`.

use std::sync::Arc;

use seawall_types::{ApprovalId, Timestamp, Usd};
use serde::Serialize;
use serde_json::Value;

use super::Channel;
use crate::event::{FailureClass, LimitKind, Repaired};
use crate::{AgentId, Block, Breakpoint, CallId, CallState, MessageId, Role, Ruling, Todo};

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// The model was done.
    Completed,
    /// Somebody stopped it.
    Interrupted,
    /// It failed; an `error` says why.
    Failed,
}

/// How bad an `error` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorSeverity {
    /// The work goes on.
    Warn,
    /// The turn is over.
    Error,
}

/// Where an `error` happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorPhase {
    /// At the model.
    Model,
    /// With our own limits, or in the runtime.
    System,
}

/// What clients are told of a call's approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalFace {
    /// A person must decide.
    pub required: bool,
    /// What to decide on: the id for `decide`.
    pub id: ApprovalId,
    /// When it is denied by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// What clients are told of a call: what is known at this event. The whole row is in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallFace<'a> {
    /// The call.
    pub id: CallId,
    /// The tool.
    pub name: &'a str,
    /// How far it has come.
    pub state: CallState,
    /// The beginning of its arguments.
    pub input_preview: &'a str,
    /// What a person is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalFace>,
    /// What it gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<&'a [Block]>,
    /// What went wrong, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
    /// Whether something did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_error: Option<bool>,
    /// When it was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// How long it took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

macro_rules! client_events {
    ($($(#[$doc:meta])* $channel:ident $name:ident $type:literal {$($(#[$field:meta])* $key:ident: $kind:ty,)*})*) => {
        /// What happened, as clients are told. `type` and `channel` are those of the contract.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(tag = "type", rename_all_fields = "camelCase")]
        pub enum ClientEvent<'a> {$(
            $(#[$doc])*
            #[serde(rename = $type)]
            $name {$($(#[$field])* $key: $kind,)*},
        )*}

        impl ClientEvent<'_> {
            /// The type, which is also the name of the server-sent event.
            #[must_use]
            pub const fn kind(&self) -> &'static str {
                match self {$(Self::$name { .. } => $type,)*}
            }

            /// The channel that it is told on.
            #[must_use]
            pub const fn channel(&self) -> Channel {
                match self {$(Self::$name { .. } => Channel::$channel,)*}
            }
        }
    };
}

client_events! {
    /// Thoughts begin.
    Progress ThinkChunkStart "think_chunk_start" {
        /// The step.
        step: u64,
        /// Which time that the model is asked in it: chunks of an earlier one are void.
        attempt: u32,
    }
    /// Some thoughts.
    Progress ThinkChunk "think_chunk" {
        /// The step.
        step: u64,
        /// The words.
        delta: &'a str,
    }
    /// Thoughts end.
    Progress ThinkChunkEnd "think_chunk_end" {
        /// The step.
        step: u64,
    }
    /// Words begin.
    Progress TextChunkStart "text_chunk_start" {
        /// The step.
        step: u64,
        /// Which time that the model is asked in it: chunks of an earlier one are void.
        attempt: u32,
    }
    /// Some words.
    Progress TextChunk "text_chunk" {
        /// The step.
        step: u64,
        /// The words.
        delta: &'a str,
    }
    /// Words end.
    Progress TextChunkEnd "text_chunk_end" {
        /// The step.
        step: u64,
        /// All of them; none where the answer was broken off.
        text: &'a str,
        /// Whether it was broken off: then what was shown of it is void.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        discarded: bool,
    }
    /// A tool begins.
    Progress ToolStart "tool:start" {
        /// The call.
        call: CallFace<'a>,
    }
    /// A call has a result.
    Progress ToolEnd "tool:end" {
        /// The call.
        call: CallFace<'a>,
    }
    /// A call failed, was refused or given up.
    Progress ToolError "tool:error" {
        /// The call.
        call: CallFace<'a>,
        /// What went wrong.
        error: &'a str,
    }
    /// The turn is over.
    Progress Done "done" {
        /// The last step.
        step: u64,
        /// How.
        reason: Done,
    }
    /// A person is asked.
    Control PermissionRequired "permission_required" {
        /// About which call.
        call: CallFace<'a>,
        /// Why, in a line. Ours.
        summary: &'a str,
    }
    /// The person said something.
    Control PermissionDecided "permission_decided" {
        /// On which call.
        call_id: CallId,
        /// On which question. Ours.
        approval_id: ApprovalId,
        /// What.
        decision: Ruling,
        /// Who.
        decided_by: &'a str,
        /// What to it.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<&'a str>,
    }
    /// The agent does something else than before.
    Monitor StateChanged "state_changed" {
        /// What, in capitals as the peer has it.
        state: &'static str,
    }
    /// It is at another point of its step.
    Monitor BreakpointChanged "breakpoint_changed" {
        /// The one before.
        previous: Breakpoint,
        /// The one now.
        current: Breakpoint,
        /// When.
        timestamp: Timestamp,
    }
    /// The model is to be asked. Ours.
    Monitor StepStarted "step_started" {
        /// The step.
        step: u64,
    }
    /// A step is over.
    Monitor StepComplete "step_complete" {
        /// Which.
        step: u64,
        /// How long it took, in milliseconds.
        duration_ms: u64,
    }
    /// Something went wrong.
    Monitor Error "error" {
        /// How bad it is.
        severity: ErrorSeverity,
        /// Where it happened.
        phase: ErrorPhase,
        /// What happened and what to do.
        message: &'a str,
        /// What kind of failure.
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<Detail>,
    }
    /// What a model call consumed.
    Monitor TokenUsage "token_usage" {
        /// Tokens read.
        input_tokens: u64,
        /// Tokens written.
        output_tokens: u64,
        /// Both.
        total_tokens: u64,
        /// What they cost. Ours.
        cost_usd: Usd,
    }
    /// A tool has run.
    Monitor ToolExecuted "tool_executed" {
        /// The call.
        call: CallFace<'a>,
    }
    /// Hooks have looked at a result. Ours.
    Monitor ToolReviewed "tool_reviewed" {
        /// The call.
        call_id: CallId,
        /// Whether they put something in its place.
        replaced: bool,
    }
    /// Nobody knows whether a call took effect. Ours.
    Monitor ToolInDoubt "tool_in_doubt" {
        /// The call.
        call: CallFace<'a>,
    }
    /// Somebody found out. Ours.
    Monitor ToolResolved "tool_resolved" {
        /// The call.
        call: CallFace<'a>,
        /// Whether it had taken effect.
        done: bool,
        /// Who says so.
        by: &'a str,
        /// How they know.
        note: &'a str,
    }
    /// The agent goes on after a crash.
    Monitor AgentResumed "agent_resumed" {
        /// How: always `crash`. What else the peer calls resuming is no event here.
        strategy: &'static str,
        /// The calls that are given up.
        sealed: Vec<CallFace<'a>>,
    }
    /// Somebody runs it now. Ours.
    Monitor AgentClaimed "agent_claimed" {
        /// Who.
        owner: &'a str,
        /// The number of the lease.
        epoch: u64,
    }
    /// It is put away. Ours.
    Monitor AgentArchived "agent_archived" {
        /// By whom.
        by: &'a str,
    }
    /// An operator has mended it by hand. Ours.
    Monitor AgentRepaired "agent_repaired" {
        /// What was done.
        repair: &'a Repaired,
        /// By whom.
        by: &'a str,
        /// Why.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<&'a str>,
    }
    /// It begins with a message of the agent that it was forked from. Ours.
    Monitor MessageInherited "message_inherited" {
        /// Who said it.
        role: Role,
    }
    /// A message was accepted. Ours.
    Monitor MessageReceived "message_received" {
        /// Its name.
        message_id: &'a MessageId,
    }
    /// A reminder was accepted.
    Monitor ReminderSent "reminder_sent" {
        /// About what: `general`, `todo` where the agent's own list is shown to it, or `file` where one was changed.
        category: &'static str,
        /// What it says.
        content: &'a [Block],
    }
    /// The list of todos is another one.
    Monitor TodoChanged "todo_changed" {
        /// The new list.
        current: &'a [Todo],
        /// The old one.
        previous: &'a [Todo],
    }
    /// The agent was reminded of its todos.
    Monitor TodoReminder "todo_reminder" {
        /// Of which.
        todos: &'a [Todo],
        /// Why now.
        reason: &'a str,
    }
    /// A file that it has read was changed.
    Monitor FileChanged "file_changed" {
        /// Which.
        path: &'a str,
        /// When.
        mtime: Timestamp,
    }
    /// Its history is being made shorter, or is.
    Monitor ContextCompression "context_compression" {
        /// `start` or `end`.
        phase: &'static str,
        /// What stands in the place of the oldest messages.
        #[serde(skip_serializing_if = "Option::is_none")]
        summary: Option<&'a str>,
        /// Messages after for each message before.
        #[serde(skip_serializing_if = "Option::is_none")]
        ratio: Option<f64>,
    }
    /// It will be reminded, or not any more. Ours.
    Monitor ScheduleChanged "schedule_changed" {
        /// The name of the schedule.
        task_id: &'a str,
        /// When it will be, where that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<Timestamp>,
    }
    /// It was reminded.
    Monitor SchedulerTriggered "scheduler_triggered" {
        /// The name of the schedule.
        task_id: &'a str,
        /// When it is.
        spec: Arc<str>,
        /// `steps`, `time`, `cron` or `files`.
        kind: &'static str,
        /// When it was.
        triggered_at: Timestamp,
    }
    /// Its tools are others.
    Monitor ToolManualUpdated "tool_manual_updated" {
        /// Which it has now.
        tools: Vec<&'a str>,
        /// Since when.
        timestamp: Timestamp,
    }
    /// Its skills are others.
    Monitor SkillsMetadataUpdated "skills_metadata_updated" {
        /// Which it has now.
        skills: &'a [Arc<str>],
        /// Since when.
        timestamp: Timestamp,
    }
    /// A tool says something while it runs.
    Monitor ToolCustomEvent "tool_custom_event" {
        /// Which tool.
        tool_name: &'a str,
        /// What kind of thing.
        event_type: &'a str,
        /// The thing.
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<&'a Value>,
        /// When.
        timestamp: Timestamp,
    }
    /// An agent is in the room. Ours.
    Monitor RoomJoined "room_joined" {
        /// Its name there.
        name: &'a str,
        /// The agent.
        agent: &'a AgentId,
    }
    /// It is not any more. Ours.
    Monitor RoomLeft "room_left" {
        /// Its name there.
        name: &'a str,
    }
    /// Something was said in the room. Ours.
    Progress RoomSaid "room_said" {
        /// The name of the message.
        message_id: &'a MessageId,
        /// Who says it.
        from: &'a str,
        /// What.
        text: &'a str,
        /// The names of those who are to hear it.
        to: Vec<&'a str>,
    }
    /// It has reached a member, or never will. Ours.
    Monitor RoomDelivered "room_delivered" {
        /// The number of what was said.
        said: u64,
        /// To whom.
        to: &'a str,
        /// Why it never will.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
    }
    /// There is a point to fork from. Ours.
    Monitor SnapshotTaken "snapshot_taken" {
        /// Its name.
        snapshot_id: &'a str,
        /// What it is called.
        #[serde(skip_serializing_if = "Option::is_none")]
        label: Option<&'a str>,
    }
}

/// What kind of failure an `error` tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// Of the model.
    Class(FailureClass),
    /// Of a limit.
    Limit(LimitKind),
}

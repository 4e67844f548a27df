//! The types of what clients are told, and which fact is told how.

use std::sync::Arc;

use seawall_types::{ApprovalId, Timestamp, Usd};
use serde::Serialize;
use serde_json::Value;
use smallvec::{SmallVec, smallvec};

use super::Channel;
use crate::event::{CallNote, Event, Fact, FailureClass, LimitKind, Note, Outcome, Resolution};
use crate::{
    AgentState, Block, Breakpoint, CallId, CallState, MessageId, MessageKind, Role, Ruling, StreamKind, Todo,
    ToolResult, Trigger,
};

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

impl<'a> CallFace<'a> {
    fn new(call: &'a CallNote, state: CallState) -> Self {
        Self {
            id: call.id,
            name: &call.name,
            state,
            input_preview: &call.preview,
            approval: None,
            result: None,
            error: None,
            is_error: None,
            started_at: None,
            completed_at: None,
            duration_ms: None,
        }
    }

    fn settled(call: &'a CallNote, state: CallState, result: &'a ToolResult, at: Timestamp) -> Self {
        Self {
            result: Some(&result.content),
            error: result.is_error.then(|| result.words()),
            is_error: Some(result.is_error),
            completed_at: Some(at),
            ..Self::new(call, state)
        }
    }

    fn ended(outcome: &'a Outcome, state: CallState, at: Timestamp) -> Self {
        Self {
            started_at: Some(outcome.started_at),
            duration_ms: Some(millis(outcome.started_at, at)),
            ..Self::settled(&outcome.call, state, &outcome.result, at)
        }
    }
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
        /// About what: always `general`.
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
        /// `steps`, `time` or `cron`.
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

/// A state as the peer writes it.
pub(super) const fn shout(state: AgentState) -> &'static str {
    match state {
        AgentState::Ready => "READY",
        AgentState::Working => "WORKING",
        AgentState::Paused => "PAUSED",
        AgentState::Parked => "PARKED",
        AgentState::Failed => "FAILED",
    }
}

fn millis(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX)
}

/// What a fact is told as, without the move that it may have made.
#[expect(clippy::too_many_lines, reason = "a table: one line or two for each kind of fact")]
pub(super) fn faces(event: &Event) -> SmallVec<[ClientEvent<'_>; 4]> {
    use ClientEvent as C;
    let at = event.at;
    match &event.fact {
        Fact::AgentCreated { .. } => smallvec![C::StateChanged { state: shout(AgentState::Ready) }],
        Fact::HistoryInherited { messages } => {
            messages.iter().map(|message| C::MessageInherited { role: message.role }).collect()
        }
        Fact::AgentClaimed { owner } => smallvec![C::AgentClaimed { owner, epoch: event.epoch }],
        Fact::AgentResumed { sealed } => {
            let sealed = sealed.iter().map(|call| CallFace::new(call, CallState::InDoubt)).collect();
            smallvec![C::AgentResumed { strategy: "crash", sealed }]
        }
        Fact::AgentArchived { by } => smallvec![C::AgentArchived { by }],
        Fact::ToolsChanged { tools } => {
            let tools = tools.keys().map(|name| &**name).collect();
            smallvec![C::ToolManualUpdated { tools, timestamp: at }]
        }
        Fact::MessageReceived { id, message: MessageKind::User, .. } => {
            smallvec![C::MessageReceived { message_id: id }]
        }
        Fact::MessageReceived { content, .. } => smallvec![C::ReminderSent { category: "general", content }],
        Fact::StepStarted { step } => smallvec![C::StepStarted { step: *step }],
        Fact::StreamOpened { step, attempt, stream } => {
            let (step, attempt) = (*step, *attempt);
            smallvec![match stream {
                StreamKind::Text => C::TextChunkStart { step, attempt },
                StreamKind::Think => C::ThinkChunkStart { step, attempt },
            }]
        }
        Fact::StreamChunk { step, stream, delta } => smallvec![match stream {
            StreamKind::Text => C::TextChunk { step: *step, delta },
            StreamKind::Think => C::ThinkChunk { step: *step, delta },
        }],
        Fact::StreamClosed { step, stream: StreamKind::Think, .. } => {
            smallvec![C::ThinkChunkEnd { step: *step }]
        }
        Fact::StreamClosed { step, block, .. } => {
            let text = if let Some(Block::Text { text }) = block { text } else { "" };
            smallvec![C::TextChunkEnd { step: *step, text, discarded: block.is_none() }]
        }
        Fact::ModelFinished { usage, cost, .. } => smallvec![C::TokenUsage {
            input_tokens: usage.input,
            output_tokens: usage.output,
            total_tokens: usage.total(),
            cost_usd: *cost,
        }],
        Fact::ModelFailed { step, failure } => {
            failed(*step, ErrorPhase::Model, &failure.message, Detail::Class(failure.class))
        }
        Fact::LimitReached { step, limit, message } => {
            failed(*step, ErrorPhase::System, message, Detail::Limit(*limit))
        }
        Fact::ToolDenied { call, result } => {
            refused(CallFace::settled(call, CallState::Denied, result, at), result)
        }
        Fact::ToolSealed { call, result } => {
            refused(CallFace::settled(call, CallState::Sealed, result, at), result)
        }
        Fact::ToolAnswered { call, result } => {
            smallvec![C::ToolEnd { call: CallFace::settled(call, CallState::Completed, result, at) }]
        }
        Fact::ApprovalAsked { call, approval, summary, expires_at, .. } => {
            let approval = ApprovalFace { required: true, id: *approval, expires_at: *expires_at };
            let call =
                CallFace { approval: Some(approval), ..CallFace::new(call, CallState::ApprovalRequired) };
            smallvec![C::PermissionRequired { call, summary }]
        }
        Fact::ApprovalDecided { call, approval, ruling, by, note, .. } => smallvec![C::PermissionDecided {
            call_id: call.id,
            approval_id: *approval,
            decision: *ruling,
            decided_by: by,
            note: note.as_deref(),
        }],
        Fact::ToolStarted { call, .. } => {
            let call = CallFace { started_at: Some(at), ..CallFace::new(call, CallState::Executing) };
            smallvec![C::ToolStart { call }]
        }
        Fact::ToolCompleted { outcome } => {
            let call = CallFace::ended(outcome, CallState::Completed, at);
            smallvec![C::ToolEnd { call }, C::ToolExecuted { call }]
        }
        Fact::ToolFailed { outcome } => {
            let call = CallFace::ended(outcome, CallState::Failed, at);
            smallvec![C::ToolError { call, error: outcome.result.words() }, C::ToolExecuted { call }]
        }
        Fact::ToolReviewed { call, result } => {
            smallvec![C::ToolReviewed { call_id: call.id, replaced: result.is_some() }]
        }
        Fact::ToolInDoubt { call } => {
            smallvec![C::ToolInDoubt { call: CallFace::new(call, CallState::InDoubt) }]
        }
        Fact::ToolResolved { call, resolution, by, note } => {
            let (call, done) = match resolution {
                Resolution::Done { result } => {
                    (CallFace::settled(call, CallState::Completed, result, at), true)
                }
                Resolution::NotDone => (CallFace::new(call, CallState::Pending), false),
            };
            smallvec![C::ToolResolved { call, done, by, note }]
        }
        Fact::StepCompleted { step, started_at, ends_turn } => {
            let mut faces = smallvec![C::StepComplete { step: *step, duration_ms: millis(*started_at, at) }];
            if *ends_turn {
                faces.push(C::Done { step: *step, reason: Done::Completed });
            }
            faces
        }
        Fact::TurnInterrupted { step, .. } => {
            smallvec![C::Done { step: *step, reason: Done::Interrupted }]
        }
        Fact::CompressionStarted { .. } => {
            smallvec![C::ContextCompression { phase: "start", summary: None, ratio: None }]
        }
        Fact::CompressionFinished { summary, before, after } => {
            #[expect(clippy::cast_precision_loss, reason = "a ratio for people's eyes")]
            let ratio = Some(*after as f64 / (*before).max(1) as f64);
            smallvec![C::ContextCompression { phase: "end", summary: Some(summary), ratio }]
        }
        Fact::CompressionFailed { message } => smallvec![warning(message)],
        Fact::SnapshotTaken { id, label } => {
            smallvec![C::SnapshotTaken { snapshot_id: id, label: label.as_deref() }]
        }
        Fact::TodosChanged { current, previous } => smallvec![C::TodoChanged { current, previous }],
        Fact::ScheduleSet { id, schedule } => {
            smallvec![C::ScheduleChanged { task_id: id, next: schedule.next }]
        }
        Fact::ScheduleRemoved { id } => smallvec![C::ScheduleChanged { task_id: id, next: None }],
        Fact::SchedulePlanned { id, next } => smallvec![C::ScheduleChanged { task_id: id, next: *next }],
        Fact::ScheduleTriggered { id, trigger, .. } => {
            let (kind, spec) = match trigger {
                Trigger::Steps { every } => ("steps", every.to_string().into()),
                Trigger::Time { at } => ("time", at.to_string().into()),
                Trigger::Cron { spec } => ("cron", Arc::clone(spec)),
            };
            smallvec![C::SchedulerTriggered { task_id: id, spec, kind, triggered_at: at }]
        }
        Fact::Noted { note } => smallvec![noted(note, at)],
    }
}

fn failed<'a>(
    step: u64,
    phase: ErrorPhase,
    message: &'a str,
    detail: Detail,
) -> SmallVec<[ClientEvent<'a>; 4]> {
    smallvec![
        ClientEvent::Error { severity: ErrorSeverity::Error, phase, message, detail: Some(detail) },
        ClientEvent::Done { step, reason: Done::Failed }
    ]
}

fn refused<'a>(call: CallFace<'a>, result: &'a ToolResult) -> SmallVec<[ClientEvent<'a>; 4]> {
    smallvec![ClientEvent::ToolError { call, error: result.words() }]
}

fn warning(message: &str) -> ClientEvent<'_> {
    ClientEvent::Error { severity: ErrorSeverity::Warn, phase: ErrorPhase::System, message, detail: None }
}

fn noted(note: &Note, at: Timestamp) -> ClientEvent<'_> {
    match note {
        Note::ToolCustomEvent { tool, event, data } => ClientEvent::ToolCustomEvent {
            tool_name: tool,
            event_type: event,
            data: data.as_deref(),
            timestamp: at,
        },
        Note::FileChanged { path, changed_at } => ClientEvent::FileChanged { path, mtime: *changed_at },
        Note::SkillsMetadataUpdated { skills } => {
            ClientEvent::SkillsMetadataUpdated { skills, timestamp: at }
        }
        Note::TodoReminder { todos, reason } => ClientEvent::TodoReminder { todos, reason },
        Note::Error { message } => warning(message),
    }
}

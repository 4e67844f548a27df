//! Which fact is told how: the table between the log and its readers.

use std::sync::Arc;

use seawall_types::Timestamp;
use smallvec::{SmallVec, smallvec};

use super::types::{ApprovalFace, CallFace, ClientEvent, Detail, Done, ErrorPhase, ErrorSeverity};
use crate::event::{CallNote, Event, Fact, Note, Outcome, Resolution};
use crate::{AgentState, Block, CallState, MessageKind, StreamKind, ToolResult, Trigger};

/// The faces of one event.
pub(super) type Faces<'a> = SmallVec<[ClientEvent<'a>; 4]>;

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
pub(super) fn faces(event: &Event) -> Faces<'_> {
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
        Fact::AgentRepaired { repair, by, note } => {
            smallvec![C::AgentRepaired { repair, by, note: note.as_deref() }]
        }
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
        Fact::ModelFailed { step, failure, .. } => {
            failed(*step, ErrorPhase::Model, &failure.message, Detail::Class(failure.class))
        }
        Fact::ModelRetried { failure, .. } => smallvec![C::Error {
            severity: ErrorSeverity::Warn,
            phase: ErrorPhase::Model,
            message: &failure.message,
            detail: Some(Detail::Class(failure.class)),
        }],
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
        Fact::ToolInDoubt { call, .. } => {
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
        Fact::CompressionFinished { summary, before, after, .. } => {
            #[expect(clippy::cast_precision_loss, reason = "a ratio for people's eyes")]
            let ratio = Some(*after as f64 / (*before).max(1) as f64);
            smallvec![C::ContextCompression { phase: "end", summary: Some(summary), ratio }]
        }
        Fact::CompressionFailed { message, .. } => smallvec![warning(message)],
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
                Trigger::Files { pattern } => ("files", Arc::clone(pattern)),
            };
            smallvec![C::SchedulerTriggered { task_id: id, spec, kind, triggered_at: at }]
        }
        Fact::RoomJoined { member } => {
            smallvec![C::RoomJoined { name: &member.name, agent: &member.agent }]
        }
        Fact::RoomLeft { name } => smallvec![C::RoomLeft { name }],
        Fact::RoomSaid { id, from, text, to, .. } => {
            let to = to.iter().map(|member| &*member.name).collect();
            smallvec![C::RoomSaid { message_id: id, from, text, to }]
        }
        Fact::RoomDelivered { said, to, failure } => {
            smallvec![C::RoomDelivered { said: *said, to: &to.name, error: failure.as_deref() }]
        }
        Fact::Noted { note } => {
            let mut faces: Faces<'_> = smallvec![noted(note, at)];
            let reminder = note.reminder();
            faces.extend(reminder.map(|(category, content)| C::ReminderSent { category, content }));
            faces
        }
    }
}

fn failed<'a>(step: u64, phase: ErrorPhase, message: &'a str, detail: Detail) -> Faces<'a> {
    smallvec![
        ClientEvent::Error { severity: ErrorSeverity::Error, phase, message, detail: Some(detail) },
        ClientEvent::Done { step, reason: Done::Failed }
    ]
}

fn refused<'a>(call: CallFace<'a>, result: &'a ToolResult) -> Faces<'a> {
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
        Note::FileChanged { path, changed_at, .. } => ClientEvent::FileChanged { path, mtime: *changed_at },
        Note::SkillsMetadataUpdated { skills } => {
            ClientEvent::SkillsMetadataUpdated { skills, timestamp: at }
        }
        Note::TodoReminder { todos, reason, .. } => ClientEvent::TodoReminder { todos, reason },
        Note::Error { message } => warning(message),
    }
}

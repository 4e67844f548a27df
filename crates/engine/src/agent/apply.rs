//! What each fact makes of the state. Total over facts, and free of decisions.

use std::sync::Arc;

use seawall_types::{Amount, Timestamp};

use super::fold::RESERVED;
use super::turn::{Compressing, Phase, Stream, Turn};
use super::{Agent, Audit, Call, CallState};
use crate::event::{CallNote, Event, Fact, LogError, Moved, Note, Outcome, Piece, Repaired, Resolution};
use crate::{
    Approval, Block, CallId, Decided, Message, MessageKind, Queued, Role, Ruling, Schedule, Trigger,
};

/// The fact speaks of what the state doesn't know.
struct Orphan;

type Applied = Result<(), Orphan>;

impl Agent {
    /// Applies an event that is being decided, and tells it where the agent has gone by it.
    pub(crate) fn enact(&mut self, event: &mut Event) -> Result<(), LogError> {
        self.admits(event)?;
        let before = self.status();
        let orphan = |Orphan| LogError::Orphan { seq: event.seq, kind: event.fact.kind() };
        self.absorb(event).map_err(orphan)?;
        let after = self.status();
        let (from, to) = (before.breakpoint, after.breakpoint);
        let state = (before.state != after.state).then_some(after.state);
        event.moved = (before != after).then_some(Moved { from, to, state });
        self.take_numbers(event);
        Ok(())
    }

    /// Moves the agent on by one event. Costs the same however long its history is.
    ///
    /// Never fails on events of [`crate::decide`] in their order.
    ///
    /// # Errors
    ///
    /// A [`LogError`] where the event can't stand here. The state is then of no more use.
    pub fn apply(&mut self, event: &Event) -> Result<(), LogError> {
        self.admits(event)?;
        let orphan = |Orphan| LogError::Orphan { seq: event.seq, kind: event.fact.kind() };
        self.absorb(event).map_err(orphan)?;
        self.take_numbers(event);
        Ok(())
    }

    fn absorb(&mut self, event: &Event) -> Applied {
        let (seq, at) = (event.seq, event.at);
        match &event.fact {
            Fact::AgentCreated { .. } => return Err(Orphan),
            Fact::HistoryInherited { messages } => self.inherit(seq, messages),
            Fact::AgentClaimed { owner } => self.owner = Some(Arc::clone(owner)),
            Fact::AgentResumed { .. } => self.resume(at),
            Fact::AgentArchived { .. } => self.is_archived = true,
            Fact::AgentRepaired { repair, by, note } => return self.repair(repair, at, by, note.as_deref()),
            Fact::ToolsChanged { tools } => Arc::make_mut(&mut self.config).tools = Arc::clone(tools),
            Fact::MessageReceived { id, message, content } => {
                self.turn.is_held &= *message == MessageKind::Reminder;
                let content = Arc::clone(content);
                Arc::make_mut(&mut self.queue).push(Queued { id: id.clone(), kind: *message, content, seq });
            }
            Fact::StepStarted { step } => return self.start_step(*step, at),
            Fact::StreamOpened { stream, .. } => {
                self.turn.at_model()?;
                self.turn.stream = Some(Stream { kind: *stream, reserved: seq.saturating_add(RESERVED) });
            }
            Fact::StreamChunk { stream, .. } => return self.turn.streaming(*stream),
            Fact::StreamClosed { stream, block, .. } => {
                self.turn.streaming(*stream)?;
                self.turn.stream = None;
                self.turn.parts.extend(block.clone());
            }
            Fact::ModelFinished { step, content, usage, cost, .. } => {
                self.spend(Some(Amount { usd: *cost, tokens: usage.total() }));
                self.context = usage.total();
                self.recoveries = 0;
                return self.answer(*step, seq, at, content);
            }
            Fact::ModelFailed { spent, .. } => {
                self.turn.at_model()?;
                self.spend(*spent);
                self.end_turn(Phase::Failed);
            }
            Fact::ModelRetried { not_before, spent, .. } => {
                self.turn.at_model()?;
                self.spend(*spent);
                self.turn.attempt = self.turn.attempt.saturating_add(1);
                self.turn.retries = self.turn.retries.saturating_add(1);
                self.turn.not_before = Some(*not_before);
                self.turn.parts.clear();
            }
            Fact::LimitReached { .. } => {
                self.seal_into_history(seq);
                self.end_turn(Phase::Failed);
                self.turn.is_held = true;
            }
            Fact::ToolDenied { call, result } => {
                let call = self.turn.find(call)?.waiting()?;
                call.settle(CallState::Denied, at, result);
            }
            Fact::ToolAnswered { call, result } => {
                self.turn.find(call)?.waiting()?.settle(CallState::Completed, at, result);
            }
            Fact::ApprovalAsked { .. } | Fact::ApprovalDecided { .. } => return self.approval(event),
            Fact::ToolStarted { call, attempt, effect, arguments } => {
                let call = self.turn.find(call)?.startable(*attempt)?;
                call.rewrite(arguments.as_ref());
                call.attempt = *attempt;
                call.effect = Some(*effect);
                call.started_at = Some(at);
                call.enter(CallState::Executing, at, None);
            }
            Fact::ToolCompleted { outcome } => return self.outcome(CallState::Completed, outcome, at),
            Fact::ToolFailed { outcome } => return self.outcome(CallState::Failed, outcome, at),
            Fact::ToolReviewed { call, result } => {
                let call = self.turn.find(call)?;
                if !call.awaits_hook {
                    return Err(Orphan);
                }
                call.awaits_hook = false;
                call.result = result.clone().or_else(|| call.result.take());
            }
            Fact::ToolInDoubt { call, parks } => {
                let call = self.turn.find(call)?.in_state(CallState::Executing)?;
                call.enter(CallState::InDoubt, at, None);
                call.is_parked = *parks;
            }
            Fact::ToolResolved { call, resolution, by, note } => {
                let note = format!("{by}: {note}").into();
                self.turn.find(call)?.in_state(CallState::InDoubt)?.resolve(resolution, at, note);
            }
            Fact::ToolSealed { call, result } => {
                let call = self.turn.find(call)?;
                if call.state.is_settled() {
                    return Err(Orphan);
                }
                call.settle(CallState::Sealed, at, result);
            }
            Fact::StepCompleted { ends_turn, .. } => return self.complete_step(seq, *ends_turn),
            Fact::TurnInterrupted { .. } => {
                self.seal_into_history(seq);
                self.end_turn(Phase::Idle);
                self.turn.is_held = true;
            }
            Fact::CompressionStarted { replaces, then_step, spent } => {
                self.spend(*spent);
                let is_open = matches!(self.turn.phase, Phase::Answered | Phase::Tools | Phase::Compressing);
                if is_open || *replaces > self.history.len() {
                    return Err(Orphan);
                }
                let (id, replaces, then_step) = (seq, *replaces, *then_step);
                self.turn.phase = Phase::Compressing;
                self.turn.compressing = Some(Compressing { id, replaces, then_step });
            }
            Fact::CompressionFinished { summary, spent, .. } => {
                self.spend(*spent);
                return self.compress(seq, summary);
            }
            Fact::CompressionFailed { spent, .. } => {
                self.spend(*spent);
                return self.after_compression().map(|_| ());
            }
            Fact::Noted { note } => self.note(seq, note),
            Fact::SnapshotTaken { .. } => {}
            Fact::RoomJoined { .. }
            | Fact::RoomLeft { .. }
            | Fact::RoomSaid { .. }
            | Fact::RoomDelivered { .. } => {
                let room = self.room.as_mut().map(Arc::make_mut).ok_or(Orphan)?;
                return room.absorb(seq, &event.fact).ok_or(Orphan);
            }
            Fact::TodosChanged { current, .. } => self.todos = Arc::clone(current),
            Fact::ScheduleSet { id, schedule } => {
                Arc::make_mut(&mut self.schedules).insert(Arc::clone(id), schedule.clone());
            }
            Fact::ScheduleRemoved { id } | Fact::SchedulePlanned { id, next: None } => {
                Arc::make_mut(&mut self.schedules).remove(id).ok_or(Orphan)?;
            }
            Fact::SchedulePlanned { id, next: Some(next) } => self.schedule(id)?.next = Some(*next),
            Fact::ScheduleTriggered { id, trigger, text } => return self.remind(seq, id, trigger, text),
        }
        Ok(())
    }

    /// What clients are told may be for the model as well.
    fn note(&mut self, seq: u64, note: &Note) {
        if let Some((about, content)) = note.reminder() {
            // The names that todos have in logs that there are.
            let about = if about == "todo" { "todos" } else { about };
            let (id, kind) = (crate::MessageId(format!("{about}@{seq}").into()), MessageKind::Reminder);
            let content = Arc::clone(content);
            Arc::make_mut(&mut self.queue).push(Queued { id, kind, content, seq });
        }
    }

    fn inherit(&mut self, seq: u64, messages: &[Arc<Message>]) {
        for (seq, message) in (seq..).zip(messages) {
            self.say(message.role, Arc::clone(&message.content), seq);
        }
    }

    fn say(&mut self, role: Role, content: Arc<[Block]>, seq: u64) {
        self.messages = self.messages.saturating_add(1);
        self.history.push(Arc::new(Message { role, content, seq }));
    }

    /// Everything that a dead process had begun at the model is void; what it had begun with tools is lost sight of.
    fn resume(&mut self, at: Timestamp) {
        let broken_off = u32::from(self.is_in_flight(at));
        self.recoveries = self.recoveries.saturating_add(broken_off);
        self.turn.attempt = self.turn.attempt.saturating_add(1);
        self.turn.parts.clear();
        for call in &mut self.turn.calls {
            call.is_lost = call.state == CallState::Executing;
        }
    }

    /// Who mended what stands in the audit of the calls; what came of it are other facts, but for going on.
    fn repair(&mut self, repair: &Repaired, at: Timestamp, by: &str, note: Option<&str>) -> Applied {
        let words: Arc<str> = note.map_or_else(|| by.to_owned(), |note| format!("{by}: {note}")).into();
        let calls = match repair {
            Repaired::StepSkipped { calls, .. } => calls.as_slice(),
            Repaired::CallAnswered { call } => std::slice::from_ref(call),
            Repaired::MessageInjected { .. } | Repaired::EventInjected { .. } => &[],
            Repaired::Resumed => return self.go_on(),
        };
        for call in calls {
            let call = self.turn.find(call)?;
            call.audit.push(Audit { state: call.state, at, note: Some(Arc::clone(&words)) });
        }
        Ok(())
    }

    /// The model is asked anew about what it has not answered.
    fn go_on(&mut self) -> Applied {
        if !matches!(self.turn.phase, Phase::Idle | Phase::Failed) {
            return Err(Orphan);
        }
        let last = self.history.newest_first().next();
        self.turn.is_held = false;
        if last.is_some_and(|last| last.role == Role::User) {
            self.turn.phase = Phase::Between;
        }
        Ok(())
    }

    fn start_step(&mut self, step: u64, at: Timestamp) -> Applied {
        if !matches!(self.turn.phase, Phase::Idle | Phase::Failed | Phase::Between) {
            return Err(Orphan);
        }
        for queued in std::mem::take(&mut self.queue).iter() {
            self.say(Role::User, Arc::clone(&queued.content), queued.seq);
        }
        self.steps = step;
        self.turn = Turn {
            phase: Phase::Model,
            steps: self.turn.steps.saturating_add(1),
            attempt: 1,
            step_started_at: at,
            is_compressed: self.turn.is_compressed,
            ..Turn::default()
        };
        Ok(())
    }

    fn answer(&mut self, step: u64, seq: u64, at: Timestamp, content: &[Piece]) -> Applied {
        self.turn.at_model()?;
        if self.turn.stream.is_some() {
            return Err(Orphan);
        }
        let mut blocks = Vec::with_capacity(content.len());
        for piece in content {
            blocks.push(match piece {
                Piece::Streamed(index) => self.turn.parts.get(*index).ok_or(Orphan)?.clone(),
                Piece::Block(block) => block.clone(),
                Piece::Call { id, provider_id, name, input } => {
                    let (name, input) = (Arc::clone(name), Arc::clone(input));
                    let call = Call::new(*id, provider_id.clone(), name, input, at);
                    let (name, input) = (Arc::clone(&call.name), Arc::clone(&call.input));
                    self.turn.calls.push(call);
                    Block::ToolUse { id: *id, name, input }
                }
            });
        }
        self.turn.phase = if self.turn.calls.is_empty() { Phase::Answered } else { Phase::Tools };
        self.steps = step;
        self.say(Role::Assistant, blocks.into(), seq);
        Ok(())
    }

    fn approval(&mut self, event: &Event) -> Applied {
        match &event.fact {
            Fact::ApprovalAsked { call, approval, binding, policy, summary, expires_at, arguments } => {
                let call = self.turn.find(call)?.waiting()?;
                call.rewrite(arguments.as_ref());
                let policy = Arc::clone(policy);
                let (id, binding, expires_at) = (*approval, *binding, *expires_at);
                let asked_at = event.at;
                let (summary, decided) = (Arc::clone(summary), None);
                call.approval =
                    Some(Approval { id, binding, policy, summary, asked_at, expires_at, decided });
                call.enter(CallState::ApprovalRequired, event.at, None);
            }
            Fact::ApprovalDecided { call, approval, binding, ruling, by, scope, note, arguments } => {
                let call = self.turn.find(call)?.in_state(CallState::ApprovalRequired)?;
                let is_open = |asked: &&mut Approval| asked.id == *approval && asked.decided.is_none();
                let asked = call.approval.as_mut().filter(is_open).ok_or(Orphan)?;
                let decided = Decided {
                    ruling: *ruling,
                    by: Arc::clone(by),
                    at: event.at,
                    scope: *scope,
                    note: note.clone(),
                    arguments: arguments.clone(),
                };
                asked.binding = *binding;
                Arc::make_mut(&mut self.grants).note(&call.name, asked, &decided);
                asked.decided = Some(decided);
                call.is_rewritten &= arguments.is_none();
                call.edited = arguments.clone().or_else(|| call.edited.take());
                if *ruling == Ruling::Allow {
                    call.enter(CallState::Approved, event.at, Some(Arc::clone(by)));
                }
            }
            _ => return Err(Orphan),
        }
        Ok(())
    }

    /// Counts what the agent's own model calls consume, answered or not.
    fn spend(&mut self, spent: Option<Amount>) {
        let Amount { usd, tokens } = spent.unwrap_or_default();
        self.cost = self.cost.saturating_add(usd);
        self.tokens = self.tokens.saturating_add(tokens);
    }

    fn outcome(&mut self, state: CallState, outcome: &Outcome, at: Timestamp) -> Applied {
        let has_hook = self.config.tools.get(&outcome.call.name).is_some_and(|tool| tool.post_hook);
        let call = self.turn.find(&outcome.call)?.in_state(CallState::Executing)?;
        if call.attempt != outcome.attempt {
            return Err(Orphan);
        }
        call.awaits_hook = has_hook;
        call.settle(state, at, &outcome.result);
        self.others = self.others.saturating_add(outcome.spent.unwrap_or_default());
        self.recoveries = 0;
        Ok(())
    }

    fn complete_step(&mut self, seq: u64, ends_turn: bool) -> Applied {
        let is_over = match self.turn.phase {
            Phase::Answered => ends_turn,
            Phase::Tools => !ends_turn && self.turn.is_settled(),
            Phase::Idle | Phase::Failed | Phase::Model | Phase::Between | Phase::Compressing => false,
        };
        if !is_over {
            return Err(Orphan);
        }
        self.seal_into_history(seq);
        if ends_turn {
            self.end_turn(Phase::Idle);
        } else {
            self.turn.phase = Phase::Between;
            self.turn.parts.clear();
            self.turn.is_compressed = false;
        }
        Ok(())
    }

    /// Puts the results of the step's calls behind the message that asked for them: one for each, in one message.
    fn seal_into_history(&mut self, seq: u64) {
        let calls = std::mem::take(&mut self.turn.calls);
        if !calls.is_empty() {
            self.say(Role::User, calls.iter().map(Call::answer).collect(), seq);
        }
    }

    fn end_turn(&mut self, phase: Phase) {
        self.turn = Turn { phase, ..Turn::default() };
        self.recoveries = 0;
    }

    fn compress(&mut self, seq: u64, summary: &Arc<str>) -> Applied {
        let replaces = self.after_compression()?;
        let kept = self.history.len().checked_sub(replaces).ok_or(Orphan)?;
        let content = [Block::text(Arc::clone(summary))].into();
        let first = Arc::new(Message { role: Role::User, content, seq });
        self.history = self.history.last_after(first, kept);
        self.messages = self.messages.saturating_add(1);
        self.context = 0;
        Ok(())
    }

    fn after_compression(&mut self) -> Result<usize, Orphan> {
        let Compressing { replaces, then_step, .. } = self.turn.compressing.take().ok_or(Orphan)?;
        self.turn.phase = if then_step { Phase::Between } else { Phase::Idle };
        self.turn.is_compressed = true;
        self.recoveries = 0;
        Ok(replaces)
    }

    fn schedule(&mut self, id: &Arc<str>) -> Result<&mut Schedule, Orphan> {
        Arc::make_mut(&mut self.schedules).get_mut(id).ok_or(Orphan)
    }

    fn remind(&mut self, seq: u64, id: &Arc<str>, trigger: &Trigger, text: &Arc<str>) -> Applied {
        let step = self.steps.saturating_add(1);
        let schedule = self.schedule(id)?;
        schedule.next = None;
        schedule.last_step = step;
        let kind = match trigger {
            Trigger::Steps { .. } => MessageKind::Reminder,
            Trigger::Time { .. } | Trigger::Cron { .. } | Trigger::Files { .. } => MessageKind::User,
        };
        if matches!(trigger, Trigger::Time { .. }) {
            Arc::make_mut(&mut self.schedules).remove(id);
        }
        self.turn.is_held &= kind == MessageKind::Reminder;
        let id = crate::MessageId(format!("{id}@{seq}").into());
        let content = [Block::text(Arc::clone(text))].into();
        Arc::make_mut(&mut self.queue).push(Queued { id, kind, content, seq });
        Ok(())
    }
}

impl Turn {
    fn at_model(&self) -> Applied {
        if self.phase == Phase::Model { Ok(()) } else { Err(Orphan) }
    }

    fn streaming(&self, kind: super::StreamKind) -> Applied {
        if self.stream.is_some_and(|stream| stream.kind == kind) { Ok(()) } else { Err(Orphan) }
    }

    fn find(&mut self, call: &CallNote) -> Result<&mut Call, Orphan> {
        let id: CallId = call.id;
        self.call_mut(id).ok_or(Orphan)
    }
}

impl Call {
    fn in_state(&mut self, state: CallState) -> Result<&mut Self, Orphan> {
        if self.state == state { Ok(self) } else { Err(Orphan) }
    }

    /// Not begun, and not refused.
    fn waiting(&mut self) -> Result<&mut Self, Orphan> {
        let waits =
            matches!(self.state, CallState::Pending | CallState::Approved | CallState::ApprovalRequired);
        if waits { Ok(self) } else { Err(Orphan) }
    }

    /// Judged, or begun by a process that died; and this is the next time.
    fn startable(&mut self, attempt: u32) -> Result<&mut Self, Orphan> {
        let may = match self.state {
            CallState::Pending | CallState::Approved => true,
            CallState::Executing => self.is_lost,
            _ => false,
        };
        if may && self.attempt.checked_add(1) == Some(attempt) { Ok(self) } else { Err(Orphan) }
    }

    fn resolve(&mut self, resolution: &Resolution, at: Timestamp, note: Arc<str>) {
        match resolution {
            Resolution::Done { result } => {
                self.completed_at = Some(at);
                self.result = Some(result.clone());
                self.enter(CallState::Completed, at, Some(note));
            }
            // What was approved stays so: the same arguments are judged anew.
            Resolution::NotDone => {
                let allowed = self.approval.as_ref().and_then(|asked| asked.decided.as_ref());
                let is_allowed = allowed.is_some_and(|decided| decided.ruling == Ruling::Allow);
                let state = if is_allowed { CallState::Approved } else { CallState::Pending };
                self.enter(state, at, Some(note));
            }
        }
    }
}

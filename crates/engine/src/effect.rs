//! What is to be done in the world, as data. It follows from the state alone.
//!
//! So nothing is ever lost with a process: whoever takes an agent up finds in its state what is still to be done.

use std::sync::Arc;

use seawall_types::{ApprovalId, RunId, Timestamp};
use serde_json::Value;

use crate::agent::{Call, CallState, EffectClass, Phase};
use crate::{
    Agent, AgentId, Approval, Binding, Block, CallId, History, Member, MessageId, Room, Ruling, ToolResult,
    Trigger,
};

/// Something that the runtime does and answers with a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask the model, hooks around it included, with exactly these messages. Answered by [`crate::Streamed`],
    /// [`crate::ModelAnswered`], [`crate::ModelFailed`], [`crate::Retry`].
    CallModel {
        /// The step.
        step: u64,
        /// Which time in this step.
        attempt: u32,
        /// How many of the times before it have failed.
        retries: u32,
        /// Not before then, if that is not past.
        not_before: Option<Timestamp>,
        /// What to send. Shared with the agent's own history, not copied.
        messages: History,
    },
    /// Ask hooks and policy about a call, a person not yet. Answered by [`crate::Judged`].
    Judge {
        /// The call.
        call: CallId,
        /// The tool.
        tool: Arc<str>,
        /// What it would run with.
        arguments: Arc<Value>,
        /// What a person has approved of it, if one has.
        approved: Option<Binding>,
    },
    /// Let a person be asked. The record is made once for an id, however often this comes. Answered by [`crate::Decide`].
    AskApproval {
        /// The call.
        call: CallId,
        /// The tool.
        tool: Arc<str>,
        /// What it would run with.
        arguments: Arc<Value>,
        /// The question.
        approval: Approval,
    },
    /// Run a tool. Its intent has to be in the log by now. Answered by [`crate::ToolFinished`], or [`crate::ToolUnreached`].
    RunTool {
        /// The call.
        call: CallId,
        /// The tool.
        tool: Arc<str>,
        /// What it runs with.
        arguments: Arc<Value>,
        /// How often it was begun, this time included.
        attempt: u32,
        /// What a person has approved of it, if one has.
        approved: Option<Binding>,
        /// The same for every attempt, and for no other call: `run/step/call`.
        key: String,
        /// When it has failed by time-out.
        deadline: Timestamp,
    },
    /// Ask a tool whether it has done a call whose process died. Answered by [`crate::Reconciled`].
    Reconcile {
        /// The call.
        call: CallId,
        /// The tool.
        tool: Arc<str>,
        /// What it ran with.
        arguments: Arc<Value>,
        /// Which beginning of it is in question.
        attempt: u32,
        /// The key that it ran with.
        key: String,
    },
    /// Let hooks look at a result. Answered by [`crate::Reviewed`].
    Review {
        /// The call.
        call: CallId,
        /// The tool.
        tool: Arc<str>,
        /// What it gave.
        result: ToolResult,
    },
    /// Sum up the oldest messages. Answered by [`crate::Compressed`].
    Compress {
        /// Which compression.
        id: u64,
        /// The history.
        messages: History,
        /// How many of its oldest messages.
        replaces: usize,
    },
    /// Tell when a cron expression holds next. Answered by [`crate::Plan`].
    PlanSchedule {
        /// The name of the schedule.
        id: Arc<str>,
        /// The expression.
        spec: Arc<str>,
    },
    /// Look at files and wait until some of them have changed, for as long as the schedule is there. Answered by
    /// [`crate::FilesChanged`], any number of times.
    WatchFiles {
        /// The name of the schedule.
        id: Arc<str>,
        /// Which files.
        pattern: Arc<str>,
        /// Of what the agent is reminded.
        text: Arc<str>,
        /// Since when.
        since: Option<Timestamp>,
    },
    /// Pass on what was said in the room. Done once for a name of a message, however often this comes. Answered by
    /// [`crate::Delivered`].
    Deliver {
        /// The number of the event by which it was said.
        said: u64,
        /// To whom.
        to: Member,
        /// The name of the message.
        message: MessageId,
        /// The message.
        content: Arc<[Block]>,
    },
    /// Wake the agent then, at the latest; an earlier or later time that was told before is void. Answered by
    /// [`crate::Wake`].
    WakeAt {
        /// When.
        at: Timestamp,
    },
    /// Stop doing this, if it is being done. An answer that still comes is refused as [`crate::Refused::Late`].
    Abort {
        /// What.
        key: EffectKey,
    },
}

/// Which effect it is: a runtime that does one with this key already need not begin it again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EffectKey {
    /// Of a model call: step and attempt.
    Model(u64, u32),
    /// Of judging a call.
    Judge(CallId),
    /// Of a question.
    Ask(ApprovalId),
    /// Of running a call: which attempt.
    Run(CallId, u32),
    /// Of asking about an attempt.
    Reconcile(CallId, u32),
    /// Of hooks that look at a result.
    Review(CallId),
    /// Of a compression.
    Compress(u64),
    /// Of planning a schedule.
    Plan(Arc<str>),
    /// Of files: name, pattern and text of the schedule.
    Watch(Arc<str>, Arc<str>, Arc<str>),
    /// Of passing something on to an agent.
    Deliver(u64, AgentId),
    /// Of waking.
    Wake(Timestamp),
}

/// The key that a tool sees: the same for every attempt of a call, and for no other call.
#[must_use]
pub fn idempotency_key(run: RunId, call: CallId) -> String {
    format!("{run}/{}/{}", call.step, call.index)
}

/// Everything that is to be done for an agent as it stands, each with its key.
///
/// [`crate::decide`] gives what is new by a command. After events that somebody else has appended compare this with what
/// is being done: begin what is missing, and stop what is not in it any more.
#[must_use]
pub fn outstanding(agent: &Agent) -> Vec<(EffectKey, Effect)> {
    let mut effects = Vec::new();
    if agent.is_archived() {
        return effects;
    }
    let turn = agent.turn();
    match (turn.phase, turn.compressing) {
        (Phase::Model, _) => {
            let (step, attempt) = (agent.steps(), turn.attempt);
            let messages = agent.history().clone();
            let (retries, not_before) = (turn.retries, turn.not_before);
            let effect = Effect::CallModel { step, attempt, retries, not_before, messages };
            effects.push((EffectKey::Model(step, attempt), effect));
        }
        (Phase::Compressing, Some(compressing)) => {
            let (id, messages, replaces) = (compressing.id, agent.history().clone(), compressing.replaces);
            effects.push((EffectKey::Compress(id), Effect::Compress { id, messages, replaces }));
        }
        (Phase::Tools, _) => of_calls(agent, &mut effects),
        _ => {}
    }
    for (id, schedule) in agent.schedules() {
        if let (Trigger::Cron { spec }, None) = (&schedule.trigger, schedule.next) {
            let (id, spec) = (Arc::clone(id), Arc::clone(spec));
            effects.push((EffectKey::Plan(Arc::clone(&id)), Effect::PlanSchedule { id, spec }));
        }
    }
    for (id, schedule) in agent.schedules() {
        if let Trigger::Files { pattern } = &schedule.trigger {
            let (id, pattern, text) = (Arc::clone(id), Arc::clone(pattern), Arc::clone(&schedule.text));
            let key = EffectKey::Watch(Arc::clone(&id), Arc::clone(&pattern), Arc::clone(&text));
            effects.push((key, Effect::WatchFiles { id, pattern, text, since: schedule.since }));
        }
    }
    for open in agent.room().into_iter().flat_map(Room::undelivered) {
        let (said, to, message) = (open.seq, open.to.clone(), open.message(agent.run()));
        let key = EffectKey::Deliver(said, to.agent.clone());
        effects.push((key, Effect::Deliver { said, to, message, content: open.content() }));
    }
    effects.extend(agent.wake_at().map(|at| (EffectKey::Wake(at), Effect::WakeAt { at })));
    effects
}

fn of_calls(agent: &Agent, effects: &mut Vec<(EffectKey, Effect)>) {
    let calls = agent.calls();
    let running = calls.iter().filter(|call| call.state == CallState::Executing).count();
    let mut places = agent.config().limits.parallel_tools.saturating_sub(running);
    for call in calls {
        if matches!(call.state, CallState::Pending | CallState::Approved) {
            if places == 0 {
                continue;
            }
            places -= 1;
        }
        effects.extend(of_call(agent, call));
    }
}

/// What a person has approved of a call.
fn approved(asked: Option<&Approval>) -> Option<Binding> {
    let is_allowed =
        |asked: &&Approval| asked.decided.as_ref().is_some_and(|decided| decided.ruling == Ruling::Allow);
    asked.filter(is_allowed).map(|asked| asked.binding)
}

fn of_call(agent: &Agent, call: &Call) -> Option<(EffectKey, Effect)> {
    let (id, tool, arguments) = (call.id, Arc::clone(&call.name), Arc::clone(call.arguments()));
    let (attempt, asked) = (call.attempt, call.approval.as_ref());
    if call.awaits_hook {
        let result = call.result.clone()?;
        return Some((EffectKey::Review(id), Effect::Review { call: id, tool, result }));
    }
    match call.state {
        CallState::Pending | CallState::Approved => {
            let approved = approved(asked);
            Some((EffectKey::Judge(id), Effect::Judge { call: id, tool, arguments, approved }))
        }
        CallState::ApprovalRequired => {
            let approval = asked.filter(|asked| asked.decided.is_none())?.clone();
            let key = EffectKey::Ask(approval.id);
            Some((key, Effect::AskApproval { call: id, tool, arguments, approval }))
        }
        CallState::Executing => {
            let key = idempotency_key(agent.run(), id);
            if !call.is_lost {
                let timeout = agent.config().tools.get(&call.name).map(|spec| spec.timeout);
                let deadline = call.started_at?.saturating_add(timeout.unwrap_or_default());
                let approved = approved(asked);
                let effect = Effect::RunTool { call: id, tool, arguments, attempt, approved, key, deadline };
                return Some((EffectKey::Run(id, attempt), effect));
            }
            let can_tell = call.effect == Some(EffectClass::Reconcilable);
            let effect = Effect::Reconcile { call: id, tool, arguments, attempt, key };
            can_tell.then_some((EffectKey::Reconcile(id, attempt), effect))
        }
        _ => None,
    }
}

//! What goes on by itself after every command: closing steps, beginning the next one, refusing what must not run.
//!
//! It goes by the state alone. So wherever a crash has cut a decision off, the next one makes up for the rest.

use std::sync::Arc;

use seawall_types::Code;

use super::{Draft, Refused};
use crate::agent::{Call, CallState, Phase};
use crate::command::denial;
use crate::event::{Fact, LimitKind, Note};
use crate::permission::Permitted;
use crate::{Block, Message, MessageKind, Ruling, TodoStatus, ToolResult, todo};

/// What the model is told of a call that was begun by a process that died.
const IN_DOUBT: &str = "[seawall] the process died while this tool ran. Whether it took effect is unknown, and it was \
                        not run again. Find out before doing it once more.";

pub(super) fn advance(draft: &mut Draft) -> Result<(), Refused> {
    loop {
        match draft.phase() {
            Phase::Tools => {
                settle(draft)?;
                if !draft.turn().is_settled() {
                    return Ok(());
                }
                complete_step(draft, false)?;
            }
            Phase::Answered => complete_step(draft, true)?,
            Phase::Between => return next_step(draft),
            Phase::Idle | Phase::Failed if somebody_waits(draft) => return next_step(draft),
            Phase::Idle | Phase::Failed | Phase::Model | Phase::Compressing => return Ok(()),
        }
    }
}

fn somebody_waits(draft: &Draft) -> bool {
    let waits = draft.agent.queued().iter().any(|queued| queued.kind == MessageKind::User);
    waits && !draft.turn().is_held
}

fn complete_step(draft: &mut Draft, ends_turn: bool) -> Result<(), Refused> {
    let (step, started_at) = (draft.agent.steps(), draft.turn().step_started_at);
    draft.record(Fact::StepCompleted { step, started_at, ends_turn })
}

/// Ends calls that nothing is done for: denied by a person, by their name, or in doubt where the model is to be told.
fn settle(draft: &mut Draft) -> Result<(), Refused> {
    let ended: Vec<_> = draft.agent.calls().iter().filter_map(|call| end(draft, call)).collect();
    ended.into_iter().try_for_each(|fact| draft.record(fact))
}

fn end(draft: &Draft, call: &Call) -> Option<Fact> {
    match call.state {
        CallState::Pending => {
            let why = forbidden(draft, &call.name)?;
            Some(Fact::ToolDenied { call: call.note(), result: denial(Code::ToolNotAllowed, &why) })
        }
        CallState::ApprovalRequired => {
            let decided = call.approval.as_ref()?.decided.as_ref()?;
            if decided.ruling == Ruling::Allow {
                return None;
            }
            let result = match (&*decided.by, &decided.note) {
                (EXPIRED, _) => denial(Code::ApprovalExpired, "nobody decided on this call in time"),
                (_, Some(note)) => {
                    denial(Code::ApprovalDenied, &format!("a person refused this call: {note}"))
                }
                (_, None) => denial(Code::ApprovalDenied, "a person refused this call"),
            };
            Some(Fact::ToolDenied { call: call.note(), result })
        }
        CallState::InDoubt if !call.is_parked => {
            Some(Fact::ToolSealed { call: call.note(), result: ToolResult::error(IN_DOUBT) })
        }
        _ => None,
    }
}

/// Who denies what nobody decided on.
pub(crate) const EXPIRED: &str = "expired";

/// Why a tool can't be called by this agent, whatever the arguments.
pub(crate) fn forbidden(draft: &Draft, tool: &str) -> Option<String> {
    let config = draft.config();
    let Some(spec) = config.tools.get(tool) else {
        return Some(format!("there is no tool {tool:?}; use one that you were told of"));
    };
    match config.permission.of(tool, spec) {
        Permitted::No(why) => Some(why.to_owned()),
        Permitted::Yes | Permitted::Ask => None,
    }
}

fn next_step(draft: &mut Draft) -> Result<(), Refused> {
    let step = draft.agent.steps().saturating_add(1);
    if let Some((limit, message)) = limit_reached(draft) {
        let (step, message) = (draft.agent.steps(), message.into());
        return draft.record(Fact::LimitReached { step, limit, message });
    }
    let is_long = draft.config().context.compress_at.is_some_and(|limit| draft.agent.context() >= limit);
    if is_long
        && !draft.turn().is_compressed
        && let Some(replaces) = replaceable(draft)
    {
        return draft.record(Fact::CompressionStarted { replaces, then_step: true, spent: None });
    }
    let along: Vec<_> = draft
        .agent
        .schedules()
        .iter()
        .filter(|(_, schedule)| schedule.goes_along(step))
        .map(|(id, schedule)| {
            let (trigger, text) = (schedule.trigger.clone(), Arc::clone(&schedule.text));
            Fact::ScheduleTriggered { id: Arc::clone(id), trigger, text }
        })
        .collect();
    along.into_iter().chain(of_todos(draft, step)).try_for_each(|fact| draft.record(fact))?;
    draft.record(Fact::StepStarted { step })
}

/// The agent is shown what it still wants to do, where it is to be with this step.
fn of_todos(draft: &Draft, step: u64) -> Option<Fact> {
    let every = draft.config().remind_todos_every?;
    let todos = draft.agent.todos();
    let is_open = todos.iter().any(|todo| todo.status != TodoStatus::Completed);
    if every == 0 || !step.is_multiple_of(every) || !is_open {
        return None;
    }
    let content = [Block::text(todo::reminder(todos))].into();
    Some(Fact::Noted { note: Note::TodoReminder { todos: todos.into(), reason: "interval".into(), content } })
}

fn limit_reached(draft: &Draft) -> Option<(LimitKind, String)> {
    let (agent, limits) = (&draft.agent, &draft.config().limits);
    let spent = agent.spent();
    if let Some(limit) = limits.usd.filter(|limit| spent.usd >= *limit) {
        let spent = spent.usd;
        return Some((
            LimitKind::Usd,
            format!("${spent} of ${limit} are spent; fork the agent with a higher limits.usd"),
        ));
    }
    if let Some(limit) = limits.tokens.filter(|limit| spent.tokens >= *limit) {
        let used = spent.tokens;
        let message =
            format!("{used} of {limit} tokens are used; fork the agent with a higher limits.tokens");
        return Some((LimitKind::Tokens, message));
    }
    let limit = limits.steps.filter(|limit| draft.turn().steps >= *limit)?;
    let message =
        format!("the turn has made its {limit} model calls; send a message to go on, or raise limits.steps");
    Some((LimitKind::Steps, message))
}

/// How many of the oldest messages a summary can take the place of, so that what is left begins with no tool's result:
/// none where nothing would be gained.
pub(crate) fn replaceable(draft: &Draft) -> Option<usize> {
    let history = draft.agent.history();
    let may_begin = |message: &Message| {
        !message.content.iter().any(|block| matches!(block, crate::Block::ToolResult { .. }))
    };
    let keep = draft.config().context.keep;
    let mut kept = (1..).zip(history.newest_first()).filter(|(_, message)| may_begin(message));
    let (kept, _) = kept.find(|(kept, _)| *kept >= keep)?;
    history.len().checked_sub(kept).filter(|replaces| *replaces >= 2)
}

//! What an operator mends by hand, with who, when and why in the log.
//!
//! Nothing here is beyond what the engine does by itself: the facts that follow are those of everyday, so an agent that was
//! repaired is one that could have become so alone.

use std::sync::Arc;

use serde_json::Value;

use super::interrupt::seal;
use super::send::SendMessage;
use crate::agent::{Call, CallState, Phase};
use crate::decide::{Draft, Refused};
use crate::event::{Fact, Note, Repaired, Resolution};
use crate::{Block, CallId, MessageId, MessageKind, Role, ToolResult};

/// Who is said to speak where an operator puts an event in.
const OPERATOR: &str = "operator";

/// Mend an agent by hand.
#[derive(Debug, Clone, PartialEq)]
pub struct Repair {
    /// What is done.
    pub mend: Mend,
    /// By whom.
    pub by: Arc<str>,
    /// Why. Only going on needs no reason.
    pub note: Option<Arc<str>>,
}

/// What is done to an agent by hand.
#[derive(Debug, Clone, PartialEq)]
pub enum Mend {
    /// Give up what the step at hand still waits for, tools, people or a summary, and go on with the next one.
    SkipStep,
    /// Give a call of the step at hand its result, in the place of its tool. What runs of it is stopped.
    AnswerCall {
        /// The call.
        call: CallId,
        /// What the model is told.
        result: ToolResult,
    },
    /// Put a message in.
    InjectMessage {
        /// Its name.
        id: MessageId,
        /// Whether somebody waits for an answer.
        kind: MessageKind,
        /// What it says.
        content: Arc<[Block]>,
    },
    /// Tell clients something in an operator's name. The model does not see it.
    InjectEvent {
        /// What kind of thing.
        event: Arc<str>,
        /// The thing.
        data: Option<Arc<Value>>,
    },
    /// Go on with a turn that failed, or that somebody stopped.
    Resume,
}

impl Repair {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        let Self { mend, by, note } = self;
        let note = note.filter(|note| !note.trim().is_empty());
        if note.is_none() && mend != Mend::Resume {
            return Err(Refused::Invalid("a repair has a note that says why it is made".to_owned()));
        }
        let repaired = |repair| Fact::AgentRepaired { repair, by: Arc::clone(&by), note: note.clone() };
        match mend {
            Mend::SkipStep => skip(draft, &repaired),
            Mend::AnswerCall { call, result } => {
                let why = note.clone().unwrap_or_default();
                answer(draft, call, result, &repaired, &by, &why)
            }
            Mend::InjectMessage { id, kind, content } => {
                draft.record(repaired(Repaired::MessageInjected { message: id.clone() }))?;
                SendMessage { id, kind, content }.run(draft)
            }
            Mend::InjectEvent { event, data } => {
                if event.trim().is_empty() {
                    return Err(Refused::Invalid("an event has a name".to_owned()));
                }
                draft.record(repaired(Repaired::EventInjected { event: Arc::clone(&event) }))?;
                let note = Note::ToolCustomEvent { tool: OPERATOR.into(), event, data };
                draft.record(Fact::Noted { note })
            }
            Mend::Resume => resume(draft, &repaired),
        }
    }
}

fn skip(draft: &mut Draft, repaired: &dyn Fn(Repaired) -> Fact) -> Result<(), Refused> {
    let step = draft.agent.steps();
    match draft.phase() {
        Phase::Tools => {
            let open = draft.notes(|call| !call.is_over());
            let ended: Vec<_> =
                draft.agent.calls().iter().filter(|call| !call.is_over()).map(give_up).collect();
            draft.record(repaired(Repaired::StepSkipped { step, calls: open }))?;
            ended.into_iter().try_for_each(|fact| draft.record(fact))
        }
        Phase::Compressing => {
            draft.record(repaired(Repaired::StepSkipped { step, calls: Vec::new() }))?;
            let message = "an operator skipped the summary".into();
            draft.record(Fact::CompressionFailed { message, spent: None })
        }
        Phase::Model => Err(draft.not_now("interrupt it to stop its model")),
        Phase::Idle | Phase::Failed | Phase::Answered | Phase::Between => {
            Err(draft.not_now("no step of it waits for anything"))
        }
    }
}

/// What ends a call that is not over.
fn give_up(call: &Call) -> Fact {
    if call.awaits_hook {
        return Fact::ToolReviewed { call: call.note(), result: None };
    }
    seal(call)
}

fn answer(
    draft: &mut Draft,
    call: CallId,
    result: ToolResult,
    repaired: &dyn Fn(Repaired) -> Fact,
    by: &Arc<str>,
    why: &Arc<str>,
) -> Result<(), Refused> {
    let open = draft.call(call)?;
    let (call, state) = (open.note(), open.state);
    let fact = match state {
        CallState::Pending | CallState::ApprovalRequired | CallState::Approved => {
            Fact::ToolAnswered { call: call.clone(), result }
        }
        CallState::Executing => Fact::ToolSealed { call: call.clone(), result },
        CallState::InDoubt => {
            let (by, note) = (Arc::clone(by), Arc::clone(why));
            Fact::ToolResolved { call: call.clone(), resolution: Resolution::Done { result }, by, note }
        }
        CallState::Completed | CallState::Failed | CallState::Denied | CallState::Sealed => {
            let state = state.as_str();
            return Err(Refused::Invalid(format!("the call is {state} and has its result")));
        }
    };
    draft.record(repaired(Repaired::CallAnswered { call }))?;
    draft.record(fact)
}

fn resume(draft: &mut Draft, repaired: &dyn Fn(Repaired) -> Fact) -> Result<(), Refused> {
    if !matches!(draft.phase(), Phase::Idle | Phase::Failed) {
        return Err(draft.not_now("it goes on already"));
    }
    let is_unanswered =
        draft.agent.history().newest_first().next().is_some_and(|last| last.role == Role::User);
    let waits = draft.agent.queued().iter().any(|queued| queued.kind == MessageKind::User);
    if !is_unanswered && !waits {
        return Err(draft.not_now("nothing was left undone; send a message"));
    }
    draft.record(repaired(Repaired::Resumed))
}

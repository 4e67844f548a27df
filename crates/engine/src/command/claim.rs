//! Taking an agent over: a new lease, and going on where a process stood that may have died.

use std::sync::Arc;

use crate::agent::{Call, EffectClass, OnInDoubt, Phase};
use crate::command::interrupt::seal_all;
use crate::decide::{Draft, Refused, is_running};
use crate::event::{Fact, LimitKind};

/// Claim the agent under the epoch of [`crate::Authority::Holder`], which must be higher than the agent's.
///
/// What was at the model is asked again. A call that was begun and has no outcome goes by its tool's class: run again
/// (`pure`, `idempotent`, `keyed` with the same key), ask the tool (`reconcilable`), or never again blindly (`unsafe`).
/// The effects are all that is outstanding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Who: unique for each start of a process.
    pub owner: Arc<str>,
}

impl Claim {
    pub(super) fn run(self, draft: &mut Draft) -> Result<(), Refused> {
        draft.record(Fact::AgentClaimed { owner: self.owner })?;
        let is_at_work = matches!(draft.phase(), Phase::Model | Phase::Compressing);
        if !is_at_work && !draft.agent.calls().iter().any(is_running) {
            return Ok(());
        }
        super::stream::discard(draft)?;
        let limit = draft.config().limits.recoveries;
        if draft.agent.is_in_flight(draft.at) && draft.agent.recoveries() >= limit {
            return give_up(draft, limit);
        }
        let is_doubtful = |call: &Call| is_running(call) && class(call) == EffectClass::Unsafe;
        let parks = draft.config().on_in_doubt == OnInDoubt::Park;
        let sealed = draft.notes(|call| !parks && is_doubtful(call));
        draft.record(Fact::AgentResumed { sealed })?;
        let lost: Vec<_> = draft
            .agent
            .calls()
            .iter()
            .filter(|call| is_running(call))
            .map(|call| resolve(call, parks))
            .collect();
        lost.into_iter().flatten().try_for_each(|fact| draft.record(fact))
    }
}

fn class(call: &Call) -> EffectClass {
    call.effect.unwrap_or_default()
}

/// What happens to a call whose process died while it ran; nothing yet where its tool is asked first.
fn resolve(call: &Call, parks: bool) -> Option<Fact> {
    let effect = class(call);
    match effect {
        EffectClass::Pure | EffectClass::Idempotent | EffectClass::Keyed => {
            let attempt = call.attempt.saturating_add(1);
            Some(Fact::ToolStarted { call: call.note(), attempt, effect, arguments: None })
        }
        EffectClass::Reconcilable => None,
        EffectClass::Unsafe => Some(Fact::ToolInDoubt { call: call.note(), parks }),
    }
}

/// What kills every process that takes it up must not take the next one too.
fn give_up(draft: &mut Draft, limit: u32) -> Result<(), Refused> {
    seal_all(draft)?;
    let message = format!(
        "the agent was taken up {limit} times after a crash without getting anywhere; send a message to try once more"
    );
    let (step, limit) = (draft.agent.steps(), LimitKind::Recoveries);
    draft.record(Fact::LimitReached { step, limit, message: message.into() })
}

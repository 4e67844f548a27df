//! What all servers share: the checkpoint, whom it asks, and what is remembered of callers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seawall_base::id;
use seawall_base::memory::ByteBudget;
use seawall_checkpoint::tool::{Resolver, RunState, ToolCall, ToolPermit};
use seawall_checkpoint::{Approver, Binding, Checkpoint, Denial};
use seawall_policy::{Declared, Performer, Policy};
use seawall_trace::OnUnavailable;
use seawall_types::{ActionId, Actor, Code, Event, EventKind, Finding, KeyId, RunId, Scope, Usd, Verdict};
use serde::Serialize;
use serde_json::Value;
use smallvec::SmallVec;
use tokio_util::sync::CancellationToken;

use crate::Metrics;
use crate::noted::Noted;

/// So long what a caller did counts for rules about the order of actions, after the last thing that it did.
const REMEMBERED: Duration = Duration::from_secs(3_600);
/// So many callers are remembered.
const MOST_CALLERS: usize = 10_000;

/// What a proxy is made of.
#[derive(Debug)]
pub struct Parts {
    /// The run of this session.
    pub run: RunId,
    /// The checkpoint.
    pub checkpoint: Arc<Checkpoint>,
    /// Who looks up names.
    pub resolver: Arc<dyn Resolver>,
    /// Who is asked where a policy says so. `None`: nobody, and such calls are refused.
    pub approver: Option<Arc<dyn Approver>>,
    /// What is counted.
    pub metrics: Metrics,
    /// The bytes that all requests may buffer together.
    pub memory: Arc<ByteBudget>,
    /// An action goes ahead only when its admission is on disk.
    pub trace_before_sending: bool,
}

/// Whoever makes a request.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// The key, or the holder of a token; `None`: nobody in particular.
    pub id: Option<KeyId>,
    /// How the trace names the caller.
    pub actor: Arc<Actor>,
    /// The caller's own policy.
    pub policy: Option<Arc<Policy>>,
    /// Whose budgets pay.
    pub scopes: SmallVec<[Scope; 4]>,
}

/// A call, or something like one, that is to be admitted.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) arguments: Value,
    pub(crate) effects: Declared,
    pub(crate) performer: Performer,
    pub(crate) policy: Arc<Policy>,
    pub(crate) state: Arc<RunState>,
    pub(crate) visitor: Visitor,
}

/// An admitted call and the arguments as they were written.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) permit: ToolPermit,
    pub(crate) arguments: Value,
}

/// A refused one.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) action: ActionId,
    pub(crate) denial: Denial,
}

/// What callers did, and when they did the last of it; `None`: nobody in particular.
type Callers = HashMap<Option<KeyId>, (Arc<RunState>, Duration)>;

#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) parts: Parts,
    /// What was told of lists already.
    pub(crate) noted: Noted,
    callers: Mutex<Callers>,
    /// The server stops: streams on which nobody awaits an answer end.
    pub(crate) draining: CancellationToken,
}

impl Desk {
    pub(crate) fn new(parts: Parts) -> Self {
        Self { parts, noted: Noted::default(), callers: Mutex::default(), draining: CancellationToken::new() }
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.parts.metrics
    }

    /// Monotonic time.
    pub(crate) fn now(&self) -> Duration {
        self.parts.checkpoint.clock().monotonic()
    }

    /// What the visitor did before. Those who can be told apart keep it over all their sessions, with all servers: what was
    /// read through one must not leave through another. Nobody in particular has a new one for each session.
    pub(crate) fn state_of(&self, visitor: &Visitor) -> Arc<RunState> {
        if visitor.id.is_some() { self.state_without_session(visitor) } else { Arc::default() }
    }

    /// The same where there is no session: then all that nobody in particular did is one history, since a request of its own
    /// would have none.
    pub(crate) fn state_without_session(&self, visitor: &Visitor) -> Arc<RunState> {
        let (id, now) = (visitor.id, self.now());
        let mut callers = self.callers();
        if callers.len() >= MOST_CALLERS && !callers.contains_key(&id) {
            let is_used = |state: &Arc<RunState>, last: Duration| {
                Arc::strong_count(state) > 1 || now.saturating_sub(last) < REMEMBERED
            };
            callers.retain(|_, (state, last)| is_used(state, *last));
        }
        let (state, last) = callers.entry(id).or_insert_with(|| (Arc::default(), now));
        let is_over = Arc::strong_count(state) == 1 && now.saturating_sub(*last) >= REMEMBERED;
        if is_over {
            *state = Arc::default();
        }
        *last = now;
        Arc::clone(state)
    }

    fn callers(&self) -> MutexGuard<'_, Callers> {
        // A map is never half-changed by what is done here.
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the checkpoint, on a thread that may wait: for the disk, for names, for a person.
    pub(crate) async fn admit(self: &Arc<Self>, wanted: Wanted) -> Result<Granted, Refused> {
        let desk = Arc::clone(self);
        let action = id::new_action(&**self.parts.checkpoint.clock());
        let asking = tokio::task::spawn_blocking(move || desk.ask(action, wanted));
        let granted = asking.await.unwrap_or_else(|broken| {
            tracing::error!(%broken, "a call of a tool could not be judged");
            let denial = Denial::new(Code::Internal, "the call could not be judged", "see the server's log");
            Err(Refused { action, denial })
        })?;
        if self.parts.trace_before_sending
            && let Err(denial) = granted.permit.recorded().await
        {
            let ended = seawall_checkpoint::tool::ToolEnd::Failed("its admission could not be written down");
            let _it_gave_nothing = granted.permit.settle(ended, None);
            return Err(Refused { action, denial });
        }
        Ok(granted)
    }

    fn ask(&self, action: ActionId, wanted: Wanted) -> Result<Granted, Refused> {
        let Wanted { name, arguments, effects, performer, policy, state, visitor } = wanted;
        let call = ToolCall {
            run: self.parts.run,
            state: &state,
            actor: &visitor.actor,
            name: &name,
            arguments: &arguments,
            effects: &effects,
            performer,
            cost: Usd::ZERO,
            scopes: &visitor.scopes,
            policy: &policy,
            resolver: &*self.parts.resolver,
            approver: self.parts.approver.as_deref(),
            binding: &Binding::Arguments,
            approvals: &[],
            // Who calls is told what is waited for, and calls again once it is allowed.
            wait_for_approval: Duration::ZERO,
            // As for model calls, it is the trace's own setting that decides.
            on_unavailable: OnUnavailable::Refuse,
        };
        match self.parts.checkpoint.admit_tool(action, &call) {
            Ok(permit) => {
                for finding in permit.findings() {
                    self.metrics().found(finding.code, permit.verdict());
                }
                Ok(Granted { permit, arguments })
            }
            Err(denial) => {
                self.metrics().found(denial.code, Verdict::Deny);
                Err(Refused { action, denial })
            }
        }
    }

    /// Writes down what was found outside of any call.
    pub(crate) fn note(&self, actor: &Arc<Actor>, about: &str, verdict: Verdict, findings: &[Finding]) {
        #[derive(Serialize)]
        struct Noted<'a> {
            mcp: &'a str,
            verdict: Verdict,
            findings: &'a [Finding],
        }
        for finding in findings {
            self.metrics().found(finding.code, verdict);
        }
        let checkpoint = &self.parts.checkpoint;
        let data = Noted { mcp: about, verdict, findings };
        let action = id::new_action(&**checkpoint.clock());
        let event = Event::new(checkpoint.clock().now(), self.parts.run, EventKind::Note, &data);
        checkpoint.trace().record(event.about(action, Arc::clone(actor)));
    }
}

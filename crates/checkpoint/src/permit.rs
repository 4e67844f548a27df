//! The proof that an action was admitted, and how it ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use seawall_trace::Ticket;
use seawall_trace::content::Payload;
use seawall_types::{
    ActionId, ActionKind, Actor, Amount, Event, EventKind, Finding, HoldId, RunId, Usage, Usd, Verdict,
};
use serde::Serialize;

use crate::places::Place;
use crate::record;
use crate::{Checkpoint, Denial};

/// One try at one upstream, as it goes into the ledger's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// Which upstream.
    pub upstream: Arc<str>,
    /// The model that was asked for there.
    pub model: Arc<str>,
    /// The status of its answer; `None` when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why there was none, or why it did not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What it cost.
    pub cost_usd: Usd,
    /// The price that was applied, by its identifier in the table and the table's date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Arc<str>>,
}

/// A tool that a model asked for, as seen in its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToolRequest {
    /// The tool.
    pub name: String,
    /// The identifier that its result will name, where the wire format has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// Its arguments, where payloads are kept.
    #[serde(skip)]
    pub arguments: Option<Payload>,
}

/// The result of a tool, as seen in what the caller tells the model.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct ToolReturn<'a> {
    /// The tool, where it can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// The identifier of the call that it answers, where the wire format has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_id: Option<&'a str>,
    /// The caller says that the tool failed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_error: bool,
    /// What the tool gave, where payloads are kept.
    #[serde(skip)]
    pub output: Option<Payload>,
}

/// What went through a websocket: bytes as they came, frames and all, since nobody looks into them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Passed {
    /// From the client to the upstream.
    pub bytes_in: u64,
    /// From the upstream to the client.
    pub bytes_out: u64,
}

/// How an action ended.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// What was consumed, over all attempts.
    pub usage: Option<Usage>,
    /// What it cost, over all attempts.
    pub cost: Usd,
    /// The HTTP status that the caller got.
    pub status: u16,
    /// In a word, when it did not end with a complete answer: `cancelled`, `cut`, `timeout`, `refused`, `failed`.
    pub ended: Option<&'static str>,
    /// What was found in the request and in the answer.
    pub findings: Vec<Finding>,
    /// What was done about what was found in the answer.
    pub verdict: Verdict,
    /// Every try.
    pub attempts: Vec<Attempt>,
    /// The tools that the model asked for.
    pub tools: Vec<ToolRequest>,
    /// The answer was one that had been kept.
    pub cached: bool,
    /// What went through, when it was a websocket.
    pub websocket: Option<Passed>,
    /// What the answer says, where payloads are kept.
    pub payloads: Vec<Payload>,
    /// What it said when it failed, without credentials.
    pub error: Option<String>,
}

/// What the checkpoint keeps of an admitted action.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) action: ActionId,
    pub(crate) run: RunId,
    pub(crate) actor: Arc<Actor>,
    pub(crate) kind: ActionKind,
    pub(crate) name: Box<str>,
    pub(crate) hold: Option<HoldId>,
    pub(crate) estimate: Amount,
    pub(crate) verdict: Verdict,
    /// Among the actions that the policy allows at the same time.
    pub(crate) _place: Option<Place>,
    pub(crate) ticket: Ticket,
    pub(crate) since: Duration,
}

/// An admitted action. Settle it; dropping it leaves it charged at its reservation and recorded as abandoned.
#[must_use = "a permit that is dropped stays charged at its reservation"]
#[derive(Debug)]
pub struct Permit {
    checkpoint: Arc<Checkpoint>,
    admission: Option<Admission>,
}

impl Permit {
    pub(crate) fn new(checkpoint: Arc<Checkpoint>, admission: Admission) -> Self {
        Self { checkpoint, admission: Some(admission) }
    }

    /// The verdict under which it was admitted: `allow` or `warn`.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.admission.as_ref().map_or(Verdict::Allow, |admission| admission.verdict)
    }

    pub(crate) fn checkpoint(&self) -> &Arc<Checkpoint> {
        &self.checkpoint
    }

    /// What it led to was graver than what was asked for.
    pub(crate) fn raise(&mut self, verdict: Verdict) {
        if let Some(admission) = &mut self.admission {
            admission.verdict = admission.verdict.max(verdict);
        }
    }

    /// What is held for it.
    #[must_use]
    pub fn estimate(&self) -> Amount {
        self.admission.as_ref().map_or(Amount::ZERO, |admission| admission.estimate)
    }

    /// Ready when the admission is on disk.
    ///
    /// # Errors
    /// Gives what stands against it: the trace can't be written, so that the action must not happen.
    pub fn recorded(&self) -> impl Future<Output = Result<(), Denial>> + Send + use<> {
        let durable =
            self.admission.as_ref().map(|admission| self.checkpoint.trace().durable(admission.ticket));
        async move {
            let Some(durable) = durable else { return Ok(()) };
            durable.await.map_err(|error| Denial::trace_unavailable(&error))
        }
    }

    /// The action ended: its real cost takes the reservation's place, exactly once.
    pub fn settle(mut self, outcome: Outcome) {
        let Some(admission) = self.admission.take() else { return };
        let checkpoint = &self.checkpoint;
        let now = checkpoint.clock().now();
        if let Some(hold) = admission.hold {
            let tokens = outcome.usage.map_or(0, |usage| usage.total());
            checkpoint.ledger().settle(hold, Amount { usd: outcome.cost, tokens }, now);
        }
        for mut tool in outcome.tools {
            let arguments = tool.arguments.take().into_iter().collect();
            let event = Event::new(now, admission.run, EventKind::ToolCalled, &tool);
            let event = event.about(admission.action, Arc::clone(&admission.actor));
            checkpoint.trace().record_with(event, arguments);
        }
        let elapsed = checkpoint.clock().monotonic().saturating_sub(admission.since);
        let data = record::Settled {
            kind: admission.kind,
            name: &admission.name,
            verdict: admission.verdict.max(outcome.verdict),
            usage: outcome.usage.map(Into::into),
            cost_usd: outcome.cost,
            status: outcome.status,
            duration_us: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
            cache: record::hit(outcome.cached),
            websocket: outcome.websocket,
            ended: outcome.ended,
            error: outcome.error.as_deref(),
            findings: &outcome.findings,
            attempts: (admission.kind == ActionKind::ModelCall).then_some(&outcome.attempts),
        };
        let event = Event::new(now, admission.run, EventKind::ActionSettled, &data).charging(outcome.cost);
        let event = event.about(admission.action, admission.actor);
        checkpoint.trace().record_with(event, outcome.payloads);
        checkpoint.counts().settled.fetch_add(1, Ordering::Relaxed);
        checkpoint.counts().open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(admission) = self.admission.take() else { return };
        let checkpoint = &self.checkpoint;
        let now = checkpoint.clock().now();
        if let Some(hold) = admission.hold {
            checkpoint.ledger().abandon(hold, now);
        }
        let data = record::Abandoned {
            kind: admission.kind,
            name: &admission.name,
            reason: "the permit was dropped before anybody said how the action ended",
            cost_usd: admission.estimate.usd,
        };
        let event = Event::new(now, admission.run, EventKind::ActionAbandoned, &data)
            .charging(admission.estimate.usd);
        checkpoint.trace().record(event.about(admission.action, admission.actor));
        checkpoint.counts().abandoned.fetch_add(1, Ordering::Relaxed);
        checkpoint.counts().open.fetch_sub(1, Ordering::Relaxed);
    }
}

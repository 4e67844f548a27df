//! The checkpoint itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use seawall_base::id;
use seawall_budget::{Ledger, Reservation};
use seawall_trace::Handle;
use seawall_trace::content::Payload;
use seawall_types::{
    ActionId, ActionKind, Actor, Amount, Clock, Event, EventKind, HoldId, Mode, RunId, Scope, Timestamp,
    Verdict,
};
use serde::Serialize;

use crate::permit::Admission;
use crate::places::{Place, Places};
use crate::record;
use seawall_policy::{Judgement, Policy};

use crate::{Denial, Permit, ToolReturn};

/// A model call that is about to be made.
#[derive(Debug)]
pub struct ModelCall<'a> {
    /// In which run.
    pub run: RunId,
    /// On whose behalf.
    pub actor: &'a Arc<Actor>,
    /// The model that was asked for.
    pub model: &'a str,
    /// The wire format.
    pub wire: &'static str,
    /// Whether the answer will be streamed.
    pub stream: bool,
    /// Whether the answer is one that was kept: no provider is called.
    pub cached: bool,
    /// The most it can cost.
    pub estimate: Amount,
    /// Whose budgets pay, every one of them.
    pub scopes: &'a [Scope],
    /// What time it is.
    pub now: Timestamp,
    /// When it will be over, whatever happens; then the reservation becomes spend.
    pub deadline: Timestamp,
    /// The policy that decides. Whoever asks knows whose it is, and keeps it from the action's beginning to its end.
    pub policy: &'a Policy,
    /// What was found in the request.
    pub found: &'a Judgement,
    /// The results of tools that it brings to the model for the first time.
    pub returned: Vec<ToolReturn<'a>>,
    /// What is new in its prompt, where payloads are kept.
    pub prompt: Option<Payload>,
}

/// Joins policy, ledger and trace. Shared by everything that acts.
#[derive(Debug)]
pub struct Checkpoint {
    ledger: Arc<Ledger>,
    trace: Handle,
    clock: Arc<dyn Clock>,
    places: Arc<Places>,
    counts: Counts,
}

/// How often the checkpoint decided what, since the process began.
#[derive(Debug, Default)]
pub struct Counts {
    /// Actions admitted.
    pub admitted: AtomicU64,
    /// Actions refused.
    pub denied: AtomicU64,
    /// Actions settled.
    pub settled: AtomicU64,
    /// Permits dropped without being settled.
    pub abandoned: AtomicU64,
    /// Permits that are out now.
    pub open: AtomicU64,
}

impl Checkpoint {
    /// A checkpoint over this ledger and trace.
    #[must_use]
    pub fn new(ledger: Arc<Ledger>, trace: Handle, clock: Arc<dyn Clock>) -> Self {
        Self { ledger, trace, clock, places: Arc::default(), counts: Counts::default() }
    }

    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// The trace.
    #[must_use]
    pub fn trace(&self) -> &Handle {
        &self.trace
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(crate) fn places(&self) -> &Arc<Places> {
        &self.places
    }

    /// How often it decided what.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Writes down which policy is in force from now on: `policy.loaded` when a run begins, else `policy.changed`.
    pub fn announce_policy(&self, run: RunId, kind: EventKind, policy: &Policy) {
        #[derive(Serialize)]
        struct Loaded<'a> {
            name: &'a str,
            mode: Mode,
        }
        self.trace.record(Event::new(
            self.clock.now(),
            run,
            kind,
            &Loaded { name: &policy.name, mode: policy.mode },
        ));
    }

    /// Decides on a model call and reserves what it may cost, in every scope or in none.
    ///
    /// # Errors
    /// When the trace can't be written, the policy refuses, or a budget has not enough left. The refusal is written
    /// down as `action.denied`.
    pub fn admit(self: &Arc<Self>, action: ActionId, call: ModelCall<'_>) -> Result<Permit, Denial> {
        let would = call.found.would();
        let verdict = call.policy.in_mode(would);
        let decided = self.decide(action, &call, verdict);
        let (place, hold) = match decided {
            Ok(decided) => decided,
            Err(denial) => {
                let prompt = call.prompt.into_iter().collect();
                let call_of = (ActionKind::ModelCall, action);
                self.record_denial(call_of, call.run, call.actor, (call.model, &denial), prompt);
                return Err(denial);
            }
        };
        let data = record::Admitted {
            kind: ActionKind::ModelCall,
            name: call.model,
            verdict,
            would: (verdict != would).then_some(would),
            wire: call.wire,
            stream: call.stream,
            cache: record::hit(call.cached),
            hold,
            reserved_usd: call.estimate.usd,
            reserved_tokens: call.estimate.tokens,
            findings: call.found.findings(),
        };
        let event = Event::new(call.now, call.run, EventKind::ActionAdmitted, &data);
        let prompt = call.prompt.into_iter().collect();
        let ticket = self.trace.record_with(event.about(action, Arc::clone(call.actor)), prompt);
        for mut returned in call.returned {
            let output = returned.output.take().into_iter().collect();
            let event = Event::new(call.now, call.run, EventKind::ToolReturned, &returned);
            self.trace.record_with(event.about(action, Arc::clone(call.actor)), output);
        }
        self.counts.admitted.fetch_add(1, Ordering::Relaxed);
        self.counts.open.fetch_add(1, Ordering::Relaxed);
        Ok(Permit::new(
            Arc::clone(self),
            Admission {
                action,
                run: call.run,
                actor: Arc::clone(call.actor),
                kind: ActionKind::ModelCall,
                name: call.model.into(),
                hold,
                estimate: call.estimate,
                verdict,
                _place: place,
                ticket,
                since: self.clock.monotonic(),
            },
        ))
    }

    /// The decision: the trace must be there, the policy must agree, the budgets must pay. In this order, so that a
    /// refusal never leaves a reservation behind; the place goes back by itself.
    fn decide(
        &self,
        action: ActionId,
        call: &ModelCall<'_>,
        verdict: Verdict,
    ) -> Result<(Option<Place>, Option<HoldId>), Denial> {
        self.trace.check().map_err(|error| Denial::trace_unavailable(&error))?;
        if verdict == Verdict::Deny {
            return Err(Denial::by_policy(call.found.findings().to_vec()));
        }
        let take = |most| self.places.take(&call.policy.source, most).ok_or_else(|| Denial::too_many(most));
        let place = call.policy.limits.concurrent.map(take).transpose()?;
        if call.estimate == Amount::ZERO {
            return Ok((place, None));
        }
        let hold = id::new_hold_at(call.now);
        let reservation = Reservation {
            hold,
            run: call.run,
            action,
            scopes: call.scopes,
            amount: call.estimate,
            deadline: call.deadline,
        };
        match self.ledger.reserve(&reservation, call.now) {
            Ok(()) => Ok((place, Some(hold))),
            Err(refusal) => Err(Denial::by_ledger(refusal, call.now)),
        }
    }

    /// Writes down that a model call was refused, here or before it came here.
    pub fn deny(&self, action: ActionId, run: RunId, actor: &Arc<Actor>, name: &str, denial: &Denial) {
        self.record_denial((ActionKind::ModelCall, action), run, actor, (name, denial), Vec::new());
    }

    /// Writes down that a call of a tool was refused before it came here.
    pub fn deny_tool(&self, action: ActionId, run: RunId, actor: &Arc<Actor>, name: &str, denial: &Denial) {
        self.record_denial((ActionKind::ToolCall, action), run, actor, (name, denial), Vec::new());
    }

    /// Writes down that an action of any kind was refused.
    pub(crate) fn record_denial(
        &self,
        (kind, action): (ActionKind, ActionId),
        run: RunId,
        actor: &Arc<Actor>,
        (name, denial): (&str, &Denial),
        payloads: Vec<Payload>,
    ) {
        let now = self.clock.now();
        if let Some(budget) = &denial.budget {
            let data = record::Exceeded {
                scope: budget.scope.to_string(),
                window: budget.window.as_str(),
                limit_usd: budget.limit_usd,
                limit_tokens: budget.limit_tokens,
                spent: budget.spent,
                held: budget.held,
                wanted: budget.wanted,
            };
            self.trace.record(
                Event::new(now, run, EventKind::BudgetExceeded, &data).about(action, Arc::clone(actor)),
            );
        }
        let findings = denial.as_findings();
        let data = record::Denied {
            kind,
            name,
            verdict: Verdict::Deny,
            status: denial.code.http_status(),
            code: denial.code,
            findings: &findings,
        };
        let event = Event::new(now, run, EventKind::ActionDenied, &data).about(action, Arc::clone(actor));
        self.trace.record_with(event, payloads);
        self.counts.denied.fetch_add(1, Ordering::Relaxed);
    }

    /// Turns reservations that outlived their deadline into spend, and writes each down in `run`, that of this process:
    /// their own may have ended with the process that made them. Call it about once a second.
    pub fn sweep(&self, run: RunId) -> usize {
        let now = self.clock.now();
        let swept = self.ledger.sweep(now);
        for one in &swept {
            let data = record::Swept {
                hold: one.hold,
                reason: "the deadline of the reservation passed",
                of_run: one.run,
                usd: one.amount.usd,
                tokens: one.amount.tokens,
            };
            let event = Event::new(now, run, EventKind::BudgetSettled, &data);
            self.trace.record(event.about(one.action, Arc::default()));
        }
        swept.len()
    }
}

//! Money that a model call outside of our sight has cost: booked after the fact, as if it had passed here.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use seawall_base::id;
use seawall_budget::Reservation;
use seawall_types::{
    ActionId, ActionKind, Actor, Amount, Event, EventKind, Finding, RunId, Scope, Usage, Usd, Verdict,
};

use crate::{Checkpoint, record};

/// A model call that somebody else made and paid.
#[derive(Debug, Clone, Copy)]
pub struct ModelSpend<'a> {
    /// In which run.
    pub run: RunId,
    /// On whose behalf.
    pub actor: &'a Arc<Actor>,
    /// The model.
    pub model: &'a str,
    /// What was consumed.
    pub usage: Usage,
    /// What it cost.
    pub cost: Usd,
    /// Whose budgets pay, every one of them.
    pub scopes: &'a [Scope],
    /// What is to be said about it: a price that is not known, for one.
    pub findings: &'a [Finding],
}

impl Checkpoint {
    /// Books the call, past its limits if need be, and writes it down as an admitted and settled action. From then on a
    /// budget with nothing left refuses.
    pub fn record_spend(&self, action: ActionId, spend: &ModelSpend<'_>) {
        let now = self.clock().now();
        let amount = Amount { usd: spend.cost, tokens: spend.usage.total() };
        if amount != Amount::ZERO && !spend.scopes.is_empty() {
            let hold = id::new_hold_at(now);
            let (run, scopes) = (spend.run, spend.scopes);
            self.ledger().charge(&Reservation { hold, run, action, scopes, amount, deadline: now }, now);
        }
        let verdict = if spend.findings.is_empty() { Verdict::Allow } else { Verdict::Warn };
        let admitted = record::ToolAdmitted {
            kind: ActionKind::ModelCall,
            name: spend.model,
            verdict,
            would: None,
            hold: None,
            reserved_usd: Usd::ZERO,
            findings: spend.findings,
        };
        let settled = record::Settled {
            kind: ActionKind::ModelCall,
            name: spend.model,
            verdict,
            usage: Some(spend.usage.into()),
            cost_usd: spend.cost,
            status: 200,
            duration_us: 0,
            cache: None,
            websocket: None,
            ended: None,
            error: None,
            findings: spend.findings,
            attempts: Some(&[]),
        };
        let event = Event::new(now, spend.run, EventKind::ActionAdmitted, &admitted);
        self.trace().record(event.about(action, Arc::clone(spend.actor)));
        let event = Event::new(now, spend.run, EventKind::ActionSettled, &settled).charging(spend.cost);
        self.trace().record(event.about(action, Arc::clone(spend.actor)));
        self.counts().admitted.fetch_add(1, Ordering::Relaxed);
        self.counts().settled.fetch_add(1, Ordering::Relaxed);
    }
}

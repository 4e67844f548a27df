//! Reserve: the most the call can cost is held in every budget that pays for it, or the call is refused.

use std::sync::Arc;
use std::time::Duration;

use seawall_checkpoint::ModelCall;
use seawall_llm::estimate_tokens;
use seawall_llm::price::Price;
use seawall_llm::request::{Edits, input_bound};
use seawall_types::{Amount, Code, Finding, Mode, Usd, Verdict};
use smallvec::SmallVec;

use super::{Accepted, Payload, choose};
use crate::directory::{Plan, Target};
use crate::meter::Meter;
use crate::rates::{Rated, Taken};
use crate::refusal::Refusal;
use crate::settings::UnknownPrice;
use crate::{Caller, Gateway, Snapshot};

/// What an answer may have when neither the request nor the price table says: the usual default of providers is lower.
const DEFAULT_OUTPUT: u64 = 8_192;

/// A call that was admitted: where it may go, what is to be changed in its body, and what settles it.
#[derive(Debug)]
pub(crate) struct Reserved {
    pub(crate) meter: Box<Meter>,
    pub(crate) plan: SmallVec<[Priced; 2]>,
    pub(crate) edits: Edits<'static>,
    /// The output limit is ours, and the client is told.
    pub(crate) tell_output_limit: bool,
    pub(crate) verdict: Verdict,
    /// When the call must be over, from now.
    pub(crate) total: Duration,
}

/// A target with the price of the model there.
#[derive(Debug)]
pub(crate) struct Priced {
    pub(crate) target: Target,
    pub(crate) model: String,
    pub(crate) price: Option<Arc<Price>>,
}

/// Reserves what the call may cost.
pub(crate) fn reserve(
    gateway: &Arc<Gateway>,
    snapshot: &Snapshot,
    accepted: Box<Accepted>,
    caller: &Caller,
    payload: &Payload,
    findings: Vec<Finding>,
) -> Result<Reserved, Box<(Accepted, Refusal)>> {
    match Bid::make(gateway, snapshot, &accepted, caller, payload, &findings) {
        Ok(bid) => Ok(bid.into_reserved(gateway, accepted, caller, payload, findings)),
        Err(refusal) => Err(Box::new((*accepted, refusal))),
    }
}

/// Everything that can be refused, done: from here on the call goes out.
struct Bid {
    plan: SmallVec<[Priced; 2]>,
    output: Output,
    permit: seawall_checkpoint::Permit,
    rates: Taken,
    total: Duration,
}

impl Bid {
    fn make(
        gateway: &Arc<Gateway>,
        snapshot: &Snapshot,
        accepted: &Accepted,
        caller: &Caller,
        payload: &Payload,
        findings: &[Finding],
    ) -> Result<Self, Refusal> {
        let plan = price(gateway, snapshot, accepted, choose::plan(snapshot, accepted, payload)?, payload)?;
        let scopes = caller.scopes(gateway.run());
        let output = Output::decide(gateway, accepted, payload, &plan, &scopes);
        let estimate =
            if is_free(accepted) { Amount::ZERO } else { upper_bound(payload, &plan, output.bound) };
        let rates = take_rates(gateway, snapshot, accepted, caller, payload, &plan)?;
        let total =
            plan.iter().map(|one| one.target.upstream.settings.timeouts.total).max().unwrap_or_default();
        let now = gateway.clock().now();
        let call = ModelCall {
            run: gateway.run(),
            actor: &caller.actor,
            model: payload.model().unwrap_or(accepted.route),
            wire: accepted.wire.name(),
            stream: payload.request.stream,
            estimate,
            scopes: &scopes,
            deadline: now.saturating_add(total).saturating_add(snapshot.settings.hold_grace),
            findings,
        };
        match gateway.checkpoint().admit(accepted.action, &call) {
            Ok(permit) => Ok(Self { plan, output, permit, rates, total }),
            Err(denial) => {
                gateway.rates().correct(&rates, 0);
                Err(Refusal { denial_is_recorded: true, ..Refusal::from(denial) })
            }
        }
    }

    fn into_reserved(
        self,
        gateway: &Arc<Gateway>,
        accepted: Box<Accepted>,
        caller: &Caller,
        payload: &Payload,
        findings: Vec<Finding>,
    ) -> Reserved {
        let verdict = self.permit.verdict();
        let include_usage =
            payload.request.stream && accepted.wire.is_metered() && !payload.request.wants_usage;
        let size = payload.text.len() as u64;
        let mut meter =
            Meter::new(Arc::clone(gateway), accepted, self.permit, caller.actor.tenant.clone(), size)
                .with_rates(self.rates)
                .for_service(payload.request.premium);
        meter.findings = findings;
        Reserved {
            meter,
            plan: self.plan,
            edits: Edits { include_usage, max_output: self.output.edit, model: None },
            tell_output_limit: self.output.edit.is_some(),
            verdict,
            total: self.total,
        }
    }
}

/// Calls that no provider bills.
fn is_free(accepted: &Accepted) -> bool {
    !accepted.wire.is_metered()
}

/// Finds the price of the model at each target.
fn price(
    gateway: &Gateway,
    snapshot: &Snapshot,
    accepted: &Accepted,
    plan: Plan,
    payload: &Payload,
) -> Result<SmallVec<[Priced; 2]>, Refusal> {
    let asked = payload.model().unwrap_or_default();
    let priced = |target: Target| {
        let model = target.model.as_deref().unwrap_or(asked).to_owned();
        let price =
            snapshot.price(accepted, &model).map(|price| Arc::clone(price.tier(payload.request.premium)));
        if price.is_none() && !is_free(accepted) {
            return unknown(gateway, snapshot, target, model);
        }
        Ok(Priced { target, model, price })
    };
    plan.into_iter().map(priced).collect()
}

/// What the configuration says of a model without a price. Strict mode with a budget in money always refuses: it could
/// not keep its promise.
fn unknown(gateway: &Gateway, snapshot: &Snapshot, target: Target, model: String) -> Result<Priced, Refusal> {
    gateway.metrics().unpriced.with_label_values(&[target.upstream.settings.name.as_str()]).inc();
    let strict = gateway.mode() == Mode::Strict && gateway.has_money_limit();
    match snapshot.settings.unknown_price {
        UnknownPrice::Estimate if !strict => {
            Ok(Priced { target, model, price: Some(Arc::clone(&snapshot.settings.assumed_price)) })
        }
        UnknownPrice::Zero if !strict => Ok(Priced { target, model, price: None }),
        _ => Err(Refusal::new(
            Code::PriceUnknown,
            format!(
                "the price of the model {model:?} is not known, and a budget in money can't be kept without it"
            ),
            "add it to the file named by prices.file, or set prices.unknown",
        )),
    }
}

/// How long the answer may be.
#[derive(Debug, Clone, Copy)]
struct Output {
    /// Tokens that each choice may have at most.
    bound: u64,
    /// The limit to put into the body; `None`: what stands there holds.
    edit: Option<u64>,
}

impl Output {
    /// The request's own limit holds, under the policy's. A request without one may have what the model can give, or, when
    /// the budget can't pay for that, what it can pay for.
    fn decide(
        gateway: &Gateway,
        accepted: &Accepted,
        payload: &Payload,
        plan: &[Priced],
        scopes: &[seawall_types::Scope],
    ) -> Self {
        if !accepted.wire.has_output() {
            return Self { bound: 0, edit: None };
        }
        let policy = gateway.checkpoint().policy().max_output_tokens.unwrap_or(u64::MAX);
        if let Some(requested) = payload.request.max_output {
            return Self { bound: requested.min(policy), edit: (requested > policy).then_some(policy) };
        }
        let known = plan
            .iter()
            .map(|one| one.price.as_ref().and_then(|price| price.max_output))
            .collect::<Option<Vec<_>>>();
        let most = known.and_then(|all| all.into_iter().max());
        let natural = most.unwrap_or(DEFAULT_OUTPUT).min(policy);
        let headroom = gateway.checkpoint().ledger().headroom(scopes, gateway.clock().now());
        let affordable = affordable_output(payload, plan, headroom);
        if affordable < natural {
            return Self { bound: affordable, edit: Some(affordable) };
        }
        // A bound that a budget or the policy relies on has to stand in the body: what the model can give is the
        // provider's word, and not every upstream keeps it.
        let limited = headroom != Amount { usd: Usd::MAX, tokens: u64::MAX };
        let must_say = policy < u64::MAX || limited;
        Self { bound: natural, edit: must_say.then_some(natural) }
    }
}

/// Tokens of answer, for each choice, that the budgets can still pay for at every target. Never nothing: a budget that
/// can't pay for one token refuses, with its reasons, instead of asking for an empty answer.
fn affordable_output(payload: &Payload, plan: &[Priced], headroom: Amount) -> u64 {
    let by_money = plan.iter().filter_map(|one| {
        let price = one.price.as_ref()?;
        let input = price.upper(prompt_bound(payload, Some(price)), 0);
        price.output_for(headroom.usd.saturating_sub(input))
    });
    let input = plan.iter().map(|one| prompt_bound(payload, one.price.as_ref())).max().unwrap_or(0);
    let by_tokens = headroom.tokens.saturating_sub(input);
    let all = by_money.fold(by_tokens, u64::min);
    (all / payload.request.choices.max(1)).max(1)
}

fn prompt_bound(payload: &Payload, price: Option<&Arc<Price>>) -> u64 {
    input_bound(&payload.request, payload.text.len() as u64, price.and_then(|price| price.max_input))
}

/// The most that the call can cost, at the dearest target.
fn upper_bound(payload: &Payload, plan: &[Priced], output: u64) -> Amount {
    let written = output.saturating_mul(payload.request.choices.max(1));
    let mut amount = Amount::ZERO;
    for one in plan {
        let read = prompt_bound(payload, one.price.as_ref());
        let usd = one.price.as_ref().map_or(Usd::ZERO, |price| price.upper(read, written));
        amount = Amount { usd: amount.usd.max(usd), tokens: amount.tokens.max(read.saturating_add(written)) };
    }
    amount
}

fn take_rates(
    gateway: &Gateway,
    snapshot: &Snapshot,
    accepted: &Accepted,
    caller: &Caller,
    payload: &Payload,
    plan: &[Priced],
) -> Result<Taken, Refusal> {
    let named = |priced: &Priced| priced.price.as_ref().map(|price| Arc::clone(&price.id));
    let model = plan.first().and_then(named).unwrap_or_else(|| "other".into());
    let rated = Rated {
        caller,
        address: accepted.address,
        model: Some(&model),
        path: &accepted.path,
        tokens: if is_free(accepted) { 0 } else { estimate_tokens(payload.text.len() as u64) },
        dialect: accepted.dialect,
    };
    gateway.rates().take(&snapshot.settings.rate_limits, &rated, gateway.clock().monotonic())
}

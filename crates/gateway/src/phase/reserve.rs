//! Reserve: the most the call can cost is held in every budget that pays for it, or the call is refused.

mod output;
mod pricing;

use std::sync::Arc;
use std::time::Duration;

use seawall_checkpoint::{ModelCall, Permit};
use seawall_llm::estimate_tokens;
use seawall_llm::price::Price;
use seawall_llm::request::Edits;
use seawall_llm::wire::Billing;
use seawall_policy::{Judgement, Policy};
use seawall_types::{Actor, Amount, Scope, Verdict};
use smallvec::SmallVec;

use self::output::Output;
pub(crate) use self::pricing::Priced;
use self::pricing::{flat_price, price, refuse_unseen_cost};
use super::{Asked, Payload, Recalled, choose};
use crate::accepted::Accepted;
use crate::cache::Kept;
use crate::content;
use crate::meter::{Meter, Most};
use crate::rates::{Place, Rated, Taken, refused};
use crate::refusal::Refusal;
use crate::tool;

/// A call that was admitted: where it may go, what is to be changed in its body, and what settles it.
#[derive(Debug)]
pub(crate) struct Reserved {
    pub(crate) meter: Box<Meter>,
    pub(crate) plan: SmallVec<[Priced; 2]>,
    pub(crate) edits: Edits<'static>,
    /// The output limit is ours, and the client is told.
    pub(crate) tell_output_limit: bool,
    /// What decides about the answer, too.
    pub(crate) policy: Arc<Policy>,
    /// On whose behalf the call is made.
    pub(crate) actor: Arc<Actor>,
    pub(crate) verdict: Verdict,
    /// The answer, when it was kept from another time: then nobody is called.
    pub(crate) kept: Option<Arc<Kept>>,
    /// When the call must be over, from now.
    pub(crate) total: Duration,
}

/// Reserves what the call may cost. What is recalled costs nothing.
pub(crate) fn reserve(
    asked: Asked<'_>,
    accepted: Box<Accepted>,
    found: Judgement,
    recalled: Recalled,
) -> Result<Box<Reserved>, Box<(Accepted, Refusal)>> {
    let bid = match &recalled {
        Recalled::Answer(_) => Bid::for_nothing(asked, &accepted, &found),
        Recalled::Nothing(_) => Bid::make(asked, &accepted, &found),
    };
    match bid {
        Ok(bid) => Ok(bid.into_reserved(asked, accepted, found, recalled)),
        Err(refusal) => Err(Box::new((*accepted, refusal))),
    }
}

/// Everything that can be refused, done: from here on the call goes out.
struct Bid {
    plan: SmallVec<[Priced; 2]>,
    output: Output,
    most: Most,
    permit: Permit,
    rates: Taken,
    total: Duration,
}

impl Bid {
    fn make(asked: Asked<'_>, accepted: &Accepted, found: &Judgement) -> Result<Self, Refusal> {
        let Asked { snapshot, caller, payload, .. } = asked;
        let plan = price(asked, accepted, choose::plan(snapshot, accepted, payload)?)?;
        let scopes = caller.scopes(accepted.run);
        if accepted.handshake.is_some() {
            refuse_unseen_cost(asked, &scopes)?;
        }
        let output = Output::decide(asked, accepted, &plan, &scopes);
        let (most, estimate) = match accepted.billing {
            Billing::ByToken => {
                let most = output::most(payload, &plan, output.bound);
                (most, output::upper_bound(payload, &plan, &most))
            }
            Billing::Unknown => {
                let flat = flat_price(asked, &plan, &scopes)?;
                // What can't be sent twice without having twice the effect goes out once.
                let tries = if accepted.is_repeatable() { output::tries(&plan) } else { 1 };
                let Amount { usd: least, tokens } = output::least(&plan);
                let usd = flat.times(u64::from(tries)).max(least);
                (Most { flat, ..Most::default() }, Amount { usd, tokens })
            }
            Billing::Free => (Most::default(), Amount::ZERO),
        };
        let tokens = if accepted.billing == Billing::ByToken {
            (estimate_tokens(payload.text.len() as u64), most.output)
        } else {
            (0, 0)
        };
        let price = plan.first().and_then(|first| first.price.as_ref());
        let rates = take_rates(asked, accepted, price, tokens)?;
        let total =
            plan.iter().map(|one| one.target.upstream.settings.timeouts.total).max().unwrap_or_default();
        let terms = Terms { scopes: &scopes, found, estimate, total, cached: false };
        let (permit, rates) = admit(asked, accepted, &terms, rates)?;
        Ok(Self { plan, output, most, permit, rates, total })
    }

    /// For an answer that nobody is asked for.
    fn for_nothing(asked: Asked<'_>, accepted: &Accepted, found: &Judgement) -> Result<Self, Refusal> {
        let price = asked.payload.model().and_then(|model| asked.snapshot.price(accepted.dialect, model));
        let rates = take_rates(asked, accepted, price.as_ref(), (0, 0))?;
        let total = Duration::ZERO;
        let terms = Terms { scopes: &[], found, estimate: Amount::ZERO, total, cached: true };
        let (permit, rates) = admit(asked, accepted, &terms, rates)?;
        Ok(Self { plan: SmallVec::new(), output: Output::NONE, most: Most::default(), permit, rates, total })
    }

    fn into_reserved(
        self,
        asked: Asked<'_>,
        accepted: Box<Accepted>,
        found: Judgement,
        recalled: Recalled,
    ) -> Box<Reserved> {
        let Asked { gateway, snapshot, caller, payload } = asked;
        let (kept, ticket) = match recalled {
            Recalled::Answer(kept) => (Some(kept), None),
            Recalled::Nothing(ticket) => (None, ticket),
        };
        let verdict = self.permit.verdict();
        let include_usage =
            payload.request.stream && accepted.wire.is_metered() && !payload.request.wants_usage;
        let size = payload.text.len() as u64;
        let limited = self.output.is_ours;
        let shared = (Arc::clone(gateway), Arc::clone(snapshot));
        let mut meter = Meter::new(shared, accepted, self.permit, caller.actor.tenant.clone(), size)
            .with_rates(self.rates)
            .for_request(&payload.request)
            .with_most(self.most)
            .with_ticket(ticket.map(|ticket| ticket.limited(limited)));
        meter.findings = found.into_findings();
        Box::new(Reserved {
            meter,
            plan: self.plan,
            edits: Edits { include_usage, max_output: self.output.edit, ..Edits::default() },
            tell_output_limit: limited,
            policy: Arc::clone(asked.policy()),
            actor: Arc::clone(&caller.actor),
            verdict,
            kept,
            total: self.total,
        })
    }
}

/// On what terms a call is to be admitted.
struct Terms<'a> {
    scopes: &'a [Scope],
    found: &'a Judgement,
    estimate: Amount,
    total: Duration,
    cached: bool,
}

/// Asks the checkpoint. What was taken from the rates goes back when it refuses.
fn admit(
    asked: Asked<'_>,
    accepted: &Accepted,
    terms: &Terms<'_>,
    rates: Taken,
) -> Result<(Permit, Taken), Refusal> {
    let Asked { gateway, snapshot, caller, payload } = asked;
    let now = gateway.clock().now();
    let told = content::Told::of(gateway, payload);
    let call = ModelCall {
        run: accepted.run,
        actor: &caller.actor,
        model: payload.model().unwrap_or(accepted.route),
        wire: accepted.wire_name(),
        stream: payload.request.stream || accepted.handshake.is_some(),
        cached: terms.cached,
        estimate: terms.estimate,
        scopes: terms.scopes,
        now,
        deadline: now.saturating_add(terms.total).saturating_add(snapshot.settings.hold_grace),
        policy: asked.policy(),
        found: terms.found,
        returned: tool::returned(&payload.request, told.outputs),
        prompt: told.prompt,
    };
    match gateway.checkpoint().admit(accepted.action, call) {
        Ok(permit) => Ok((permit, rates)),
        Err(denial) => {
            gateway.rates().correct(&rates, 0);
            Err(Refusal { denial_is_recorded: true, ..Refusal::from(denial) })
        }
    }
}

fn take_rates(
    asked: Asked<'_>,
    accepted: &Accepted,
    price: Option<&Arc<Price>>,
    (prompt, output): (u64, u64),
) -> Result<Taken, Refusal> {
    let Asked { gateway, snapshot, caller, .. } = asked;
    let model = price.map_or_else(|| "other".into(), |price| Arc::clone(&price.id));
    let rated = Rated {
        caller,
        address: accepted.address,
        model: Some(&model),
        place: Place::of(accepted),
        prompt,
        output,
    };
    let taken = gateway.rates().take(&snapshot.settings.rate_limits, &rated, gateway.clock().monotonic());
    taken.map_err(|limited| refused(accepted.dialect, &limited, gateway.clock().now()))
}

//! How long the answer may be, and what that can cost at most.

use std::sync::Arc;

use seawall_llm::estimate_tokens;
use seawall_llm::price::Price;
use seawall_llm::request::{LimitName, input_bound};
use seawall_types::{Amount, Scope, Usage, Usd};

use super::{Payload, Priced};
use crate::accepted::Accepted;
use crate::meter::Most;
use crate::phase::Asked;

/// What an answer may have when neither the request nor the price table says: the usual default of providers is lower.
const DEFAULT_OUTPUT: u64 = 8_192;

/// How many searches of the provider, and runs of other tools of its own, are reserved for a request that lets it make
/// them. No request says how many there will be: answers with more are rare, and settled at what they cost.
const TOOL_RUNS: u64 = 16;

/// What is left of budgets that are none.
pub(super) const UNLIMITED: Amount = Amount { usd: Usd::MAX, tokens: u64::MAX };

/// How long the answer may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    /// Tokens that each choice may have at most.
    pub(super) bound: u64,
    /// The limit to put into the body; `None`: what stands there holds.
    pub(super) edit: Option<u64>,
    /// That limit is ours, and not only the client's own under another name.
    pub(super) is_ours: bool,
}

impl Output {
    pub(super) const NONE: Self = Self { bound: 0, edit: None, is_ours: false };

    const fn ours(bound: u64) -> Self {
        Self { bound, edit: Some(bound), is_ours: true }
    }

    /// What stands in the body, or what the model can give.
    const fn as_it_is(bound: u64) -> Self {
        Self { bound, edit: None, is_ours: false }
    }

    /// The request's own limit holds, under the policy's. A request without one may have what the model can give, or, when
    /// the budget can't pay for that, what it can pay for.
    pub(super) fn decide(asked: Asked<'_>, accepted: &Accepted, plan: &[Priced], scopes: &[Scope]) -> Self {
        if !accepted.wire.has_output() {
            return Self::NONE;
        }
        let Asked { gateway, payload, .. } = asked;
        let policy = asked.policy().max_output_tokens.unwrap_or(u64::MAX);
        if !accepted.wire.takes_output_limit() {
            return Self::as_it_is(most_output_of(plan));
        }
        let headroom = || gateway.checkpoint().ledger().headroom(scopes, gateway.clock().now());
        if let Some(requested) = payload.request.max_output {
            // An upstream that does not know the client's name for it would write as much as it likes.
            let is_relied_on = || policy < u64::MAX || headroom() != UNLIMITED;
            return match requested {
                _ if requested > policy => Self::ours(policy),
                _ if is_unknown_to_any(payload.request.limit_name, plan) && is_relied_on() => {
                    Self { bound: requested, edit: Some(requested), is_ours: false }
                }
                _ => Self::as_it_is(requested),
            };
        }
        let natural = most_output_of(plan).min(policy);
        let headroom = headroom();
        let affordable = affordable_output(payload, plan, headroom);
        if affordable < natural {
            return Self::ours(affordable);
        }
        // A bound that a budget or the policy relies on has to stand in the body: what the model can give is the
        // provider's word, and not every upstream keeps it.
        let must_say = policy < u64::MAX || headroom != UNLIMITED;
        if must_say { Self::ours(natural) } else { Self::as_it_is(natural) }
    }
}

/// Whether the limit of a chat has a name that some target may not know.
fn is_unknown_to_any(name: Option<LimitName>, plan: &[Priced]) -> bool {
    name.is_some_and(|name| plan.iter().any(|one| one.target.upstream.settings.output_limit != name))
}

/// The longest answer that any of the targets gives.
fn most_output_of(plan: &[Priced]) -> u64 {
    let known = plan.iter().map(|one| one.price.as_ref().and_then(|price| price.max_output));
    known.collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max()).unwrap_or(DEFAULT_OUTPUT)
}

/// Tokens of answer, for each choice, that the budgets can still pay for at every target. Never nothing: a budget that
/// can't pay for one token refuses, with its reasons, instead of asking for an empty answer.
fn affordable_output(payload: &Payload, plan: &[Priced], headroom: Amount) -> u64 {
    let nothing_written = upper_bound(payload, plan, &most(payload, plan, 0));
    let left = headroom.usd.saturating_sub(nothing_written.usd);
    let by_money = plan.iter().filter_map(|one| one.dearest.as_ref()?.output_for(left));
    let by_tokens = headroom.tokens.saturating_sub(nothing_written.tokens);
    let all = by_money.fold(by_tokens, u64::min);
    // In the background each try may be written to its end.
    let tries = if payload.request.background { u64::from(tries(plan)) } else { 1 };
    (all / payload.request.choices.max(1) / tries.max(1)).max(1)
}

fn prompt_bound(payload: &Payload, price: Option<&Arc<Price>>) -> u64 {
    input_bound(&payload.request, payload.text.len() as u64, price.and_then(|price| price.max_input))
}

/// The most that the call can use at any target, when each choice has at most `output` tokens.
pub(super) fn most(payload: &Payload, plan: &[Priced], output: u64) -> Most {
    let read = plan.iter().map(|one| prompt_bound(payload, one.price.as_ref())).max().unwrap_or(0);
    Most {
        input: read,
        output: output.saturating_mul(payload.request.choices.max(1)),
        searches: if payload.request.may_search { TOOL_RUNS } else { 0 },
        tool_runs: if payload.request.unpriced_tools { TOOL_RUNS } else { 0 },
        flat: Usd::ZERO,
    }
}

/// The least that is held for a call that may cost anything: one token of the answer. What it tells of its usage is
/// charged where something was held, and a budget with nothing left refuses it.
pub(super) fn least(plan: &[Priced]) -> Amount {
    let token = |one: &Priced| one.dearest.as_ref().map(|price| price.upper(0, 1));
    let usd = plan.iter().filter_map(token).max().unwrap_or_default();
    Amount { usd: usd.max(Usd::from_picos(1)), tokens: 1 }
}

/// How often the call may go out, over all targets.
pub(super) fn tries(plan: &[Priced]) -> u32 {
    let tries = |one: &Priced| one.target.upstream.settings.retry_attempts.saturating_add(1);
    plan.iter().map(tries).fold(0, u32::saturating_add)
}

/// The most that the call can cost, at the dearest target: one try that is answered, and the prompts of all tries
/// before it that may be billed although nothing came of them. What goes on in the background may be answered each time.
pub(super) fn upper_bound(payload: &Payload, plan: &[Priced], most: &Most) -> Amount {
    let prompt = Usage { input: estimate_tokens(payload.text.len() as u64), ..Usage::default() };
    let failed = u64::from(tries(plan).saturating_sub(1));
    let (mut answered, mut refused) = (Usd::ZERO, Usd::ZERO);
    let (mut tokens, mut lost) = (0_u64, 0_u64);
    let background = payload.request.background;
    for one in plan {
        let read = prompt_bound(payload, one.price.as_ref());
        let whole = read.saturating_add(most.output);
        tokens = tokens.max(whole);
        lost = lost.max(if background { whole } else { prompt.input });
        let Some(price) = &one.dearest else { continue };
        let fees = price.fees(most.searches, most.tool_runs);
        let whole = price.upper(read, most.output).saturating_add(fees);
        answered = answered.max(whole);
        refused = refused.max(if background { whole } else { price.cost(&prompt) });
    }
    Amount {
        usd: answered.saturating_add(refused.times(failed)),
        tokens: tokens.saturating_add(lost.saturating_mul(failed)),
    }
}

//! How long the answer may be, and what that can cost at most.

use std::sync::Arc;

use seawall_llm::price::Price;
use seawall_llm::request::input_bound;
use seawall_types::{Amount, Scope, Usd};

use super::{Payload, Priced};
use crate::accepted::Accepted;
use crate::phase::Asked;

/// What an answer may have when neither the request nor the price table says: the usual default of providers is lower.
const DEFAULT_OUTPUT: u64 = 8_192;

/// What is left of budgets that are none.
pub(super) const UNLIMITED: Amount = Amount { usd: Usd::MAX, tokens: u64::MAX };

/// How long the answer may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    /// Tokens that each choice may have at most.
    pub(super) bound: u64,
    /// The limit to put into the body; `None`: what stands there holds.
    pub(super) edit: Option<u64>,
}

impl Output {
    pub(super) const NONE: Self = Self { bound: 0, edit: None };

    /// The request's own limit holds, under the policy's. A request without one may have what the model can give, or, when
    /// the budget can't pay for that, what it can pay for.
    pub(super) fn decide(asked: Asked<'_>, accepted: &Accepted, plan: &[Priced], scopes: &[Scope]) -> Self {
        if !accepted.wire.has_output() {
            return Self::NONE;
        }
        let Asked { gateway, payload, .. } = asked;
        let policy = asked.policy().max_output_tokens.unwrap_or(u64::MAX);
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
        let limited = headroom != UNLIMITED;
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
pub(super) fn upper_bound(payload: &Payload, plan: &[Priced], output: u64) -> Amount {
    let written = output.saturating_mul(payload.request.choices.max(1));
    let mut amount = Amount::ZERO;
    for one in plan {
        let read = prompt_bound(payload, one.price.as_ref());
        let usd = one.price.as_ref().map_or(Usd::ZERO, |price| price.upper(read, written));
        amount = Amount { usd: amount.usd.max(usd), tokens: amount.tokens.max(read.saturating_add(written)) };
    }
    amount
}

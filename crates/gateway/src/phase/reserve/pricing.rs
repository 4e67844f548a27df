//! What a call costs at each place that it may go to, as far as that is known before it goes.

use std::sync::Arc;

use seawall_llm::price::Price;
use seawall_llm::wire::Billing;
use seawall_types::{Code, Mode, Scope, Usd};
use smallvec::SmallVec;

use super::output::UNLIMITED;
use crate::accepted::Accepted;
use crate::directory::{Plan, Target};
use crate::phase::Asked;
use crate::refusal::Refusal;
use crate::settings::UnknownPrice;
use crate::websocket;

/// A target with the price of the model there.
#[derive(Debug)]
pub(crate) struct Priced {
    pub(crate) target: Target,
    pub(crate) model: String,
    pub(crate) price: Option<Arc<Price>>,
    /// The same, if every token were of the dearest kind that the request may bring about.
    pub(crate) dearest: Option<Arc<Price>>,
}

impl Priced {
    fn new(target: Target, model: String, price: Option<Arc<Price>>, sound: bool) -> Self {
        let dearest = price.as_ref().map(|price| if sound { price.with_sound() } else { Arc::clone(price) });
        Self { target, model, price, dearest }
    }
}

/// What a session over a websocket costs can't be seen, so no budget can be kept with one: where a budget would pay for it,
/// it is refused, unless the configuration says that what is not known costs nothing.
pub(super) fn refuse_unseen_cost(asked: Asked<'_>, scopes: &[Scope]) -> Result<(), Refusal> {
    let Asked { gateway, snapshot, .. } = asked;
    let headroom = gateway.checkpoint().ledger().headroom(scopes, gateway.clock().now());
    let limited = headroom != UNLIMITED;
    let passes = match snapshot.settings.unknown_price {
        UnknownPrice::Deny => false,
        UnknownPrice::Estimate => !limited,
        UnknownPrice::Zero => !(limited && asked.policy().mode == Mode::Strict),
    };
    if passes {
        return Ok(());
    }
    Err(websocket::refused(
        "what a session over a websocket costs can't be seen, and a budget can't be kept without it",
        "use plain HTTP, or set prices.unknown: zero to let websockets pass without a charge (not in strict mode)",
    ))
}

/// What a request costs whose cost can't be seen. Where a budget in money would pay for it and nobody has said what it
/// costs, strict mode refuses: it could not keep its promise.
pub(super) fn flat_price(asked: Asked<'_>, plan: &[Priced], scopes: &[Scope]) -> Result<Usd, Refusal> {
    let Asked { gateway, snapshot, .. } = asked;
    if let Some(price) = snapshot.settings.other_request {
        return Ok(price);
    }
    let headroom = gateway.checkpoint().ledger().headroom(scopes, gateway.clock().now());
    if headroom.usd == UNLIMITED.usd {
        return Ok(Usd::ZERO);
    }
    let upstream = plan.first().map_or("", |one| one.target.upstream.settings.name.as_str());
    gateway.metrics().unpriced.with_label_values(&[upstream]).inc();
    if asked.policy().mode == Mode::Warn {
        return Ok(Usd::ZERO);
    }
    Err(Refusal::new(
        Code::PriceUnknown,
        "what a request to this path costs can't be seen, and a budget in money can't be kept without it",
        "set prices.other_request to the most that one such request costs",
    ))
}

/// Finds the price of the model at each target.
pub(super) fn price(
    asked: Asked<'_>,
    accepted: &Accepted,
    plan: Plan,
) -> Result<SmallVec<[Priced; 2]>, Refusal> {
    let Asked { snapshot, payload, .. } = asked;
    let named = payload.model().unwrap_or_default();
    let priced = |target: Target| {
        let model = target.model.as_deref().unwrap_or(named).to_owned();
        let (premium, sound) = (payload.request.premium, payload.request.sound);
        let plain = snapshot.price(accepted.dialect, &model);
        let price = plain.as_ref().and_then(|price| price.tier(premium));
        let price = match price {
            Some(price) => {
                if accepted.billing == Billing::ByToken {
                    check_fees(asked, &target, &model, price)?;
                }
                Some(Arc::clone(price))
            }
            None if accepted.billing == Billing::Free => None,
            // Should the answer tell what it used, that has its price.
            None if accepted.billing == Billing::Unknown => match snapshot.settings.unknown_price {
                UnknownPrice::Estimate => Some(Arc::clone(&snapshot.settings.assumed_price)),
                UnknownPrice::Deny | UnknownPrice::Zero => None,
            },
            None => unknown(asked, &target, &model, plain.as_deref())?,
        };
        Ok(Priced::new(target, model, price, sound))
    };
    plan.into_iter().map(priced).collect()
}

/// A fee that is not known is a price that is not known: where one may be guessed, the fee of each search, and of each run
/// of another tool of the provider's own, is taken for the dearest that is known.
fn check_fees(asked: Asked<'_>, target: &Target, model: &str, price: &Price) -> Result<(), Refusal> {
    let request = &asked.payload.request;
    let what = match (request.unpriced_tools, request.may_search && price.search.is_none()) {
        (true, _) => "of a tool that the provider runs itself".to_owned(),
        (false, true) => format!("of the searches of the model {model:?}"),
        (false, false) => return Ok(()),
    };
    asked.gateway.metrics().unpriced.with_label_values(&[target.upstream.settings.name.as_str()]).inc();
    if may_be_guessed(asked) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::PriceUnknown,
        format!("the fee {what} is not known, and a budget in money can't be kept without it"),
        "add search to the model's price in the file named by prices.file, leave the tool out, or set prices.unknown",
    ))
}

/// Whether a price that is not known may be guessed. Strict mode with a budget in money always refuses: it could not keep
/// its promise.
fn may_be_guessed(asked: Asked<'_>) -> bool {
    let strict = asked.policy().mode == Mode::Strict && asked.gateway.has_money_limit();
    !strict && asked.snapshot.settings.unknown_price != UnknownPrice::Deny
}

/// What the configuration says of a model without a price, or without one for the faster service that is asked for:
/// then its plain price is known.
fn unknown(
    asked: Asked<'_>,
    target: &Target,
    model: &str,
    plain: Option<&Price>,
) -> Result<Option<Arc<Price>>, Refusal> {
    let Asked { gateway, snapshot, .. } = asked;
    gateway.metrics().unpriced.with_label_values(&[target.upstream.settings.name.as_str()]).inc();
    if !may_be_guessed(asked) {
        return Err(Refusal::new(
            Code::PriceUnknown,
            format!(
                "the price of the model {model:?}{} is not known, and a budget in money can't be kept without it",
                if plain.is_some() { ", in the faster service asked for," } else { "" },
            ),
            "add it to the file named by prices.file, or set prices.unknown",
        ));
    }
    Ok(match (plain, snapshot.settings.unknown_price) {
        (Some(plain), _) => Some(Arc::new(plain.assumed_premium())),
        (None, UnknownPrice::Estimate) => Some(Arc::clone(&snapshot.settings.assumed_price)),
        (None, UnknownPrice::Zero | UnknownPrice::Deny) => None,
    })
}

//! Model calls that a program made by itself inside a run, and told about afterwards.

use std::sync::OnceLock;

use seawall_base::id;
use seawall_checkpoint::Denial;
use seawall_checkpoint::tool::ModelSpend;
use seawall_llm::price::{Prices, Provider};
use seawall_types::{ActionId, Code, Finding, Mode, Severity, Usage, Usd};

use crate::{Error, Run};

impl Run {
    /// Books a model call that was made in the run: from then on a budget with nothing left refuses the next call of
    /// anything. `cost` is what the provider said; `None`: by the built-in price table.
    ///
    /// # Errors
    /// `PRICE_UNKNOWN` when nobody knows the price, findings refuse, and money is limited. Its tokens are booked all the
    /// same.
    pub fn record_usage(
        &self,
        model: &str,
        input_tokens: u64,
        output_tokens: u64,
        cost: Option<Usd>,
    ) -> Result<Usd, Error> {
        let usage = Usage { input: input_tokens, output: output_tokens, ..Usage::default() };
        let known = cost.or_else(|| price(model, &usage));
        let findings: Vec<Finding> = known.is_none().then(|| unpriced(model)).into_iter().collect();
        let cost = known.unwrap_or_default();
        let inner = &self.inner;
        let action = id::new_action(&**inner.home.checkpoint.clock());
        inner.home.checkpoint.record_spend(
            action,
            &ModelSpend {
                run: inner.id,
                actor: &inner.actor,
                model,
                usage,
                cost,
                scopes: &inner.scopes,
                findings: &findings,
            },
        );
        inner.add_spent(cost);
        if known.is_none() && inner.policy.mode == Mode::Strict && inner.limits_money {
            return Err(refused(action, findings));
        }
        Ok(cost)
    }
}

/// What the usage costs by the built-in table; none where the model is not in it.
fn price(model: &str, usage: &Usage) -> Option<Usd> {
    static PRICES: OnceLock<Option<Prices>> = OnceLock::new();
    let prices = PRICES.get_or_init(|| {
        let read = Prices::embedded();
        read.inspect_err(|error| tracing::error!(%error, "the built-in price table can't be read")).ok()
    });
    let providers = [Provider::OpenAi, Provider::Anthropic, Provider::Gemini, Provider::Other];
    let price = providers.into_iter().find_map(|provider| prices.as_ref()?.find(provider, model))?;
    Some(price.cost(usage))
}

fn unpriced(model: &str) -> Finding {
    Finding {
        rule: "prices".to_owned(),
        code: Code::PriceUnknown,
        severity: Severity::High,
        message: format!("the price of {model:?} is not known, so that its cost is not counted"),
        location: "/model".to_owned(),
        remedy: "say what it cost with cost_usd".to_owned(),
    }
}

fn refused(action: ActionId, findings: Vec<Finding>) -> Error {
    let text = |pick: fn(&Finding) -> &String| findings.first().map(pick).cloned().unwrap_or_default();
    let denial =
        Denial::new(Code::PriceUnknown, text(|finding| &finding.message), text(|finding| &finding.remedy));
    Error::denied(action, Denial { findings: findings.into(), ..denial })
}

//! What the simulated provider charges.

use std::sync::OnceLock;

use seawall_llm::price::{Prices, Provider as PriceList};
use seawall_types::Usd;

use super::refusal::Provider;

/// The price of `sim-*`, and of every model that the embedded table does not know: $1 / $2 per million tokens.
const SIM: TokenPrices = TokenPrices { input_picos: 1_000_000, output_picos: 2_000_000 };

/// Pico-dollars per token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenPrices {
    pub(crate) input_picos: u64,
    pub(crate) output_picos: u64,
}

/// The prices of one call, which may depend on how long its prompt is.
pub(crate) fn price(provider: Provider, model: &str, input_tokens: u64) -> TokenPrices {
    static TABLE: OnceLock<Option<Prices>> = OnceLock::new();
    let table = TABLE.get_or_init(|| Prices::embedded().ok());
    let list = match provider {
        Provider::OpenAi => PriceList::OpenAi,
        Provider::Anthropic => PriceList::Anthropic,
        Provider::Gemini => PriceList::Gemini,
    };
    let Some(price) = table.as_ref().and_then(|table| table.find(list, model)) else { return SIM };
    let (input, output) = match &price.long_context {
        Some(tier) if input_tokens > tier.above => (tier.input, tier.output),
        Some(_) | None => (price.input, price.output),
    };
    TokenPrices { input_picos: picos(input), output_picos: picos(output) }
}

fn picos(price: Usd) -> u64 {
    u64::try_from(price.as_picos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simulated_and_unknown_models_cost_one_and_two_dollars_per_million() {
        for provider in [Provider::OpenAi, Provider::Anthropic, Provider::Gemini] {
            for model in ["sim-1", "sim-anything", "nobody-knows-this"] {
                assert_eq!(price(provider, model, 1_000), SIM, "{model}");
            }
        }
    }

    #[test]
    fn a_known_model_costs_what_the_table_says() {
        let known = price(Provider::OpenAi, "gpt-4o-mini", 1_000);
        assert_eq!(known, TokenPrices { input_picos: 150_000, output_picos: 600_000 });
    }
}

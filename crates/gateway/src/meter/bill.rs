//! What is charged for a call: what the provider said that it used, else what was seen of it.

use std::sync::Arc;

use seawall_llm::estimate_tokens;
use seawall_llm::price::Price;
use seawall_types::{Amount, Usage};

use super::{Ending, Meter};

/// Tokens that an upstream may have produced between the last piece we saw and its noticing that we hung up.
const UNDER_WAY_TOKENS: u64 = 32;

impl Meter {
    pub(super) fn prompt_only(&self) -> Usage {
        Usage { input: estimate_tokens(self.prompt_bytes), estimated: true, ..Usage::default() }
    }

    /// The price of the model that answered, which may be another than was asked for (a dated name, a fallback of the
    /// provider's own).
    pub(super) fn served_price(&self) -> Option<Arc<Price>> {
        let price = self.gateway.snapshot().price(self.accepted.dialect, self.answer.model.as_deref()?)?;
        Some(Arc::clone(price.tier(self.premium)))
    }

    /// The usage to charge for the answer: what the provider said; else, for a call that was answered, what we saw.
    pub(super) fn usage_of_answer(&self, status: Option<u16>, ending: Ending) -> Usage {
        if !self.metered || status.is_some_and(|status| status >= 400) {
            return self.answer.usage.unwrap_or_default();
        }
        // A stream that was cut tells its usage so far in some formats; what was written since then is not in it.
        let seen = estimate_tokens(self.answer.output_bytes);
        match (self.answer.usage, ending) {
            (Some(usage), Ending::Complete) => usage,
            (Some(usage), _) if usage.output >= seen && self.answer.finish.is_some() => usage,
            (reported, ending) => {
                let margin = if ending == Ending::Complete { 0 } else { UNDER_WAY_TOKENS };
                let unseen = if self.wrote_unseen { self.most_output } else { 0 };
                let output = if self.accepted.wire.has_output() { unseen.max(seen + margin) } else { 0 };
                let reported = reported.unwrap_or_default();
                Usage {
                    input: if reported.input > 0 {
                        reported.input
                    } else {
                        estimate_tokens(self.prompt_bytes)
                    },
                    output: output.max(reported.output),
                    estimated: true,
                    ..reported
                }
            }
        }
    }

    /// The provider goes on after the connection has ended and nobody will tell what it cost: everything that was held
    /// is charged.
    pub(super) fn charge_all(&mut self, estimate: Amount) {
        self.cost = self.cost.max(estimate.usd);
        self.usage.output += estimate.tokens.saturating_sub(self.usage.total());
        self.usage.estimated = true;
    }
}

/// The sum of two usages.
pub(super) fn add(a: Usage, b: &Usage) -> Usage {
    Usage {
        input: a.input.saturating_add(b.input),
        output: a.output.saturating_add(b.output),
        cached: a.cached.saturating_add(b.cached),
        cache_write: a.cache_write.saturating_add(b.cache_write),
        cache_write_1h: a.cache_write_1h.saturating_add(b.cache_write_1h),
        reasoning: a.reasoning.saturating_add(b.reasoning),
        estimated: a.estimated || b.estimated,
    }
}

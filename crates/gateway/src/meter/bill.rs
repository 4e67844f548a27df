//! What is charged for a call: what the provider said that it used, else what was seen of it, else what was reserved.

use std::sync::Arc;
use std::time::Duration;

use seawall_llm::estimate_tokens;
use seawall_llm::price::Price;
use seawall_llm::wire::{Billing, Wire};
use seawall_types::{Usage, Usd};

use super::{Current, Ending, Meter};

/// Tokens that an upstream may have produced between the last piece we saw and its noticing that we hung up.
const UNDER_WAY_TOKENS: u64 = 32;

/// More than any model whose reasoning is hidden is known to write in a second.
const HIDDEN_TOKENS_A_SECOND: u64 = 1_000;

/// What one try is charged.
#[derive(Debug, Default)]
pub(super) struct Bill {
    pub(super) usage: Usage,
    /// It costs no less, whatever the usage makes.
    pub(super) least: Usd,
}

/// What the model may have written that nobody saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unseen {
    Nothing,
    /// What it had the time for.
    Hidden,
    /// All that it was allowed to write.
    All,
}

impl Bill {
    pub(super) fn cost(&self, price: Option<&Price>) -> Usd {
        price.map_or(Usd::ZERO, |price| price.cost(&self.usage)).max(self.least)
    }
}

impl Meter {
    /// For a try that came to nothing, though the upstream may have worked on it: the prompt. What was to go on without a
    /// connection may go on, so that is charged whole.
    pub(super) fn bill_of_nothing(&self, current: &Current) -> Bill {
        if !current.dispatch.has_begun() {
            return Bill::default();
        }
        if self.background && current.status.is_none_or(|status| status < 400) {
            return self.reserved(current, Usage::default());
        }
        let usage = if self.metered { self.prompt_only() } else { Usage::default() };
        Bill { usage, least: self.most.flat }
    }

    fn prompt_only(&self) -> Usage {
        Usage { input: estimate_tokens(self.prompt_bytes), estimated: true, ..Usage::default() }
    }

    /// The price of the model that answered, which may be another than was asked for (a dated name, a fallback of the
    /// provider's own), in the service that answered, which may be another too.
    pub(super) fn price_of(&self, current: &Current) -> Option<Arc<Price>> {
        let find = |model: &str| self.snapshot.price(self.accepted.dialect, model);
        let served = self.answer.model.as_deref().and_then(find);
        let same_service = self.answer.premium.is_none_or(|premium| premium == self.premium);
        if served.is_none() && same_service {
            return current.price.clone();
        }
        let premium = self.answer.premium.unwrap_or(self.premium);
        let Some(plain) = served.or_else(|| find(&current.model)) else { return current.price.clone() };
        Some(plain.tier(premium).cloned().unwrap_or_else(|| Arc::new(plain.assumed_premium())))
    }

    /// For the answer: what the provider said; else what we saw; else, where more may have been written than we could see,
    /// what there was the time for, or all that was reserved. What never went out costs nothing.
    pub(super) fn bill_of_answer(&self, current: &Current, ending: Ending) -> Bill {
        match (self.accepted.billing, current.status) {
            (Billing::Free, _) => Bill::default(),
            (_, None) if !current.dispatch.has_begun() => Bill::default(),
            (_, Some(500..)) => self.bill_of_nothing(current),
            (_, Some(400..)) => Bill { usage: self.answer.usage.unwrap_or_default(), least: Usd::ZERO },
            (Billing::Unknown, _) => {
                Bill { usage: self.answer.usage.unwrap_or_default(), least: self.most.flat }
            }
            (Billing::ByToken, _) => {
                let mut bill = self.bill_of_tokens(current, ending);
                bill.usage.searches = bill.usage.searches.max(self.searches());
                bill.usage.tool_runs = bill.usage.tool_runs.max(self.tool_runs());
                bill
            }
        }
    }

    fn bill_of_tokens(&self, current: &Current, ending: Ending) -> Bill {
        // A stream that was cut tells its usage so far in some formats; what was written since then is not in it.
        let seen = estimate_tokens(self.answer.output_bytes);
        let is_final = |usage: &Usage| {
            ending == Ending::Complete || usage.output >= seen && self.answer.finish.is_some()
        };
        if let Some(usage) = self.answer.usage.filter(is_final) {
            return Bill { usage, least: Usd::ZERO };
        }
        let reported = self.answer.usage.unwrap_or_default();
        let unseen = self.unseen(current, ending);
        if unseen == Unseen::All {
            return self.reserved(current, reported);
        }
        let margin = if ending == Ending::Complete { 0 } else { UNDER_WAY_TOKENS };
        let hidden = if unseen == Unseen::Hidden { self.hidden_since(current.since) } else { 0 };
        let output = if self.accepted.wire.has_output() { (seen + margin).max(hidden) } else { 0 };
        let input = if reported.input > 0 { reported.input } else { estimate_tokens(self.prompt_bytes) };
        let usage = Usage { input, output: output.max(reported.output), estimated: true, ..reported };
        Bill { usage, least: Usd::ZERO }
    }

    /// Whether the model may have written what nobody saw: it reasons, or it goes on after the connection has ended, or
    /// the call was broken off before anything came.
    fn unseen(&self, current: &Current, ending: Ending) -> Unseen {
        let may_reason = current.price.as_ref().is_none_or(|price| price.may_reason);
        let saw_something = self.answer.output_bytes > 0;
        let broken_off = match ending {
            Ending::Complete | Ending::Failed => false,
            Ending::Cancelled | Ending::TimedOut | Ending::Cut => may_reason || !saw_something,
        };
        if self.wrote_unseen || self.background && self.answer.usage.is_none() {
            Unseen::All
        } else if !broken_off {
            Unseen::Nothing
        } else if self.is_stream {
            Unseen::Hidden
        } else {
            Unseen::All
        }
    }

    /// The most that was written since then, and no more than was allowed. A stream is read as it is written, so what is
    /// not seen of it was hidden, and written in the time that passed.
    fn hidden_since(&self, since: Duration) -> u64 {
        let millis = u64::try_from(self.now().saturating_sub(since).as_millis()).unwrap_or(u64::MAX);
        let written = millis.saturating_mul(HIDDEN_TOKENS_A_SECOND) / 1_000;
        written.saturating_mul(self.answers.max(1)).min(self.most.output)
    }

    /// All that was reserved for one try. What the provider has said of the prompt is known better.
    fn reserved(&self, current: &Current, reported: Usage) -> Bill {
        let output = self.most.output.max(reported.output);
        if reported.input > 0 {
            return Bill { usage: Usage { output, estimated: true, ..reported }, least: Usd::ZERO };
        }
        let least = current.dearest.as_ref().map_or(Usd::ZERO, |price| price.upper(self.most.input, output));
        let usage = Usage { input: self.most.input, output, estimated: true, ..reported };
        Bill { usage, least }
    }

    /// The searches that were made. A chat's answer does not tell of any, though one is made for each.
    fn searches(&self) -> u64 {
        let untold = self.may_search && self.accepted.wire == Wire::OpenAiChat;
        self.answer.searches.max(u64::from(untold))
    }

    /// The same of other tools of the provider.
    fn tool_runs(&self) -> u64 {
        let untold = self.unpriced_tools && self.accepted.wire == Wire::OpenAiChat;
        self.answer.tool_runs.max(u64::from(untold))
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
        sound_in: a.sound_in.saturating_add(b.sound_in),
        sound_out: a.sound_out.saturating_add(b.sound_out),
        searches: a.searches.saturating_add(b.searches),
        tool_runs: a.tool_runs.saturating_add(b.tool_runs),
        estimated: a.estimated || b.estimated,
    }
}

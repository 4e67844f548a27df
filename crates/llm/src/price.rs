//! What tokens cost: the table, and the arithmetic on it.
//!
//! Prices are whole pico-dollars per token. The table is data: built in ([`Prices::embedded`]), and laid over by an
//! operator's own file in the same form. Which price a call is charged at is decided by the model that answered;
//! this module only finds it.

mod find;
mod parse;

use std::collections::HashMap;
use std::sync::Arc;

use seawall_types::{Usage, Usd};

pub use parse::PriceError;

/// Whose names a model name is to be looked up under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provider {
    /// OpenAI.
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
    /// Any other: its names stand in the table with a prefix (`groq/…`, `azure/…`).
    Other,
}

impl From<crate::wire::Dialect> for Provider {
    fn from(dialect: crate::wire::Dialect) -> Self {
        match dialect {
            crate::wire::Dialect::OpenAi => Self::OpenAi,
            crate::wire::Dialect::Anthropic => Self::Anthropic,
            crate::wire::Dialect::Gemini => Self::Gemini,
        }
    }
}

/// Prices per token for prompts above a length. They hold for the whole call, not for what is above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    /// Prompts of more tokens than this.
    pub above: u64,
    /// A fresh token read.
    pub input: Usd,
    /// A token written.
    pub output: Usd,
    /// A token read from a cache.
    pub cached: Usd,
    /// A token written to a short-lived cache.
    pub cache_write: Usd,
    /// A token written to a cache that lives an hour.
    pub cache_write_1h: Usd,
}

/// Prices of a token of sound. They hold for prompts of any length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sound {
    /// Heard.
    pub input: Usd,
    /// Spoken.
    pub output: Usd,
}

/// How many times the plain price a faster service is taken to cost whose price is not known. The dearest that is
/// known is six times (Anthropic's fast mode of Opus 4.6).
const UNKNOWN_PREMIUM: u64 = 6;

/// What one run of a provider's tool is taken to cost whose fee is not known: the dearest that is known, which is
/// Google's $35 for a thousand searches.
pub const UNKNOWN_FEE: Usd = Usd::from_picos(35_000_000_000);

/// What one model costs per token, and how much it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// The table's name for it: kept with what was charged.
    pub id: Arc<str>,
    /// A fresh token read.
    pub input: Usd,
    /// A token written, reasoning included.
    pub output: Usd,
    /// A token read from a cache.
    pub cached: Usd,
    /// A token written to a short-lived cache.
    pub cache_write: Usd,
    /// A token written to a cache that lives an hour.
    pub cache_write_1h: Usd,
    /// Other prices for long prompts.
    pub long_context: Option<Tier>,
    /// The price of the faster service that the provider sells for the same model.
    pub premium: Option<Arc<Price>>,
    /// Tokens of sound, where they have a price of their own.
    pub sound: Option<Sound>,
    /// One search that the provider makes for the model, where that is known.
    pub search: Option<Usd>,
    /// It may reason out of sight, so that what was seen of an answer does not say what was written. Of a model that
    /// the table does not tell it is taken for granted.
    pub may_reason: bool,
    /// The most tokens that a prompt can have.
    pub max_input: Option<u64>,
    /// The most tokens that an answer can have.
    pub max_output: Option<u64>,
}

impl Price {
    /// What a call cost. Sums that are out of range give the largest amount.
    ///
    /// Sound has its full price wherever it was read from, since what it costs from a cache is in no table. Of what came
    /// from a cache as little is taken for sound as can be, and no token is charged twice.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> Usd {
        let rates = self.rates(usage.input);
        let sound = self.sound.unwrap_or(Sound { input: rates.input, output: rates.output });
        let special = usage.cached.saturating_add(usage.cache_write).saturating_add(usage.cache_write_1h);
        let special = special.saturating_add(usage.sound_in);
        let mut twice = special.saturating_sub(usage.input).min(usage.sound_in);
        let mut once = |tokens: u64| {
            let rest = tokens.saturating_sub(twice);
            twice -= tokens - rest;
            rest
        };
        [
            sound.input.times(usage.sound_in),
            sound.output.times(usage.sound_out),
            self.fees(usage.searches, usage.tool_runs),
            rates.input.times(usage.input.saturating_sub(special)),
            rates.cached.times(once(usage.cached)),
            rates.cache_write.times(once(usage.cache_write)),
            rates.cache_write_1h.times(once(usage.cache_write_1h)),
            rates.output.times(usage.output.saturating_sub(usage.sound_out)),
        ]
        .into_iter()
        .sum()
    }

    /// What so many searches and runs of other tools cost beside their tokens. A fee that is not known is taken for the
    /// dearest that is.
    #[must_use]
    pub fn fees(&self, searches: u64, tool_runs: u64) -> Usd {
        let search = self.search.unwrap_or(UNKNOWN_FEE);
        search.times(searches).saturating_add(UNKNOWN_FEE.times(tool_runs))
    }

    /// The most that a call can cost whose prompt has at most `input_bound` tokens and whose answers have, all
    /// together, at most `output_bound`: every token at the dearest price that may apply to it.
    #[must_use]
    pub fn upper(&self, input_bound: u64, output_bound: u64) -> Usd {
        let (base, long) = (self.rates(0), self.rates(input_bound));
        let input = base.dearest_input().max(long.dearest_input());
        let output = base.output.max(long.output);
        input.times(input_bound).saturating_add(output.times(output_bound))
    }

    /// How many tokens of output `money` pays for, at the dearest price; `None` when output is free.
    #[must_use]
    pub fn output_for(&self, money: Usd) -> Option<u64> {
        money.buys(self.output.max(self.long_context.map_or(Usd::ZERO, |tier| tier.output)))
    }

    /// The price of the service that was asked for. `None`: that of the faster service is not known.
    #[must_use]
    pub fn tier(self: &Arc<Self>, premium: bool) -> Option<&Arc<Self>> {
        if premium { self.premium.as_ref() } else { Some(self) }
    }

    /// What a faster service is taken to cost whose price is not known: six times the plain one.
    #[must_use]
    pub fn assumed_premium(&self) -> Self {
        let dearer = |price: Usd| price.times(UNKNOWN_PREMIUM);
        let tier = |tier: Tier| Tier {
            above: tier.above,
            input: dearer(tier.input),
            output: dearer(tier.output),
            cached: dearer(tier.cached),
            cache_write: dearer(tier.cache_write),
            cache_write_1h: dearer(tier.cache_write_1h),
        };
        let plain = tier(self.rates(0));
        Self {
            id: Arc::clone(&self.id),
            input: plain.input,
            output: plain.output,
            cached: plain.cached,
            cache_write: plain.cache_write,
            cache_write_1h: plain.cache_write_1h,
            long_context: self.long_context.map(tier),
            premium: None,
            sound: self.sound.map(|sound| Sound { input: dearer(sound.input), output: dearer(sound.output) }),
            search: self.search,
            may_reason: self.may_reason,
            max_input: self.max_input,
            max_output: self.max_output,
        }
    }

    /// The price to reserve at when any token may be one of sound.
    #[must_use]
    pub fn with_sound(self: &Arc<Self>) -> Arc<Self> {
        let Some(sound) = self.sound else { return Arc::clone(self) };
        let tier = |tier: Tier| Tier {
            input: tier.input.max(sound.input),
            output: tier.output.max(sound.output),
            ..tier
        };
        let plain = tier(self.rates(0));
        let long_context = self.long_context.map(tier);
        Arc::new(Self { input: plain.input, output: plain.output, long_context, ..Self::clone(self) })
    }

    /// The prices that hold for a prompt of `input` tokens.
    fn rates(&self, input: u64) -> Tier {
        self.long_context.filter(|tier| input > tier.above).unwrap_or(Tier {
            above: 0,
            input: self.input,
            output: self.output,
            cached: self.cached,
            cache_write: self.cache_write,
            cache_write_1h: self.cache_write_1h,
        })
    }
}

impl Tier {
    fn dearest_input(&self) -> Usd {
        self.input.max(self.cached).max(self.cache_write).max(self.cache_write_1h)
    }
}

/// Where a table comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source {
    /// Whose table.
    pub name: String,
    /// Under which licence.
    pub licence: String,
    /// Of which day (`2026-01-31`).
    pub date: String,
}

/// A price table.
#[derive(Debug, Clone)]
pub struct Prices {
    models: HashMap<Arc<str>, Arc<Price>>,
    source: Source,
    /// What every `sim-*` model costs.
    simulated: Arc<Price>,
}

impl Prices {
    /// The table that is built in.
    ///
    /// # Errors
    /// Never with the data that this crate is tested with.
    pub fn embedded() -> Result<Self, PriceError> {
        Self::parse(include_str!("../data/prices.json"), "the built-in price table")
    }

    /// Reads a table:
    /// `{"models":{"NAME":{"in":2.5,"out":10,"cached":1.25,"write":…,"write_1h":…,"sound_in":…,"sound_out":…,
    /// "search":10,"long":{"above":200000,"in":…},"premium":{…},"reasons":false,"max_in":128000,"max_out":16384}}}`, in
    /// US dollars per million tokens, `search` per thousand searches, as numbers or as strings.
    ///
    /// Read exactly, and rounded up to the pico-dollar per token. `cached` and `write` are `in` when missing,
    /// `write_1h` is `write`, sound costs what text does, a tier's prices are the model's, and a premium's `sound_in`,
    /// `sound_out`, `search` and `long` follow the plain ones. Without `search` the fee is not known; without
    /// `reasons: false` the model may reason out of sight. `origin` names the table in errors.
    ///
    /// # Errors
    /// All that is wrong with it at once: unknown keys, missing or negative prices, models named twice.
    pub fn parse(json: &str, origin: &str) -> Result<Self, PriceError> {
        parse::table(json, origin)
    }

    /// Lays `other` over this table: its models replace those of the same name.
    pub fn overlay(&mut self, other: Self) {
        self.models.extend(other.models);
    }

    /// The price of `model`, or `None` rather than a guess.
    ///
    /// Tried in turn: the name as it is, with and without the provider's prefix, then without a date or version at its
    /// end (`-2024-08-06`, `-20250514`, `@…`, `-latest`, `-001`, `-preview-05-20`). So `gpt-4o-mini` is never found
    /// as `gpt-4o`. Every `sim-*` name has the simulated provider's price.
    #[must_use]
    pub fn find(&self, provider: Provider, model: &str) -> Option<&Arc<Price>> {
        find::price(&self.models, provider, model)
            .or_else(|| model.starts_with("sim-").then_some(&self.simulated))
    }

    /// Where the table comes from. An overlay does not change it.
    #[must_use]
    pub const fn source(&self) -> &Source {
        &self.source
    }

    /// How many models it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.models.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }
}

//! What the simulated provider served: requests, tokens and dollars, counted as they leave.
//!
//! These numbers are the truth that tests hold ledgers against, so each is counted where it happens: tokens when the
//! frame that carries them is taken, the outcome when the last frame is. Nothing here knows a wire format.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use seawall_types::Usd;
use serde::Serialize;

use super::price::{TokenPrices, price};
use super::refusal::Provider;

/// How many model names are counted apart; what comes after them is counted under [`OTHER_MODELS`].
const MODELS_LIMIT: usize = 1_000;
const OTHER_MODELS: &str = "(other)";

/// The counters since the start or the last reset. `requests = completed + cancelled + errors + broken` once nothing is
/// in flight.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Requests to a provider path; `/sim/…` and the probe of `/` do not count.
    pub requests: u64,
    /// Of them: answered with a stream.
    pub streams: u64,
    /// Answered to the last byte.
    pub completed: u64,
    /// Given up by the client before the end.
    pub cancelled: u64,
    /// Answered with an error status.
    pub errors: u64,
    /// Broken off by `sim:disconnect`.
    pub broken: u64,
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens that left.
    pub output_tokens: u64,
    /// What those tokens cost.
    pub cost_usd: Usd,
    /// The same by model.
    pub by_model: BTreeMap<String, ModelStats>,
    /// Requests that have no outcome yet, those from before a reset included.
    pub in_flight: u64,
}

/// The counters of one model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ModelStats {
    /// Requests that were answered and billed.
    pub requests: u64,
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens that left.
    pub output_tokens: u64,
    /// What those tokens cost.
    pub cost_usd: Usd,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Completed,
    Cancelled,
    Error,
    Broken,
}

/// The counters of the present era. A reset begins a new one; what is in flight goes on counting in its own.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    era: Mutex<Arc<Era>>,
    in_flight: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Era {
    requests: AtomicU64,
    streams: AtomicU64,
    completed: AtomicU64,
    cancelled: AtomicU64,
    errors: AtomicU64,
    broken: AtomicU64,
    models: Mutex<BTreeMap<String, Arc<ModelCounters>>>,
}

#[derive(Debug, Default)]
struct ModelCounters {
    requests: AtomicU64,
    input_tokens: AtomicU64,
    output_tokens: AtomicU64,
    cost_picos: AtomicU64,
}

impl Counters {
    /// Counts a request that has arrived.
    pub(crate) fn begin(&self) -> Flight {
        let era = Arc::clone(&self.era.lock().unwrap_or_else(PoisonError::into_inner));
        bump(&era.requests, 1);
        bump(&self.in_flight, 1);
        Flight { era, in_flight: Arc::clone(&self.in_flight), bill: None, open: true }
    }

    pub(crate) fn reset(&self) {
        *self.era.lock().unwrap_or_else(PoisonError::into_inner) = Arc::default();
    }

    pub(crate) fn read(&self) -> Stats {
        let era = Arc::clone(&self.era.lock().unwrap_or_else(PoisonError::into_inner));
        let by_model: BTreeMap<String, ModelStats> = era
            .models
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .map(|(name, counters)| (name.clone(), counters.read()))
            .collect();
        Stats {
            requests: get(&era.requests),
            streams: get(&era.streams),
            completed: get(&era.completed),
            cancelled: get(&era.cancelled),
            errors: get(&era.errors),
            broken: get(&era.broken),
            input_tokens: by_model.values().map(|model| model.input_tokens).sum(),
            output_tokens: by_model.values().map(|model| model.output_tokens).sum(),
            cost_usd: by_model.values().map(|model| model.cost_usd).sum(),
            by_model,
            in_flight: get(&self.in_flight),
        }
    }
}

impl Era {
    fn model(&self, name: &str) -> Arc<ModelCounters> {
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counters) = models.get(name) {
            return Arc::clone(counters);
        }
        let name = if models.len() < MODELS_LIMIT { name } else { OTHER_MODELS };
        Arc::clone(models.entry(name.to_owned()).or_default())
    }
}

impl ModelCounters {
    fn read(&self) -> ModelStats {
        ModelStats {
            requests: get(&self.requests),
            input_tokens: get(&self.input_tokens),
            output_tokens: get(&self.output_tokens),
            cost_usd: Usd::from_picos(u128::from(get(&self.cost_picos))),
        }
    }

    fn pay(&self, tokens: u64, picos_each: u64) {
        bump(&self.cost_picos, tokens.saturating_mul(picos_each));
    }
}

/// One request on its way. Dropped without an outcome, it was cancelled.
#[derive(Debug)]
pub(crate) struct Flight {
    era: Arc<Era>,
    in_flight: Arc<AtomicU64>,
    bill: Option<Bill>,
    open: bool,
}

#[derive(Debug)]
struct Bill {
    model: Arc<ModelCounters>,
    prices: TokenPrices,
    answer_bytes: u64,
    output_tokens: u64,
}

impl Flight {
    /// The model has read its prompt: from here on the request costs money.
    pub(crate) fn charge(&mut self, provider: Provider, model: &str, input_tokens: u64) {
        let prices = price(provider, model, input_tokens);
        let model = self.era.model(model);
        bump(&model.requests, 1);
        bump(&model.input_tokens, input_tokens);
        model.pay(input_tokens, prices.input_picos);
        self.bill = Some(Bill { model, prices, answer_bytes: 0, output_tokens: 0 });
    }

    /// The answer is a stream.
    pub(crate) fn streams(&self) {
        bump(&self.era.streams, 1);
    }

    /// So many more bytes of the answer have left.
    pub(crate) fn wrote(&mut self, answer_bytes: u64) {
        let Some(bill) = &mut self.bill else { return };
        bill.answer_bytes = bill.answer_bytes.saturating_add(answer_bytes);
        let more = bill.answer_bytes.div_ceil(super::BYTES_PER_TOKEN).saturating_sub(bill.output_tokens);
        bill.output_tokens += more;
        bump(&bill.model.output_tokens, more);
        bill.model.pay(more, bill.prices.output_picos);
    }

    /// Counts the outcome, once.
    pub(crate) fn end(&mut self, outcome: Outcome) {
        if !std::mem::replace(&mut self.open, false) {
            return;
        }
        let counter = match outcome {
            Outcome::Completed => &self.era.completed,
            Outcome::Cancelled => &self.era.cancelled,
            Outcome::Error => &self.era.errors,
            Outcome::Broken => &self.era.broken,
        };
        bump(counter, 1);
        self.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.end(Outcome::Cancelled);
    }
}

fn bump(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::AcqRel);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Acquire)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_counted_as_they_leave_and_rounded_up_once() {
        let counters = Counters::default();
        let mut flight = counters.begin();
        flight.charge(Provider::OpenAi, "sim-1", 10);
        for _ in 0..5 {
            flight.wrote(1);
        }
        let stats = counters.read();
        assert_eq!((stats.input_tokens, stats.output_tokens, stats.in_flight), (10, 2, 1));
        assert_eq!(stats.cost_usd.to_string(), "0.000014");
        assert_eq!(stats.by_model["sim-1"].output_tokens, 2);
    }

    #[test]
    fn a_request_has_one_outcome_and_a_dropped_one_was_cancelled() {
        let counters = Counters::default();
        let mut finished = counters.begin();
        finished.end(Outcome::Completed);
        finished.end(Outcome::Error);
        drop(finished);
        drop(counters.begin());
        let stats = counters.read();
        assert_eq!((stats.requests, stats.completed, stats.cancelled, stats.errors), (2, 1, 1, 0));
        assert_eq!(stats.in_flight, 0);
    }

    #[test]
    fn a_reset_forgets_and_what_was_in_flight_counts_in_its_own_era() {
        let counters = Counters::default();
        let mut flight = counters.begin();
        flight.charge(Provider::OpenAi, "m", 1);
        counters.reset();
        flight.wrote(100);
        assert_eq!(counters.read(), Stats { in_flight: 1, ..Stats::default() });
        drop(flight);
        assert_eq!(counters.read(), Stats::default());
    }

    #[test]
    fn the_number_of_model_names_is_bounded() {
        let counters = Counters::default();
        for number in 0..MODELS_LIMIT + 10 {
            counters.begin().charge(Provider::OpenAi, &format!("m{number}"), 1);
        }
        let stats = counters.read();
        assert_eq!(stats.by_model.len(), MODELS_LIMIT + 1);
        assert_eq!(stats.by_model[OTHER_MODELS].input_tokens, 10);
    }
}

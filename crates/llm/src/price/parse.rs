//! Reads a price table, exactly and all of it: every fault is named at once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;

use seawall_types::Usd;

use super::{Price, Prices, Sound, Source, Tier};
use crate::json::{ANSWER_DEPTH, Kind, Object, Value};

/// The digits from a price per million to pico-dollars per token: 12 − 6.
const PICOS_PER_MILLIONTH: i32 = 6;

/// A price table that can't be used, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PriceError {
    /// Which table.
    pub origin: String,
    /// What is wrong, each naming model and key.
    pub problems: Vec<String>,
}

impl fmt::Display for PriceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} can't be used: {}", self.origin, self.problems.join("; "))
    }
}

pub(super) fn table(json: &str, origin: &str) -> Result<Prices, PriceError> {
    let mut reader = Reader { problems: Vec::new() };
    let table = Object::parse(json.as_bytes(), ANSWER_DEPTH)
        .map_err(|error| PriceError { origin: origin.to_owned(), problems: vec![error.to_string()] })?;
    let mut prices =
        Prices { models: HashMap::new(), source: Source::default(), simulated: Arc::new(simulated()) };
    for (key, value) in table.iter() {
        match (key.as_ref(), value.as_object()) {
            ("models", Some(models)) => prices.models = reader.models(&models),
            ("source", Some(source)) => prices.source = read_source(&source),
            ("unit", None) if value.as_str().as_deref() == Some("USD per million tokens") => {}
            (key, _) => reader.problem("", key, "is not source, unit (USD per million tokens) or models"),
        }
    }
    if table.get("models").is_none() {
        reader.problem("", "models", "is missing (a table of models)");
    }
    if reader.problems.is_empty() {
        return Ok(prices);
    }
    Err(PriceError { origin: origin.to_owned(), problems: reader.problems })
}

/// The simulated provider's models: a dollar per million tokens read, two per million written.
fn simulated() -> Price {
    let (input, output) = (Usd::from_picos(1_000_000), Usd::from_picos(2_000_000));
    let plain = Price {
        id: "sim-*".into(),
        input,
        output,
        cached: input,
        cache_write: input,
        cache_write_1h: input,
        long_context: None,
        premium: None,
        sound: None,
        search: Some(Usd::ZERO),
        may_reason: false,
        max_input: Some(1_000_000),
        max_output: Some(8_192),
    };
    // It sells no faster service, so asking for one changes nothing.
    Price { premium: Some(Arc::new(plain.clone())), ..plain }
}

fn read_source(source: &Object<'_>) -> Source {
    let text = |key| source.get(key).and_then(|value| Some(value.as_str()?.into_owned())).unwrap_or_default();
    Source { name: text("name"), licence: text("licence"), date: text("date") }
}

/// The prices of one tier as they stand: what is missing is taken from elsewhere.
#[derive(Default)]
struct Rates<'a> {
    input: Option<Usd>,
    output: Option<Usd>,
    cached: Option<Usd>,
    write: Option<Usd>,
    write_1h: Option<Usd>,
    above: Option<u64>,
    max_in: Option<u64>,
    max_out: Option<u64>,
    sound_in: Option<Usd>,
    sound_out: Option<Usd>,
    search: Option<Usd>,
    reasons: Option<bool>,
    long: Option<Object<'a>>,
    premium: Option<Object<'a>>,
    /// A key was named as a problem already.
    faulty: bool,
}

/// What a model may say, and what its premium may.
const PLAIN_KEYS: &[&str] = &[
    "in",
    "out",
    "cached",
    "write",
    "write_1h",
    "sound_in",
    "sound_out",
    "search",
    "long",
    "premium",
    "reasons",
    "max_in",
    "max_out",
];
const PREMIUM_KEYS: &[&str] =
    &["in", "out", "cached", "write", "write_1h", "sound_in", "sound_out", "search", "long"];

struct Reader {
    problems: Vec<String>,
}

impl Reader {
    fn problem(&mut self, model: &str, key: &str, what: &str) {
        let place = if model.is_empty() { key.to_owned() } else { format!("{model}: {key}") };
        self.problems.push(format!("{place} {what}"));
    }

    fn models(&mut self, models: &Object<'_>) -> HashMap<Arc<str>, Arc<Price>> {
        let mut read = HashMap::new();
        for (name, value) in models.iter() {
            let Some(object) = value.as_object() else {
                self.problem(&name, "prices", "are not an object");
                continue;
            };
            let id: Arc<str> = name.as_ref().into();
            let Some(price) = self.model(&id, &object) else { continue };
            match read.entry(id) {
                Entry::Vacant(place) => {
                    place.insert(Arc::new(price));
                }
                Entry::Occupied(_) => self.problem(&name, "model", "is named twice"),
            }
        }
        read
    }

    fn model(&mut self, id: &Arc<str>, object: &Object<'_>) -> Option<Price> {
        let rates = self.rates(id, object, PLAIN_KEYS);
        let plain = self.price(id, &rates, None)?;
        let premium = rates.premium.as_ref().and_then(|object| {
            let rates = self.rates(id, object, PREMIUM_KEYS);
            self.price(id, &rates, Some(&plain))
        });
        Some(Price { premium: premium.map(Arc::new), ..plain })
    }

    /// The price that `rates` make; what a premium leaves out it takes from the `plain` price.
    fn price(&mut self, id: &Arc<str>, rates: &Rates<'_>, plain: Option<&Price>) -> Option<Price> {
        for (key, rate) in [("in", rates.input), ("out", rates.output)] {
            if rate.is_none() && !rates.faulty {
                self.problem(id, key, "is missing (dollars for a million tokens)");
            }
        }
        let (input, output) = (rates.input?, rates.output?);
        let cache_write = rates.write.unwrap_or(input);
        let price = Price {
            id: Arc::clone(id),
            input,
            output,
            cached: rates.cached.unwrap_or(input),
            cache_write,
            cache_write_1h: rates.write_1h.unwrap_or(cache_write),
            long_context: None,
            premium: None,
            sound: sound(rates, input, output, plain),
            search: rates.search.or_else(|| plain?.search),
            may_reason: rates.reasons.or_else(|| Some(plain?.may_reason)).unwrap_or(true),
            max_input: rates.max_in.or_else(|| plain?.max_input),
            max_output: rates.max_out.or_else(|| plain?.max_output),
        };
        let long = rates.long.as_ref().and_then(|long| self.tier(id, long, &price));
        // A premium without a tier of its own is at least as dear as the plain one's.
        let inherited = plain.and_then(|plain| plain.long_context).map(|tier| dearer(tier, &price));
        Some(Price { long_context: long.or(inherited), ..price })
    }

    fn tier(&mut self, id: &str, object: &Object<'_>, base: &Price) -> Option<Tier> {
        let rates = self.rates(id, object, &["above", "in", "out", "cached", "write", "write_1h"]);
        let Some(above) = rates.above else {
            self.problem(id, "long.above", "is missing (the tokens above which it holds)");
            return None;
        };
        let input = rates.input.unwrap_or(base.input);
        let cache_write = rates.write.unwrap_or(base.cache_write).max(input);
        Some(Tier {
            above,
            input,
            output: rates.output.unwrap_or(base.output),
            cached: rates.cached.unwrap_or(input),
            cache_write,
            cache_write_1h: rates.write_1h.unwrap_or(base.cache_write_1h).max(cache_write),
        })
    }

    fn rates<'a>(&mut self, model: &str, object: &Object<'a>, known: &[&str]) -> Rates<'a> {
        let mut rates = Rates::default();
        for (key, value) in object.iter() {
            if !known.contains(&key.as_ref()) {
                self.problem(model, &key, &format!("is no key; known are {}", known.join(", ")));
                continue;
            }
            let fault = match key.as_ref() {
                "in" => set(&mut rates.input, per_million(value)),
                "out" => set(&mut rates.output, per_million(value)),
                "cached" => set(&mut rates.cached, per_million(value)),
                "write" => set(&mut rates.write, per_million(value)),
                "write_1h" => set(&mut rates.write_1h, per_million(value)),
                "above" => set(&mut rates.above, value.as_u64().ok_or("is not a count")),
                "max_in" => set(&mut rates.max_in, value.as_u64().ok_or("is not a count")),
                "sound_in" => set(&mut rates.sound_in, per_million(value)),
                "sound_out" => set(&mut rates.sound_out, per_million(value)),
                "search" => set(&mut rates.search, per_thousand(value)),
                "reasons" => set(&mut rates.reasons, value.as_bool().ok_or("is neither true nor false")),
                "max_out" => set(&mut rates.max_out, value.as_u64().ok_or("is not a count")),
                "long" => set(&mut rates.long, value.as_object().ok_or("is not an object")),
                _ => set(&mut rates.premium, value.as_object().ok_or("is not an object")),
            };
            if let Err(what) = fault {
                rates.faulty = true;
                self.problem(model, &key, what);
            }
        }
        rates
    }
}

/// What sound costs. What is not said costs what text does; of a premium at least as many times more than its text as
/// the plain price says.
fn sound(rates: &Rates<'_>, input: Usd, output: Usd, plain: Option<&Price>) -> Option<Sound> {
    let inherited = plain.and_then(|plain| {
        let sound = plain.sound?;
        let times = |premium: Usd, plain: Usd| {
            u64::try_from(premium.as_picos().div_ceil(plain.as_picos().max(1))).unwrap_or(u64::MAX).max(1)
        };
        Some(Sound {
            input: sound.input.times(times(input, plain.input)),
            output: sound.output.times(times(output, plain.output)),
        })
    });
    if rates.sound_in.is_none() && rates.sound_out.is_none() {
        return inherited;
    }
    Some(Sound {
        input: rates.sound_in.unwrap_or_else(|| inherited.map_or(input, |sound| sound.input)),
        output: rates.sound_out.unwrap_or_else(|| inherited.map_or(output, |sound| sound.output)),
    })
}

/// The tier with every price at least as high as in `price`.
fn dearer(tier: Tier, price: &Price) -> Tier {
    Tier {
        above: tier.above,
        input: tier.input.max(price.input),
        output: tier.output.max(price.output),
        cached: tier.cached.max(price.cached),
        cache_write: tier.cache_write.max(price.cache_write),
        cache_write_1h: tier.cache_write_1h.max(price.cache_write_1h),
    }
}

fn set<T>(place: &mut Option<T>, value: Result<T, &'static str>) -> Result<(), &'static str> {
    if place.is_some() {
        return Err("is given twice");
    }
    *place = Some(value?);
    Ok(())
}

/// A price per million tokens, as a number or a string, in whole pico-dollars per token, rounded up.
fn per_million(value: Value<'_>) -> Result<Usd, &'static str> {
    let text = match value.kind() {
        Kind::Number => std::str::from_utf8(value.raw()).unwrap_or_default().into(),
        _ => value.as_str().ok_or("is not a price")?,
    };
    if text.starts_with('-') {
        return Err("is negative; a price is zero or more");
    }
    picos(&text).map(Usd::from_picos).ok_or("is not a price like 2.5")
}

/// A price of a thousand calls, for one call.
fn per_thousand(value: Value<'_>) -> Result<Usd, &'static str> {
    per_million(value).map(|price| price.times(1_000))
}

fn picos(text: &str) -> Option<u128> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut digits = 0_u128;
    for digit in whole.bytes().chain(fraction.bytes()) {
        let digit = char::from(digit).to_digit(10)?;
        digits = digits.checked_mul(10)?.checked_add(u128::from(digit))?;
    }
    let shift = i32::from(exponent) - i32::try_from(fraction.len()).ok()? + PICOS_PER_MILLIONTH;
    match u32::try_from(shift) {
        Ok(shift) => digits.checked_mul(10_u128.checked_pow(shift)?),
        Err(_) => Some(match 10_u128.checked_pow(shift.unsigned_abs()) {
            Some(divisor) => digits.div_ceil(divisor),
            None => u128::from(digits > 0),
        }),
    }
}

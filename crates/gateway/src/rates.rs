//! Rate limits: requests and tokens a minute, for each key, address or model.

use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use seawall_budget::rate::{Limited, Rate, RateKey, RateLimiter, What};
use seawall_llm::wire::Dialect;
use seawall_types::{Code, Pattern, Timestamp};
use smallvec::SmallVec;

use crate::Caller;
use crate::accepted::Accepted;
use crate::address::limited_address;
use crate::refusal::Refusal;

/// Whom a rate counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateScope {
    /// Each API key.
    Key,
    /// Each address of a client (each /64 of IPv6).
    Ip,
    /// Each model.
    Model,
}

/// A rate limit of the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct RateRule {
    /// For whom.
    pub scope: RateScope,
    /// How much.
    pub rate: Rate,
    /// On which paths; empty: all.
    pub routes: Vec<Pattern>,
}

impl RateRule {
    fn applies_to(&self, place: Place<'_>) -> bool {
        let meets = |pattern: &Pattern| pattern.matches(place.path) || pattern.matches(place.route);
        self.routes.is_empty() || self.routes.iter().any(meets)
    }
}

/// Where a request goes: the path as it was written, and what it was read as, since one thing can be written in many ways.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) path: &'a str,
    pub(crate) route: &'a str,
}

impl<'a> Place<'a> {
    /// One of the server's own paths, which are written in one way.
    pub(crate) fn own(path: &'a str) -> Self {
        Self { path, route: path }
    }

    pub(crate) fn of(accepted: &'a Accepted) -> Self {
        Self { path: &accepted.path, route: accepted.route }
    }
}

/// What a request has taken from its rates, so that the estimate can be corrected when the usage is known.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// What counts, where, and the tokens that were taken from it.
    keys: SmallVec<[(RateKey, Book, u64); 2]>,
    /// When.
    at: Duration,
}

/// Which limiter counts. Strangers' addresses must not crowd out the keys of callers, so they have one of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Book {
    Known,
    Addresses,
}

/// The rates of everybody.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    known: RateLimiter,
    addresses: RateLimiter,
}

impl Rates {
    fn book(&self, book: Book) -> &RateLimiter {
        match book {
            Book::Known => &self.known,
            Book::Addresses => &self.addresses,
        }
    }

    /// Replaces the estimate of tokens by what was really used.
    pub(crate) fn correct(&self, taken: &Taken, actual: u64) {
        for (key, book, tokens) in &taken.keys {
            self.book(*book).adjust(key, *tokens, actual, taken.at);
        }
    }

    /// Takes one request from the rates of its address. It counts as it arrives, whoever calls and whatever comes of it:
    /// guessing keys is what such a limit is against.
    pub(crate) fn arrive(
        &self,
        rules: &[RateRule],
        address: IpAddr,
        place: Place<'_>,
        now: Duration,
    ) -> Result<(), Limited> {
        for (index, rule) in rules.iter().enumerate() {
            let rate = Rate { tokens: None, ..rule.rate };
            if rule.scope != RateScope::Ip || rate == Rate::default() || !rule.applies_to(place) {
                continue;
            }
            let key = rule_key("arrival", index, &address_subject(address));
            self.addresses.check(&key, rate, 0, now)?;
        }
        Ok(())
    }

    /// Takes one request from every rate that applies, or from none of their tokens.
    pub(crate) fn take(
        &self,
        rules: &[RateRule],
        request: &Rated<'_>,
        now: Duration,
    ) -> Result<Taken, Limited> {
        let mut taken = Taken { keys: SmallVec::new(), at: now };
        let limited = request.caller.rate != Rate::default();
        let own = request
            .caller
            .id
            .filter(|_| limited)
            .map(|id| (RateKey::new("key", &id.into_bytes()), Book::Known, request.caller.rate));
        let configured = rules.iter().enumerate().filter(|(_, rule)| rule.applies_to(request.place));
        let configured = configured.filter_map(|(index, rule)| request.counted(index, rule));
        for (key, book, rate) in own.into_iter().chain(configured) {
            if rate == Rate::default() {
                continue;
            }
            let tokens = request.tokens_of(rate);
            match self.book(book).check(&key, rate, tokens, now) {
                Ok(_remaining) => taken.keys.push((key, book, tokens)),
                Err(limited) => {
                    self.correct(&taken, 0);
                    return Err(limited);
                }
            }
        }
        Ok(taken)
    }
}

/// A request as rate limits see it.
pub(crate) struct Rated<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) address: IpAddr,
    /// The model by its name in the price table, `other` for all that have none: names are the caller's to choose.
    pub(crate) model: Option<&'a str>,
    pub(crate) place: Place<'a>,
    /// Tokens of the prompt, estimated.
    pub(crate) prompt: u64,
    /// The most tokens that the answer may have.
    pub(crate) output: u64,
}

impl Rated<'_> {
    /// The tokens to take beforehand, corrected when the usage is known: prompt and answer, so that calls made at once don't
    /// pass the rate by their answers. An answer that may be longer than the rate takes all that the prompt leaves of it,
    /// since otherwise no such call could ever be made.
    fn tokens_of(&self, rate: Rate) -> u64 {
        let most = self.prompt.saturating_add(self.output);
        rate.tokens.map_or(most, |limit| most.min(limit)).max(self.prompt)
    }

    /// What the `index`-th rule counts this request for.
    fn counted(&self, index: usize, rule: &RateRule) -> Option<(RateKey, Book, Rate)> {
        let (subject, book, rate) = match rule.scope {
            RateScope::Key => (self.caller.id?.into_bytes().to_vec(), Book::Known, rule.rate),
            // Its requests were counted when they arrived.
            RateScope::Ip => {
                (address_subject(self.address), Book::Addresses, Rate { requests: None, ..rule.rate })
            }
            RateScope::Model => (self.model?.as_bytes().to_vec(), Book::Known, rule.rate),
        };
        Some((rule_key("rule", index, &subject), book, rate))
    }
}

fn address_subject(address: IpAddr) -> Vec<u8> {
    limited_address(address).to_string().into_bytes()
}

/// What the `index`-th rule counts `subject` by.
fn rule_key(kind: &str, index: usize, subject: &[u8]) -> RateKey {
    let index = u32::try_from(index).unwrap_or(u32::MAX).to_le_bytes();
    RateKey::new(kind, &[&index[..], subject].concat())
}

/// What a client of this dialect is told at `now`, in the names and the units of its provider.
pub(crate) fn refused(dialect: Dialect, limited: &Limited, now: Timestamp) -> Refusal {
    let what = match limited.what {
        What::Requests => "requests",
        What::Tokens => "tokens",
    };
    let refusal = Refusal::new(
        Code::RateLimited,
        format!("more than {} {what} in a minute", limited.limit),
        "wait as Retry-After says, or raise the rate limit",
    )
    .retry_after(limited.retry_after);
    let reset = match dialect {
        Dialect::Anthropic => now.saturating_add(limited.retry_after).to_string(),
        Dialect::OpenAi | Dialect::Gemini => format!("{}s", limited.retry_after.as_secs_f64().ceil()),
    };
    let names = match dialect {
        Dialect::Anthropic => [
            format!("anthropic-ratelimit-{what}-limit"),
            format!("anthropic-ratelimit-{what}-remaining"),
            format!("anthropic-ratelimit-{what}-reset"),
        ],
        Dialect::OpenAi | Dialect::Gemini => [
            format!("x-ratelimit-limit-{what}"),
            format!("x-ratelimit-remaining-{what}"),
            format!("x-ratelimit-reset-{what}"),
        ],
    };
    let told =
        names.iter().zip([limited.limit.to_string(), "0".to_owned(), reset]).filter_map(pair).collect();
    refusal.telling(told)
}

fn pair((name, value): (&String, String)) -> Option<(HeaderName, HeaderValue)> {
    Some((name.parse().ok()?, HeaderValue::from_str(&value).ok()?))
}

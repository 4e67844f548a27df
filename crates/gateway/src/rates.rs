//! Rate limits: requests and tokens a minute, for each key, address or model.

use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use seawall_budget::rate::{Limited, Rate, RateKey, RateLimiter, What};
use seawall_llm::wire::Dialect;
use seawall_types::Code;
use smallvec::SmallVec;

use crate::Caller;
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
    /// On which paths, with a `*` at the end for all that begin so; empty: all.
    pub routes: Vec<String>,
}

impl RateRule {
    fn applies_to(&self, path: &str) -> bool {
        let matches = |pattern: &String| match pattern.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => pattern == path,
        };
        self.routes.is_empty() || self.routes.iter().any(matches)
    }
}

/// What a request has taken from its rates, so that the estimate can be corrected when the usage is known.
pub(crate) type Taken = SmallVec<[RateKey; 2]>;

/// Takes one request with `tokens` from every rate that applies.
pub(crate) fn take(
    limiter: &RateLimiter,
    rules: &[RateRule],
    request: &Rated<'_>,
    now: Duration,
) -> Result<Taken, Refusal> {
    let own = request.caller.id.map(|id| (RateKey::new("key", &id.into_bytes()), request.caller.rate));
    let configured = rules.iter().enumerate().filter(|(_, rule)| rule.applies_to(request.path)).filter_map(
        |(index, rule)| {
            let subject = request.subject(rule.scope)?;
            let index = u32::try_from(index).unwrap_or(u32::MAX).to_le_bytes();
            Some((RateKey::new("rule", &[&index[..], &subject].concat()), rule.rate))
        },
    );
    let mut taken = Taken::new();
    for (key, rate) in own.into_iter().chain(configured) {
        if rate.requests.is_none() && rate.tokens.is_none() {
            continue;
        }
        match limiter.check(&key, rate, request.tokens, now) {
            Ok(_remaining) => taken.push(key),
            Err(limited) => {
                give_back(limiter, &taken, request.tokens, 0, now);
                return Err(refused(request.dialect, &limited));
            }
        }
    }
    Ok(taken)
}

/// Replaces the estimate of tokens by what was really used.
pub(crate) fn give_back(limiter: &RateLimiter, taken: &[RateKey], estimate: u64, actual: u64, now: Duration) {
    for key in taken {
        limiter.adjust(key, estimate, actual, now);
    }
}

/// A request as rate limits see it.
pub(crate) struct Rated<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) address: IpAddr,
    pub(crate) model: Option<&'a str>,
    pub(crate) path: &'a str,
    pub(crate) tokens: u64,
    pub(crate) dialect: Dialect,
}

impl Rated<'_> {
    fn subject(&self, scope: RateScope) -> Option<Vec<u8>> {
        match scope {
            RateScope::Key => self.caller.id.map(|id| id.into_bytes().to_vec()),
            RateScope::Ip => Some(limited_address(self.address).to_string().into_bytes()),
            RateScope::Model => self.model.map(|model| model.as_bytes().to_vec()),
        }
    }
}

fn refused(dialect: Dialect, limited: &Limited) -> Refusal {
    let (what, plural) = match limited.what {
        What::Requests => ("requests", "requests"),
        What::Tokens => ("tokens", "tokens"),
    };
    let mut refusal = Refusal::new(
        Code::RateLimited,
        format!("more than {} {plural} in a minute", limited.limit),
        "wait as Retry-After says, or raise the rate limit",
    )
    .retry_after(limited.retry_after);
    let reset = format!("{}s", limited.retry_after.as_secs_f64().ceil());
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
    refusal.headers =
        names.iter().zip([limited.limit.to_string(), "0".to_owned(), reset]).filter_map(pair).collect();
    refusal
}

fn pair((name, value): (&String, String)) -> Option<(HeaderName, HeaderValue)> {
    Some((name.parse().ok()?, HeaderValue::from_str(&value).ok()?))
}

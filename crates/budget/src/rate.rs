//! Rate limits: requests and tokens a minute, for whatever a [`RateKey`] stands for.
//!
//! The minute slides, and it is exact on the side of the limit: no sixty seconds ever hold more admissions
//! than the rate allows. Up to 120 admissions a minute are remembered one by one; where there are more, those
//! of half a second are remembered together and leave together.
//!
//! Nothing here is kept over a restart, and nothing here is about money: that is the ledger's.

mod log;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seawall_types::Tokens;

use self::log::Log;

/// How long an admission counts.
const MINUTE: Duration = Duration::from_secs(60);
/// So many locks, so that callers with different keys rarely meet.
const SHARDS: usize = 16;
/// How many keys are counted by default.
const KEYS: usize = 65_536;

/// How much is allowed in a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rate {
    /// Requests; `None`: any number.
    pub requests: Option<u64>,
    /// Tokens; `None`: any number.
    pub tokens: Option<Tokens>,
}

/// Whom or what a rate counts for: a fingerprint, so that keys of any length cost the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RateKey([u8; 16]);

impl RateKey {
    /// The key of `subject` among those of its `kind`.
    #[must_use]
    pub fn new(kind: &str, subject: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&u64::try_from(kind.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(kind.as_bytes());
        hasher.update(subject);
        let mut key = [0; 16];
        key.iter_mut().zip(hasher.finalize().as_bytes()).for_each(|(slot, byte)| *slot = *byte);
        Self(key)
    }

    fn shard(self) -> usize {
        usize::from(self.0.first().copied().unwrap_or(0)) % SHARDS
    }
}

/// What is left after an admission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Remaining {
    /// Requests allowed in a minute.
    pub limit_requests: Option<u64>,
    /// Of them, those left now.
    pub remaining_requests: Option<u64>,
    /// Tokens allowed in a minute.
    pub limit_tokens: Option<Tokens>,
    /// Of them, those left now.
    pub remaining_tokens: Option<Tokens>,
    /// How long until everything is left again, if nothing more is admitted.
    pub reset: Duration,
}

/// What there was too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// Requests.
    Requests,
    /// Tokens.
    Tokens,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
        })
    }
}

/// An admission that was refused. Nothing was counted for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("more than {limit} {what} in a minute; try again in {} s", .retry_after.as_secs_f64().ceil())]
pub struct Limited {
    /// When the same would be admitted, if nothing else happened. For more tokens than a minute allows at
    /// all, which never would be: a minute.
    pub retry_after: Duration,
    /// What there was too much of.
    pub what: What,
    /// How much of it a minute allows.
    pub limit: u64,
}

/// Counts admissions by key. Shared by everything that admits.
///
/// A number of keys is counted at once and idle ones make room; when all are in use, new ones are refused,
/// since forgetting one would let it pass its limit. So keys that strangers can make up (addresses) and keys
/// that they can't are better kept in two limiters.
pub struct RateLimiter {
    shards: [Mutex<Shard>; SHARDS],
    keys_per_shard: usize,
}

#[derive(Default)]
struct Shard {
    logs: HashMap<RateKey, Log>,
    /// When idle keys were last looked for.
    evicted_at: Duration,
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter").field("keys", &self.keys()).finish_non_exhaustive()
    }
}

impl Default for RateLimiter {
    fn default() -> Self {
        Self::with_capacity(KEYS)
    }
}

impl RateLimiter {
    /// A limiter for up to 65,536 keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A limiter for about so many keys at once.
    #[must_use]
    pub fn with_capacity(keys: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            keys_per_shard: keys.div_ceil(SHARDS).max(1),
        }
    }

    /// How many keys are counted now.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).logs.len()).sum()
    }

    /// Counts one request with so many tokens, or refuses it. `now` is monotonic time.
    ///
    /// # Errors
    /// When the minute before `now` holds too much for it already, or too many other keys are in use.
    pub fn check(
        &self,
        key: &RateKey,
        rate: Rate,
        tokens: Tokens,
        now: Duration,
    ) -> Result<Remaining, Limited> {
        let Some(mut shard) = self.shard(*key) else { return Err(Self::full(rate)) };
        if !shard.logs.contains_key(key) && !shard.has_room(self.keys_per_shard, now) {
            return Err(Self::full(rate));
        }
        shard.logs.entry(*key).or_default().admit(rate, tokens, now)
    }

    /// Replaces the estimate of a request by what it really used. `admitted_at` is the time that was given to
    /// [`RateLimiter::check`]; when that is more than a minute ago, nothing is left to correct.
    pub fn adjust(&self, key: &RateKey, estimate: Tokens, actual: Tokens, admitted_at: Duration) {
        if let Some(mut shard) = self.shard(*key)
            && let Some(log) = shard.logs.get_mut(key)
        {
            log.adjust(estimate, actual, admitted_at);
        }
    }

    fn shard(&self, key: RateKey) -> Option<MutexGuard<'_, Shard>> {
        self.shards.get(key.shard()).map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn full(rate: Rate) -> Limited {
        let (what, limit) = match (rate.requests, rate.tokens) {
            (None, Some(tokens)) => (What::Tokens, tokens),
            (requests, _) => (What::Requests, requests.unwrap_or(0)),
        };
        Limited { retry_after: Duration::from_secs(1), what, limit }
    }
}

impl Shard {
    /// Whether one more key may be counted. Looks for idle keys at most once a second, since that means
    /// looking at all.
    fn has_room(&mut self, keys: usize, now: Duration) -> bool {
        let is_due = now.saturating_sub(self.evicted_at) >= Duration::from_secs(1);
        if self.logs.len() >= keys && is_due {
            self.evicted_at = now;
            self.logs.retain(|_, log| !log.is_idle(now));
        }
        self.logs.len() < keys
    }
}

#[cfg(test)]
mod tests;

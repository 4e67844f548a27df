//! When to try again: which answers are worth it, how long to wait, and how many retries a healthy system affords.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};

/// Parts of a retry that one request pays in.
const UNITS_PER_RETRY: u64 = 1_000;
/// What an upstream may use before it has served anybody: ten retries.
const INITIAL_UNITS: u64 = 10 * UNITS_PER_RETRY;
/// What can be saved up: a hundred retries.
const MAX_UNITS: u64 = 100 * UNITS_PER_RETRY;

/// Whether a provider's answer says that the same request may succeed later.
#[must_use]
pub fn status_is_retryable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 409 | 429 | 500 | 502 | 503 | 504 | 529)
}

/// How long the provider asks us to wait: `retry-after-ms`, or `Retry-After` in seconds (RFC 9110 §10.2.3; the form
/// with a date is not used by any provider and is ignored).
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let seconds =
        number("retry-after-ms").map(|millis| millis / 1e3).or_else(|| number(RETRY_AFTER.as_str()))?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The wait before the `attempt`-th retry (from 1): exponential from 100 ms, at most 5 s, with full jitter.
#[must_use]
pub fn backoff(attempt: u32, random: f64) -> Duration {
    let ceiling = Duration::from_millis(100).saturating_mul(1 << attempt.min(6)).min(Duration::from_secs(5));
    ceiling.mul_f64(random.clamp(0.0, 1.0))
}

/// A budget of retries, so that an upstream in trouble is not also hit by a storm of them: each first try pays in a
/// fraction, each retry takes out a whole.
#[derive(Debug)]
pub struct RetryBudget {
    units: AtomicU64,
    deposit: u64,
}

impl RetryBudget {
    /// A budget of `ratio` retries for each request (0.1: one in ten), in thousandths.
    #[must_use]
    pub fn new(ratio: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1000")]
        let deposit = (ratio.clamp(0.0, 1.0) * 1_000.0) as u64;
        Self { units: AtomicU64::new(if deposit == 0 { 0 } else { INITIAL_UNITS }), deposit }
    }

    /// A first try was made.
    pub fn pay_in(&self) {
        let add = |units: u64| Some(units.saturating_add(self.deposit).min(MAX_UNITS));
        let _previous = self.units.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Takes out one retry; `false` when there is none left.
    pub fn take(&self) -> bool {
        let subtract = |units: u64| units.checked_sub(UNITS_PER_RETRY);
        self.units.fetch_update(Ordering::Relaxed, Ordering::Relaxed, subtract).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_retry_is_earned_by_ten_requests() {
        let budget = RetryBudget::new(0.1);
        while budget.take() {}
        (0..9).for_each(|_| budget.pay_in());
        assert!(!budget.take());
        budget.pay_in();
        assert!(budget.take());
        assert!(!budget.take());
    }

    #[test]
    fn a_budget_of_nothing_allows_no_retry() {
        assert!(!RetryBudget::new(0.0).take());
    }

    #[test]
    fn retry_after_is_read_in_all_its_forms() {
        for (name, value, expected) in [
            ("retry-after", "2", Some(Duration::from_secs(2))),
            ("retry-after", "0.5", Some(Duration::from_millis(500))),
            ("retry-after-ms", "250", Some(Duration::from_millis(250))),
            ("retry-after", "-1", None),
            ("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT", None),
            ("retry-after", "1e300", None),
        ] {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
            assert_eq!(retry_after(&headers), expected, "{name}: {value}");
        }
    }

    #[test]
    fn the_wait_grows_and_stays_bounded() {
        assert_eq!(backoff(1, 1.0), Duration::from_millis(200));
        assert_eq!(backoff(60, 1.0), Duration::from_secs(5));
        assert_eq!(backoff(3, 0.0), Duration::ZERO);
    }
}

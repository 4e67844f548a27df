//! How long to wait before the next attempt: exponential, with full jitter.
//!
//! Attempt `n` (from zero) waits a time drawn evenly from nothing to `base · 2ⁿ`, at most `max`. Full jitter spreads
//! clients that failed together better than any narrower one:
//! <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>. This module only says how long; whoever
//! retries decides whether, and does the waiting.

use std::time::Duration;

use fastrand::Rng;

/// The waits before successive attempts. Two with the same seed give the same waits.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    max: Duration,
    attempt: u32,
    random: Rng,
}

impl Backoff {
    /// Waits up to `base` first, then twice that and so on, never more than `max`.
    #[must_use]
    pub fn new(base: Duration, max: Duration, seed: u64) -> Self {
        Self { base, max, attempt: 0, random: Rng::with_seed(seed) }
    }

    /// The wait before the next attempt, which this counts.
    pub fn next_delay(&mut self) -> Duration {
        let ceiling = self.ceiling();
        self.attempt = self.attempt.saturating_add(1);
        let nanos = u64::try_from(ceiling.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.random.u64(0..=nanos))
    }

    /// Starts again at `base`, after an attempt that went well.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }

    /// How many waits have been given out since the start or the last reset.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempt
    }

    /// The longest that the next wait can be.
    fn ceiling(&self) -> Duration {
        let factor = 1_u32.checked_shl(self.attempt).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: Duration = Duration::from_millis(100);
    const MAX: Duration = Duration::from_secs(5);

    #[test]
    fn the_same_seed_gives_the_same_waits() {
        let waits = |seed| {
            let mut backoff = Backoff::new(BASE, MAX, seed);
            std::array::from_fn::<_, 20, _>(|_| backoff.next_delay())
        };
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
    }

    #[test]
    fn after_a_reset_the_first_wait_is_short_again() {
        let mut backoff = Backoff::new(BASE, MAX, 1);
        for _ in 0..1_000 {
            backoff.next_delay();
        }
        assert_eq!(backoff.attempts(), 1_000);
        backoff.reset();
        assert!(backoff.next_delay() <= BASE);
    }

    #[test]
    fn the_waits_fill_the_whole_range() {
        let mut longest = Duration::ZERO;
        let mut shortest = MAX;
        for seed in 0..1_000 {
            let wait = Backoff::new(BASE, MAX, seed).next_delay();
            longest = longest.max(wait);
            shortest = shortest.min(wait);
        }
        assert!(shortest < BASE / 50 && longest > BASE * 49 / 50, "{shortest:?} {longest:?}");
    }

    proptest! {
        #[test]
        fn no_wait_exceeds_its_bounds(seed: u64, base_millis in 0_u64..1_000_000, max_millis in 0_u64..10_000_000) {
            let (base, max) = (Duration::from_millis(base_millis), Duration::from_millis(max_millis));
            let mut backoff = Backoff::new(base, max, seed);
            for attempt in 0..70_u32 {
                let doubled = base.saturating_mul(1_u32.checked_shl(attempt).unwrap_or(u32::MAX));
                prop_assert!(backoff.next_delay() <= doubled.min(max));
            }
        }
    }
}

//! The clock of the machine: the one place where the product reads the time.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use seawall_types::{Clock, Timestamp};

/// The moment that [`SystemClock::monotonic`] counts from, the same for every clock of the process.
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The machine's own clock. The binary makes one and hands it down; everything else takes a [`Clock`].
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The clock of this machine.
    #[must_use]
    pub fn new() -> Self {
        LazyLock::force(&ORIGIN);
        Self
    }
}

impl Clock for SystemClock {
    /// The time of day; the epoch itself on a machine whose clock stands before 1970.
    #[expect(clippy::disallowed_methods, reason = "this is the one clock that reads the machine's")]
    fn now(&self) -> Timestamp {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX))
    }

    fn monotonic(&self) -> Duration {
        ORIGIN.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_day_is_of_this_century() {
        let (year, _, _) = SystemClock::new().now().date();
        assert!((2024..2100).contains(&year), "{year}");
    }

    #[test]
    fn two_clocks_share_one_monotonic_scale() {
        let (first, second) = (SystemClock::new(), SystemClock);
        let readings = [first.monotonic(), second.monotonic(), first.monotonic()];
        assert!(readings.is_sorted(), "{readings:?}");
    }
}

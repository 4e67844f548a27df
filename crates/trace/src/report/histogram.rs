//! Durations counted in buckets, so that percentiles of any number of them need a fixed amount of memory.

use serde::Serialize;

/// Buckets a doubling: percentiles are at most one sixteenth (6 %) too high.
const STEPS: u64 = 16;
const BUCKETS: usize = 64 * 16;

/// Percentiles of durations, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Latency {
    /// How many there were.
    pub count: u64,
    /// Half took at most this.
    pub p50_us: u64,
    /// Nine of ten took at most this.
    pub p90_us: u64,
    /// Ninety-nine of a hundred took at most this.
    pub p99_us: u64,
    /// The longest.
    pub max_us: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Histogram {
    counts: Vec<u64>,
    count: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], count: 0, max: 0 }
    }
}

impl Histogram {
    pub(super) fn add(&mut self, micros: u64) {
        if let Some(count) = self.counts.get_mut(bucket(micros)) {
            *count += 1;
        }
        self.count += 1;
        self.max = self.max.max(micros);
    }

    pub(super) fn latency(&self) -> Latency {
        Latency {
            count: self.count,
            p50_us: self.percentile(50),
            p90_us: self.percentile(90),
            p99_us: self.percentile(99),
            max_us: self.max,
        }
    }

    /// The upper end of the bucket in which that many of a hundred lie.
    fn percentile(&self, percent: u64) -> u64 {
        let wanted = self.count.saturating_mul(percent).div_ceil(100);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted && seen > 0 {
                return upper(bucket).min(self.max);
            }
        }
        self.max
    }
}

/// Below 32 each value has its bucket; above, each doubling is cut into sixteen.
fn bucket(micros: u64) -> usize {
    let shift = u64::from(59_u32.saturating_sub(micros.leading_zeros()));
    let step = micros >> shift;
    usize::try_from(shift * STEPS + step).unwrap_or(BUCKETS - 1).min(BUCKETS - 1)
}

/// The largest value in a bucket.
fn upper(bucket: usize) -> u64 {
    let bucket = u64::try_from(bucket).unwrap_or(u64::MAX);
    if bucket < 2 * STEPS {
        return bucket;
    }
    let shift = bucket / STEPS - 1;
    let step = STEPS + bucket % STEPS;
    // In u128: the top bucket ends at the largest u64.
    let end = ((u128::from(step) + 1) << shift) - 1;
    u64::try_from(end).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percentiles_of_equal_durations_are_that_duration() {
        let mut histogram = Histogram::default();
        (0..10).for_each(|_| histogram.add(7));
        assert_eq!(histogram.latency(), Latency { count: 10, p50_us: 7, p90_us: 7, p99_us: 7, max_us: 7 });
    }

    #[test]
    fn no_durations_have_no_percentiles() {
        assert_eq!(Histogram::default().latency(), Latency::default());
    }

    proptest! {
        #[test]
        fn percentiles_are_at_most_a_sixteenth_too_high(mut values in proptest::collection::vec(any::<u64>(), 1..200)) {
            let mut histogram = Histogram::default();
            values.iter().for_each(|value| histogram.add(*value));
            values.sort_unstable();
            for percent in [50_usize, 90, 99] {
                let rank = (values.len() * percent).div_ceil(100);
                let exact = values[rank.max(1) - 1];
                let found = histogram.percentile(percent as u64);
                prop_assert!(found >= exact, "{found} < {exact}");
                prop_assert!(found - exact <= exact / 16, "{found} is too far above {exact}");
            }
        }
    }
}

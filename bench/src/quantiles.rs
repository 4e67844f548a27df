//! Distributions of measured times, exact: every value is kept and sorted at the end. No buckets, so no error of
//! buckets; a run has some hundred thousand values at most.

use serde::Serialize;

/// Times in nanoseconds.
#[derive(Debug, Clone, Default)]
pub struct Times(Vec<u64>);

/// What is told of a distribution, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Summary {
    /// How many values.
    pub count: usize,
    /// The smallest.
    pub min: f64,
    /// Half of the values are at most this.
    pub p50: f64,
    /// Nine in ten.
    pub p90: f64,
    /// Ninety-nine in a hundred.
    pub p99: f64,
    /// All but one in a thousand.
    pub p999: f64,
    /// The largest.
    pub max: f64,
}

impl Times {
    /// Adds one.
    pub fn push(&mut self, nanos: u64) {
        self.0.push(nanos);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The summary; `None` when there are none.
    #[must_use]
    pub fn summary(mut self) -> Option<Summary> {
        self.0.sort_unstable();
        let (&min, &max) = (self.0.first()?, self.0.last()?);
        let at = |thousandths| micros(self.rank(thousandths));
        let (p50, p90, p99, p999) = (at(500), at(900), at(990), at(999));
        Some(Summary { count: self.0.len(), min: micros(min), p50, p90, p99, p999, max: micros(max) })
    }

    /// The smallest value that at least so many thousandths of all values do not exceed.
    fn rank(&self, thousandths: usize) -> u64 {
        let rank = (self.0.len() * thousandths).div_ceil(1_000).max(1);
        self.0.get(rank - 1).copied().unwrap_or(0)
    }
}

fn micros(nanos: u64) -> f64 {
    std::time::Duration::from_nanos(nanos).as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let mut times = Times::default();
        (1..=1_000_u64).rev().for_each(|value| times.push(value * 1_000));
        let summary = times.summary().unwrap();
        let told = [summary.min, summary.p50, summary.p90, summary.p99, summary.p999, summary.max];
        assert_eq!(told.map(f64::round), [1.0, 500.0, 900.0, 990.0, 999.0, 1_000.0]);
    }

    #[test]
    fn nothing_measured_has_no_quantiles() {
        assert_eq!(Times::default().summary(), None);
    }
}

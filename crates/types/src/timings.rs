//! How often something happens and how long it takes, by names and classes of time. Counted here, written out elsewhere.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Names that are told apart at the most. Some come from callers, and what is kept must not grow with them.
const MOST: usize = 100;

/// What all further names are counted as.
const OTHER: &str = "other";

/// Counts of durations, by names.
#[derive(Debug)]
pub struct Timings {
    bounds: &'static [Duration],
    rows: RwLock<BTreeMap<Arc<str>, Arc<Row>>>,
}

#[derive(Debug)]
struct Row {
    /// One for each bound, and one for what took longer than the last.
    counts: Box<[AtomicU64]>,
    micros: AtomicU64,
}

/// What was counted under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed {
    /// The name.
    pub name: Arc<str>,
    /// How many took as long as each bound at the most and longer than the one before; then those that took longer than all.
    pub counts: Vec<u64>,
    /// How long all of them took together.
    pub sum: Duration,
}

impl Timings {
    /// Nothing yet. The bounds rise.
    #[must_use]
    pub const fn new(bounds: &'static [Duration]) -> Self {
        Self { bounds, rows: RwLock::new(BTreeMap::new()) }
    }

    /// The bounds of the classes.
    #[must_use]
    pub const fn bounds(&self) -> &'static [Duration] {
        self.bounds
    }

    /// Something took so long.
    pub fn note(&self, name: &str, took: Duration) {
        let class = self.bounds.partition_point(|bound| *bound < took);
        let row = self.row(name);
        if let Some(count) = row.counts.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        row.micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn row(&self, name: &str) -> Arc<Row> {
        // Of changes here none is half-done.
        if let Some(row) = self.rows.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Arc::clone(row);
        }
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        let name = if rows.len() < MOST || rows.contains_key(name) { name } else { OTHER };
        Arc::clone(rows.entry(name.into()).or_insert_with(|| Arc::new(Row::new(self.bounds.len()))))
    }

    /// What was counted so far, by names.
    #[must_use]
    pub fn read(&self) -> Vec<Timed> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        let timed = rows.iter().map(|(name, row)| Timed {
            name: Arc::clone(name),
            counts: row.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: Duration::from_micros(row.micros.load(Ordering::Relaxed)),
        });
        timed.collect()
    }
}

impl Row {
    fn new(bounds: usize) -> Self {
        let counts = (0..=bounds).map(|_| AtomicU64::new(0)).collect();
        Self { counts, micros: AtomicU64::new(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: &[Duration] = &[Duration::from_millis(1), Duration::from_millis(10)];

    #[test]
    fn a_duration_is_counted_in_the_class_that_it_just_fits() {
        let timings = Timings::new(BOUNDS);
        for micros in [0, 1_000, 1_001, 10_000, 10_001] {
            timings.note("a", Duration::from_micros(micros));
        }
        let [timed] = &timings.read()[..] else { panic!("one name: {timings:?}") };
        assert_eq!(timed.counts, [2, 2, 1]);
        assert_eq!((&*timed.name, timed.sum), ("a", Duration::from_micros(22_002)));
    }

    #[test]
    fn names_without_end_are_one_more_name() {
        let timings = Timings::new(BOUNDS);
        for number in 0..10 * MOST {
            timings.note(&format!("n{number}"), Duration::ZERO);
        }
        timings.note("n1", Duration::ZERO);
        let read = timings.read();
        let of = |name: &str| read.iter().find(|timed| &*timed.name == name).map(|timed| timed.counts[0]);
        assert_eq!(read.len(), MOST + 1);
        assert_eq!((of(OTHER), of("n1")), (Some(9 * MOST as u64), Some(2)));
    }
}

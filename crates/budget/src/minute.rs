//! The sliding minute: what was spent in the last sixty seconds.

use std::time::Duration;

use seawall_types::{Amount, Timestamp};

use crate::snapshot::MinuteRow;

/// One slot a second, and one more: a second that is under way is not over, so that whatever was spent counts
/// for at least sixty seconds and at most sixty-one.
const SLOTS: usize = 61;
const LAST_AGE: u64 = 60;

/// Spending by the second.
#[derive(Debug, Clone)]
pub(crate) struct Minute {
    /// The second that `slots[0]` stands for.
    second: u64,
    /// Index = age in seconds. Turned when a second begins, which costs two kilobytes of copying a second.
    slots: [Amount; SLOTS],
}

impl Minute {
    pub(crate) const fn new() -> Self {
        Self { second: 0, slots: [Amount::ZERO; SLOTS] }
    }

    /// What counts as spent at `now`. A clock that went back frees nothing.
    pub(crate) fn spent(&self, now: Timestamp) -> Amount {
        let passed = now.as_secs().saturating_sub(self.second);
        let kept = usize::try_from((LAST_AGE + 1).saturating_sub(passed)).unwrap_or(0);
        sum(self.slots.iter().take(kept))
    }

    /// Counts `amount` as spent at `now`.
    pub(crate) fn add(&mut self, amount: Amount, now: Timestamp) {
        self.turn(now.as_secs());
        if let Some(slot) = self.slots.first_mut() {
            *slot = slot.saturating_add(amount);
        }
    }

    /// Replaces `estimate`, which was counted at `counted_at`, by `actual`. What was more than the estimate
    /// counts from `now` on when that second is past.
    pub(crate) fn correct(
        &mut self,
        estimate: Amount,
        actual: Amount,
        counted_at: Timestamp,
        now: Timestamp,
    ) {
        self.turn(now.as_secs());
        let age = usize::try_from(self.second.saturating_sub(counted_at.as_secs())).unwrap_or(usize::MAX);
        match self.slots.get_mut(age) {
            Some(slot) => *slot = slot.saturating_sub(estimate).saturating_add(actual),
            None => self.add(actual.saturating_sub(estimate), now),
        }
    }

    /// The first moment at which so much of the spending is past that `fits` agrees with the rest.
    pub(crate) fn frees_at(&self, fits: impl Fn(Amount) -> bool) -> Option<Timestamp> {
        let mut kept = Amount::ZERO;
        let mut seconds = fits(kept).then_some(LAST_AGE + 1)?;
        for slot in &self.slots {
            kept = kept.saturating_add(*slot);
            if !fits(kept) {
                break;
            }
            seconds = seconds.saturating_sub(1);
        }
        let start_of_slot = Timestamp::from_micros(self.second.saturating_mul(1_000_000));
        Some(start_of_slot.saturating_add(Duration::from_secs(seconds)))
    }

    /// Makes `slots[0]` stand for `second`.
    fn turn(&mut self, second: u64) {
        let passed = second.saturating_sub(self.second);
        if passed > 0 {
            let steps = usize::try_from(passed).unwrap_or(SLOTS).min(SLOTS);
            self.slots.rotate_right(steps % SLOTS);
            self.slots.iter_mut().take(steps).for_each(|slot| *slot = Amount::ZERO);
            self.second = second;
        } else if self.second - second > LAST_AGE {
            // The clock was set back by more than threads can disagree on it. Going on from there keeps
            // everything for another minute, instead of until the clock has caught up.
            self.second = second;
        }
    }

    pub(crate) fn to_row(&self) -> MinuteRow {
        let used = self.slots.iter().rposition(|slot| *slot != Amount::ZERO).map_or(0, |last| last + 1);
        MinuteRow { second: self.second, spent_by_age: self.slots.iter().take(used).copied().collect() }
    }

    pub(crate) fn from_row(row: &MinuteRow) -> Self {
        let mut minute = Self { second: row.second, ..Self::new() };
        minute.slots.iter_mut().zip(&row.spent_by_age).for_each(|(slot, spent)| *slot = *spent);
        minute
    }
}

fn sum<'a>(amounts: impl Iterator<Item = &'a Amount>) -> Amount {
    amounts.fold(Amount::ZERO, |sum, amount| sum.saturating_add(*amount))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use seawall_types::Usd;

    use super::*;

    fn usd(picos: u128) -> Amount {
        Amount { usd: Usd::from_picos(picos), tokens: 0 }
    }

    fn millis(millis: u64) -> Timestamp {
        Timestamp::from_micros(millis * 1_000)
    }

    #[test]
    fn what_was_spent_counts_for_sixty_seconds_at_least() {
        let mut minute = Minute::new();
        minute.add(usd(7), millis(1_900));
        assert_eq!(minute.spent(millis(61_899)), usd(7));
        assert_eq!(minute.spent(millis(62_000)), usd(0));
    }

    #[test]
    fn a_clock_set_back_by_an_hour_frees_nothing_and_does_not_stop_the_minute() {
        let mut minute = Minute::new();
        minute.add(usd(7), millis(3_700_000));
        assert_eq!(minute.spent(millis(100_000)), usd(7));
        minute.add(usd(1), millis(100_000));
        assert_eq!(minute.spent(millis(100_000)), usd(8));
        assert_eq!(minute.spent(millis(161_000)), usd(0));
    }

    #[test]
    fn threads_that_disagree_on_the_second_free_nothing_early() {
        let mut minute = Minute::new();
        minute.add(usd(7), millis(100_000));
        for _ in 0..40 {
            minute.add(usd(0), millis(99_999));
            minute.add(usd(0), millis(100_000));
        }
        assert_eq!(minute.spent(millis(160_999)), usd(7));
    }

    #[test]
    fn a_correction_goes_to_the_second_that_it_corrects() {
        let mut minute = Minute::new();
        minute.add(usd(10), millis(1_000));
        minute.correct(usd(10), usd(3), millis(1_000), millis(31_000));
        assert_eq!(minute.spent(millis(61_000)), usd(3));
        assert_eq!(minute.spent(millis(62_000)), usd(0));
        minute.correct(usd(3), usd(5), millis(1_000), millis(100_000));
        assert_eq!(minute.spent(millis(100_000)), usd(2), "only the excess is new");
    }

    proptest! {
        #[test]
        fn the_last_sixty_seconds_are_always_counted(
            spending in prop::collection::vec((0_u64..20_000, 1_u128..100), 1..60),
        ) {
            let mut minute = Minute::new();
            let mut now = 0;
            let mut history = Vec::new();
            for (pause, picos) in spending {
                now += pause;
                minute.add(usd(picos), millis(now));
                history.push((now, picos));
                let since = |age: u64| -> u128 {
                    history.iter().filter(|(at, _)| at + age > now).map(|(_, picos)| picos).sum()
                };
                let counted = minute.spent(millis(now)).usd.as_picos();
                prop_assert!(counted >= since(60_000) && counted <= since(61_000));
            }
        }

        #[test]
        fn it_is_free_when_it_says_and_not_a_second_earlier(
            spending in prop::collection::vec((0_u64..9_000, 1_u128..100), 1..40),
            limit in 0_u128..600,
        ) {
            let mut minute = Minute::new();
            let mut now = 5_000;
            for (pause, picos) in spending {
                now += pause;
                minute.add(usd(picos), millis(now));
            }
            let fits = |spent: Amount| spent.usd.as_picos() <= limit;
            prop_assume!(!fits(minute.spent(millis(now))));
            let free = minute.frees_at(fits).unwrap();
            prop_assert!(fits(minute.spent(free)));
            prop_assert!(!fits(minute.spent(Timestamp::from_micros(free.as_micros() - 1))));
        }

        #[test]
        fn a_minute_is_the_same_after_being_stored(
            spending in prop::collection::vec((0_u64..9_000, 0_u128..9), 0..40),
        ) {
            let mut minute = Minute::new();
            let mut now = 0;
            for (pause, picos) in spending {
                now += pause;
                minute.add(usd(picos), millis(now));
            }
            let restored = Minute::from_row(&minute.to_row());
            prop_assert_eq!(restored.second, minute.second);
            prop_assert_eq!(restored.slots, minute.slots);
        }
    }
}

//! A circuit breaker for one upstream: closed while it works, open for a while after failures, half open for one probe.
//!
//! It opens for two reasons: failures in a row (it is down), or a failure rate that no healthy upstream has (it is an
//! outlier, though some calls succeed). The words are those of the field: *open* means that nothing passes.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many calls are looked at for the failure rate, at least, before it means anything.
const MIN_SAMPLE: u32 = 20;
/// The time over which the failure rate is taken.
const RATE_WINDOW: Duration = Duration::from_secs(30);
/// A probe that was never reported back (its caller vanished) is forgotten after this time.
const PROBE_FORGOTTEN: Duration = Duration::from_secs(60);

/// When a breaker opens and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Failures in a row that open it; 0: it never opens.
    pub failures: u32,
    /// How long it stays open before a probe.
    pub open: Duration,
}

/// What the breaker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls pass.
    Closed,
    /// One probe is under way or due.
    HalfOpen,
    /// Nothing passes.
    Open,
}

/// Whether a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Pass,
    /// Yes, as the one probe: its outcome decides.
    Probe,
    /// No; worth asking again after this time.
    Rest(Duration),
}

#[derive(Debug)]
enum State {
    Closed { in_a_row: u32, window: RateSample },
    Open { until: Duration },
    HalfOpen { probing_since: Option<Duration> },
}

impl State {
    fn closed(now: Duration) -> Self {
        Self::Closed { in_a_row: 0, window: RateSample { since: now, ..RateSample::default() } }
    }
}

/// Calls and failures since the window began.
#[derive(Debug, Clone, Copy, Default)]
struct RateSample {
    since: Duration,
    calls: u32,
    failures: u32,
}

impl RateSample {
    fn count(&mut self, failed: bool, now: Duration) {
        if now.saturating_sub(self.since) > RATE_WINDOW {
            *self = Self { since: now, ..Self::default() };
        }
        self.calls += 1;
        self.failures += u32::from(failed);
    }

    fn is_outlier(&self) -> bool {
        self.calls >= MIN_SAMPLE && self.failures * 2 > self.calls
    }
}

/// The breaker. Times are readings of the monotonic clock.
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    state: Mutex<State>,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(settings: BreakerSettings) -> Self {
        let state = State::Closed { in_a_row: 0, window: RateSample::default() };
        Self { settings, state: Mutex::new(state) }
    }

    /// May a call be made now? A [`Admission::Probe`] must be reported back with [`Breaker::report`].
    pub fn admit(&self, now: Duration) -> Admission {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Closed { .. } => Admission::Pass,
            State::Open { until } if now < until => Admission::Rest(until - now),
            State::HalfOpen { probing_since: Some(since) } if now.saturating_sub(since) < PROBE_FORGOTTEN => {
                Admission::Rest(Duration::from_secs(1))
            }
            State::Open { .. } | State::HalfOpen { .. } => {
                *state = State::HalfOpen { probing_since: Some(now) };
                Admission::Probe
            }
        }
    }

    /// An answer began, which is all that a probe is for. Whether the call is a success shows at the answer's end: an
    /// upstream that breaks every stream off in the middle is not well.
    pub fn answer_began(&self, now: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::HalfOpen { .. } = *state {
            *state = State::closed(now);
        }
    }

    /// How a call ended. `failed` is a failure of the upstream, not a refusal of the request.
    pub fn report(&self, failed: bool, now: Duration) {
        if self.settings.failures == 0 {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::Closed { in_a_row, window } => {
                *in_a_row = if failed { *in_a_row + 1 } else { 0 };
                window.count(failed, now);
                if *in_a_row >= self.settings.failures || window.is_outlier() {
                    *state = State::Open { until: now + self.settings.open };
                }
            }
            State::HalfOpen { .. } if failed => *state = State::Open { until: now + self.settings.open },
            State::HalfOpen { .. } => *state = State::closed(now),
            // A call that was under way when it opened tells nothing new.
            State::Open { .. } => {}
        }
    }

    /// A probe was given up before it could tell anything (the caller went away): the next call may probe.
    pub fn forget_probe(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::HalfOpen { probing_since } = &mut *state {
            *probing_since = None;
        }
    }

    /// What it is doing now.
    pub fn state(&self, now: Duration) -> BreakerState {
        match *self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { until } if now < until => BreakerState::Open,
            State::Open { .. } | State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker() -> Breaker {
        Breaker::new(BreakerSettings { failures: 3, open: 30 * SECOND })
    }

    #[test]
    fn failures_in_a_row_open_it_and_one_probe_closes_it() {
        let breaker = breaker();
        (0..3).for_each(|_| breaker.report(true, SECOND));
        assert_eq!(breaker.admit(2 * SECOND), Admission::Rest(29 * SECOND));
        assert_eq!(breaker.admit(31 * SECOND), Admission::Probe);
        assert_eq!(breaker.admit(31 * SECOND), Admission::Rest(SECOND), "one probe at a time");
        breaker.report(false, 32 * SECOND);
        assert_eq!(breaker.admit(32 * SECOND), Admission::Pass);
    }

    #[test]
    fn a_failed_probe_opens_it_again() {
        let breaker = breaker();
        (0..3).for_each(|_| breaker.report(true, SECOND));
        assert_eq!(breaker.admit(40 * SECOND), Admission::Probe);
        breaker.report(true, 41 * SECOND);
        assert_eq!(breaker.state(42 * SECOND), BreakerState::Open);
    }

    #[test]
    fn a_success_in_between_starts_the_count_anew() {
        let breaker = breaker();
        for failed in [true, true, false, true, true] {
            breaker.report(failed, SECOND);
        }
        assert_eq!(breaker.admit(SECOND), Admission::Pass);
    }

    #[test]
    fn an_answer_that_begins_closes_it_and_does_not_count_as_a_success() {
        let breaker = breaker();
        for _ in 0..3 {
            breaker.answer_began(SECOND);
            breaker.report(true, SECOND);
        }
        assert_eq!(breaker.state(SECOND), BreakerState::Open);
        assert_eq!(breaker.admit(40 * SECOND), Admission::Probe);
        breaker.answer_began(40 * SECOND);
        assert_eq!(breaker.state(40 * SECOND), BreakerState::Closed);
    }

    #[test]
    fn an_outlier_is_ejected_though_some_of_its_calls_succeed() {
        let breaker = breaker();
        (0..21).for_each(|call| breaker.report(call % 3 != 0, SECOND));
        assert_eq!(breaker.state(SECOND), BreakerState::Open);
    }

    #[test]
    fn a_forgotten_probe_lets_the_next_call_probe() {
        let breaker = breaker();
        (0..3).for_each(|_| breaker.report(true, SECOND));
        assert_eq!(breaker.admit(40 * SECOND), Admission::Probe);
        breaker.forget_probe();
        assert_eq!(breaker.admit(40 * SECOND), Admission::Probe);
    }
}

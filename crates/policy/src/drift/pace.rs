//! How often a tool is called: calls in fixed windows of a minute. It keeps no times, so a window costs sixteen bytes,
//! however many calls there are.

use std::time::Duration;

use seawall_types::Timestamp;

const WINDOW: Duration = Duration::from_secs(60);

/// The calls of one tool in the window that is open. The first call opens one, and the first after its end the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pace {
    since: Timestamp,
    calls: u64,
}

impl Pace {
    /// Counts a call. How many there were in its window, with it.
    ///
    /// Calls of several threads may come a little out of their order; only a clock that was put back by a whole window
    /// opens another one, which would else last until the time is what it was.
    pub fn call(&mut self, at: Timestamp) -> u64 {
        let is_over = at.since(self.since) >= WINDOW || self.since.since(at) >= WINDOW;
        if self.calls == 0 || is_over {
            *self = Self { since: at, calls: 0 };
        }
        self.calls = self.calls.saturating_add(1);
        self.calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_begins_with_a_call_and_ends_after_a_minute() {
        let mut pace = Pace::default();
        for (seconds, calls) in [(100, 1), (130, 2), (159, 3), (160, 1), (400, 1), (459, 2)] {
            assert_eq!(pace.call(Timestamp::from_micros(seconds * 1_000_000)), calls, "{seconds}");
        }
    }

    #[test]
    fn a_clock_that_was_put_back_does_not_hold_a_window_open() {
        let mut pace = Pace::default();
        for (seconds, calls) in [(1_000, 1), (999, 2), (941, 3), (940, 1), (941, 2), (1_000, 1)] {
            assert_eq!(pace.call(Timestamp::from_micros(seconds * 1_000_000)), calls, "{seconds}");
        }
    }
}

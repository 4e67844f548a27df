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
    pub fn call(&mut self, at: Timestamp) -> u64 {
        if self.calls == 0 || at.since(self.since) >= WINDOW {
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
}

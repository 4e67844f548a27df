//! Calendar windows: which day or month a moment falls into, in UTC.

use seawall_types::{Timestamp, Window};

const MICROS_PER_DAY: u64 = 86_400_000_000;

/// The number of a window: days since 1970-01-01, or months since the year 0. Windows without a calendar have
/// one, 0.
pub(crate) type Period = u32;

/// The period that `at` falls into.
pub(crate) fn period(window: Window, at: Timestamp) -> Period {
    let number = match window {
        Window::Total | Window::Minute => 0,
        Window::Day => at.as_micros() / MICROS_PER_DAY,
        Window::Month => {
            let (year, month, _) = at.date();
            year * 12 + month - 1
        }
    };
    Period::try_from(number).unwrap_or(Period::MAX)
}

/// When the period is over; `None` for windows without a calendar.
pub(crate) fn end(window: Window, period: Period) -> Option<Timestamp> {
    let next = u64::from(period) + 1;
    match window {
        Window::Total | Window::Minute => None,
        Window::Day => Some(Timestamp::from_micros(next.saturating_mul(MICROS_PER_DAY))),
        Window::Month => Some(month_start(next)),
    }
}

/// Midnight at the start of a month. Months past the last one that a timestamp can tell give that one.
fn month_start(number: u64) -> Timestamp {
    const LAST_MONTH: u64 = 500_000 * 12;
    let number = number.min(LAST_MONTH);
    Timestamp::from_date(number / 12, number % 12 + 1, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn days_and_months_end_at_midnight_utc() {
        for (window, now, ends) in [
            (Window::Day, "2024-02-28T23:59:59.999999Z", "2024-02-29T00:00:00.000000Z"),
            (Window::Day, "2024-02-29T00:00:00.000000Z", "2024-03-01T00:00:00.000000Z"),
            (Window::Month, "2024-02-29T12:00:00.000000Z", "2024-03-01T00:00:00.000000Z"),
            (Window::Month, "2025-12-31T23:59:59.999999Z", "2026-01-01T00:00:00.000000Z"),
        ] {
            assert_eq!(end(window, period(window, at(now))), Some(at(ends)), "{window} of {now}");
        }
    }

    #[test]
    fn a_window_without_calendar_never_ends() {
        for window in [Window::Total, Window::Minute] {
            assert_eq!(period(window, at("2025-12-31T23:59:59.999999Z")), 0);
            assert_eq!(end(window, 0), None);
        }
    }

    #[test]
    fn no_period_is_out_of_range() {
        for window in [Window::Day, Window::Month] {
            assert!(end(window, Period::MAX).is_some());
            assert!(end(window, period(window, Timestamp::from_micros(u64::MAX))).is_some());
        }
    }
}

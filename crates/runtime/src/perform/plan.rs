//! When a cron expression holds next.

use std::str::FromStr;
use std::sync::Arc;

use croner::Cron;
use jiff::tz::TimeZone;
use seawall_engine::Plan;
use seawall_types::Timestamp;

use crate::session::Session;

/// Finds out when a schedule is next due, and tells the holder. Never, where the expression can't be read: it was checked
/// when the schedule was set.
pub(crate) async fn plan(session: &Session, id: Arc<str>, spec: &str) {
    let next = next(spec, session.shared.clock.now());
    session.report(Plan { id, next }).await;
}

/// The next time after `after` at which a cron expression holds, in UTC. Five fields, or six with seconds first.
pub(crate) fn next(spec: &str, after: Timestamp) -> Option<Timestamp> {
    let cron = Cron::from_str(spec).ok()?;
    let micros = i64::try_from(after.as_micros()).ok()?;
    let after = jiff::Timestamp::from_microsecond(micros).ok()?.to_zoned(TimeZone::UTC);
    let next = cron.find_next_occurrence(&after, false).ok()?;
    u64::try_from(next.timestamp().as_microsecond()).ok().map(Timestamp::from_micros)
}

/// Whether an expression can be read.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check(spec: &str) -> Result<(), String> {
    Cron::from_str(spec).map(|_| ()).map_err(|error| format!("{spec:?} is no cron expression: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_hold_when_cron_says_so() {
        // 2026-11-21 is a Saturday.
        let saturday: Timestamp = "2026-11-21T17:00:30.000000Z".parse().unwrap();
        for (spec, expected) in [
            ("30 9 * * 1", "2026-11-23T09:30:00.000000Z"),
            ("*/5 * * * *", "2026-11-21T17:05:00.000000Z"),
            ("0 0 1 1 *", "2027-01-01T00:00:00.000000Z"),
            ("0 12 29 2 *", "2028-02-29T12:00:00.000000Z"),
        ] {
            assert_eq!(next(spec, saturday), Some(expected.parse().unwrap()), "{spec}");
        }
        for spec in ["", "x", "61 * * * *", "* * * *"] {
            assert!(check(spec).is_err(), "{spec}");
        }
    }
}

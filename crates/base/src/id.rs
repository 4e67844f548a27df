//! Making identifiers: UUIDv7 from a clock and a fast generator of this thread.
//!
//! Identifiers are unique, not secret: the generator is seeded by the operating system but is not a cryptographic
//! one, because an action must not wait for a system call to get its name. Secrets are made elsewhere.

use std::cell::RefCell;

use fastrand::Rng;
use seawall_types::{ActionId, ApprovalId, Clock, HoldId, KeyId, RequestId, RunId, Timestamp};

thread_local! {
    static RANDOM: RefCell<Rng> = RefCell::new(seeded());
}

/// A generator seeded by the operating system, or by what the process has at hand where that gives nothing: two
/// equal identifiers would be a nuisance, a server that can't start for want of entropy would be worse.
fn seeded() -> Rng {
    getrandom::u64().map_or_else(|_| Rng::new(), Rng::with_seed)
}

/// The milliseconds and the ten further bytes that an identifier consists of.
///
/// The first two bytes, of which a UUIDv7 keeps twelve bits, hold the fraction of the millisecond (RFC 9562 §6.2,
/// method 3), so that identifiers of one process sort by the microsecond. The other eight are random.
fn parts(now: Timestamp) -> (u64, [u8; 10]) {
    let micros_of_milli = now.as_micros() % 1_000;
    let fraction = u16::try_from(micros_of_milli * 4_096 / 1_000).unwrap_or(0);
    let random = RANDOM.with_borrow_mut(|random| random.u64(..));
    let mut bytes = [0; 10];
    let (high, low) = bytes.split_at_mut(2);
    high.copy_from_slice(&fraction.to_be_bytes());
    low.copy_from_slice(&random.to_be_bytes());
    (now.as_millis(), bytes)
}

macro_rules! makers {
    ($($(#[$doc:meta])* $function:ident, $function_at:ident => $id:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $function(clock: &dyn Clock) -> $id {
            $function_at(clock.now())
        }

        $(#[$doc])*
        ///
        /// For who has read the clock already.
        #[must_use]
        pub fn $function_at(now: Timestamp) -> $id {
            let (millis, bytes) = parts(now);
            $id::from_parts(millis, &bytes)
        }
    )*};
}

makers! {
    /// A name for a new run.
    new_run, new_run_at => RunId;
    /// A name for a new action.
    new_action, new_action_at => ActionId;
    /// A name for a new hold in the ledger.
    new_hold, new_hold_at => HoldId;
    /// A name for a new API key (not the key itself, which is a secret).
    new_key, new_key_at => KeyId;
    /// A name for a question to a person.
    new_approval, new_approval_at => ApprovalId;
    /// A name for a request that has just arrived.
    new_request, new_request_at => RequestId;
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use seawall_types::ManualClock;

    use super::*;

    fn clock() -> ManualClock {
        ManualClock::new(Timestamp::from_micros(1_700_000_000_000_123))
    }

    #[test]
    fn identifiers_of_one_moment_differ_over_all_threads() {
        let clock = clock();
        let made: Vec<ActionId> = std::thread::scope(|scope| {
            let make = || (0..10_000).map(|_| new_action(&clock)).collect::<Vec<_>>();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(made.iter().collect::<HashSet<_>>().len(), 40_000);
    }

    #[test]
    fn identifiers_sort_by_the_microsecond_they_were_made_in() {
        let clock = clock();
        let made: Vec<RunId> = (0..5_000)
            .map(|_| {
                clock.advance(Duration::from_micros(1));
                new_run(&clock)
            })
            .collect();
        assert!(made.is_sorted());
    }

    #[test]
    fn an_identifier_is_a_version_7_uuid_of_its_millisecond() {
        let text = new_request(&clock()).to_string();
        assert!(text.starts_with("018bcfe5-6800-7"), "{text}");
        assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{text}");
    }
}

//! Minutes, days and months.

use std::time::Duration;

use seawall_budget::{Ledger, Refusal};
use seawall_types::{Code, Scope, Timestamp, Window};

use crate::given::*;

/// The refusal's code and when it frees up.
fn refused(
    ledger: &Ledger,
    number: u64,
    scopes: &[Scope],
    picos: u128,
    now: Timestamp,
) -> (Code, Option<Timestamp>) {
    match *reserve(ledger, number, scopes, usd(picos), now).unwrap_err() {
        Refusal::Exceeded { code, frees_at, .. } => (code, frees_at),
        other => panic!("{other}"),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn a_day_begins_with_nothing_and_a_hold_stays_in_the_day_it_was_made_in() {
    let ledger = global(Window::Day, 10);
    let (evening, midnight) = (at("2024-02-28T23:59:59Z"), at("2024-02-29T00:00:00Z"));
    let hold = reserve(&ledger, 1, &[Scope::Global], usd(10), evening).unwrap();
    assert_eq!(refused(&ledger, 2, &[Scope::Global], 1, evening), (Code::BudgetExceeded, Some(midnight)));
    assert_eq!(figures(&ledger, &Scope::Global, Window::Day, midnight), (0, 0));
    reserve(&ledger, 3, &[Scope::Global], usd(6), midnight).unwrap();
    ledger.settle(hold, usd(9), midnight);
    assert_eq!(figures(&ledger, &Scope::Global, Window::Day, midnight), (0, 6));
    assert_eq!(figures(&ledger, &Scope::Global, Window::Total, midnight), (9, 6));
}

#[test]
fn a_hold_settled_after_midnight_does_not_open_the_new_day() {
    let ledger = global(Window::Day, 10);
    let (evening, midnight) = (at("2024-02-28T23:59:59Z"), at("2024-02-29T00:00:00Z"));
    let hold = reserve(&ledger, 1, &[Scope::Global], usd(10), evening).unwrap();
    ledger.settle(hold, usd(10), midnight);
    assert_eq!(figures(&ledger, &Scope::Global, Window::Day, midnight), (0, 0));
}

#[test]
fn a_month_is_a_calendar_month() {
    let ledger = global(Window::Month, 10);
    reserve(&ledger, 1, &[Scope::Global], usd(10), at("2024-02-01T00:00:00Z")).unwrap();
    let last = at("2024-02-29T23:59:59.999999Z");
    let march = at("2024-03-01T00:00:00Z");
    assert_eq!(refused(&ledger, 2, &[Scope::Global], 1, last), (Code::BudgetExceeded, Some(march)));
    assert_eq!(account(&ledger, &Scope::Global, Window::Month, last).resets_at, Some(march));
    reserve(&ledger, 2, &[Scope::Global], usd(10), march).unwrap();
}

#[test]
fn what_never_fits_does_not_free_up() {
    for window in [Window::Minute, Window::Day, Window::Month, Window::Total] {
        assert_eq!(refused(&global(window, 10), 1, &[Scope::Global], 11, NOW).1, None, "{window}");
    }
}

#[test]
fn a_minute_counts_what_is_held_and_what_was_spent_in_sixty_seconds() {
    let ledger = global(Window::Minute, 10);
    let hold = reserve(&ledger, 1, &[Scope::Global], usd(6), NOW).unwrap();
    assert_eq!(refused(&ledger, 2, &[Scope::Global], 5, after(100)), (Code::BurnRateExceeded, None));
    ledger.settle(hold, usd(6), after(100));
    assert_eq!(
        refused(&ledger, 2, &[Scope::Global], 5, after(110)),
        (Code::BurnRateExceeded, Some(after(161)))
    );
    reserve(&ledger, 2, &[Scope::Global], usd(5), after(161)).unwrap();
}

#[test]
fn the_refusal_is_the_one_that_waiting_helps_least() {
    let limits = vec![
        limit(Scope::Run(run()), Window::Minute, 5),
        limit(key("a"), Window::Day, 5),
        limit(key("a"), Window::Month, 5),
        limit(Scope::Global, Window::Total, 100),
    ];
    let ledger = Ledger::in_memory(limits);
    let scopes = [Scope::Run(run()), key("a"), Scope::Global];
    let hold = reserve(&ledger, 1, &scopes, usd(5), NOW).unwrap();
    ledger.settle(hold, usd(5), NOW);
    assert_eq!(refused(&ledger, 2, &scopes, 1, NOW).1, Some(at("2023-12-01T00:00:00Z")));
    ledger.set_limit(limit(Scope::Global, Window::Total, 5), NOW).unwrap();
    assert_eq!(refused(&ledger, 3, &scopes, 1, NOW).1, None);
}

#[test]
fn a_clock_set_back_frees_nothing_and_counts_nothing_twice() {
    for window in [Window::Minute, Window::Day, Window::Month] {
        let ledger = global(window, 10);
        let before =
            Timestamp::from_micros(NOW.as_micros() - Duration::from_hours(24 * 40).as_micros() as u64);
        let held = reserve(&ledger, 1, &[Scope::Global], usd(4), NOW).unwrap();
        let hold = reserve(&ledger, 2, &[Scope::Global], usd(3), NOW).unwrap();
        ledger.settle(hold, usd(3), NOW);
        assert_eq!(figures(&ledger, &Scope::Global, window, before), (3, 4), "{window}");
        let resets_at = |now| account(&ledger, &Scope::Global, window, now).resets_at;
        assert_eq!(resets_at(before), resets_at(NOW), "{window}");
        reserve(&ledger, 3, &[Scope::Global], usd(4), before).unwrap_err();
        let last = reserve(&ledger, 4, &[Scope::Global], usd(3), before).unwrap();
        ledger.settle(held, usd(4), before);
        ledger.settle(last, usd(3), before);
        assert_eq!(figures(&ledger, &Scope::Global, window, before), (10, 0), "{window}");
    }
}

#[test]
fn a_late_settle_goes_to_the_window_of_its_hold() {
    let ledger = global(Window::Day, 10);
    let (evening, midnight) = (at("2024-02-28T23:59:00Z"), at("2024-02-29T00:10:00Z"));
    let hold = reserve(&ledger, 1, &[Scope::Global], usd(8), evening).unwrap();
    ledger.sweep(midnight);
    let next = reserve(&ledger, 2, &[Scope::Global], usd(8), midnight).unwrap();
    ledger.settle(next, usd(8), midnight);
    ledger.settle(hold, usd(1), midnight);
    assert_eq!(figures(&ledger, &Scope::Global, Window::Day, midnight), (8, 0));
    assert_eq!(figures(&ledger, &Scope::Global, Window::Total, midnight), (9, 0));
}

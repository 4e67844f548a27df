//! What operators do and see.

use seawall_budget::{Error, Ledger};
use seawall_types::{Scope, Window};
use serde_json::json;

use crate::disk::Disk;
use crate::given::*;

#[test]
fn accounts_are_shown_as_the_contract_says() {
    let mut day = limit(key("ci"), Window::Day, 2_000_000_000_000);
    day.tokens = Some(500);
    let ledger = Ledger::in_memory(vec![day]);
    let scopes = [Scope::Global, key("ci")];
    let hold = reserve(&ledger, 1, &scopes, amount(1_000_000_000, 10), NOW).unwrap();
    ledger.settle(hold, amount(1_350_000_000, 7), NOW);
    reserve(&ledger, 2, &scopes, amount(500_000_000_000, 100), NOW).unwrap();
    reserve(&ledger, 3, &scopes, amount(1_500_000_000_000, 0), after(5)).unwrap_err();
    let common = json!({
        "spent_usd": "0.001350", "held_usd": "0.500000", "spent_tokens": 7, "held_tokens": 100, "holds": 1,
        "refusals": [], "oldest_hold_seconds": 60,
    });
    let with = |more: serde_json::Value| {
        let mut object = common.as_object().unwrap().clone();
        object.extend(more.as_object().unwrap().clone());
        serde_json::Value::Object(object)
    };
    let refusal = json!({
        "at": "2023-11-14T22:13:25.000000Z", "action": "02020202-0202-0202-0202-020202020202",
        "code": "BUDGET_EXCEEDED", "wanted_usd": "1.500000",
        "message": "key:ci (day) is limited to $2.000000: $0.001350 spent, $0.500000 held, $1.500000 wanted",
    });
    let expected = json!([
        with(json!({"scope": "global", "window": "total"})),
        with(json!({"scope": "key:ci", "window": "total"})),
        with(json!({
            "scope": "key:ci", "window": "day", "limit_usd": "2.000000", "limit_tokens": 500,
            "resets_at": "2023-11-15T00:00:00.000000Z", "refusals": [refusal],
        })),
    ]);
    assert_eq!(serde_json::to_value(ledger.show(after(60))).unwrap(), expected);
}

#[test]
fn the_last_ten_refusals_are_shown() {
    let ledger = global(Window::Total, 0);
    for number in 1..=12 {
        reserve(&ledger, number, &[Scope::Global], usd(u128::from(number)), NOW).unwrap_err();
    }
    let refusals = account(&ledger, &Scope::Global, Window::Total, NOW).refusals;
    let wanted: Vec<_> = refusals.iter().map(|refusal| refusal.wanted_usd.as_picos()).collect();
    assert_eq!(wanted, (3..=12).collect::<Vec<_>>());
    assert_eq!(ledger.stats().refusals, 12);
}

#[test]
fn a_limit_set_late_counts_what_its_scope_has_spent_and_holds() {
    let ledger = Ledger::in_memory(Vec::new());
    let spent = reserve(&ledger, 1, &[key("a")], usd(3), NOW).unwrap();
    ledger.settle(spent, usd(3), NOW);
    let held = reserve(&ledger, 2, &[key("a")], usd(4), NOW).unwrap();
    ledger.set_limit(limit(key("a"), Window::Total, 10), NOW).unwrap();
    ledger.set_limit(limit(key("a"), Window::Day, 10), NOW).unwrap();
    assert_eq!(figures(&ledger, &key("a"), Window::Total, NOW), (3, 4));
    assert_eq!(figures(&ledger, &key("a"), Window::Day, NOW), (0, 4), "a new window counts from now on");
    ledger.settle(held, usd(2), NOW);
    assert_eq!(figures(&ledger, &key("a"), Window::Total, NOW), (5, 0));
    assert_eq!(figures(&ledger, &key("a"), Window::Day, NOW), (2, 0));
}

#[test]
fn setting_the_same_limit_again_writes_nothing() {
    let disk = Disk::default();
    let same = || limit(Scope::Global, Window::Day, 10);
    let (ledger, _) = disk.open(vec![same()], NOW);
    let before = disk.newest();
    ledger.set_limit(same(), NOW).unwrap();
    ledger.replace_limits(vec![same()]);
    assert_eq!(disk.newest(), before);
}

#[test]
fn lowering_a_limit_refuses_the_next_and_raising_it_admits_again() {
    let ledger = global(Window::Total, 10);
    reserve(&ledger, 1, &[Scope::Global], usd(8), NOW).unwrap();
    ledger.set_limit(limit(Scope::Global, Window::Total, 5), NOW).unwrap();
    reserve(&ledger, 2, &[Scope::Global], usd(1), NOW).unwrap_err();
    ledger.set_limit(limit(Scope::Global, Window::Total, 9), NOW).unwrap();
    reserve(&ledger, 3, &[Scope::Global], usd(1), NOW).unwrap();
}

#[test]
fn a_reload_keeps_what_is_spent_and_held() {
    let ledger =
        Ledger::in_memory(vec![limit(Scope::Global, Window::Day, 10), limit(key("a"), Window::Total, 10)]);
    reserve(&ledger, 1, &[Scope::Global, key("a")], usd(4), NOW).unwrap();
    ledger.replace_limits(vec![limit(Scope::Global, Window::Day, 99), limit(Scope::Global, Window::Day, 20)]);
    let accounts: Vec<_> = ledger
        .show(NOW)
        .into_iter()
        .map(|view| {
            (view.scope, view.window, view.limit_usd.map(|usd| usd.as_picos()), view.held_usd.as_picos())
        })
        .collect();
    let expected = [
        (Scope::Global, Window::Total, None, 4),
        (Scope::Global, Window::Day, Some(20), 4),
        (key("a"), Window::Total, None, 4),
    ];
    assert_eq!(accounts, expected);
}

#[test]
fn a_limit_that_is_removed_no_longer_refuses() {
    let ledger = Ledger::in_memory(vec![limit(key("a"), Window::Day, 1), limit(key("a"), Window::Total, 1)]);
    let hold = reserve(&ledger, 1, &[key("a")], usd(1), NOW).unwrap();
    ledger.remove_limit(&key("a"), Window::Day);
    ledger.remove_limit(&key("a"), Window::Total);
    reserve(&ledger, 2, &[key("a")], usd(9), NOW).unwrap();
    ledger.settle(hold, usd(1), NOW);
    assert_eq!(figures(&ledger, &key("a"), Window::Total, NOW), (1, 9));
}

#[test]
fn a_reset_forgets_what_is_spent_and_keeps_what_is_held() {
    for window in [Window::Total, Window::Minute, Window::Day, Window::Month] {
        let ledger = global(window, 10);
        let swept = reserve(&ledger, 1, &[Scope::Global], usd(5), NOW).unwrap();
        ledger.sweep(after(300));
        let held = reserve(&ledger, 2, &[Scope::Global], usd(4), after(300)).unwrap();
        ledger.reset(&Scope::Global, Some(window), after(301)).unwrap();
        assert_eq!(figures(&ledger, &Scope::Global, window, after(301)), (0, 4), "{window}");
        ledger.settle(held, usd(3), after(302));
        ledger.settle(swept, usd(1), after(303));
        assert_eq!(
            figures(&ledger, &Scope::Global, window, after(303)),
            (3, 0),
            "{window}: nothing from before it"
        );
    }
}

#[test]
fn resetting_a_scope_resets_all_of_its_windows_and_no_other() {
    let ledger = global(Window::Day, 100);
    let hold = reserve(&ledger, 1, &[Scope::Global, key("a")], usd(5), NOW).unwrap();
    ledger.settle(hold, usd(5), NOW);
    ledger.reset(&Scope::Global, None, NOW).unwrap();
    assert_eq!(figures(&ledger, &Scope::Global, Window::Total, NOW), (0, 0));
    assert_eq!(figures(&ledger, &Scope::Global, Window::Day, NOW), (0, 0));
    assert_eq!(figures(&ledger, &key("a"), Window::Total, NOW), (5, 0));
    let unknown = ledger.reset(&key("b"), None, NOW).unwrap_err();
    assert!(matches!(unknown, Error::UnknownAccount { .. }), "{unknown}");
    assert!(ledger.reset(&key("a"), Some(Window::Day), NOW).is_err());
}

#[test]
fn a_reset_helps_after_the_clock_was_wrong() {
    let ledger = global(Window::Day, 10);
    let next_year = after(366 * 86_400);
    let hold = reserve(&ledger, 1, &[Scope::Global], usd(10), next_year).unwrap();
    ledger.settle(hold, usd(10), next_year);
    reserve(&ledger, 2, &[Scope::Global], usd(10), after(86_400)).unwrap_err();
    ledger.reset(&Scope::Global, Some(Window::Day), after(86_400)).unwrap();
    reserve(&ledger, 2, &[Scope::Global], usd(10), after(86_400)).unwrap();
    reserve(&ledger, 3, &[Scope::Global], usd(10), after(2 * 86_400)).unwrap();
}

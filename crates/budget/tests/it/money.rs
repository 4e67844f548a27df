//! Reserve and settle.

use seawall_budget::{Correction, Ledger, LimitValue, OnStoreDown, Refusal, Settled};
use seawall_types::{Amount, Code, Scope, Tokens, Usd, Window};

use crate::given::*;

#[test]
fn a_reservation_that_does_not_fit_is_refused_with_the_figures() {
    let ledger = global(Window::Total, 10);
    let first = reserve(&ledger, 1, &[Scope::Global], amount(4, 1), NOW).unwrap();
    ledger.settle(first, amount(3, 1), NOW);
    reserve(&ledger, 2, &[Scope::Global], usd(5), NOW).unwrap();
    let refusal = reserve(&ledger, 3, &[Scope::Global], usd(3), NOW).unwrap_err();
    assert_eq!(
        *refusal,
        Refusal::Exceeded {
            scope: Scope::Global,
            window: Window::Total,
            limit: LimitValue::Usd(Usd::from_picos(10)),
            spent: amount(3, 1),
            held: usd(5),
            wanted: usd(3),
            frees_at: None,
            code: Code::BudgetExceeded,
        }
    );
    assert_eq!(
        refusal.to_string(),
        "global (total) is limited to $0.00000000001: \
         $0.000000000003 spent, $0.000000000005 held, $0.000000000003 wanted"
    );
    reserve(&ledger, 4, &[Scope::Global], usd(2), NOW).unwrap();
}

#[test]
fn all_scopes_pay_or_none() {
    let ledger =
        Ledger::in_memory(vec![limit(Scope::Global, Window::Total, 100), limit(key("a"), Window::Total, 5)]);
    let scopes = [Scope::Run(run()), Scope::Global, Scope::Tenant("t".into()), key("a")];
    reserve(&ledger, 1, &scopes, usd(6), NOW).unwrap_err();
    assert_eq!(figures(&ledger, &Scope::Global, Window::Total, NOW), (0, 0));
    reserve(&ledger, 2, &scopes, usd(5), NOW).unwrap();
    for scope in &scopes {
        assert_eq!(figures(&ledger, scope, Window::Total, NOW), (0, 5), "{scope}");
    }
}

#[test]
fn a_scope_named_twice_pays_once() {
    let ledger = global(Window::Total, 10);
    reserve(&ledger, 1, &[Scope::Global, Scope::Global], usd(10), NOW).unwrap();
    assert_eq!(figures(&ledger, &Scope::Global, Window::Total, NOW), (0, 10));
}

#[test]
fn settling_twice_charges_once() {
    let ledger = global(Window::Total, 10);
    let hold = reserve(&ledger, 1, &[Scope::Global], usd(8), NOW).unwrap();
    assert_eq!(ledger.settle(hold, usd(2), NOW), Settled::First { over_estimate: false });
    assert_eq!(ledger.settle(hold, usd(2), NOW), Settled::Unknown);
    assert_eq!(ledger.abandon(hold, NOW), Settled::Unknown);
    assert_eq!(figures(&ledger, &Scope::Global, Window::Total, NOW), (2, 0));
}

#[test]
fn the_real_cost_is_charged_past_the_limit_and_refuses_the_next() {
    let ledger = global(Window::Total, 10);
    let hold = reserve(&ledger, 1, &[Scope::Global], usd(10), NOW).unwrap();
    assert_eq!(ledger.settle(hold, usd(13), NOW), Settled::First { over_estimate: true });
    assert_eq!(figures(&ledger, &Scope::Global, Window::Total, NOW), (13, 0));
    assert_eq!(ledger.stats().over_estimate, 1);
    reserve(&ledger, 2, &[Scope::Global], usd(0), NOW).unwrap_err();
    assert_eq!(ledger.headroom(&[Scope::Global], NOW).usd, Usd::ZERO);
}

#[test]
fn what_is_released_was_never_spent_and_what_is_abandoned_was() {
    let ledger = global(Window::Total, 10);
    let released = reserve(&ledger, 1, &[Scope::Global], usd(4), NOW).unwrap();
    let abandoned = reserve(&ledger, 2, &[Scope::Global], usd(5), NOW).unwrap();
    ledger.release(released, NOW);
    ledger.abandon(abandoned, NOW);
    assert_eq!(figures(&ledger, &Scope::Global, Window::Total, NOW), (5, 0));
}

#[test]
fn a_name_that_is_taken_is_refused_until_it_is_free() {
    let ledger = global(Window::Total, 10);
    reserve(&ledger, 1, &[Scope::Global], usd(1), NOW).unwrap();
    assert_eq!(*reserve(&ledger, 1, &[Scope::Global], usd(1), NOW).unwrap_err(), Refusal::DuplicateHold);
    ledger.sweep(after(300));
    assert_eq!(*reserve(&ledger, 1, &[Scope::Global], usd(1), NOW).unwrap_err(), Refusal::DuplicateHold);
}

#[test]
fn an_overdue_hold_is_spent_at_its_estimate_and_a_late_settle_corrects_that_once() {
    let ledger = global(Window::Total, 100);
    let cheap = reserve(&ledger, 1, &[Scope::Global], amount(10, 10), NOW).unwrap();
    let dear = reserve(&ledger, 2, &[Scope::Global], amount(10, 10), NOW).unwrap();
    assert_eq!(ledger.next_deadline(), Some(after(300)));
    assert_eq!(ledger.sweep(after(299)), []);
    let swept: Vec<_> = ledger.sweep(after(300)).iter().map(|swept| (swept.hold, swept.amount)).collect();
    assert_eq!(swept, [(cheap, amount(10, 10)), (dear, amount(10, 10))]);
    assert_eq!(ledger.abandon(cheap, after(301)), Settled::Unknown, "it is charged at its estimate already");
    assert_eq!(figures(&ledger, &Scope::Global, Window::Total, NOW), (20, 0));
    let correction = Correction { added: Amount::ZERO, returned: amount(7, 10) };
    assert_eq!(ledger.settle(cheap, usd(3), after(301)), Settled::Late { correction });
    let correction = Correction { added: usd(5), returned: amount(0, 9) };
    assert_eq!(ledger.settle(dear, amount(15, 1), after(302)), Settled::Late { correction });
    assert_eq!(ledger.settle(dear, amount(15, 1), after(303)), Settled::Unknown);
    assert_eq!(figures(&ledger, &Scope::Global, Window::Total, NOW), (18, 0));
    assert_eq!((ledger.stats().swept, ledger.stats().holds, ledger.next_deadline()), (2, 0, None));
}

#[test]
fn so_many_swept_holds_are_remembered_and_no_more() {
    let ledger = global(Window::Total, 1_000_000);
    for number in 0..10_001 {
        reserve(&ledger, number, &[Scope::Global], usd(2), NOW).unwrap();
    }
    assert_eq!(ledger.sweep(after(300)).len(), 10_001);
    assert_eq!(ledger.settle(hold_id(0), usd(1), after(301)), Settled::Unknown);
    assert!(matches!(ledger.settle(hold_id(1), usd(1), after(301)), Settled::Late { .. }));
}

#[test]
fn tokens_are_limited_like_money() {
    let mut tokens = limit(Scope::Global, Window::Total, 0);
    (tokens.usd, tokens.tokens) = (None, Some(10));
    let ledger = Ledger::in_memory(vec![tokens]);
    reserve(&ledger, 1, &[Scope::Global], amount(1_000, 6), NOW).unwrap();
    let refusal = *reserve(&ledger, 2, &[Scope::Global], amount(0, 5), NOW).unwrap_err();
    let Refusal::Exceeded { limit, code, .. } = refusal else { panic!("{refusal}") };
    assert_eq!((limit, code), (LimitValue::Tokens(10), Code::TokensExceeded));
    assert_eq!(ledger.headroom(&[Scope::Global], NOW), Amount { usd: Usd::MAX, tokens: 4 });
}

#[test]
fn headroom_is_the_least_that_any_limit_leaves() {
    let ledger =
        Ledger::in_memory(vec![limit(Scope::Global, Window::Day, 100), limit(key("a"), Window::Total, 30)]);
    reserve(&ledger, 1, &[Scope::Global, key("a")], usd(10), NOW).unwrap();
    reserve(&ledger, 2, &[Scope::Global], usd(75), NOW).unwrap();
    assert_eq!(ledger.headroom(&[Scope::Global, key("a")], NOW).usd, Usd::from_picos(15));
    assert_eq!(ledger.headroom(&[key("a")], NOW).usd, Usd::from_picos(20));
    assert_eq!(ledger.headroom(&[key("b")], NOW), Amount { usd: Usd::MAX, tokens: Tokens::MAX });
}

#[test]
fn amounts_out_of_range_are_refused_and_not_wrapped() {
    let ledger = global(Window::Total, 10);
    reserve(&ledger, 1, &[Scope::Global], usd(1), NOW).unwrap();
    reserve(&ledger, 2, &[Scope::Global], Amount { usd: Usd::MAX, tokens: Tokens::MAX }, NOW).unwrap_err();
    let unlimited = Ledger::in_memory(Vec::new());
    let most = Amount { usd: Usd::MAX, tokens: Tokens::MAX };
    for number in 0..3 {
        let hold = reserve(&unlimited, number, &[Scope::Global], most, NOW).unwrap();
        unlimited.settle(hold, most, NOW);
    }
    assert_eq!(figures(&unlimited, &Scope::Global, Window::Total, NOW), (u128::MAX, 0));
}

#[test]
fn a_name_too_long_for_the_journal_is_refused() {
    let ledger = Ledger::in_memory(Vec::new());
    let long = key(&"x".repeat(5_000));
    assert!(matches!(
        *reserve(&ledger, 1, std::slice::from_ref(&long), usd(1), NOW).unwrap_err(),
        Refusal::Unavailable { .. }
    ));
    ledger.set_limit(limit(long, Window::Total, 1), NOW).unwrap_err();
}

#[test]
fn limits_without_a_word_about_the_store_are_closed() {
    let limit: seawall_budget::Limit = serde_json::from_str(r#"{"scope":"key:ci","usd":"5"}"#).unwrap();
    assert_eq!((limit.window, limit.on_store_down), (Window::Total, OnStoreDown::Closed));
}

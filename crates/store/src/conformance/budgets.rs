//! Claims about limits and the ledger's snapshots.

use seawall_budget::{
    AccountRow, Ceiling, HoldRow, LegRow, Limit, MinuteRow, OnStoreDown, Snapshot, SweptRow,
};
use seawall_types::{ActionId, Amount, HoldId, RunId, Scope, Timestamp, Usd, Window};

use super::{Pair, at};
use crate::Limits;

fn limit(scope: Scope, window: Window, picos: u128) -> Limit {
    let usd = Some(Usd::from_picos(picos));
    Limit { scope, window, usd, tokens: Some(u64::MAX), on_store_down: OnStoreDown::Open }
}

/// One limit for a scope and window.
pub fn a_limit_is_replaced_and_removed((store, other): &Pair) {
    let key = Scope::Key("ci".into());
    let none = Limit {
        usd: None,
        tokens: None,
        on_store_down: OnStoreDown::Closed,
        ..limit(key.clone(), Window::Month, 0)
    };
    store.set(&limit(key.clone(), Window::Day, 5), at(1)).unwrap();
    store.set(&none, at(2)).unwrap();
    store.set(&limit(Scope::Global, Window::Total, u128::MAX), at(3)).unwrap();
    store.set(&limit(key.clone(), Window::Day, 6), at(4)).unwrap();
    let expected = [
        (limit(Scope::Global, Window::Total, u128::MAX), at(3)),
        (limit(key.clone(), Window::Day, 6), at(4)),
        (none, at(2)),
    ];
    assert_eq!(Limits::list(&**other).unwrap(), expected);
    assert!(other.remove(&key, Window::Day).unwrap());
    assert!(!other.remove(&key, Window::Day).unwrap());
    assert_eq!(Limits::list(&**store).unwrap().len(), 2);
}

/// Who raises a limit in money does not take away the one in tokens.
pub fn what_a_limit_does_not_say_stays_as_it_was((store, other): &Pair) {
    let limit = |usd, tokens| Limit {
        scope: Scope::Global,
        window: Window::Day,
        usd,
        tokens,
        on_store_down: OnStoreDown::Closed,
    };
    let (one, two) = (Usd::from_picos(1), Usd::from_picos(2));
    store.set(&limit(Some(one), None), at(1)).unwrap();
    store.set(&limit(None, Some(7)), at(2)).unwrap();
    assert_eq!(Limits::list(&**other).unwrap(), [(limit(Some(one), Some(7)), at(2))]);
    store.set(&limit(Some(two), None), at(3)).unwrap();
    assert_eq!(Limits::list(&**other).unwrap(), [(limit(Some(two), Some(7)), at(3))]);
    store.remove(&Scope::Global, Window::Day).unwrap();
    store.set(&limit(None, Some(8)), at(4)).unwrap();
    assert_eq!(Limits::list(&**other).unwrap(), [(limit(None, Some(8)), at(4))]);
}

/// The number of changes tells whether to read keys and limits again.
pub fn each_write_of_a_limit_shows_to_others((store, other): &Pair) {
    let before = other.changes().unwrap();
    assert_eq!(other.changes().unwrap(), before);
    store.set(&limit(Scope::Global, Window::Day, 1), at(1)).unwrap();
    let after_setting = other.changes().unwrap();
    assert_ne!(after_setting, before);
    store.remove(&Scope::Global, Window::Day).unwrap();
    let after_removing = other.changes().unwrap();
    assert_ne!(after_removing, after_setting);
    assert_eq!(store.changes().unwrap(), after_removing);
}

/// What the server itself writes all the time does not make it read keys again.
pub fn keeping_the_ledger_or_runs_is_no_change((store, _): &Pair) {
    let before = store.changes().unwrap();
    store.save(&Snapshot::default()).unwrap();
    store.started(&super::runs::row(1)).unwrap();
    assert_eq!(store.changes().unwrap(), before);
}

/// A new store has none.
pub fn there_is_no_snapshot_at_first((store, _): &Pair) {
    assert_eq!(store.load().unwrap(), None);
}

/// Every field is kept, up to the largest amounts.
pub fn a_snapshot_is_read_back_as_it_was_saved((store, other): &Pair) {
    store.save(&snapshot()).unwrap();
    assert_eq!(other.load().unwrap(), Some(snapshot()));
}

/// Nothing of an older snapshot is left.
pub fn the_last_snapshot_counts((store, other): &Pair) {
    let small = Snapshot { journal: 9, ..Snapshot::default() };
    store.save(&snapshot()).unwrap();
    store.save(&small).unwrap();
    assert_eq!(other.load().unwrap(), Some(small));
}

fn snapshot() -> Snapshot {
    let amount = Amount { usd: Usd::from_picos(1_234_567_890_123), tokens: u64::MAX };
    let ceiling = Ceiling { usd: Some(Usd::MAX), tokens: Some(7), on_store_down: OnStoreDown::Open };
    let account = |scope, window, limit, minute| AccountRow {
        scope,
        window,
        limit,
        period: 20_000,
        spent: amount,
        minute,
    };
    let minute = MinuteRow { second: 1_700_000_000, spent_by_age: vec![amount, Amount::ZERO, amount] };
    let key = Scope::Key("a \"name\"".into());
    Snapshot {
        journal: u64::MAX,
        latest: at(77),
        accounts: vec![
            account(Scope::Global, Window::Total, None, None),
            account(key.clone(), Window::Total, Some(Ceiling::default()), None),
            account(key.clone(), Window::Minute, Some(ceiling), Some(minute)),
        ],
        holds: vec![hold(1, vec![Scope::Global, key.clone()]), hold(2, vec![key])],
        swept: [4, 3].map(|number| SweptRow { hold: hold(number, Vec::new()), swept_at: at(30) }).into(),
    }
}

fn hold(number: u8, scopes: Vec<Scope>) -> HoldRow {
    HoldRow {
        hold: HoldId::from_bytes([number; 16]),
        run: RunId::from_bytes([2; 16]),
        action: ActionId::from_bytes([3; 16]),
        scopes,
        amount: Amount { usd: Usd::MAX, tokens: 5 },
        at: at(10),
        deadline: Timestamp::from_micros(u64::MAX),
        legs: vec![LegRow { scope: Scope::Global, window: Window::Day, period: u32::MAX }],
    }
}

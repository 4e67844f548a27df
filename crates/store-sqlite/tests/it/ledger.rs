//! The ledger over this store: what one process leaves, the next one finds.

use std::sync::Arc;
use std::time::Duration;

use seawall_budget::{Journal, Ledger, Limit, OnStoreDown, Reservation, Settled};
use seawall_store_sqlite::SqliteStore;
use seawall_types::{ActionId, Amount, HoldId, RunId, Scope, Timestamp, Usd, Window};
use tempfile::TempDir;

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn cents(count: u128) -> Amount {
    Amount { usd: Usd::from_picos(count * 10_000_000_000), tokens: 10 }
}

fn open(folder: &TempDir) -> Ledger {
    let store = SqliteStore::open(&folder.path().join("seawall.db")).unwrap();
    let window = [Window::Total, Window::Minute, Window::Day, Window::Month];
    let limit = |window| Limit {
        scope: Scope::Global,
        window,
        usd: Some(cents(100).usd),
        tokens: None,
        on_store_down: OnStoreDown::Closed,
    };
    let limits = window.into_iter().map(limit).collect();
    let journal = Journal::open(folder.path()).unwrap();
    let (ledger, recovery) = Ledger::open(limits, journal, Arc::new(store), NOW).unwrap();
    assert!(!recovery.torn);
    ledger
}

fn reserve(ledger: &Ledger, number: u8, amount: Amount) -> HoldId {
    let hold = HoldId::from_bytes([number; 16]);
    let scopes = [Scope::Global, Scope::Key("ci".into())];
    let (run, action) = (RunId::from_bytes([1; 16]), ActionId::from_bytes([2; 16]));
    let deadline = NOW.saturating_add(Duration::from_secs(60));
    ledger.reserve(&Reservation { hold, run, action, scopes: &scopes, amount, deadline }, NOW).unwrap();
    hold
}

#[test]
fn a_budget_goes_on_where_the_last_process_left_it() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&folder);
    let settled = reserve(&ledger, 1, cents(50));
    let held = reserve(&ledger, 2, cents(30));
    ledger.settle(settled, cents(20), NOW);
    let before = ledger.show(NOW);
    drop(ledger);

    for _ in 0..3 {
        let ledger = open(&folder);
        assert_eq!(ledger.show(NOW), before);
        ledger.checkpoint().unwrap();
    }
    let ledger = open(&folder);
    assert_eq!(ledger.headroom(&[Scope::Global], NOW).usd, cents(50).usd);
    assert_eq!(ledger.settle(held, cents(30), NOW), Settled::First { over_estimate: false });
    assert_eq!(ledger.settle(settled, cents(20), NOW), Settled::Unknown);
}

//! Words of the tests.

use std::time::Duration;

use seawall_budget::{AccountView, Ledger, Limit, OnStoreDown, Refusal, Reservation};
use seawall_types::{ActionId, Amount, HoldId, RunId, Scope, Timestamp, Usd, Window};

/// 2023-11-14T22:13:20Z.
pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

pub(crate) fn after(seconds: u64) -> Timestamp {
    NOW.saturating_add(Duration::from_secs(seconds))
}

pub(crate) fn amount(picos: u128, tokens: u64) -> Amount {
    Amount { usd: Usd::from_picos(picos), tokens }
}

/// So much money and no tokens.
pub(crate) fn usd(picos: u128) -> Amount {
    amount(picos, 0)
}

pub(crate) fn key(name: &str) -> Scope {
    Scope::Key(name.into())
}

pub(crate) fn run() -> RunId {
    RunId::from_bytes([1; 16])
}

pub(crate) fn hold_id(number: u64) -> HoldId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    HoldId::from_bytes(bytes)
}

/// A limit in money that is closed when the store is down.
pub(crate) fn limit(scope: Scope, window: Window, picos: u128) -> Limit {
    let usd = Some(Usd::from_picos(picos));
    Limit { scope, window, usd, tokens: None, on_store_down: OnStoreDown::Closed }
}

/// A ledger in memory with one limit on everything.
pub(crate) fn global(window: Window, picos: u128) -> Ledger {
    Ledger::in_memory(vec![limit(Scope::Global, window, picos)])
}

/// Reserves for five minutes.
pub(crate) fn reserve(
    ledger: &Ledger,
    number: u64,
    scopes: &[Scope],
    amount: Amount,
    now: Timestamp,
) -> Result<HoldId, Box<Refusal>> {
    let hold = hold_id(number);
    let deadline = now.saturating_add(Duration::from_secs(300));
    let action = ActionId::from_bytes([2; 16]);
    let reservation = Reservation { hold, run: run(), action, scopes, amount, deadline };
    ledger.reserve(&reservation, now).map(|()| hold).map_err(Box::new)
}

/// The account of a scope and window.
pub(crate) fn account(ledger: &Ledger, scope: &Scope, window: Window, now: Timestamp) -> AccountView {
    let mut accounts = ledger.show(now).into_iter();
    accounts.find(|view| view.scope == *scope && view.window == window).expect("there is such an account")
}

/// Spent and held money.
pub(crate) fn figures(ledger: &Ledger, scope: &Scope, window: Window, now: Timestamp) -> (u128, u128) {
    let account = account(ledger, scope, window, now);
    (account.spent_usd.as_picos(), account.held_usd.as_picos())
}

/// All accounts without what the journal does not keep: refusals.
pub(crate) fn books(ledger: &Ledger, now: Timestamp) -> Vec<AccountView> {
    ledger.show(now).into_iter().map(|view| AccountView { refusals: Vec::new(), ..view }).collect()
}

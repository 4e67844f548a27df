//! Taking over from the store what another process (the command line) changed: API keys and their budgets.

use seawall_budget::Limit;
use seawall_gateway::{Gateway, KeyRing};
use seawall_store::{KeyRow, Keys, Limits, Store};
use seawall_types::{Scope, Timestamp};

/// Puts the keys of the store into force, with their budgets. Gives their number.
///
/// # Errors
/// When the store can't be read or a key in it can't be used; the old keys stay in force.
pub(crate) fn take_over(gateway: &Gateway, store: &dyn Store) -> Result<usize, String> {
    let rows = Keys::list(store).map_err(|error| error.to_string())?;
    let ring = KeyRing::new(&rows).map_err(|error| error.to_string())?;
    gateway.set_keys(ring);
    let by_hand = Limits::list(store).map_err(|error| error.to_string())?;
    set_budgets(gateway, &rows, &by_hand);
    tracing::info!(keys = rows.len(), "keys taken over from the store");
    Ok(rows.len())
}

/// A limit that an operator set by hand wins over what the key was made with.
fn set_budgets(gateway: &Gateway, rows: &[KeyRow], by_hand: &[(Limit, Timestamp)]) {
    let ledger = gateway.checkpoint().ledger();
    let now = gateway.checkpoint().clock().now();
    for (row, budget) in rows.iter().filter_map(|row| row.budget.map(|budget| (row, budget))) {
        let scope = Scope::Key(row.name.as_str().into());
        if by_hand.iter().any(|(limit, _)| limit.scope == scope && limit.window == budget.window) {
            continue;
        }
        let limit = super::limit(scope, budget.window, Some(budget.usd), None);
        if let Err(error) = ledger.set_limit(limit, now) {
            tracing::error!(%error, key = row.name, "a key's budget can't be set");
        }
    }
}

//! Taking over from the store what another process (the command line) changed: API keys and their budgets.

use seawall_gateway::{Gateway, KeyRing};
use seawall_store::{KeyRow, Keys, Store};
use seawall_types::Scope;

/// Puts the keys of the store into force, with their budgets. Gives their number.
///
/// # Errors
/// When the store can't be read or a key in it can't be used; the old keys stay in force.
pub(crate) fn take_over(gateway: &Gateway, store: &dyn Store) -> Result<usize, String> {
    let rows = Keys::list(store).map_err(|error| error.to_string())?;
    let ring = KeyRing::new(&rows).map_err(|error| error.to_string())?;
    gateway.set_keys(ring);
    set_budgets(gateway, &rows);
    tracing::info!(keys = rows.len(), "keys taken over from the store");
    Ok(rows.len())
}

fn set_budgets(gateway: &Gateway, rows: &[KeyRow]) {
    let ledger = gateway.checkpoint().ledger();
    let now = gateway.checkpoint().clock().now();
    for (row, budget) in rows.iter().filter_map(|row| row.budget.map(|budget| (row, budget))) {
        let scope = Scope::Key(row.name.as_str().into());
        let limit = super::limit(scope, budget.window, Some(budget.usd), None);
        if let Err(error) = ledger.set_limit(limit, now) {
            tracing::error!(%error, key = row.name, "a key's budget can't be set");
        }
    }
}

//! Putting the API keys of the store into force, with their policies and their budgets.

use seawall_config::Environment;
use seawall_gateway::{Gateway, KeyRing, Settings};
use seawall_store::{KeyRow, Keys, Store};

use super::{KeyPolicies, limits};

/// The keys of the store, ready to be put into force.
pub(crate) struct Callers {
    pub(crate) ring: KeyRing,
    pub(crate) policies: KeyPolicies,
    pub(crate) count: usize,
}

/// Reads the keys of the store, with the policies that they name.
///
/// # Errors
/// When the store can't be read or a key in it can't be used.
pub(crate) fn read(
    store: &dyn Store,
    settings: &Settings,
    environment: &Environment,
) -> anyhow::Result<Callers> {
    let rows: Vec<KeyRow> = Keys::list(store)?;
    let policies = KeyPolicies::read(&rows, settings.mode, environment);
    let ring = KeyRing::new(&rows, |name| policies.find(name))?;
    Ok(Callers { ring, policies, count: rows.len() })
}

/// Takes over what another process (the command line) changed in the store: keys, and the limits that stand there. Gives
/// their number, and the policies that they name.
///
/// # Errors
/// When the store can't be read or a key in it can't be used; the old keys stay in force.
pub(crate) fn take_over(
    gateway: &Gateway,
    store: &dyn Store,
    environment: &Environment,
) -> anyhow::Result<(usize, KeyPolicies)> {
    let snapshot = gateway.snapshot();
    let Callers { ring, policies, count } = read(store, &snapshot.settings, environment)?;
    let limits = limits(&snapshot.settings, &snapshot.policy, gateway.run(), store, &policies)?;
    gateway.checkpoint().ledger().replace_limits(limits);
    gateway.set_keys(ring);
    tracing::info!(keys = count, "keys taken over from the store");
    Ok((count, policies))
}

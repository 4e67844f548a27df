//! Every limit in force, from the places where limits are set.

use std::collections::BTreeMap;

use seawall_budget::{Limit, OnStoreDown};
use seawall_gateway::Settings;
use seawall_policy::{Policy, PolicyLimits};
use seawall_store::{KeyRow, Keys, Limits, Store, StoreError};
use seawall_types::{RunId, Scope, Usd, Window};

use super::KeyPolicies;

/// Every limit in force. The configuration's, then keys' own with those of their policies (which only tighten what the
/// configuration says of a key), then those set by hand (`--budget` is one of them), then the configured policy's: later
/// ones win.
pub(crate) fn limits(
    settings: &Settings,
    policy: &Policy,
    run: RunId,
    store: &dyn Store,
    policies: &KeyPolicies,
) -> Result<Vec<Limit>, StoreError> {
    let mut limits = settings.budgets.clone();
    let rows = Keys::list(store)?;
    for row in rows.iter().filter(|row| speaks(row, &rows)) {
        let policy = row.policy.as_deref().and_then(|name| policies.find(name).ok());
        limits.extend(of_key(row, policy.as_ref().map(|policy| &policy.limits), &settings.budgets));
    }
    limits.extend(Limits::list(store)?.into_iter().map(|(limit, _set_at)| limit));
    let PolicyLimits { usd, usd_per_minute, tokens, .. } = policy.limits;
    if usd.is_some() || tokens.is_some() {
        limits.push(limit(Scope::Run(run), Window::Total, usd, tokens));
    }
    limits.extend(usd_per_minute.map(|usd| limit(Scope::Run(run), Window::Minute, Some(usd), None)));
    Ok(limits)
}

/// Whether a key still has a say in what its name may spend: not when it was revoked and another took the name over.
fn speaks(row: &KeyRow, rows: &[KeyRow]) -> bool {
    let heir = |other: &KeyRow| other.name == row.name && other.revoked_at.is_none();
    row.revoked_at.is_none() || !rows.iter().any(heir)
}

/// What a key may spend: what it was made with, what its policy says, and what the configuration says; the least where
/// several speak of one window.
fn of_key(row: &KeyRow, policy: Option<&PolicyLimits>, configured: &[Limit]) -> Vec<Limit> {
    let scope = Scope::Key(row.name.as_str().into());
    let mut windows: BTreeMap<Window, Limit> = BTreeMap::new();
    let mut at_most = |window, usd: Option<Usd>, tokens: Option<u64>| {
        if usd.is_none() && tokens.is_none() {
            return;
        }
        let same = |limit: &&Limit| limit.scope == scope && limit.window == window;
        let begin = || configured.iter().rfind(same).cloned();
        let entry = windows
            .entry(window)
            .or_insert_with(|| begin().unwrap_or_else(|| limit(scope.clone(), window, None, None)));
        entry.usd = entry.usd.into_iter().chain(usd).min();
        entry.tokens = entry.tokens.into_iter().chain(tokens).min();
    };
    if let Some(budget) = row.budget {
        at_most(budget.window, Some(budget.usd), None);
    }
    if let Some(policy) = policy {
        at_most(Window::Total, policy.usd, policy.tokens);
        at_most(Window::Minute, policy.usd_per_minute, None);
    }
    windows.into_values().collect()
}

pub(super) fn limit(scope: Scope, window: Window, usd: Option<Usd>, tokens: Option<u64>) -> Limit {
    Limit { scope, window, usd, tokens, on_store_down: OnStoreDown::Closed }
}

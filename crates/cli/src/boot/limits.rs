//! Every limit in force, from the places where limits are set.

use std::collections::BTreeMap;

use seawall_budget::{Limit, OnStoreDown};
use seawall_checkpoint::{Policy, PolicyLimits};
use seawall_gateway::Settings;
use seawall_store::{KeyRow, Keys, Limits, Store, StoreError};
use seawall_types::{RunId, Scope, Usd, Window};

use super::KeyPolicies;

/// Every limit in force. The configuration's, then keys' own with those of their policies, then those set by hand
/// (`--budget` is one of them), then the configured policy's: later ones win.
pub(crate) fn limits(
    settings: &Settings,
    policy: &Policy,
    run: RunId,
    store: &dyn Store,
    policies: &KeyPolicies,
) -> Result<Vec<Limit>, StoreError> {
    let mut limits = settings.budgets.clone();
    for row in Keys::list(store)? {
        let policy = row.policy.as_deref().and_then(|name| policies.find(name).ok());
        limits.extend(of_key(&row, policy.as_ref().map(|policy| &policy.limits)));
    }
    limits.extend(Limits::list(store)?.into_iter().map(|(limit, _set_at)| limit));
    let PolicyLimits { usd, usd_per_minute, tokens, .. } = policy.limits;
    if usd.is_some() || tokens.is_some() {
        limits.push(limit(Scope::Run(run), Window::Total, usd, tokens));
    }
    limits.extend(usd_per_minute.map(|usd| limit(Scope::Run(run), Window::Minute, Some(usd), None)));
    Ok(limits)
}

/// What a key may spend: what it was made with and what its policy says; the smaller where both speak of one window.
fn of_key(row: &KeyRow, policy: Option<&PolicyLimits>) -> Vec<Limit> {
    let mut windows: BTreeMap<Window, (Option<Usd>, Option<u64>)> = BTreeMap::new();
    let mut at_most = |window, usd: Option<Usd>, tokens| {
        let entry = windows.entry(window).or_default();
        entry.0 = entry.0.into_iter().chain(usd).min();
        entry.1 = tokens;
    };
    if let Some(budget) = row.budget {
        at_most(budget.window, Some(budget.usd), None);
    }
    if let Some(policy) = policy {
        at_most(Window::Total, policy.usd, policy.tokens);
        at_most(Window::Minute, policy.usd_per_minute, None);
    }
    let scope = Scope::Key(row.name.as_str().into());
    let set = |(window, (usd, tokens)): (Window, (Option<Usd>, Option<u64>))| {
        (usd.is_some() || tokens.is_some()).then(|| limit(scope.clone(), window, usd, tokens))
    };
    windows.into_iter().filter_map(set).collect()
}

pub(super) fn limit(scope: Scope, window: Window, usd: Option<Usd>, tokens: Option<u64>) -> Limit {
    Limit { scope, window, usd, tokens, on_store_down: OnStoreDown::Closed }
}

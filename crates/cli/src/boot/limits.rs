//! Every limit in force, from the places where limits are set.

use std::collections::BTreeMap;

use seawall_budget::{Limit, OnStoreDown};
use seawall_gateway::Settings;
use seawall_policy::{Policy, PolicyLimits};
use seawall_store::{KeyRow, Keys, Limits, Store, StoreError};
use seawall_types::{RunId, Scope, Usd, Window};

use super::KeyPolicies;

/// Every limit in force, money and tokens apart. The configuration's; keys' own and those of their policies, which tighten
/// what the configuration says of a key; those set by hand (`--budget` is one of them), which stand in the place of all these;
/// and the configured policy's, which tighten what is left for the run.
pub(crate) fn limits(
    settings: &Settings,
    policy: &Policy,
    run: RunId,
    store: &dyn Store,
    policies: &KeyPolicies,
) -> Result<Vec<Limit>, StoreError> {
    let mut limits = Collected::default();
    for limit in &settings.budgets {
        limits.add(limit);
    }
    let rows = Keys::list(store)?;
    for row in rows.iter().filter(|row| speaks(row, &rows)) {
        let scope = Scope::Key(row.name.as_str().into());
        if let Some(budget) = row.budget {
            limits.at(&scope, budget.window).tighten(Some(budget.usd), None);
        }
        if let Some(policy) = row.policy.as_deref().and_then(|name| policies.find(name).ok()) {
            limits.tighten_by(&scope, &policy.limits);
        }
    }
    for (limit, _set_at) in Limits::list(store)? {
        let there = limits.at(&limit.scope, limit.window);
        there.usd = limit.usd.or(there.usd);
        there.tokens = limit.tokens.or(there.tokens);
    }
    limits.tighten_by(&Scope::Run(run), &policy.limits);
    Ok(limits.0.into_values().filter(|limit| limit.usd.is_some() || limit.tokens.is_some()).collect())
}

/// Whether a key still has a say in what its name may spend: not when it was revoked and another took the name over.
fn speaks(row: &KeyRow, rows: &[KeyRow]) -> bool {
    let heir = |other: &KeyRow| other.name == row.name && other.revoked_at.is_none();
    row.revoked_at.is_none() || !rows.iter().any(heir)
}

/// Limits as far as they were collected, one for each scope and window.
#[derive(Debug, Default)]
struct Collected(BTreeMap<(Scope, Window), Limit>);

impl Collected {
    /// One that is configured. Of several for one scope and window all hold.
    fn add(&mut self, limit: &Limit) {
        let key = (limit.scope.clone(), limit.window);
        let Some(there) = self.0.get_mut(&key) else {
            self.0.insert(key, limit.clone());
            return;
        };
        there.tighten(limit.usd, limit.tokens);
        if limit.on_store_down == OnStoreDown::Closed {
            there.on_store_down = OnStoreDown::Closed;
        }
    }

    /// The limit for this scope and window, to be changed.
    fn at(&mut self, scope: &Scope, window: Window) -> &mut Limit {
        let new = || limit(scope.clone(), window, None, None);
        self.0.entry((scope.clone(), window)).or_insert_with(new)
    }

    /// With what a policy says.
    fn tighten_by(&mut self, scope: &Scope, policy: &PolicyLimits) {
        let PolicyLimits { usd, usd_per_minute, tokens, .. } = *policy;
        self.at(scope, Window::Total).tighten(usd, tokens);
        self.at(scope, Window::Minute).tighten(usd_per_minute, None);
    }
}

pub(super) fn limit(scope: Scope, window: Window, usd: Option<Usd>, tokens: Option<u64>) -> Limit {
    Limit { scope, window, usd, tokens, on_store_down: OnStoreDown::Closed }
}

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
        limits.put(&limit);
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

    /// One that was set by hand: what it says stands in the place of what was there, also of what happens when the journal can't
    /// be written.
    fn put(&mut self, limit: &Limit) {
        let there = self.at(&limit.scope, limit.window);
        there.usd = limit.usd.or(there.usd);
        there.tokens = limit.tokens.or(there.tokens);
        there.on_store_down = limit.on_store_down;
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

#[cfg(test)]
mod tests {
    use super::*;

    const GLOBAL: Scope = Scope::Global;

    fn open(usd: u64, tokens: Option<u64>) -> Limit {
        let usd = Some(Usd::from_picos(u128::from(usd)));
        Limit { on_store_down: OnStoreDown::Open, ..limit(GLOBAL, Window::Day, usd, tokens) }
    }

    fn only(limits: Collected) -> Limit {
        let mut limits: Vec<Limit> = limits.0.into_values().collect();
        assert_eq!(limits.len(), 1, "{limits:?}");
        limits.remove(0)
    }

    #[test]
    fn of_several_that_are_configured_one_that_is_closed_closes() {
        let mut limits = Collected::default();
        limits.add(&open(5, Some(9)));
        limits.add(&open(3, None));
        assert_eq!(limits.0.values().cloned().collect::<Vec<_>>(), [open(3, Some(9))]);
        limits.add(&limit(GLOBAL, Window::Day, None, Some(10)));
        assert_eq!(only(limits), Limit { on_store_down: OnStoreDown::Closed, ..open(3, Some(9)) });
    }

    #[test]
    fn one_that_is_set_by_hand_is_kept_where_the_configured_one_is_open() {
        let mut limits = Collected::default();
        limits.add(&open(5, Some(9)));
        limits.put(&limit(GLOBAL, Window::Day, Some(Usd::from_picos(7)), None));
        assert_eq!(only(limits), Limit { on_store_down: OnStoreDown::Closed, ..open(7, Some(9)) });
    }

    #[test]
    fn a_policy_only_tightens() {
        let policy = |usd: u64| PolicyLimits {
            usd: Some(Usd::from_picos(u128::from(usd))),
            ..PolicyLimits::default()
        };
        let run = Scope::Run(RunId::from_bytes([7; 16]));
        let mut limits = Collected::default();
        limits.put(&limit(run.clone(), Window::Total, Some(Usd::from_picos(5)), None));
        limits.tighten_by(&run, &policy(9));
        assert_eq!(limits.at(&run, Window::Total).usd, Some(Usd::from_picos(5)));
        limits.tighten_by(&run, &policy(4));
        assert_eq!(limits.at(&run, Window::Total).usd, Some(Usd::from_picos(4)));
    }
}

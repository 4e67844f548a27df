//! Whose agents are run next where more are due than can be.

use std::collections::BTreeMap;
use std::sync::Arc;

use seawall_types::Timestamp;

/// An agent that is due, as far as it matters for its turn.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate<T> {
    /// Since when it is due.
    pub due: Timestamp,
    /// What it is, by which ties are broken.
    pub item: T,
    /// Whose it is.
    pub tenant: Option<Arc<str>>,
}

/// The first `most` candidates, the longest due first and tenants in turn.
///
/// The first agent of a tenant of which nobody runs comes before the second of another one, however long that is due;
/// agents that are `held` count as those that had their turn. So a tenant with a thousand agents that are due keeps nobody
/// waiting for more than one, however few are claimed at once.
#[must_use]
pub fn in_turn<T: Ord>(
    mut due: Vec<Candidate<T>>,
    mut held: BTreeMap<Option<Arc<str>>, u64>,
    most: usize,
) -> Vec<T> {
    due.sort_unstable();
    let mut ranked: Vec<_> = due
        .into_iter()
        .map(|candidate| {
            let turn = held.entry(candidate.tenant.clone()).or_default();
            *turn = turn.saturating_add(1);
            (*turn, candidate)
        })
        .collect();
    ranked.sort_unstable();
    ranked.into_iter().take(most).map(|(_, candidate)| candidate.item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate((tenant, due): (&'static str, u64)) -> Candidate<(&'static str, u64)> {
        let owner = Some(tenant.into()).filter(|_| !tenant.is_empty());
        Candidate { due: Timestamp::from_micros(due), item: (tenant, due), tenant: owner }
    }

    #[test]
    fn tenants_take_turns_and_what_runs_counts() {
        let due = [("a", 1), ("a", 2), ("a", 3), ("b", 9), ("", 5), ("b", 4)].map(candidate).to_vec();
        let first = in_turn(due.clone(), BTreeMap::new(), 4);
        assert_eq!(first, [("a", 1), ("b", 4), ("", 5), ("a", 2)]);
        let held = BTreeMap::from([(Some("a".into()), 1), (None, 2)]);
        assert_eq!(in_turn(due, held, 4), [("b", 4), ("a", 1), ("b", 9), ("a", 2)]);
    }
}

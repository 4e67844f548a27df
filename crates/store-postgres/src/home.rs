//! Where an agent belongs, and how long it is left to whom it belongs to.
//!
//! Whose turn it is among those that are due is the same for all stores ([`in_turn`](seawall_store::agents::in_turn)).

use std::time::Duration;

use seawall_store::agents::WorkerId;

/// For how long an agent that is due is left to the worker that it belongs to. A hint takes some ten milliseconds; a
/// worker that has not come by then has no room.
pub(crate) const COURTESY: Duration = Duration::from_millis(250);

/// The worker that an agent belongs to while that one is alive: of all the workers' hashes with its name the highest
/// (rendezvous hashing, Thaler and Ravishankar 1998). A worker that comes or goes moves no agent but its own.
pub(crate) fn home<'w>(agent: &str, workers: &'w [WorkerId]) -> Option<&'w WorkerId> {
    workers.iter().max_by_key(|worker| {
        let mut hasher = blake3::Hasher::new();
        hasher.update(worker.0.as_bytes()).update(&[0]).update(agent.as_bytes());
        *hasher.finalize().as_bytes()
    })
}

/// Whether `worker` may take an agent that anybody could have taken for so long.
pub(crate) fn may_take(agent: &str, free_for: Duration, worker: &WorkerId, alive: &[WorkerId]) -> bool {
    free_for >= COURTESY || home(agent, alive).is_none_or(|home| home == worker)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workers(names: &[&str]) -> Vec<WorkerId> {
        names.iter().map(|name| WorkerId((*name).into())).collect()
    }

    #[test]
    fn who_was_due_just_now_is_left_to_its_worker() {
        let alive = workers(&["one", "two", "three"]);
        let share = |worker: &WorkerId, free_for| {
            (0..60).filter(|number| may_take(&format!("agent-{number}"), free_for, worker, &alive)).count()
        };
        let shares: Vec<_> = alive.iter().map(|worker| share(worker, COURTESY / 2)).collect();
        assert_eq!(shares.iter().sum::<usize>(), 60, "each has one worker: {shares:?}");
        assert!(shares.iter().all(|share| *share >= 8), "the shares are about the same: {shares:?}");
        assert_eq!(share(&alive[0], COURTESY), 60);
    }

    #[test]
    fn a_worker_that_goes_moves_no_agent_but_its_own() {
        let (all, fewer) = (workers(&["one", "two", "three"]), workers(&["one", "two"]));
        for number in 0..200 {
            let agent = format!("agent-{number}");
            let before = home(&agent, &all);
            if before != Some(&all[2]) {
                assert_eq!(before, home(&agent, &fewer));
            }
        }
        assert_eq!(home("agent", &[]), None);
        assert!(may_take("agent", Duration::ZERO, &all[0], &[]));
    }
}

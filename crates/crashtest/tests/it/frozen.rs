//! A worker that is frozen (`SIGSTOP`) for longer than its lease, while another one takes over, and then goes on: it changes
//! nothing any more and begins no tool.

use seawall_engine::Fact;

use crate::database::Postgres;
use crate::plan::{At, How, Plan};
use crate::process::{Ended, Life};
use crate::promises::assert_kept_beside;
use crate::random::fresh;
use crate::witness::{Line, of_life};

/// In milliseconds.
const LEASE: u64 = 1_000;

/// Freezes a worker at a point of a story, lets another one play it to its end, and wakes the first. Whether the point was
/// reached.
fn freeze(server: &Postgres, at: &At) -> bool {
    let folder = fresh();
    let mut plan = Plan::new(&server.place(), folder.path(), &folder.agent());
    plan.lease = LEASE;
    let frozen = Life::begin(&plan.ends(at.clone(), How::Frozen));
    if !frozen.until_frozen() {
        assert_eq!(frozen.ended(), Ended::Well);
        return false;
    }
    // It is not dead, for all that the others know: they have to wait for its lease.
    let mut other = plan.life(2);
    other.is_alone = false;
    assert_eq!(Life::begin(&other).ended(), Ended::Well);
    let told = of_life(folder.path(), 1).len();
    let before = log_of(&plan);
    frozen.wake();
    assert_eq!(frozen.ended(), Ended::Well);
    let after = of_life(folder.path(), 1).split_off(told);
    let ran: Vec<_> = after.iter().filter(|line| matches!(line, Line::Ran { .. })).collect();
    assert!(ran.is_empty(), "{at:?}: begun after it was woken: {ran:?}");
    let found = folder.keep_unless(|| assert_kept_beside(&plan));
    // It may take the agent up anew, by a claim of its own; what it had begun before is void.
    let (same, new) = found.log.split_at(before.len());
    assert_eq!(same, before, "{at:?}");
    let is_claim = |fact: &Fact| matches!(fact, Fact::AgentClaimed { .. });
    assert!(new.iter().all(|event| is_claim(&event.fact)), "{at:?}: {new:?}");
    true
}

fn log_of(plan: &Plan) -> Vec<seawall_engine::Event> {
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = plan.store.open(std::sync::Arc::new(seawall_base::clock::SystemClock::new()));
    threads.block_on(async { store.events(&plan.agent.parse().unwrap(), 0, u32::MAX).await.unwrap() })
}

/// Between what is durable and what is done.
fn points() -> Vec<At> {
    let all = |at: fn(u32) -> At, most| (1..=most).map(at).collect::<Vec<_>>();
    if crate::is_long() {
        return [all(At::Before, 18), all(At::After, 18), all(At::Policy, 16)].concat();
    }
    vec![At::Policy(2), At::Policy(4), At::Policy(5), At::Before(8), At::After(9), At::After(12)]
}

#[test]
fn a_frozen_worker_changes_nothing_and_begins_no_tool_when_it_is_woken() {
    let server = Postgres::start();
    let points = points();
    let frozen = points.iter().filter(|at| freeze(&server, at)).count();
    println!("frozen at {frozen} of {} points", points.len());
    assert!(frozen * 2 > points.len(), "{frozen} of {}", points.len());
}

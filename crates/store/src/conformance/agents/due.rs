//! Claims about when agents are to be run, and by whom.

use std::time::Duration;

use seawall_engine::{CallId, Judged, Judgement};

use super::Opened;
use super::stage::{LEASE, Stage, answered, beginning, config, id, judged, owner, send, text, wish, worker};
use crate::agents::{Census, Claimed, Owner};

const SECOND: Duration = Duration::from_secs(1);

/// An agent that nobody holds and that was sent a message so long ago.
async fn waiting(opened: &Opened, name: &str, tenant: &str, since: Duration) -> Stage {
    let now = opened.time.now().await.as_micros();
    let ago = u64::try_from(since.as_micros()).unwrap();
    let at = seawall_types::Timestamp::from_micros(now - ago);
    let mut stage = Stage::unclaimed(opened, beginning(name, owner(tenant), config(), at)).await;
    stage.give_outside(send("m", "go")).await;
    stage
}

async fn claim_due(opened: &Opened, name: &str, most: u32) -> Vec<Claimed> {
    let worker = worker(name);
    assert!(opened.other.renew(&worker).await.unwrap());
    opened.other.claim_due(&worker.id, most).await.unwrap()
}

async fn names(opened: &Opened, name: &str, most: u32) -> Vec<String> {
    claim_due(opened, name, most).await.into_iter().map(|claimed| claimed.agent.to_string()).collect()
}

/// New, done, paused without an end, or put away.
pub async fn who_rests_is_not_due(opened: &Opened) {
    let at = opened.time.now().await;
    Stage::unclaimed(opened, beginning("new", Owner::default(), config(), at)).await;
    let mut done = Stage::new(opened, "done").await;
    done.turn("m").await;
    let mut paused = Stage::new(opened, "paused").await;
    paused.give(send("m", "go")).await;
    paused.give(answered(1, vec![wish("pure")])).await;
    paused.give(judged(CallId { step: 1, index: 1 }, Judgement::Ask { summary: "why".into() })).await;
    let mut archived = Stage::new(opened, "archived").await;
    archived.give(seawall_engine::Archive { by: "ann".into() }).await;
    for stage in [done, paused, archived] {
        opened.store.release(stage.id(), stage.epoch).await.unwrap();
    }
    opened.time.pass(LEASE * 2).await;
    assert_eq!(opened.store.next_due().await.unwrap(), None);
    assert_eq!(claim_due(opened, "v", 10).await, []);
}

/// Whether or not anybody ever had it.
pub async fn who_has_a_message_is_due_at_once(opened: &Opened) {
    let waiting = waiting(opened, "a", "", SECOND).await;
    assert_eq!(opened.store.next_due().await.unwrap(), Some(Duration::ZERO));
    let claimed = claim_due(opened, "v", 10).await;
    assert_eq!(claimed, [Claimed { agent: id("a"), epoch: 1, taken_over: false }]);
    assert_eq!(opened.store.next_due().await.unwrap(), None, "somebody has it");
    let mut stage = waiting;
    stage.take_up(1, "v").await;
    stage.give(answered(1, vec![text("done")])).await;
    opened.store.release(stage.id(), 1).await.unwrap();
    assert_eq!(claim_due(opened, "v", 10).await, []);
    stage.give_outside(send("n", "go")).await;
    assert_eq!(claim_due(opened, "v", 10).await, [Claimed { agent: id("a"), epoch: 2, taken_over: false }]);
}

/// It was put back since, or another machine's is ahead: also where a worker has died meanwhile.
pub async fn who_is_due_at_once_is_so_whatever_clock_it_was_written_by(opened: &Opened) {
    let later = opened.time.now().await.saturating_add(SECOND * 3_600);
    let mut stage = Stage::unclaimed(opened, beginning("a", Owner::default(), config(), later)).await;
    stage.give_outside(send("m", "go")).await;
    assert_eq!(opened.store.next_due().await.unwrap(), Some(Duration::ZERO));
    assert_eq!(claim_due(opened, "v", 10).await, [Claimed { agent: id("a"), epoch: 1, taken_over: false }]);
    stage.take_up(1, "v").await;
    assert_eq!(claim_due(opened, "u", 10).await, []);
    opened.time.pass(LEASE + SECOND).await;
    assert_eq!(opened.store.next_due().await.unwrap(), Some(Duration::ZERO));
    assert_eq!(claim_due(opened, "t", 10).await, [Claimed { agent: id("a"), epoch: 2, taken_over: true }]);
}

/// Not before.
pub async fn a_question_that_expires_is_due_then(opened: &Opened) {
    let mut stage = Stage::new(opened, "a").await;
    stage.give(send("m", "go")).await;
    stage.give(answered(1, vec![wish("pure")])).await;
    let expires_at = Some(opened.time.now().await.saturating_add(LEASE / 2));
    let asked = judged(CallId { step: 1, index: 1 }, Judgement::Ask { summary: "why".into() });
    stage.give(Judged { expires_at, ..asked }).await;
    assert_eq!(stage.whole().await.row.unwrap().due, expires_at);
    opened.store.release(stage.id(), stage.epoch).await.unwrap();
    assert_eq!(claim_due(opened, "v", 10).await, []);
    let until = opened.store.next_due().await.unwrap().unwrap();
    assert!(until <= LEASE / 2 && until > LEASE / 2 - 5 * SECOND, "{until:?}");
    opened.time.pass(LEASE / 2).await;
    assert_eq!(opened.store.next_due().await.unwrap(), Some(Duration::ZERO));
    assert_eq!(claim_due(opened, "v", 10).await.len(), 1);
}

/// However late they were written.
pub async fn the_longest_due_are_claimed_first(opened: &Opened) {
    for (name, ago) in [("b", 20), ("d", 5), ("a", 10), ("c", 30)] {
        waiting(opened, name, "", SECOND * ago).await;
    }
    assert_eq!(names(opened, "v", 0).await, [""; 0]);
    assert_eq!(names(opened, "v", 2).await, ["c", "b"]);
    assert_eq!(names(opened, "u", 1).await, ["a"]);
    assert_eq!(names(opened, "v", 9).await, ["d"]);
    assert_eq!(names(opened, "v", 9).await, [""; 0]);
}

/// A tenant with many agents that are due keeps no other one waiting, also where few are claimed at once.
pub async fn tenants_take_turns(opened: &Opened) {
    for (name, tenant, ago) in [
        ("x1", "x", 90),
        ("x2", "x", 80),
        ("x3", "x", 70),
        ("x4", "x", 60),
        ("y1", "y", 20),
        ("y2", "y", 10),
        ("n1", "", 30),
    ] {
        waiting(opened, name, tenant, SECOND * ago).await;
    }
    assert_eq!(names(opened, "v", 1).await, ["x1"]);
    assert_eq!(names(opened, "u", 1).await, ["n1"], "one of x runs already");
    assert_eq!(names(opened, "v", 3).await, ["y1", "x2", "y2"]);
    assert_eq!(names(opened, "v", 9).await, ["x3", "x4"]);
}

/// Those who rest, those who were put away and those whom somebody holds don't wait.
pub async fn who_waits_is_counted_by_tenant(opened: &Opened) {
    assert_eq!(opened.store.census().await.unwrap(), Census::default());
    for (name, tenant, ago) in [("x1", "x", 90), ("x2", "x", 80), ("y1", "y", 20), ("n1", "", 30)] {
        waiting(opened, name, tenant, SECOND * ago).await;
    }
    let mut done = Stage::new(opened, "done").await;
    done.turn("m").await;
    let mut archived = Stage::new(opened, "archived").await;
    archived.give(seawall_engine::Archive { by: "ann".into() }).await;
    let census = opened.other.census().await.unwrap();
    let of = |tenant: &str| {
        let tenant = owner(tenant).tenant;
        census.waiting.get(&tenant).copied()
    };
    assert_eq!((of("x"), of("y"), of(""), census.waits()), (Some(2), Some(1), Some(1), 4));
    assert!(census.oldest >= SECOND * 90 && census.oldest < SECOND * 150, "{census:?}");
    assert_eq!(census.states.values().sum::<u64>(), 5, "{census:?}");
    assert_eq!(names(opened, "v", 2).await.len(), 2);
    assert_eq!(opened.store.census().await.unwrap().waits(), 2, "two have a worker");
    opened.time.pass(LEASE).await;
    assert_eq!(opened.store.census().await.unwrap().waits(), 4, "it is dead");
}

/// While its worker is alive.
pub async fn who_is_claimed_is_not_due_for_others(opened: &Opened) {
    waiting(opened, "a", "", SECOND).await;
    assert_eq!(claim_due(opened, "v", 1).await.len(), 1);
    for _ in 0..3 {
        opened.time.pass(LEASE / 2).await;
        assert!(opened.store.renew(&worker("v")).await.unwrap());
        assert_eq!(claim_due(opened, &format!("u{}", fastrand::u64(..)), 1).await, []);
    }
}

/// At once when its lease is over, if there is something to do for it.
pub async fn an_agent_of_a_dead_worker_is_taken_over(opened: &Opened) {
    let mut working = Stage::new(opened, "working").await;
    working.give(send("m", "go")).await;
    let mut resting = Stage::new(opened, "resting").await;
    resting.turn("m").await;
    opened.time.pass(LEASE / 2).await;
    assert_eq!(claim_due(opened, "v", 10).await, [], "its worker is alive");
    opened.time.pass(LEASE / 2).await;
    let epoch = working.epoch + 1;
    assert_eq!(opened.store.next_due().await.unwrap(), Some(Duration::ZERO));
    let taken = claim_due(opened, "u", 10).await;
    assert_eq!(taken, [Claimed { agent: id("working"), epoch, taken_over: true }]);
    working.take_up(epoch, "u").await;
    let kinds: Vec<_> = working.log.iter().rev().take(2).map(|event| event.fact.kind()).collect();
    assert_eq!(kinds, ["agent.resumed", "agent.claimed"]);
}

/// However many ask.
pub async fn no_agent_is_claimed_twice_at_once(opened: &Opened) {
    for number in 0..20 {
        waiting(opened, &format!("a{number}"), &(number % 3).to_string(), SECOND).await;
    }
    let mut racers = tokio::task::JoinSet::new();
    for number in 0..8 {
        let store = std::sync::Arc::clone(if number % 2 == 0 { &opened.store } else { &opened.other });
        racers.spawn(async move {
            let worker = worker(&number.to_string());
            assert!(store.renew(&worker).await.unwrap());
            let mut claimed = store.claim_due(&worker.id, 2).await.unwrap();
            claimed.extend(store.claim_due(&worker.id, 3).await.unwrap());
            claimed
        });
    }
    let claimed = racers.join_all().await.concat();
    let names: std::collections::BTreeSet<_> = claimed.iter().map(|claimed| &claimed.agent).collect();
    assert_eq!((claimed.len(), names.len()), (20, 20));
}

//! Claims about who may write for an agent.

use seawall_engine::{Note, Tell};

use super::Opened;
use super::stage::{LEASE, Stage, beginning, config, id, worker};
use crate::agents::{Appended, Holder, Lease, Owner, Worker};

fn note() -> Tell {
    Tell { note: Note::Error { message: "x".into() } }
}

async fn claim(opened: &Opened, agent: &str, name: &str) -> Lease {
    opened.other.claim(&id(agent), &worker(name).id).await.unwrap()
}

async fn renew(opened: &Opened, name: &str) -> bool {
    opened.store.renew(&worker(name)).await.unwrap()
}

/// And leaves it where the same one claims again what it holds.
pub async fn a_claim_raises_the_epoch_each_time_that_another_one_claims(opened: &Opened) {
    let at = opened.time.now().await;
    Stage::unclaimed(opened, beginning("a", Owner::default(), config(), at)).await;
    for (round, epoch) in (0..5).zip(1..) {
        let name = format!("w{round}");
        assert!(renew(opened, &name).await);
        for _ in 0..2 {
            assert_eq!(claim(opened, "a", &name).await, Lease::Held { epoch });
        }
        opened.time.pass(LEASE).await;
    }
    assert!(renew(opened, "v").await);
    assert_eq!(claim(opened, "nobody", "v").await, Lease::Gone);
}

/// Others are told by whom.
pub async fn an_agent_is_held_by_one(opened: &Opened) {
    let mut stage = Stage::new(opened, "a").await;
    assert!(renew(opened, "v").await);
    let holder = Holder { worker: worker("w").id, epoch: stage.epoch };
    assert_eq!(claim(opened, "a", "v").await, Lease::Elsewhere(holder));
    stage.turn("m").await;
    assert_eq!(claim(opened, "a", "unheard of").await, Lease::Lapsed);
}

/// Its name is used up: what it held may be another's by now.
pub async fn a_lease_that_has_lapsed_is_not_renewed(opened: &Opened) {
    let stage = Stage::new(opened, "a").await;
    for _ in 0..3 {
        opened.time.pass(LEASE / 2).await;
        assert!(renew(opened, "w").await);
    }
    opened.time.pass(LEASE).await;
    for _ in 0..2 {
        assert!(!renew(opened, "w").await);
        assert_eq!(claim(opened, "a", "w").await, Lease::Lapsed);
        assert!(opened.other.claim_due(&worker("w").id, 10).await.unwrap().is_empty());
    }
    assert!(renew(opened, "v").await);
    assert_eq!(claim(opened, "a", "v").await, Lease::Held { epoch: stage.epoch + 1 });
    assert!(!renew(opened, "w").await);
}

/// A clock alone loses nobody's work.
pub async fn who_has_lapsed_writes_on_until_another_one_claims(opened: &Opened) {
    let mut stage = Stage::new(opened, "a").await;
    opened.time.pass(LEASE * 2).await;
    stage.turn("m").await;
    let late = stage.prepare(note(), true);
    assert!(renew(opened, "v").await);
    assert!(matches!(claim(opened, "a", "v").await, Lease::Held { .. }));
    assert_eq!(opened.store.append(late).await.unwrap(), Appended::Fenced);
}

/// For others and for the same one, under the next epoch. Giving up what one has not does nothing.
pub async fn what_was_given_up_is_free(opened: &Opened) {
    let mut stage = Stage::new(opened, "a").await;
    for wrong in [0, stage.epoch + 1] {
        opened.other.release(stage.id(), wrong).await.unwrap();
    }
    opened.other.release(&id("nobody"), 1).await.unwrap();
    stage.give(note()).await;
    let late = stage.prepare(note(), true);
    opened.other.release(stage.id(), stage.epoch).await.unwrap();
    assert_eq!(opened.store.append(late).await.unwrap(), Appended::Fenced);
    assert_eq!(claim(opened, "a", "w").await, Lease::Held { epoch: stage.epoch + 1 });
    stage.take_up(stage.epoch + 1, "w").await;
    opened.store.release(stage.id(), stage.epoch).await.unwrap();
    stage.claim("v").await;
    stage.turn("m").await;
}

/// At once, without waiting for its lease.
pub async fn what_a_worker_held_is_free_when_it_ends(opened: &Opened) {
    let mut stages = Vec::new();
    for name in ["a", "b"] {
        stages.push(Stage::new(opened, name).await);
    }
    assert!(renew(opened, "v").await);
    opened.store.retire(&worker("w").id).await.unwrap();
    opened.store.retire(&worker("w").id).await.unwrap();
    for stage in &stages {
        let late = stage.prepare(note(), true);
        assert_eq!(opened.store.append(late).await.unwrap(), Appended::Fenced);
        assert_eq!(claim(opened, stage.id().as_str(), "w").await, Lease::Lapsed);
        let lease = claim(opened, stage.id().as_str(), "v").await;
        assert_eq!(lease, Lease::Held { epoch: stage.epoch + 1 });
    }
}

/// What it has claimed in any way, under which epoch, and no longer than it has it.
pub async fn what_a_worker_holds_is_listed(opened: &Opened) {
    let mut stages = Vec::new();
    for name in ["a", "b", "c", "d"] {
        stages.push(Stage::new(opened, name).await);
    }
    let held = async |name: &str| {
        let mut held = opened.other.held(&worker(name).id).await.unwrap();
        held.sort_by(|one, other| one.agent.cmp(&other.agent));
        held.into_iter().map(|held| (held.agent.to_string(), held.epoch)).collect::<Vec<_>>()
    };
    let own = |held: &[&str]| held.iter().map(|name| ((*name).to_owned(), 1)).collect::<Vec<_>>();
    assert_eq!(held("w").await, own(&["a", "b", "c", "d"]));
    assert_eq!(held("v").await, []);
    opened.store.release(stages[1].id(), stages[1].epoch).await.unwrap();
    assert_eq!(held("w").await, own(&["a", "c", "d"]));
    opened.store.purge(stages[2].id()).await.unwrap();
    assert_eq!(held("w").await, own(&["a", "d"]));
    // Those whose lease has lapsed too: it is theirs until somebody else claims it.
    opened.time.pass(LEASE * 2).await;
    assert!(renew(opened, "v").await);
    assert_eq!(held("w").await, own(&["a", "d"]));
    assert!(matches!(claim(opened, "a", "v").await, Lease::Held { epoch: 2 }));
    assert_eq!((held("w").await, held("v").await), (own(&["d"]), vec![("a".to_owned(), 2)]));
}

/// With what they said last.
pub async fn workers_that_are_alive_are_listed(opened: &Opened) {
    let short = Worker { lease: LEASE / 2, max_agents: 3, ..worker("short") };
    for worker in [worker("long"), short.clone(), worker("ended")] {
        assert!(opened.store.renew(&worker).await.unwrap());
    }
    opened.store.retire(&worker("ended").id).await.unwrap();
    let alive = async || {
        let mut workers = opened.other.workers().await.unwrap();
        workers.sort_by(|a, b| a.id.cmp(&b.id));
        workers
    };
    assert_eq!(alive().await, [worker("long"), short.clone()]);
    let wider = Worker { max_agents: 7, ..short };
    assert!(opened.store.renew(&wider).await.unwrap());
    assert_eq!(alive().await, [worker("long"), wider]);
    opened.time.pass(LEASE / 2).await;
    assert_eq!(alive().await, [worker("long")]);
    // A lease that is prolonged is as long as was said last.
    assert!(opened.store.renew(&Worker { lease: LEASE * 3, ..worker("long") }).await.unwrap());
    opened.time.pass(LEASE * 2).await;
    assert_eq!(alive().await.len(), 1);
}

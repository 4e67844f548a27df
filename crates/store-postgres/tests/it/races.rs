//! Who may write, where two think that they may.

use std::collections::BTreeSet;

use seawall_store::AgentStore;
use seawall_store::agents::{Appended, Claimed, Lease};

use crate::Way;
use crate::cluster::Database;
use crate::stage::{Stage, run, send, worker};

#[test]
fn of_two_owners_who_race_for_an_agent_one_gets_it() {
    run(async {
        let database = Database::new();
        let (one, other) = (database.open(Way::Direct, ""), database.open(Way::Direct, ""));
        for name in ["v", "u"] {
            assert!(one.renew(&worker(name)).await.unwrap());
        }
        let mut winners = BTreeSet::new();
        for round in 0..40 {
            let agent = Stage::unclaimed(&one, &format!("a{round}")).await.kept.id().clone();
            let (v, u) = (worker("v").id, worker("u").id);
            let (first, second) = tokio::join!(one.claim(&agent, &v), other.claim(&agent, &u));
            let leases = [first.unwrap(), second.unwrap()];
            assert_eq!(
                leases.iter().filter(|lease| **lease == Lease::Held { epoch: 1 }).count(),
                1,
                "{leases:?}"
            );
            let lost = leases
                .iter()
                .find_map(|lease| if let Lease::Elsewhere(to) = lease { Some(to) } else { None });
            let winner = lost.unwrap();
            assert_eq!(winner.epoch, 1);
            winners.insert(winner.worker.clone());
        }
        assert!(!winners.is_empty());
    });
}

#[test]
fn a_stale_holder_that_waits_for_the_row_is_fenced_all_the_same() {
    run(async {
        let database = Database::new();
        let store = database.open(Way::Direct, "");
        let stage = Stage::new(&store, "a").await;
        let thief = database.client().await;
        let steal = "begin; update seawall_agent set epoch = epoch + 1, holder = 'v' where name = 'a'";
        thief.batch_execute(steal).await.unwrap();
        // It saw the row as it was, and now waits for whoever changes it.
        let late = store.append(stage.decide(send("m")).1);
        wait_until_somebody_waits(&database).await;
        thief.batch_execute("commit").await.unwrap();
        assert_eq!(late.await.unwrap(), Appended::Fenced);
        let events = store.events(stage.kept.id(), 0, 100).await.unwrap();
        assert_eq!(events, stage.log);
    });
}

/// Until a transaction waits for a lock of another one.
pub(crate) async fn wait_until_somebody_waits(database: &Database) {
    let look = "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')";
    while database.sql(look) != "t" {
        tokio::task::yield_now().await;
    }
}

#[test]
fn what_is_due_for_many_is_taken_once_by_each() {
    run(async {
        let database = Database::new();
        let store = database.open(Way::Direct, "");
        for number in 0..300 {
            Stage::unclaimed(&store, &format!("a{number:03}")).await.give(send("m")).await;
        }
        let mut racers = tokio::task::JoinSet::new();
        for number in 0..6 {
            let store = database.open(Way::Direct, "pool_max=2");
            racers.spawn(async move {
                let worker = worker(&number.to_string());
                assert!(store.renew(&worker).await.unwrap());
                let mut all = Vec::new();
                loop {
                    let claimed = store.claim_due(&worker.id, 7).await.unwrap();
                    if claimed.is_empty() {
                        return all;
                    }
                    assert!(claimed.len() <= 7);
                    all.extend(claimed.into_iter().map(|claimed| claimed.agent));
                }
            });
        }
        let claimed = racers.join_all().await.concat();
        let names: BTreeSet<_> = claimed.iter().collect();
        assert_eq!((claimed.len(), names.len()), (300, 300));
    });
}

#[test]
fn a_tenant_with_more_than_anybody_looks_at_keeps_no_other_waiting() {
    run(async {
        let database = Database::new();
        let store = database.open(Way::Direct, "");
        Stage::unclaimed(&store, "first").await.give(send("m")).await;
        // A queue as a burst leaves it: three hundred of one tenant, and one of another after all of them.
        database.sql(
            "insert into seawall_agent (name, run, tenant, template, created_at, updated_at, state, is_archived, seq, epoch, \
             due, queued_at, entry) select name || n, run, more.tenant, template, created_at, updated_at, state, is_archived, \
             seq, epoch, due + wait, queued_at + wait, entry from seawall_agent, \
             (select 'x', n, n * interval '1 second' from generate_series(1, 300) as n \
             union all select 'y', 0, interval '1 hour') as more (tenant, n, wait)",
        );
        assert!(store.renew(&worker("v")).await.unwrap());
        let claimed = store.claim_due(&worker("v").id, 3).await.unwrap();
        let names: Vec<_> = claimed.iter().map(|claimed| claimed.agent.to_string()).collect();
        assert_eq!(names, ["first", "first1", "first0"]);
    });
}

/// Before and after somebody sweeps up.
#[test]
fn what_rests_with_a_worker_that_died_is_due_when_something_is_said_to_it() {
    run(async {
        let database = Database::new();
        let store = database.open(Way::Direct, "");
        for (round, (dead_for, is_swept)) in [("1 second", false), ("2 hours", true)].into_iter().enumerate()
        {
            let (name, next) = (format!("a{round}"), format!("v{round}"));
            let mut stage = Stage::new(&store, &name).await;
            let die = "update seawall_agent_worker set lease_until = now() - interval ";
            database.sql(&format!("{die} '{dead_for}' where id = 'w'"));
            assert!(store.renew(&worker(&next)).await.unwrap());
            assert_eq!(store.next_due().await.unwrap(), None);
            assert!(store.claim_due(&worker(&next).id, 10).await.unwrap().is_empty());
            let holder = database.sql(&format!("select holder from seawall_agent where name = '{name}'"));
            assert_eq!(holder.is_empty(), is_swept);

            let epoch = std::mem::take(&mut stage.epoch);
            stage.give(send("m")).await;
            assert_eq!(store.next_due().await.unwrap(), Some(std::time::Duration::ZERO));
            let agent = stage.kept.id().clone();
            let expected = Claimed { agent: agent.clone(), epoch: epoch + 1, taken_over: !is_swept };
            assert_eq!(store.claim_due(&worker(&next).id, 10).await.unwrap(), [expected]);
            assert!(store.purge(&agent).await.unwrap());
            database.sql("delete from seawall_agent_worker");
        }
    });
}

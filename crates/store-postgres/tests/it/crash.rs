//! Servers that die, and connections that are cut.

use std::sync::Arc;

use seawall_engine::AgentId;
use seawall_store::agents::Appended;
use seawall_store::{AgentStore, StoreError};
use seawall_store_postgres::{Options, PostgresStore};

use crate::Way;
use crate::cluster::{Database, Own, kill};
use crate::stage::{Stage, run, send};

/// How many agents are written for at once.
const WRITERS: usize = 4;

/// One that appends until somebody says that it is enough, whatever happens to the server meanwhile. Gives the agent, the
/// number that was acknowledged last, and how often a call was refused.
async fn write(mut stage: Stage, mut enough: tokio::sync::watch::Receiver<bool>) -> (AgentId, u64, u32) {
    let store = Arc::clone(&stage.store);
    let (mut acknowledged, mut refusals) = (stage.kept.seq(), 0);
    for number in 0.. {
        if *enough.borrow_and_update() {
            break;
        }
        let (next, append, events) =
            stage.decide(seawall_engine::TakeSnapshot { id: number.to_string().into(), label: None });
        match store.append(append).await {
            Ok(Appended::Done) => {
                stage.went(next, events);
                acknowledged = stage.kept.seq();
            }
            // An answer was lost on the way: it was done. What is there counts.
            Ok(Appended::Moved) => {
                stage.kept = store.load(stage.kept.id()).await.unwrap_or(None).unwrap_or(stage.kept)
            }
            Ok(other) => panic!("{other:?}"),
            Err(StoreError::Unavailable { .. }) => refusals += 1,
            // The name was taken by the one whose answer was lost.
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    (stage.kept.id().clone(), acknowledged, refusals)
}

/// Lets writers write, does something terrible to the server, and looks what is left.
fn survives(server: &crate::cluster::Server, disaster: impl Fn()) {
    run(async {
        server.sql("postgres", "create database agents");
        let options = Options::parse(&server.url("agents")).unwrap();
        let store = Arc::new(PostgresStore::open(&options).unwrap());
        let (enough, wait) = tokio::sync::watch::channel(false);
        let mut writers = tokio::task::JoinSet::new();
        for number in 0..WRITERS {
            // Made before anything terrible happens: that it is refused then is no part of this.
            let stage = Stage::unclaimed(&store, &format!("a{number}")).await;
            writers.spawn(write(stage, wait.clone()));
        }
        for _ in 0..3 {
            let before = events(&store).await;
            while events(&store).await < before + 60 {
                tokio::task::yield_now().await;
            }
            tokio::task::block_in_place(&disaster);
        }
        let before = events(&store).await;
        while events(&store).await < before + 20 {
            tokio::task::yield_now().await;
        }
        enough.send_replace(true);
        for (agent, acknowledged, _) in writers.join_all().await {
            let kept = store.load(&agent).await.unwrap().unwrap();
            assert!(kept.seq() >= acknowledged, "{agent}: {} of {acknowledged}", kept.seq());
            let log = store.events(&agent, 0, u32::MAX).await.unwrap();
            assert_eq!(seawall_engine::Agent::fold(&log).unwrap(), *kept.agent());
        }
    });
}

/// How many events there are; none while the server is away.
async fn events(store: &PostgresStore) -> u64 {
    store.stats(None).await.map_or(0, |stats| stats.snapshots)
}

#[test]
fn a_server_that_is_restarted_loses_nothing_acknowledged() {
    let own = Own::start("");
    survives(&own.server, || own.server.restart());
}

#[test]
fn a_server_that_is_killed_loses_nothing_acknowledged() {
    let own = Own::start("");
    survives(&own.server, || {
        // The main process dies at once; its children notice, and none may be left when another one begins.
        let pid = own.server.pid();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        kill(pid, "-KILL");
        for child in children.split_whitespace() {
            let proc = format!("/proc/{child}");
            while std::path::Path::new(&proc).exists() {
                std::thread::yield_now();
            }
        }
        own.server.start();
    });
}

#[test]
fn who_is_cut_off_is_told_so_and_the_next_call_works() {
    run(async {
        let database = Database::new();
        let store = database.open(Way::Direct, "pool_max=2");
        let mut stage = Stage::new(&store, "a").await;
        for round in 0..5 {
            let blocker = database.client().await;
            blocker.batch_execute("begin; select from seawall_agent for update").await.unwrap();
            let (next, append, events) = stage.decide(send(&round.to_string()));
            let cut = store.append(append.clone());
            crate::races::wait_until_somebody_waits(&database).await;
            database.sql(
                "select pg_terminate_backend(pid) from pg_stat_activity \
                 where datname = current_database() and application_name = 'seawall'",
            );
            let error = cut.await.unwrap_err();
            assert!(matches!(&error, StoreError::Unavailable { .. }), "{error}");
            blocker.batch_execute("rollback").await.unwrap();
            assert_eq!(store.append(append).await.unwrap(), Appended::Done);
            stage.went(next, events);
        }
    });
}

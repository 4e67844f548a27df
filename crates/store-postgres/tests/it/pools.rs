//! Connections: how many, for how long, and with whom between.

use std::io::Write as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use seawall_store::agents::Hint;
use seawall_store::{AgentStore, StoreError};
use seawall_store_postgres::{Options, PostgresStore};

use crate::Way;
use crate::cluster::{Database, shared};
use crate::races::wait_until_somebody_waits;
use crate::stage::{Stage, run, send};

fn unavailable<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    match result {
        Err(StoreError::Unavailable { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_gets_no_connection_is_told_that_all_are_in_use() {
    run(async {
        let database = Database::new();
        let store = database.open(Way::Direct, "pool_max=1&pool_wait=1");
        let stage = Stage::new(&store, "a").await;
        let blocker = database.client().await;
        blocker.batch_execute("begin; select from seawall_agent for update").await.unwrap();
        let blocked = store.release(stage.kept.id(), stage.epoch);
        wait_until_somebody_waits(&database).await;
        let begun = Instant::now();
        assert_eq!(unavailable(store.workers().await), "pool exhausted");
        assert!(begun.elapsed() >= Duration::from_secs(1));
        blocker.batch_execute("rollback").await.unwrap();
        blocked.await.unwrap();
        assert_eq!(store.workers().await.unwrap().len(), 1);
    });
}

#[test]
fn a_write_that_waits_too_long_for_another_one_is_given_up_and_did_nothing() {
    run(async {
        let database = Database::new();
        let store = database.open(Way::Direct, "");
        let stage = Stage::new(&store, "a").await;
        let blocker = database.client().await;
        blocker.batch_execute("begin; select from seawall_agent for update").await.unwrap();
        let reason = unavailable(store.append(stage.decide(send("m")).1).await);
        assert!(reason.contains("lock timeout"), "{reason}");
        blocker.batch_execute("rollback").await.unwrap();
        assert_eq!(store.events(stage.kept.id(), 0, 100).await.unwrap(), stage.log);
    });
}

#[test]
fn a_call_that_nobody_waits_for_ends_by_itself_and_leaves_the_connection_whole() {
    run(async {
        let database = Database::new();
        let store = database.open(Way::Direct, "pool_max=1");
        let mut stage = Stage::new(&store, "a").await;
        for name in ["m", "n", "o"] {
            let (next, append, events) = stage.decide(send(name));
            drop(store.append(append));
            // It is on its way: whoever wants to know looks.
            while store.agent(stage.kept.id()).await.unwrap().unwrap().seq != next.seq() {
                tokio::task::yield_now().await;
            }
            stage.went(next, events);
        }
        assert_eq!(store.events(stage.kept.id(), 0, 100).await.unwrap(), stage.log);
    });
}

/// A server that hangs once somebody is let in: no real one does so when it is told to.
fn silent_server() -> u16 {
    const LET_IN: [u8; 15] = *b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut callers = Vec::new();
        for caller in listener.incoming() {
            let mut caller = caller.unwrap();
            caller.write_all(&LET_IN).unwrap();
            callers.push(caller);
        }
    });
    port
}

/// Unlimited, the program would hang while it starts, and say nothing.
fn gives_a_silent_server_up(prepared: &str) {
    let url = format!("postgres://u:p@127.0.0.1:{}/d?sslmode=disable&prepared={prepared}", silent_server());
    let opened = PostgresStore::open(&Options::parse(&url).unwrap());
    assert_eq!(unavailable(opened.map(drop)), "PostgreSQL does not answer");
}

#[test]
fn a_server_that_does_not_say_whether_a_pooler_stands_between_is_given_up() {
    gives_a_silent_server_up("auto");
}

#[test]
fn a_server_that_does_not_say_what_it_is_like_is_given_up() {
    gives_a_silent_server_up("off");
}

/// Over TCP and over the socket alike.
#[test]
fn a_server_is_reached_by_its_socket() {
    run(async {
        let database = Database::new();
        let url = shared().server.socket_url(&database.name);
        let store = PostgresStore::open(&Options::parse(&url).unwrap()).unwrap();
        assert!(store.health().await.unwrap().writable);
    });
}

#[test]
fn a_pooler_between_is_noticed() {
    let database = Database::new();
    for (way, parameters, keeps) in [
        (Way::Direct, "", true),
        (Way::Direct, "prepared=off", false),
        (Way::Pooled, "", false),
        (Way::Pooled, "prepared=on", true),
    ] {
        assert_eq!(database.open(way, parameters).keeps_statements(), keeps, "{way:?} {parameters}");
    }
}

/// One that is told to keep statements behind a pooler says what is to be done.
#[test]
fn statements_that_a_pooler_loses_are_told_with_a_remedy() {
    run(async {
        let database = Database::new();
        let store = database.open(Way::Pooled, "prepared=on&pool_max=4");
        let mut reasons = Vec::new();
        for round in 0..50 {
            let calls: Vec<_> = (0..4).map(|_| store.workers()).collect();
            for call in calls {
                if let Err(error) = call.await {
                    reasons.push(error.to_string());
                }
            }
            if round > 5 && !reasons.is_empty() {
                break;
            }
        }
        assert!(reasons.iter().any(|reason| reason.contains("prepared=off")), "{reasons:?}");
    });
}

/// It takes LISTEN without a word and never hands on what is heard.
#[test]
fn behind_a_pooler_hints_come_by_looking() {
    run(async {
        let database = Database::new();
        let (store, other) = (database.open(Way::Pooled, ""), database.open(Way::Pooled, ""));
        let mut hints = store.listen().unwrap();
        assert_eq!(hints.next().await, Hint::All, "the first look");
        Stage::unclaimed(&other, "a").await;
        let heard = tokio::time::timeout(Duration::from_secs(5), hints.next()).await;
        assert_eq!(heard.unwrap(), Hint::All);
    });
}

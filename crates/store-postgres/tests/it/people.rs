//! What other people do with the same server: they read for hours, and ask what there is.

use std::sync::Arc;

use seawall_store::AgentStore;
use seawall_store::agents::AgentQuery;
use seawall_store_postgres::{Options, PostgresStore};

use crate::Way;
use crate::cluster::{Database, Own};
use crate::stage::{Stage, answered, run, send, worker};

/// The query by which `docs/postgres.md` finds who keeps the server from forgetting.
fn oldest_snapshot() -> String {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/postgres.md")).unwrap();
    let (_, rest) = page.split_once("-- who keeps old rows alive\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// Dead rows stay while it is there; what is due is found all the same, and the query for it names whoever reads.
#[test]
fn somebody_who_reads_for_hours_keeps_nobody_from_working() {
    run(async {
        let database = Database::new();
        let store = database.open(Way::Direct, "");
        let reader = database.client().await;
        reader.batch_execute("set application_name = 'report'").await.unwrap();
        let read = "begin isolation level repeatable read; select count(*) from seawall_agent";
        reader.batch_execute(read).await.unwrap();

        let mut stage = Stage::new(&store, "a").await;
        store.release(stage.kept.id(), stage.epoch).await.unwrap();
        stage.epoch = 0;
        for round in 1..=100_u64 {
            stage.give(send(&round.to_string())).await;
            assert!(store.renew(&worker("w")).await.unwrap());
            let claimed = store.claim_due(&worker("w").id, 10).await.unwrap();
            assert_eq!(claimed.len(), 1, "{round}");
            stage.epoch = claimed[0].epoch;
            stage.give(seawall_engine::Claim { owner: "w".into() }).await;
            stage.give(answered(round)).await;
            store.release(stage.kept.id(), stage.epoch).await.unwrap();
            stage.epoch = 0;
            assert!(store.claim_due(&worker("w").id, 10).await.unwrap().is_empty(), "{round}");
        }
        let told = database.sql(&oldest_snapshot());
        assert!(told.lines().next().unwrap().contains("report"), "{told}");
        reader.batch_execute("commit").await.unwrap();
        assert_eq!(store.events(stage.kept.id(), 0, u32::MAX).await.unwrap(), stage.log);
    });
}

/// Appends of a holder touch no index of the agent's row: its page is tidied up by whoever writes next, without a vacuum.
/// On a server of its own, since a transaction in any other database keeps old rows alive for a moment.
#[test]
fn a_turn_of_a_holder_is_in_no_index() {
    run(async {
        let own = Own::start("fsync = off\nautovacuum = off");
        let options = Options::parse(&own.server.url("postgres")).unwrap();
        let store = Arc::new(PostgresStore::open(&options).unwrap());
        let mut stage = Stage::new(&store, "a").await;
        let places = "select pg_relation_size('seawall_agent') + pg_indexes_size('seawall_agent')";
        let before = own.server.sql("postgres", places);
        for round in 1..=300_u64 {
            stage.give(send(&round.to_string())).await;
            stage.give(answered(round)).await;
        }
        assert_eq!(own.server.sql("postgres", places), before);
    });
}

/// Texts with every character that SQL, LIKE or the server's text type treats in a way of its own.
#[test]
fn nothing_that_is_asked_for_is_sql() {
    run(async {
        let database = Database::new();
        let store = database.open(Way::Direct, "");
        Stage::unclaimed(&store, "a_b").await;
        Stage::unclaimed(&store, "axb").await;
        for (prefix, found) in
            [("a_", 1), ("a", 2), ("%", 0), ("'; drop table seawall_agent; --", 0), ("a\0", 0), ("", 2)]
        {
            let query = AgentQuery { prefix: Some(prefix.into()), most: 10, ..AgentQuery::default() };
            assert_eq!(store.agents(&query).await.unwrap().len(), found, "{prefix:?}");
        }
        let query = AgentQuery {
            tenant: Some("\0".into()),
            template: Some("'".into()),
            most: 10,
            ..AgentQuery::default()
        };
        assert!(store.agents(&query).await.unwrap().is_empty());
    });
}

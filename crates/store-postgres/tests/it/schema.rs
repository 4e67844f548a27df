//! Tables: who makes them, who may not, and what is not touched.

use seawall_store::{AgentStore, StoreError};
use seawall_store_postgres::{Options, PostgresStore, Scratch};

use crate::Way;
use crate::cluster::{Database, Own, shared};
use crate::stage::{Stage, run, worker};

fn open(url: &str) -> Result<PostgresStore, StoreError> {
    PostgresStore::open(&Options::parse(url).unwrap())
}

#[test]
fn many_programs_that_begin_at_once_make_the_tables_once() {
    let name = format!("test_{:016x}", fastrand::u64(..));
    let server = &shared().server;
    server.sql("postgres", &format!("create database {name}"));
    let url = server.url(&name);
    std::thread::scope(|scope| {
        let opening: Vec<_> = (0..6).map(|_| scope.spawn(|| open(&url))).collect();
        for opened in opening {
            opened.join().unwrap().unwrap();
        }
    });
    assert_eq!(server.sql(&name, "select count(*), max(version) from seawall_agent_schema"), "1|1");
    server.sql("postgres", &format!("drop database {name} with (force)"));
}

#[test]
fn who_only_asks_for_a_store_makes_none() {
    let name = format!("test_{:016x}", fastrand::u64(..));
    let server = &shared().server;
    server.sql("postgres", &format!("create database {name}"));
    let options = Options::parse(&server.url(&name)).unwrap();
    assert!(PostgresStore::existing(&options).unwrap().is_none());
    assert_eq!(server.sql(&name, "select count(*) from pg_class where relname like 'seawall%'"), "0");
    drop(PostgresStore::open(&options).unwrap());
    assert!(PostgresStore::existing(&options).unwrap().is_some());
    server.sql("postgres", &format!("drop database {name} with (force)"));
}

#[test]
fn a_store_for_a_while_sees_nobodys_agents_and_leaves_nothing_behind() {
    run(async {
        let database = Database::new();
        let options = Options::parse(&database.url(Way::Direct)).unwrap();
        let others = std::sync::Arc::new(PostgresStore::open(&options).unwrap());
        let stage = Stage::new(&others, "a").await;
        database
            .sql("create schema seawall_capacity_1600000000_7; create schema seawall_capacity_9600000000_7");
        let scratch = tokio::task::block_in_place(|| Scratch::open(&options)).unwrap();
        assert!(scratch.store().load(stage.kept.id()).await.unwrap().is_none());
        assert!(scratch.store().renew(&worker("v")).await.unwrap());
        assert!(scratch.store().claim_due(&worker("v").id, 9).await.unwrap().is_empty());
        drop(Stage::new(scratch.store(), "b").await);
        assert_eq!(others.stats(None).await.unwrap().agents, 1);
        scratch.store().close().await.unwrap();
        tokio::task::block_in_place(|| scratch.remove()).unwrap();
        let left = "select string_agg(nspname, ' ') from pg_namespace where nspname like 'seawall%'";
        assert_eq!(database.sql(left), "seawall_capacity_9600000000_7", "what is an hour old goes too");
    });
}

#[test]
fn a_pooler_is_told_from_a_server_before_a_schema_is_made() {
    let database = Database::new();
    let error = Scratch::open(&Options::parse(&database.url(Way::Pooled)).unwrap()).unwrap_err();
    assert!(error.to_string().contains("name the server itself"), "{error}");
    assert_eq!(database.sql("select count(*) from pg_namespace where nspname like 'seawall%'"), "0");
}

#[test]
fn tables_of_a_newer_program_are_not_touched() {
    let database = Database::new();
    database.sql("insert into seawall_agent_schema (version) values (99)");
    for way in [Way::Direct, Way::Pooled] {
        let error = open(&database.url(way)).unwrap_err();
        assert_eq!(error, StoreError::Newer { found: 99, known: 1 });
    }
}

/// The statements of `docs/postgres.md`: one role makes the tables, another one works with them.
#[test]
fn a_role_that_may_only_work_needs_no_more() {
    run(async {
        let own = Own::start("fsync = off");
        let page =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/postgres.md")).unwrap();
        let part = |name: &str| {
            let (_, rest) = page.split_once(&format!("-- {name}\n")).unwrap();
            rest.split_once("```").unwrap().0.to_owned()
        };
        own.server.sql("postgres", "create database agents");
        for statement in part("roles").split_inclusive(";\n") {
            own.server.sql("agents", statement);
        }
        let url = |role: &str| format!("postgres://{role}@127.0.0.1:{}/agents", own.server.port);
        open(&url("seawall_owner")).unwrap();
        for statement in part("grants").split_inclusive(";\n") {
            own.server.sql("agents", statement);
        }
        let store = std::sync::Arc::new(open(&url("seawall")).unwrap());
        let stage = Stage::new(&store, "a").await;
        assert!(store.renew(&worker("w")).await.unwrap());
        assert!(store.health().await.unwrap().writable);
        assert!(store.purge(stage.kept.id()).await.unwrap());
        let refused = own.server.sql("agents", "select has_schema_privilege('seawall', 'seawall', 'create')");
        assert_eq!(refused, "f");
    });
}

#[test]
fn a_database_that_cannot_hold_every_text_is_refused() {
    let server = &shared().server;
    let name = format!("test_{:016x}", fastrand::u64(..));
    server.sql("postgres", &format!("create database {name} encoding 'SQL_ASCII' template template0"));
    let error = open(&server.url(&name)).unwrap_err();
    assert!(error.to_string().contains("UTF8"), "{error}");
    server.sql("postgres", &format!("drop database {name} with (force)"));
}

#[test]
fn a_server_that_is_not_there_is_told_without_the_password() {
    let error = open("postgres://anna:geheim@127.0.0.1:1/agents?pool_wait=1").unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("geheim"));
}

//! Agents on their way from one store to another, and stores that are looked through.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use seawall_base::clock::SystemClock;
use seawall_engine::AgentId;
use seawall_store::AgentStore;
use seawall_store::agents::{Copied, copy};
use seawall_store::conformance::agents::{Opened, populate, run, tell_the_same};
use seawall_store::memory::MemoryAgents;
use seawall_store_json::JsonStore;
use seawall_store_postgres::{Options, PostgresStore};
use seawall_store_sqlite::SqliteAgents;
use seawall_test_support::Postgres;
use seawall_types::{ManualClock, Timestamp};
use serde_json::{Value, json};

use crate::support::program::{Program, Setup, files_named, one_upstream};
use crate::support::raw;

const KINDS: [&str; 4] = ["memory", "json", "sqlite", "postgres"];

/// A store of a kind, of its own.
fn store(kind: &str, name: &str, folder: &Path, database: &Postgres) -> Arc<dyn AgentStore> {
    let clock = Arc::new(SystemClock::new());
    match kind {
        "memory" => Arc::new(MemoryAgents::new(clock)),
        "json" => Arc::new(JsonStore::open(&folder.join(name), clock).unwrap()),
        "sqlite" => Arc::new(SqliteAgents::open(&folder.join(name), clock).unwrap()),
        _ => Arc::new(PostgresStore::open(&Options::parse(&database.database(name)).unwrap()).unwrap()),
    }
}

/// From each kind of store to each other one: what is told of agents is the same on both sides.
#[test]
fn agents_are_the_same_after_a_copy_between_any_two_kinds_of_store() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Postgres::start(""));
    let time = Arc::new(ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000)));
    let origin: Arc<dyn AgentStore> = Arc::new(MemoryAgents::new(Arc::clone(&time) as _));
    let opened = Opened { other: Arc::clone(&origin), store: origin, time };
    run(
        || async { opened },
        |opened| {
            Box::pin(async move {
                let agents = populate(opened).await;
                for from in KINDS {
                    let one = store(from, &format!("{from}_alone"), folder.path(), &database);
                    copied(&*opened.store, &*one, &agents).await;
                    for to in KINDS.into_iter().filter(|to| *to != from) {
                        let other = store(to, &format!("{from}_to_{to}"), folder.path(), &database);
                        copied(&*one, &*other, &agents).await;
                        tell_the_same(&*opened.store, &*other, &agents).await;
                    }
                }
            })
        },
    );
}

async fn copied(from: &dyn AgentStore, to: &dyn AgentStore, agents: &[AgentId]) {
    let count = u64::try_from(agents.len()).unwrap();
    let first = copy(from, to).await.unwrap();
    assert_eq!((first.agents, first.known), (count, 0));
    tell_the_same(from, to, agents).await;
    assert_eq!(copy(from, to).await.unwrap(), Copied { agents: 0, known: count, events: 0 });
}

const TEMPLATE: &str = "
id: helper
model: { provider: openai, name: sim-small }
tools: ['*']
";

fn setup() -> Setup {
    let config = format!("agents: {{ lease: 1s }}\n{}", one_upstream("sim:"));
    let setup = Setup::new("up").config(&config).args(["--listen", "127.0.0.1:0"]);
    std::fs::create_dir(setup.path("templates")).unwrap();
    setup.write("templates/helper.yaml", TEMPLATE);
    setup
}

async fn said(server: &Program, agent: &str, words: &str) -> Value {
    let body = json!({ "content": format!("sim:text {words}") }).to_string();
    let answer = server.ask(raw::post(&format!("/api/agents/{agent}/messages?wait=true"), body)).await.json();
    assert_eq!(answer["text"], words, "{answer}");
    answer
}

/// A server on a store, with these agents, which have said something.
async fn with_agents(setup: &Setup, store: &str, agents: &[&str]) -> Program {
    let server = setup.clone().args(["--store", store]).start();
    for agent in agents {
        let body = json!({ "id": agent, "template": "helper" }).to_string();
        assert_eq!(server.ask(raw::post("/api/agents", body)).await.status, 201);
        said(&server, agent, "hello").await;
    }
    server
}

fn told(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn agents_that_were_copied_go_on_where_they_are_now() {
    let (setup, database) = (setup(), Postgres::start(""));
    let sqlite = format!("sqlite:{}", setup.path("one.db").display());
    let json = format!("json:{}", setup.path("folder").display());
    let last = format!("sqlite:{}", setup.path("last.db").display());
    with_agents(&setup, &sqlite, &["a", "b"]).await.stop();

    let copy = |from: &str, to: &str| setup.cli(&["store", "copy", from, to, "--json"]);
    for (from, to) in [(&sqlite, &json), (&json, &database.url), (&database.url, &last)] {
        let done = copy(from, to);
        assert!(done.status.success(), "{}", complaint(&done));
        assert_eq!((&told(&done)["agents"], &told(&done)["known"]), (&json!(2), &json!(0)));
        assert_eq!(told(&copy(from, to))["known"], 2, "again is harmless");
        assert_eq!(setup.cli_json(&["store", "check", to])["consistent"], true);
    }

    // What one of them says afterwards comes over with the next copy, and only that.
    let server = with_agents(&setup, &last, &[]).await;
    said(&server, "a", "and here I am").await;
    server.stop();
    let done = copy(&last, &json);
    assert_eq!((&told(&done)["agents"], &told(&done)["known"]), (&json!(1), &json!(1)), "{done:?}");

    // Who went on in both places is named, and stays as it is; the others are copied.
    let server = with_agents(&setup, &sqlite, &["c"]).await;
    said(&server, "a", "no, here").await;
    server.stop();
    let done = copy(&sqlite, &json);
    let (code, told) = (done.status.code(), told(&done));
    assert_eq!((code, &told["agents"], &told["refused"][0]["agent"]), (Some(1), &json!(1), &json!("a")));
    assert_eq!(setup.cli_json(&["store", "check", &json])["agents"], 3);
    let server = with_agents(&setup, &json, &[]).await;
    let messages = server.get("/api/agents/a/messages").await.json();
    assert!(messages.to_string().contains("and here I am"), "{messages}");
}

#[tokio::test]
async fn a_store_that_is_worked_on_is_left_alone() {
    let setup = setup();
    let idle = format!("json:{}", setup.path("idle").display());
    std::fs::create_dir_all(setup.path("idle/agents")).unwrap();
    let own = format!("sqlite:{}", setup.data_dir().join("seawall.db").display());
    let elsewhere = format!("sqlite:{}", setup.path("elsewhere.db").display());
    let folder = format!("json:{}", setup.path("folder").display());
    for store in [&own, &elsewhere, &folder] {
        let server = with_agents(&setup, store, &["a"]).await;
        for (from, to) in [(store, &idle), (&idle, store)] {
            let refused = setup.cli(&["store", "copy", from, to]);
            assert_eq!(refused.status.code(), Some(1), "{from} to {to}: {refused:?}");
            assert!(complaint(&refused).contains("stop "), "{from} to {to}: {}", complaint(&refused));
        }
        // A folder of files is for one process; a database can be read beside a server.
        let to = format!("{idle}-{}", store.len());
        let live = setup.cli(&["store", "copy", store, &to, "--live"]);
        assert_eq!(live.status.success(), store != &folder, "{}", complaint(&live));
        server.stop();
    }
    let nowhere = setup.cli(&["store", "copy", "sqlite:nowhere.db", &idle]);
    assert_eq!(nowhere.status.code(), Some(2), "{}", complaint(&nowhere));
    assert!(complaint(&nowhere).contains("there is no store") && !setup.path("nowhere.db").exists());
    assert_eq!(setup.cli(&["store", "copy", "mysql:x", &idle]).status.code(), Some(2));
    assert_eq!(setup.cli(&["store", "copy", &own, &own]).status.code(), Some(2));
}

#[tokio::test]
async fn a_store_that_a_server_without_workers_writes_to_is_left_alone() {
    let (setup, database) = (setup(), Postgres::start(""));
    let (own, empty) = (&database.url, database.database("empty"));
    let idle = format!("json:{}", setup.path("idle").display());
    std::fs::create_dir_all(setup.path("idle/agents")).unwrap();
    let front = setup.clone().args(["--store", own, "--no-workers"]).start();
    front.posted("/api/agents", &json!({ "id": "a", "template": "helper" })).await;
    for (from, to) in [(own, &idle), (&idle, own)] {
        let refused = setup.cli(&["store", "copy", from, to]);
        assert_eq!(refused.status.code(), Some(1), "{from} to {to}: {refused:?}");
        assert!(complaint(&refused).contains("a server accepts messages here"), "{}", complaint(&refused));
    }
    // What this machine carries is measured beside the server, which keeps its agents.
    let measured = setup.cli_json(&["doctor", "--capacity", "--store", own]);
    assert_eq!(measured["store"], "postgres");
    assert!(measured["turns_per_second"]["fifty_agents"].as_f64() > Some(0.0), "{measured}");
    let agents = front.got("/api/agents").await;
    assert_eq!(agents["agents"].as_array().unwrap().len(), 1, "{agents}");
    assert_eq!(agents["agents"][0]["epoch"], 0, "nobody has claimed it: {agents}");
    front.stop();
    let done = setup.cli(&["store", "copy", own, &idle]);
    assert!(done.status.success(), "{}", complaint(&done));
    // Who asks about a store where there is none makes none.
    let refused = setup.cli(&["store", "check", &empty]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(complaint(&refused).contains("there is no store at postgres://"), "{}", complaint(&refused));
}

#[tokio::test]
async fn a_broken_record_is_named_and_the_others_are_copied() {
    let (setup, database) = (setup(), Postgres::start(""));
    let json = format!("json:{}", setup.path("folder").display());
    with_agents(&setup, &json, &["bad", "good"]).await.stop();
    assert!(setup.cli(&["store", "copy", &json, &database.url]).status.success());

    database.sql("delete from seawall_agent_event where seq = 3 and agent = (select number from seawall_agent where name = 'bad')");
    let logs = files_named(&setup.path("folder/agents/bad"), "log.jsonl");
    let text = std::fs::read_to_string(&logs[0]).unwrap();
    std::fs::write(&logs[0], text.replacen("hello", "jello", 1)).unwrap();
    for store in [&database.url, &json] {
        let checked = setup.cli(&["store", "check", store, "--json"]);
        let (code, told_of) = (checked.status.code(), told(&checked));
        assert_eq!((code, &told_of["agents"]), (Some(1), &json!(2)), "{told_of}");
        assert_eq!(told_of["damaged"].as_array().unwrap().len(), 1, "{told_of}");
        assert_eq!(told_of["damaged"][0]["agent"], "bad", "{told_of}");
        assert_eq!(told_of["damaged"][0]["issues"][0]["part"], "log", "{told_of}");

        let to = format!("sqlite:{}", setup.path(&format!("{}.db", store.len())).display());
        let copied = setup.cli(&["store", "copy", store, &to, "--json"]);
        let (code, told_of) = (copied.status.code(), told(&copied));
        assert_eq!((code, &told_of["agents"]), (Some(1), &json!(1)), "{told_of}");
        assert_eq!(told_of["refused"][0]["agent"], "bad", "{told_of}");
    }
}

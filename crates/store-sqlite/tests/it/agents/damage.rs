//! Rows that somebody has changed: they are found, and named.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use seawall_engine::AgentId;
use seawall_store::StoreError;
use seawall_store::agents::{AgentStore, Issue, Part, check_consistency};
use seawall_store::conformance::agents::{Opened, life, run};
use seawall_store_sqlite::SqliteAgents;

use super::{open, opened};

/// A file with an agent that has something in every table.
async fn lived(opened: &Opened) -> AgentId {
    let agent = life(opened, 3, 150).await;
    assert!(check_consistency(&*opened.store, &agent).await.unwrap().is_consistent());
    // Whoever closes last leaves everything in the one file.
    opened.store.close().await.unwrap();
    opened.other.close().await.unwrap();
    agent
}

/// A copy of the file in which something was changed.
fn damaged(file: &Path, sql: &str) -> Arc<SqliteAgents> {
    let copy = file.with_extension("copy");
    std::fs::copy(file, &copy).unwrap();
    assert!(Connection::open(&copy).unwrap().execute(sql, ()).unwrap() > 0, "{sql} changes something");
    open(&copy)
}

/// The first thing that does not fit.
async fn found(store: &SqliteAgents, agent: &AgentId) -> Issue {
    let issues = check_consistency(store, agent).await.unwrap().issues;
    store.close().await.unwrap();
    issues.into_iter().next().unwrap()
}

const DAMAGES: &[(&str, Part, &str)] = &[
    ("UPDATE agent_event SET body = '{' WHERE rowid = 3", Part::Log, "event "),
    (
        "UPDATE agent_event SET body = replace(body, '\"v\":1', '\"v\":2') WHERE rowid = 3",
        Part::Log,
        "newer program",
    ),
    ("DELETE FROM agent_event WHERE rowid = 3", Part::Log, "missing"),
    ("DELETE FROM agent_event", Part::Log, "no events"),
    ("UPDATE agent SET steps = steps + 1", Part::Entry, "walk-3"),
    ("DELETE FROM agent_message WHERE place = 2", Part::Messages, "message 2"),
    ("UPDATE agent_message SET body = replace(body, 'w', 'v') WHERE place = 1", Part::Messages, "message 1"),
    ("UPDATE agent_message SET body = '' WHERE place = 3", Part::Messages, "body"),
    ("UPDATE agent_call SET updated_at = 0", Part::Calls, "call_"),
    ("DELETE FROM agent_call", Part::Calls, "missing"),
    ("DELETE FROM agent_snapshot", Part::Snapshots, "missing"),
    ("DELETE FROM agent_accepted WHERE message = '1'", Part::Accepted, "1"),
    ("UPDATE agent_state SET window_from = window_from + 1", Part::State, "whole log"),
    ("UPDATE agent_state SET body = '{}'", Part::State, "state"),
];

#[test]
fn what_was_changed_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("seawall.db");
    let there = file.clone();
    run(
        || async move { opened(&there) },
        move |opened| {
            Box::pin(async move {
                let agent = lived(opened).await;
                for (sql, part, words) in DAMAGES {
                    let issue = found(&damaged(&file, sql), &agent).await;
                    assert_eq!(issue.part, *part, "{sql}: {issue:?}");
                    assert!(issue.message.contains(words), "{sql}: {issue:?}");
                }
            })
        },
    );
}

#[test]
fn an_agent_of_which_an_event_is_broken_is_not_taken_up() {
    const SQL: &str = "UPDATE agent_event SET body = '{' WHERE seq = (SELECT max(seq) FROM agent_event)";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("seawall.db");
    let there = file.clone();
    run(
        || async move { opened(&there) },
        move |opened| {
            Box::pin(async move {
                let agent = lived(opened).await;
                let store = damaged(&file, SQL);
                let refused = store.load(&agent).await.unwrap_err();
                let StoreError::Corrupt { reason } = &refused else { panic!("{refused}") };
                assert!(reason.contains("agent walk-3, event "), "{reason}");
                assert!(store.agent(&agent).await.unwrap().is_some(), "it is still listed");
            })
        },
    );
}

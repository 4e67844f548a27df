//! What is in the folder, and that the store finds it again.

use std::fs;
use std::sync::Arc;

use seawall_engine::{Answer, Block, Event};
use seawall_store::AgentStore;
use seawall_store::agents::{AgentQuery, MessageQuery};
use serde_json::Value;

use crate::stage::{Actor, file, id, in_memory, open, wait};

#[test]
fn what_was_written_is_there_after_a_new_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut actor = Actor::new(&store, "writer");
    (0..20).for_each(|turn| actor.turn(&store, &format!("turn {turn}")));
    actor.compress(&store);
    (0..20).for_each(|turn| actor.turn(&store, &format!("turn {turn}")));
    actor.assert_kept(&store);
    wait(store.close()).unwrap();
    let store = open(folder.path());
    actor.assert_kept(&store);
    let mut actor = Actor::resume(&store, "writer");
    actor.turn(&store, "and on");
    actor.assert_kept(&store);
}

#[test]
fn a_folder_that_is_not_there_is_made_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("here/and/there");
    let store = open(&root);
    let actor = Actor::new(&store, "writer");
    actor.assert_kept(&store);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&root), mode(&file(&root, "writer", ""))), (0o700, 0o700));
    assert_eq!(mode(&file(&root, "writer", "log.jsonl")), 0o600);
    assert_eq!(store.root(), root);
}

#[test]
fn each_line_is_json_with_the_length_and_the_checksum_of_its_value() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut actor = Actor::new(&store, "writer");
    actor.turn(&store, "one");
    actor.snapshot(&store, "here");
    drop(store);
    for name in ["log", "messages", "calls", "accepted", "snapshots"] {
        let text = fs::read_to_string(file(folder.path(), "writer", &format!("{name}.jsonl"))).unwrap();
        assert!(text.ends_with("}\n"));
        for line in text.lines() {
            let json: Value = serde_json::from_str(line).unwrap();
            let key = json.as_object().unwrap().keys().next_back().unwrap();
            let (_, value) = line.split_once(&format!(",\"{key}\":")).unwrap();
            let value = value.strip_suffix('}').unwrap();
            assert_eq!(json["n"], value.len(), "{line}");
            assert_eq!(json["c"], format!("{:08x}", crc32c::crc32c(value.as_bytes())), "{line}");
        }
    }
    let events = fs::read_to_string(file(folder.path(), "writer", "log.jsonl")).unwrap();
    let events = events.lines().filter_map(|line| {
        let json: Value = serde_json::from_str(line).unwrap();
        json.get("e").map(|event| serde_json::from_value::<Event>(event.clone()).unwrap())
    });
    assert!(events.eq(actor.log.iter().cloned()), "the log is the events");
}

#[test]
fn opening_reads_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for name in ["a", "b", "c"] {
        Actor::new(&store, name).say(&store, "hello");
    }
    drop(store);
    // A log of the right length that has nothing but rubbish: who read it would say so.
    let log = file(folder.path(), "b", "log.jsonl");
    let good = fs::read(&log).unwrap();
    fs::write(&log, vec![b'x'; good.len()]).unwrap();
    let store = open(folder.path());
    let listed = wait(store.agents(&AgentQuery { most: 10, ..AgentQuery::default() })).unwrap();
    assert_eq!(listed.len(), 3);
    assert!(listed.iter().all(|row| row.due.is_some()));
    assert!(wait(store.load(&id("b"))).is_err());
    assert!(wait(store.load(&id("c"))).unwrap().is_some());
}

/// How much of a log and of its messages loading reads.
fn read_by_loading(turns: usize) -> u64 {
    let folder = in_memory();
    let store = open(folder.path());
    let mut actor = Actor::new(&store, "writer");
    for turn in 1..=turns {
        actor.turn(&store, "hello");
        if turn % 10 == 0 {
            actor.compress(&store);
        }
    }
    drop(store);
    let length = |name| fs::metadata(file(folder.path(), "writer", name)).unwrap().len();
    let state: Value =
        serde_json::from_slice(&fs::read(file(folder.path(), "writer", "state.json")).unwrap()).unwrap();
    let number = |value: &Value| value.as_u64().unwrap();
    let state = &state["state"];
    let events = length("log.jsonl") - number(&state["lengths"]["log"]);
    let messages = number(&state["lengths"]["messages"]) - number(&state["window_at"]);
    actor.assert_kept(&open(folder.path()));
    events + messages
}

#[test]
fn loading_reads_as_much_of_a_long_log_as_of_a_short_one() {
    let (short, long) = (read_by_loading(25), read_by_loading(405));
    assert!(long < short + short / 4, "{long} bytes instead of {short}");
}

#[test]
fn what_is_too_large_for_a_line_is_a_blob() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut actor = Actor::new(&store, "writer");
    actor.say(&store, &"long ".repeat(100_000));
    actor.answer(&store, [Answer::Block(Block::text("short"))]);
    actor.assert_kept(&store);
    let blobs = fs::read_dir(file(folder.path(), "writer", "blobs")).unwrap();
    assert!(blobs.count() > 0);
    let log = fs::read_to_string(file(folder.path(), "writer", "log.jsonl")).unwrap();
    assert!(log.lines().all(|line| line.len() < 70_000));
    drop(store);
    actor.assert_kept(&open(folder.path()));
}

#[test]
fn the_longest_names_and_names_that_differ_in_case_are_agents_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let longest = "x".repeat(128);
    let names = [longest.as_str(), "Writer", "writer", "WRITER", "a.b-c_d", "log.jsonl", "con"];
    let actors: Vec<_> = names
        .iter()
        .map(|name| {
            let mut actor = Actor::new(&store, name);
            actor.say(&store, name);
            actor
        })
        .collect();
    drop(store);
    let store = open(folder.path());
    actors.iter().for_each(|actor| actor.assert_kept(&store));
    for name in names {
        assert!(wait(store.purge(&id(name))).unwrap());
    }
    assert_eq!(fs::read_dir(folder.path().join("agents")).unwrap().count(), 0);
}

#[test]
fn many_agents_write_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path()));
    let actors: Vec<_> = std::thread::scope(|scope| {
        let begun: Vec<_> = (0..24)
            .map(|number| {
                let store = Arc::clone(&store);
                scope.spawn(move || {
                    let mut actor = Actor::new(&*store, &format!("a{number}"));
                    (0..5).for_each(|turn| actor.turn(&*store, &format!("turn {turn}")));
                    actor
                })
            })
            .collect();
        begun.into_iter().map(|actor| actor.join().unwrap()).collect()
    });
    actors.iter().for_each(|actor| actor.assert_kept(&*store));
    let query = MessageQuery { most: u32::MAX, ..MessageQuery::default() };
    assert_eq!(wait(store.messages(&query)).unwrap().len(), 24 * 5 * 4);
}

#[test]
fn what_was_under_way_when_a_process_died_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    for name in [".new-0123", ".gone-0123"] {
        fs::create_dir_all(folder.path().join("agents").join(name).join("blobs")).unwrap();
    }
    drop(open(folder.path()));
    assert_eq!(fs::read_dir(folder.path().join("agents")).unwrap().count(), 0);
}

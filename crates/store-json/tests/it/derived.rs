//! Files that follow from the log are made anew where they are missing, behind or changed.

use std::fs;
use std::path::Path;

use seawall_engine::{Fact, MessageId};
use seawall_store::AgentStore;
use seawall_store::agents::{Accepted, CallQuery, CallRow, MessageQuery, MessageRow, SnapshotRow};

use crate::stage::{Actor, copy, file, id, in_memory, open, wait};

const FILES: [&str; 6] =
    ["messages.jsonl", "calls.jsonl", "accepted.jsonl", "snapshots.jsonl", "state.json", "agent.json"];

/// Everything that a store says of an agent beside its log.
type Said = (Vec<MessageRow>, Vec<CallRow>, Vec<SnapshotRow>, Vec<Option<Accepted>>);

fn said(store: &dyn AgentStore, actor: &Actor) -> Said {
    let agent = Some(id("writer"));
    let messages = MessageQuery { agent: agent.clone(), most: u32::MAX, ..MessageQuery::default() };
    let calls = CallQuery { agent, most: u32::MAX, ..CallQuery::default() };
    let names = actor.log.iter().filter_map(|event| match &event.fact {
        Fact::MessageReceived { id, .. } => Some(id.clone()),
        _ => None,
    });
    let names: Vec<_> = names.chain([MessageId("never sent".into())]).collect();
    (
        wait(store.messages(&messages)).unwrap(),
        wait(store.calls(&calls)).unwrap(),
        wait(store.snapshots(&id("writer"))).unwrap(),
        names.iter().map(|name| wait(store.accepted(&id("writer"), name)).unwrap()).collect(),
    )
}

/// A life with everything in it that leaves rows.
fn live(store: &dyn AgentStore) -> Actor {
    let mut actor = Actor::new(store, "writer");
    for turn in 0..24 {
        actor.turn(store, &format!("turn {turn}"));
        if turn % 7 == 6 {
            actor.snapshot(store, &format!("s{turn}"));
            actor.compress(store);
        }
    }
    actor.turn(store, "the last one");
    actor
}

fn spoil(path: &Path, how: usize) {
    let Ok(mut bytes) = fs::read(path) else { return };
    match how {
        0 => return fs::remove_file(path).unwrap(),
        1 => bytes.truncate(bytes.len() / 2),
        2 => bytes.truncate(bytes.len() - 1),
        3 => bytes.fill(0),
        4 => bytes.clear(),
        5 => {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }
        _ => bytes.extend(b"what was written and did not come to count"),
    }
    fs::write(path, bytes).unwrap();
}

#[test]
fn each_file_but_the_log_is_made_anew() {
    let folder = in_memory();
    let store = open(folder.path());
    let actor = live(&store);
    let expected = said(&store, &actor);
    assert_eq!(expected.0.len(), 25 * 4);
    drop(store);
    assert!(FILES.iter().all(|name| file(folder.path(), "writer", name).exists()));
    let sets = FILES.iter().map(|name| vec![*name]).chain([
        FILES.to_vec(),
        FILES[..4].to_vec(),
        FILES[4..].to_vec(),
    ]);
    for files in sets {
        for how in 0..7 {
            let spoilt = in_memory();
            copy(folder.path(), spoilt.path());
            files.iter().for_each(|name| spoil(&file(spoilt.path(), "writer", name), how));
            let store = open(spoilt.path());
            assert_eq!(said(&store, &actor), expected, "{files:?} {how}");
            actor.assert_kept(&store);
            let mut actor = Actor::resume(&store, "writer");
            actor.turn(&store, "and on");
            actor.assert_kept(&store);
        }
    }
}

#[test]
fn files_that_vanish_under_an_open_store_are_made_anew() {
    let folder = in_memory();
    let store = open(folder.path());
    let mut actor = live(&store);
    let expected = said(&store, &actor);
    for name in FILES {
        fs::remove_file(file(folder.path(), "writer", name)).unwrap_or_default();
        assert_eq!(said(&store, &actor), expected, "{name}");
    }
    for name in FILES {
        fs::remove_file(file(folder.path(), "writer", name)).unwrap_or_default();
        actor.turn(&store, "and on");
        actor.assert_kept(&store);
    }
}

#[test]
fn files_made_anew_are_those_that_were_written() {
    let folder = in_memory();
    let store = open(folder.path());
    live(&store);
    drop(store);
    let contents = || FILES.map(|name| fs::read(file(folder.path(), "writer", name)).unwrap());
    let written = contents();
    FILES.iter().for_each(|name| fs::remove_file(file(folder.path(), "writer", name)).unwrap());
    drop(open(folder.path()));
    for ((name, written), anew) in FILES.iter().zip(written).zip(contents()) {
        assert!(written == anew, "{name} differs");
    }
}

/// The entry that a process leaves that is killed: of an earlier time than the log.
#[test]
fn an_old_index_entry_is_brought_up_to_the_log() {
    let folder = in_memory();
    let store = open(folder.path());
    let mut actor = Actor::new(&store, "writer");
    drop(store);
    let entry = fs::read(file(folder.path(), "writer", "agent.json")).unwrap();
    let store = open(folder.path());
    actor = {
        drop(actor);
        Actor::resume(&store, "writer")
    };
    (0..30).for_each(|_| actor.turn(&store, "hello"));
    drop(store);
    fs::write(file(folder.path(), "writer", "agent.json"), entry).unwrap();
    actor.assert_kept(&open(folder.path()));
}

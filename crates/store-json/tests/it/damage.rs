//! What a crash leaves at the end of a log goes, and is kept aside; what somebody has changed stays, is named, and is not
//! used.

use std::fs;
use std::path::{Path, PathBuf};

use seawall_store::agents::{AgentQuery, Appended, Kept};
use seawall_store::{AgentStore, StoreError};
use tempfile::TempDir;

use crate::stage::{Actor, copy, file, id, in_memory, last_append, open, wait};

/// A store that was closed, with an agent in it, and what there was before its last append.
struct Closed {
    folder: TempDir,
    actor: Actor,
    before: Kept,
    log: Vec<u8>,
}

impl Closed {
    fn new(turns: usize) -> Self {
        let folder = in_memory();
        let store = open(folder.path());
        let mut actor = Actor::new(&store, "writer");
        (0..turns).for_each(|turn| actor.turn(&store, &format!("turn {turn}")));
        let before = actor.kept.clone();
        actor.snapshot(&store, "last");
        drop(store);
        let log = fs::read(file(folder.path(), "writer", "log.jsonl")).unwrap();
        Self { folder, actor, before, log }
    }

    /// The same folder with another log.
    fn with(&self, log: &[u8]) -> (TempDir, PathBuf) {
        let folder = in_memory();
        copy(self.folder.path(), folder.path());
        let path = file(folder.path(), "writer", "log.jsonl");
        fs::write(&path, log).unwrap();
        (folder, path)
    }

    /// As a crash leaves it: the index entry is older than the log.
    fn forget_entry(&self, folder: &Path) {
        _ = self;
        fs::remove_file(file(folder, "writer", "agent.json")).unwrap();
    }
}

fn aside(log: &Path) -> Vec<u8> {
    fs::read(log.with_file_name("log.jsonl.damaged")).unwrap_or_default()
}

#[test]
fn a_log_cut_at_any_byte_of_its_last_append_loses_that_append_alone() {
    let closed = Closed::new(1);
    let start = last_append(&closed.log);
    assert!(closed.log.len() - start < 900, "an append that is short enough to try them all");
    for cut in start..closed.log.len() {
        let (folder, log) = closed.with(&closed.log[..cut]);
        if cut % 2 == 0 {
            closed.forget_entry(folder.path());
        }
        let store = open(folder.path());
        let loaded = wait(store.load(&id("writer"))).unwrap().unwrap();
        assert_eq!(loaded, closed.before, "cut at {cut}");
        assert_eq!(fs::read(&log).unwrap(), closed.log[..start]);
        assert_eq!(aside(&log), closed.log[start..cut]);
        assert!(wait(store.snapshots(&id("writer"))).unwrap().is_empty());
    }
}

#[test]
fn an_agent_goes_on_after_its_log_was_cut() {
    let closed = Closed::new(30);
    let (folder, _) = closed.with(&closed.log[..closed.log.len() - 1]);
    let store = open(folder.path());
    let mut actor = Actor::resume(&store, "writer");
    actor.turn(&store, "and on");
    actor.assert_kept(&store);
    drop(store);
    actor.assert_kept(&open(folder.path()));
}

#[test]
fn what_follows_the_last_append_and_is_none_is_kept_aside() {
    let closed = Closed::new(3);
    let whole = &closed.log[last_append(&closed.log)..];
    let half = &whole[..whole.len() / 2];
    let zeros = vec![0; 9_000];
    let long = vec![b'x'; 600_000];
    let mut holes = whole.to_vec();
    holes[10..60].fill(0);
    let tails: [&[u8]; 7] = [half, &zeros, b"\n", b"{}\n", b"\xff\xfe rubbish", &long, &holes];
    for tail in tails {
        let (folder, log) = closed.with(&[closed.log.as_slice(), tail].concat());
        closed.actor.assert_kept(&open(folder.path()));
        assert_eq!(fs::read(&log).unwrap(), closed.log);
        assert_eq!(aside(&log), tail);
    }
}

#[test]
fn a_second_damaged_end_is_kept_beside_the_first() {
    let closed = Closed::new(1);
    let (folder, log) = closed.with(&[closed.log.as_slice(), b"one"].concat());
    drop(open(folder.path()));
    fs::write(&log, [closed.log.as_slice(), b"two"].concat()).unwrap();
    drop(open(folder.path()));
    assert_eq!(aside(&log), b"one");
    assert_eq!(fs::read(log.with_file_name("log.jsonl.damaged.2")).unwrap(), b"two");
}

/// The agent is refused by everything that would use it; its log is as it was found; and others are not concerned.
fn assert_refused(folder: &Path, log: &[u8], names: &str) -> JsonError {
    let store = open(folder);
    let error = wait(store.load(&id("writer"))).unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { reason } if reason.contains(names)), "{names}: {error}");
    assert_eq!(fs::read(file(folder, "writer", "log.jsonl")).unwrap(), log, "nothing is overwritten");
    assert!(!file(folder, "writer", "log.jsonl.damaged").exists());
    JsonError { store, error }
}

struct JsonError {
    store: seawall_store_json::JsonStore,
    error: StoreError,
}

#[test]
fn a_changed_byte_is_found_wherever_it_is() {
    let closed = Closed::new(2);
    for at in (0..closed.log.len()).step_by(37).chain(closed.log.len() - 20..closed.log.len()) {
        let mut log = closed.log.clone();
        log[at] ^= if at % 2 == 0 { 1 } else { 0x20 };
        // A log that was closed, and one whose entry is behind, as long as something was appended after the change.
        let (folder, _) = closed.with(&log);
        assert_refused(folder.path(), &log, "log.jsonl, line ");
        if at < last_append(&closed.log) {
            closed.forget_entry(folder.path());
            assert_refused(folder.path(), &log, "log.jsonl, line ");
        }
    }
}

fn replace(log: &[u8], old: &str, new: &str) -> Vec<u8> {
    String::from_utf8(log.to_vec()).unwrap().replacen(old, new, 1).into_bytes()
}

#[test]
fn a_message_that_somebody_has_edited_is_named() {
    let closed = Closed::new(4);
    let text = String::from_utf8(closed.log.clone()).unwrap();
    let line = text.lines().position(|line| line.contains("turn 1")).unwrap() + 1;
    for words in ["TURN 1", "turn one", "t"] {
        let log = replace(&closed.log, "turn 1", words);
        let (folder, _) = closed.with(&log);
        let refused = assert_refused(folder.path(), &log, &format!("line {line} "));
        let event = closed.actor.log.iter().find(|event| format!("{event:?}").contains("turn 1")).unwrap();
        assert!(refused.error.to_string().contains(&format!("event {}:", event.seq)), "{}", refused.error);
    }
}

#[test]
fn a_message_edited_before_the_last_state_is_found_by_who_reads_it() {
    let closed = Closed::new(60);
    let log = replace(&closed.log, "turn 3", "TURN 3");
    let (folder, _) = closed.with(&log);
    let store = open(folder.path());
    let error = wait(store.events(&id("writer"), 0, u32::MAX)).unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
}

#[test]
fn a_damaged_agent_is_not_run_not_written_and_not_made_again() {
    let closed = Closed::new(2);
    let log = replace(&closed.log, "turn 1", "TURN 1");
    let (folder, path) = closed.with(&log);
    let JsonError { store, .. } = assert_refused(folder.path(), &log, "checksum");
    let other = Actor::new(&store, "other");
    assert!(wait(store.claim_due(&crate::stage::worker().id, 10)).unwrap().is_empty());
    let damaged = store.damaged();
    assert!(
        matches!(&damaged[..], [(id, StoreError::Corrupt { .. })] if id.as_str() == "writer"),
        "{damaged:?}"
    );
    let right = seawall_store::agents::Right::Outsider;
    let events = &closed.actor.log[closed.actor.log.len() - 1..];
    let (_, append) = closed.before.append(right, events).unwrap();
    assert!(matches!(wait(store.append(append)), Err(StoreError::Corrupt { .. })));
    let query = AgentQuery { most: 10, ..AgentQuery::default() };
    assert_eq!(wait(store.agents(&query)).unwrap().len(), 2);
    other.assert_kept(&store);
    // Once somebody has put back what stood there it is used again, without a new start.
    fs::write(path, &closed.log).unwrap();
    closed.actor.assert_kept(&store);
    assert!(store.damaged().is_empty());
}

#[test]
fn an_agent_of_which_nothing_but_a_damaged_log_is_left_keeps_its_name() {
    let closed = Closed::new(2);
    let log = replace(&closed.log, "turn 1", "TURN 1");
    let (folder, _) = closed.with(&log);
    closed.forget_entry(folder.path());
    let JsonError { store, .. } = assert_refused(folder.path(), &log, "checksum");
    assert!(wait(store.agent(&id("writer"))).is_err());
    let (_, append) = Kept::create(crate::stage::owner(), &closed.actor.log[..1]).unwrap();
    assert!(wait(store.create(append)).is_err());
    assert!(wait(store.purge(&id("writer"))).unwrap());
    Actor::new(&store, "writer");
}

#[test]
fn a_log_that_changes_under_an_open_store_is_noticed_before_it_is_written_to() {
    let folder = in_memory();
    let store = open(folder.path());
    let mut actor = Actor::new(&store, "writer");
    actor.turn(&store, "turn 1");
    let path = file(folder.path(), "writer", "log.jsonl");
    let good = fs::read(&path).unwrap();
    let bad = replace(&good, "turn 1", "turn one");
    fs::write(&path, &bad).unwrap();
    let saying = actor.saying("more");
    assert!(matches!(actor.attempt(&store, saying), Err(StoreError::Corrupt { .. })));
    assert_eq!(fs::read(&path).unwrap(), bad);
    // What others have added at the end is no append, and goes aside.
    fs::write(&path, [good.as_slice(), b"a note\n"].concat()).unwrap();
    let saying = actor.saying("more");
    assert_eq!(actor.attempt(&store, saying), Ok(Appended::Done));
    assert_eq!(aside(&path), b"a note\n");
    actor.assert_kept(&store);
}

#[test]
fn the_folder_of_an_agent_under_another_name_is_refused() {
    let closed = Closed::new(1);
    let folder = in_memory();
    copy(closed.folder.path(), folder.path());
    copy(&file(closed.folder.path(), "writer", ""), &file(folder.path(), "copy", ""));
    let store = open(folder.path());
    let error = wait(store.load(&id("copy"))).unwrap_err();
    assert!(error.to_string().contains("the log of agent writer"), "{error}");
    closed.actor.assert_kept(&store);
}

#[test]
fn a_log_of_a_newer_program_is_refused_and_left_alone() {
    let closed = Closed::new(1);
    let first = closed.log.split(|byte| *byte == b'\n').next().unwrap();
    let value = String::from_utf8(first.to_vec()).unwrap().replace("\"version\":1", "\"version\":2");
    let (_, value) = value.split_once("\"log\":").unwrap();
    let value = value.strip_suffix('}').unwrap();
    let sum = crc32c::crc32c(value.as_bytes());
    let line = format!("{{\"n\":{},\"c\":\"{sum:08x}\",\"log\":{value}}}", value.len());
    let log = [line.as_bytes(), &closed.log[first.len()..]].concat();
    let (folder, path) = closed.with(&log);
    closed.forget_entry(folder.path());
    let store = open(folder.path());
    assert_eq!(wait(store.load(&id("writer"))), Err(StoreError::Newer { found: 2, known: 1 }));
    assert_eq!(fs::read(path).unwrap(), log);
}

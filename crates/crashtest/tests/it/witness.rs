//! What is written down beside the product: what was acknowledged, what tools did, what the model was asked.
//!
//! Each life has a file of its own to which lines are added by one write each. The kernel has what was written, whatever
//! happens to the process. A line without its end was not written: what it was to say had not happened.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Line {
    /// The store has said that these events are durable, as its n-th write in this life.
    Wrote { write: u32, events: Vec<Value> },
    /// The store refused these events, and has shown them to a reader after all.
    Found { events: Vec<Value> },
    /// Whoever sent a message was told that it is accepted.
    Accepted { message: String, seq: u64 },
    /// Whoever decided on a call was told that it is written down.
    Decided { call: String, allowed: bool },
    /// A tool took effect.
    Ran { tool: String, call: String, key: String, attempt: u32, epoch: u64 },
    /// A tool was asked whether it had done a call, and had or had not.
    Reconciled { call: String, key: String, was_done: bool },
    /// The model was asked.
    Model { body: Value },
    /// A client was told something.
    Told { seq: u64, kind: String, said: String },
    /// The log as it was read: its last number, and a hash of all of it.
    Log { seq: u64, hash: String },
    /// Somebody else had written before, and so nothing was.
    Moved,
    /// The store refused.
    Refused { why: String },
    /// The client has nothing more to say and everything is done.
    End,
}

/// A file that grows.
#[derive(Debug)]
pub(crate) struct Witness {
    folder: PathBuf,
    file: Mutex<File>,
}

fn path(folder: &Path, life: u32) -> PathBuf {
    folder.join(format!("witness-{life:05}.jsonl"))
}

impl Witness {
    pub(crate) fn open(folder: &Path, life: u32) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path(folder, life)).unwrap();
        Self { folder: folder.to_owned(), file: Mutex::new(file) }
    }

    pub(crate) fn tell(&self, line: &Line) {
        let mut text = serde_json::to_vec(line).unwrap();
        text.push(b'\n');
        self.file.lock().unwrap().write_all(&text).unwrap();
    }

    /// What all lives have told so far.
    pub(crate) fn so_far(&self) -> Vec<Line> {
        read(&self.folder).into_iter().flatten().collect()
    }
}

/// What each life has told, the first one first.
pub(crate) fn read(folder: &Path) -> Vec<Vec<Line>> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        names.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl")).collect();
    files.sort();
    files.iter().map(|file| lines(&fs::read(file).unwrap())).collect()
}

/// What one life has told.
pub(crate) fn of_life(folder: &Path, life: u32) -> Vec<Line> {
    lines(&fs::read(path(folder, life)).unwrap_or_default())
}

fn lines(bytes: &[u8]) -> Vec<Line> {
    let whole = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    whole.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

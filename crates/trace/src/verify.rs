//! Whether a trace is what was written: any changed, removed, inserted or moved line shows, and so does a cut tail.
//!
//! A chain proves itself from its first line to its last; that it once was longer only its head tells, which is kept
//! elsewhere. A whole chain written anew by somebody who can write the store too is beyond this.

mod chunk;
mod scan;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use seawall_types::RunId;
use serde::Serialize;

use self::scan::{Scan, Start};
use crate::layout::{self, SegmentFile};
use crate::line::Envelope;
use crate::read::{Ending, Source};
use crate::{Head, RunRow, chain};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Everything is as it was written, as far as can be known.
    pub ok: bool,
    /// How many lines were found good, up to the first bad one.
    pub checked: u64,
    /// How the end of the chain compares to the head in the store.
    pub head: HeadState,
    /// The first thing that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_bad: Option<Bad>,
}

/// How the end of a chain compares to the head that the store has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadState {
    /// The chain ends with it.
    Matches,
    /// The chain has it and goes on: the run is being written, or its process died before the store heard of the rest.
    Behind,
    /// There is none to compare with: a cut tail could not be seen.
    Unknown,
    /// The chain does not have it.
    Missing,
}

/// The first thing that is wrong with a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bad {
    /// The run; `None` when the file does not even say that.
    pub run: Option<RunId>,
    /// The sequence number that was due there.
    pub seq: u64,
    /// The line, from 1, over all files of the run.
    pub line: u64,
    /// The file.
    pub file: PathBuf,
    /// What is wrong, in plain words.
    pub reason: String,
}

/// Verifies a run under the folder of all runs, against the head that the store has of it.
///
/// A run whose writer is at work may be verified too.
#[must_use]
pub fn verify_run(dir: &Path, row: &RunRow, head: Option<&Head>) -> Report {
    let current = dir.join(&row.path);
    let run_dir = current.parent().unwrap_or(dir);
    let start = head.map_or(Start::First, |head| Start::AtMost(head.first_seq));
    let mut scan = Scan::new(Some(row.run), start, head, &current);
    match open_all(run_dir) {
        Ok(files) if files.is_empty() => scan.fail("the run has no file".to_owned()),
        Ok(files) => {
            let last = files.len().saturating_sub(1);
            for (index, (segment, file)) in files.into_iter().enumerate() {
                scan.file(&segment.path, file, index == last && segment.is_current());
            }
        }
        Err(error) => scan.fail(format!("the run's files can't be opened: {error}")),
    }
    scan.finish(row.finished_at.is_some())
}

/// Verifies one file alone. Its head is unknown, so that a cut tail can't be seen.
///
/// A later file of a run is held against the one before it, when that lies beside it.
#[must_use]
pub fn verify_file(path: &Path) -> Report {
    let run = first_run(path);
    match before(path).and_then(|start| Ok((start, File::open(path)?))) {
        Ok((start, file)) => {
            let mut scan = Scan::new(run, start, None, path);
            scan.file(path, file, true);
            scan.finish(false)
        }
        Err(error) => {
            let mut scan = Scan::new(run, Start::First, None, path);
            scan.fail(format!("the file can't be read: {error}"));
            scan.finish(false)
        }
    }
}

/// The run that the first line names.
fn first_run(path: &Path) -> Option<RunId> {
    let mut line = Vec::new();
    Source::open(path).ok()?.next_line(&mut line).ok()?;
    Envelope::parse(&line).ok()?.run.parse().ok()
}

/// What a file's first line must follow: nothing, or the last line of the file before it.
fn before(path: &Path) -> io::Result<Start> {
    let number = path.file_name().and_then(|name| name.to_str()).and_then(layout::number);
    let Some((number, run_dir)) = number.zip(path.parent()) else { return Ok(Start::First) };
    let folder = if run_dir.as_os_str().is_empty() { Path::new(".") } else { run_dir };
    let earlier = layout::segments(folder)?.into_iter().rfind(|segment| segment.number < number);
    Ok(earlier.and_then(|segment| last_link(&segment.path)).unwrap_or(Start::First))
}

fn last_link(path: &Path) -> Option<Start> {
    let (mut source, mut line, mut last) = (Source::open(path).ok()?, Vec::new(), Vec::new());
    while source.next_line(&mut line).ok()? == Ending::LineFeed {
        std::mem::swap(&mut line, &mut last);
    }
    let envelope = Envelope::parse(&last).ok()?;
    Some(Start::After { seq: envelope.seq, hash: envelope.hash })
}

/// Opens all files of a run so that they belong together, even while the writer begins a new one.
fn open_all(run_dir: &Path) -> io::Result<Vec<(SegmentFile, File)>> {
    let mut listed = layout::segments(run_dir)?;
    loop {
        let opened: io::Result<Vec<_>> =
            listed.iter().map(|segment| Ok((segment.clone(), File::open(&segment.path)?))).collect();
        let now = layout::segments(run_dir)?;
        if now == listed {
            return opened;
        }
        listed = now;
    }
}

/// The link that a chain's next line must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Link {
    seq: u64,
    hash: chain::Hex,
}

impl Link {
    fn of(envelope: &Envelope<'_>) -> Self {
        Self { seq: envelope.seq, hash: envelope.hash }
    }

    /// Whether a line with this number and `prev` follows; if not, why, in plain words.
    fn leads_to(&self, seq: u64, prev: &chain::Hex) -> Result<(), String> {
        let due = self.seq.saturating_add(1);
        if seq > due {
            return Err(format!(
                "{} lines are missing before it: number {due} was due and this is {seq}",
                seq - due
            ));
        }
        if seq < due {
            return Err(format!(
                "it was inserted, repeated or moved: number {due} was due and this is {seq}"
            ));
        }
        if *prev != self.hash {
            return Err("it does not follow the line before it: its prev is not that line's hash".to_owned());
        }
        Ok(())
    }
}

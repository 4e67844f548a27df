//! Removing old traces, oldest first, and compressing what is no longer written.
//!
//! Whole runs go, or whole files of a run; never the file that is written now. Before a part of a run goes, the store
//! learns where the chain will begin, so that verification can tell retention from theft.

mod compress;

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use seawall_types::{RunId, Timestamp};
use serde::Serialize;

use crate::layout::{self, DirLock, SegmentFile};
use crate::line::Envelope;
use crate::read::{self, Ending, RunOnDisk, Source};
use crate::{Error, Heads};

/// What is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// Files that were last written longer ago than this go.
    pub older_than: Option<Duration>,
    /// The oldest files go until all together have at most so many bytes.
    pub max_bytes: Option<u64>,
    /// Files that are no longer written are compressed.
    pub compress: bool,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// What was done, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct GcReport {
    /// Runs that went with all their files.
    pub removed_runs: u64,
    /// Files that went, those of the removed runs included.
    pub removed_segments: u64,
    /// Files that were compressed.
    pub compressed: u64,
    /// Bytes that this freed; what compression would free is not known in a dry run.
    pub freed_bytes: u64,
}

/// One file that retention looks at.
#[derive(Debug)]
struct Candidate {
    segment: SegmentFile,
    bytes: u64,
    written_at: Timestamp,
    /// It goes.
    doomed: bool,
}

/// One run that retention looks at.
#[derive(Debug)]
struct Kept {
    found: RunOnDisk,
    segments: Vec<Candidate>,
    /// Nobody writes it any more, and nobody will: identifiers are not used twice.
    closed: bool,
}

/// Removes and compresses what the policy says.
///
/// # Errors
/// When the folders, the files or the store can't be read or changed. What was done until then stays done.
pub fn gc(dir: &Path, heads: &dyn Heads, policy: &Policy, now: Timestamp) -> Result<GcReport, Error> {
    let mut report = GcReport::default();
    let mut runs = look(dir, heads)?;
    doom(&mut runs, policy, now);
    for run in &mut runs {
        spare_what_must_stay(run, heads)?;
        remove(run, heads, policy.dry_run, &mut report)?;
        if policy.compress {
            compress_rest(run, policy.dry_run, &mut report)?;
        }
    }
    Ok(report)
}

/// Everything that is on the disk, with what may not be touched.
fn look(dir: &Path, heads: &dyn Heads) -> Result<Vec<Kept>, Error> {
    let unfinished: HashSet<RunId> = heads.unfinished()?.into_iter().map(|row| row.run).collect();
    let mut runs = Vec::new();
    for found in read::runs_on_disk(dir)? {
        let segments = candidates(&found.dir).map_err(Error::io("read the folder", &found.dir))?;
        if segments.is_empty() {
            // A writer may be about to lock it; there is nothing to collect either way.
            continue;
        }
        // A run whose process died is as good as living until it has been recovered.
        let closed = !unfinished.contains(&found.run) && !is_written(&found.dir)?;
        runs.push(Kept { found, segments, closed });
    }
    Ok(runs)
}

/// Whether a living process holds the folder.
fn is_written(run_dir: &Path) -> Result<bool, Error> {
    Ok(DirLock::take(run_dir).map_err(Error::io("lock the folder", run_dir))?.is_none())
}

fn candidates(run_dir: &Path) -> io::Result<Vec<Candidate>> {
    let mut candidates = Vec::new();
    for segment in layout::segments(run_dir)? {
        let metadata = fs::metadata(&segment.path)?;
        let age = metadata.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let written_at = Timestamp::default().saturating_add(age);
        candidates.push(Candidate { segment, bytes: metadata.len(), written_at, doomed: false });
    }
    Ok(candidates)
}

/// Marks what the policy wants gone: what is too old, then the oldest until the rest is small enough.
fn doom(runs: &mut [Kept], policy: &Policy, now: Timestamp) {
    let mut bytes: u64 = runs.iter().flat_map(|run| &run.segments).map(|file| file.bytes).sum();
    let mut files: Vec<&mut Candidate> = runs
        .iter_mut()
        .flat_map(|run| {
            let closed = run.closed;
            run.segments.iter_mut().filter(move |file| closed || !file.segment.is_current())
        })
        .collect();
    // Stable, so that files of one run that were written at the same time keep their order.
    files.sort_by_key(|file| file.written_at);
    for file in files {
        let old = policy.older_than.is_some_and(|age| now.since(file.written_at) > age);
        file.doomed = old || policy.max_bytes.is_some_and(|max| bytes > max);
        if file.doomed {
            bytes = bytes.saturating_sub(file.bytes);
        }
    }
}

/// A run loses its oldest files only, without a gap; and a part of itself only where the store can remember that.
fn spare_what_must_stay(run: &mut Kept, heads: &dyn Heads) -> Result<(), Error> {
    let whole = run.closed && run.segments.iter().all(|file| file.doomed);
    let partly = !whole && run.segments.iter().any(|file| file.doomed);
    let spare_all = partly && heads.head(run.found.run)?.is_none();
    let mut gap = spare_all;
    for file in &mut run.segments {
        gap |= !file.doomed;
        file.doomed &= !gap;
    }
    Ok(())
}

fn remove(run: &mut Kept, heads: &dyn Heads, dry_run: bool, report: &mut GcReport) -> Result<(), Error> {
    let doomed = run.segments.iter().filter(|file| file.doomed);
    let (count, bytes) = doomed.clone().fold((0, 0), |(count, bytes), file| (count + 1, bytes + file.bytes));
    let whole = count > 0 && run.segments.iter().all(|file| file.doomed);
    report.removed_runs += u64::from(whole);
    report.removed_segments += count;
    report.freed_bytes += bytes;
    if dry_run || count == 0 {
        return Ok(());
    }
    let run_dir = &run.found.dir;
    if whole {
        // The row goes first: a crash in between leaves files that nobody misses, not a row whose files are missing.
        heads.forget(run.found.run)?;
        fs::remove_dir_all(run_dir).map_err(Error::io("remove", run_dir))?;
        // The folder of the day goes with its last run; that it is not empty yet is no error.
        let _ = run_dir.parent().map(fs::remove_dir);
    } else {
        remember_beginning(run, heads)?;
        for file in doomed {
            fs::remove_file(&file.segment.path).map_err(Error::io("remove", &file.segment.path))?;
        }
        layout::sync_dir(run_dir).map_err(Error::io("force to the disk", run_dir))?;
    }
    run.segments.retain(|file| !file.doomed);
    Ok(())
}

/// Tells the store where the chain will begin, before anything goes: the other way round, a crash would look like theft.
fn remember_beginning(run: &Kept, heads: &dyn Heads) -> Result<(), Error> {
    let first = run
        .segments
        .iter()
        .find(|file| !file.doomed)
        .map(|file| first_seq(&file.segment.path))
        .transpose()?;
    if let Some((first_seq, head)) = first.flatten().zip(heads.head(run.found.run)?) {
        heads.heads(&[crate::Head { first_seq, ..head }])?;
    }
    Ok(())
}

/// The number of a file's first line; `None` when it has none yet.
fn first_seq(path: &Path) -> Result<Option<u64>, Error> {
    let mut line = Vec::new();
    if Source::open(path)?.next_line(&mut line)? == Ending::None {
        return Ok(None);
    }
    let malformed =
        |reason: &str| Error::Malformed { path: path.to_owned(), line: 1, reason: reason.to_owned() };
    Envelope::parse(&line).map(|envelope| Some(envelope.seq)).map_err(malformed)
}

fn compress_rest(run: &Kept, dry_run: bool, report: &mut GcReport) -> Result<(), Error> {
    let written = |file: &&Candidate| file.segment.is_current() && !run.closed;
    let plain = run.segments.iter().filter(|file| !file.doomed && !file.segment.is_compressed());
    for file in plain.filter(|file| !written(file)) {
        report.compressed += 1;
        if !dry_run {
            let path: &PathBuf = &file.segment.path;
            let after = compress::compress(path).map_err(Error::io("compress", path))?;
            report.freed_bytes += file.bytes.saturating_sub(after);
        }
    }
    Ok(())
}

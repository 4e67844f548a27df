//! Reading traces back: lines of files, compressed or not, and the runs that are on a disk.
//!
//! Reading believes what it reads; whether it is what was written is [`crate::verify`]'s business.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use seawall_types::{ActionId, Actor, EventKind, RunId, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::layout::{self, SegmentFile};
use crate::line::MAX_LINE;
use crate::{Error, RunRow};

/// One line of a trace.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its place in the file or run, from 1.
    pub number: u64,
    /// Its bytes, without the line feed.
    pub raw: Vec<u8>,
    /// What it says.
    pub parsed: Parsed,
}

/// The fields of a line, without its links.
#[derive(Debug, Clone, Deserialize)]
pub struct Parsed {
    /// Its place in the run, from 0.
    pub seq: u64,
    /// When it happened.
    pub ts: Timestamp,
    /// In which run.
    pub run: RunId,
    /// What kind of fact it is.
    pub kind: EventKind,
    /// Which action it is about.
    pub action: Option<ActionId>,
    /// The action that caused that one.
    pub parent: Option<ActionId>,
    /// On whose behalf.
    pub actor: Actor,
    /// What is said about it: one JSON object.
    pub data: Box<RawValue>,
}

/// A run that is on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOnDisk {
    /// The run.
    pub run: RunId,
    /// Its folder.
    pub dir: PathBuf,
}

/// The lines of a file.
///
/// # Errors
/// When it can't be opened.
pub fn lines(path: &Path) -> Result<Lines, Error> {
    Ok(Lines { current: Some(Source::open(path)?), later: Vec::new().into_iter(), number: 0 })
}

/// The lines of a run, over all its files.
///
/// # Errors
/// When its folder can't be read or its first file can't be opened.
pub fn run_lines(run_dir: &Path) -> Result<Lines, Error> {
    let mut later = segments(run_dir)?.into_iter();
    let current = later.next().map(|path| Source::open(&path)).transpose()?;
    Ok(Lines { current, later, number: 0 })
}

/// The same without the file that has this inode: for who reads that one by itself, under whatever name it is.
///
/// # Errors
/// When its folder can't be read or its first file can't be opened.
pub fn run_lines_before(run_dir: &Path, inode: Option<u64>) -> Result<Lines, Error> {
    let mut files = segments(run_dir)?;
    files.retain(|path| inode.is_none() || std::fs::metadata(path).ok().map(|data| data.ino()) != inode);
    let mut later = files.into_iter();
    let current = later.next().map(|path| Source::open(&path)).transpose()?;
    Ok(Lines { current, later, number: 0 })
}

/// The files of a run, in the order of their lines.
///
/// # Errors
/// When the folder can't be read.
pub fn segments(run_dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let segments = layout::segments(run_dir).map_err(Error::io("read the folder", run_dir))?;
    Ok(segments.into_iter().map(|segment| segment.path).collect())
}

/// The run whose identifier is, or alone begins with, `run_or_prefix`.
///
/// # Errors
/// When there is none or more than one, or the folders can't be read.
pub fn find(dir: &Path, run_or_prefix: &str) -> Result<RunOnDisk, Error> {
    let wanted = run_or_prefix.to_ascii_lowercase();
    let mut fitting: Vec<_> =
        runs_on_disk(dir)?.into_iter().filter(|found| found.run.to_string().starts_with(&wanted)).collect();
    match (fitting.pop(), fitting.len()) {
        (Some(found), 0) => Ok(found),
        (Some(_), others) => Err(Error::Ambiguous { prefix: run_or_prefix.to_owned(), count: others + 1 }),
        (None, _) => Err(Error::NoSuchRun(run_or_prefix.to_owned())),
    }
}

/// The runs under the folder of all runs, oldest first. What is neither a date nor a run is passed over.
///
/// # Errors
/// When the folders can't be read. A folder of all runs that is not there yet has none.
pub fn runs_on_disk(dir: &Path) -> Result<Vec<RunOnDisk>, Error> {
    let mut runs = Vec::new();
    for date in subfolders(dir)? {
        for run_dir in subfolders(&date)? {
            let name = run_dir.file_name().and_then(|name| name.to_str());
            if let Some(run) = name.and_then(|name| name.parse().ok()) {
                runs.push(RunOnDisk { run, dir: run_dir });
            }
        }
    }
    runs.sort_by(|one, other| one.dir.cmp(&other.dir));
    Ok(runs)
}

fn subfolders(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = |dir: &Path| -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                found.push(entry.path());
            }
        }
        Ok(found)
    };
    match read(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        result => result.map_err(Error::io("read the folder", dir)),
    }
}

/// What a run's own files say of it, for runs that no store knows: the row that [`crate::Heads`] would have.
///
/// # Errors
/// When the first line can't be read. The end of the run is not looked for: `finished_at` is `None`.
pub fn row_on_disk(dir: &Path, found: &RunOnDisk) -> Result<RunRow, Error> {
    #[derive(Deserialize)]
    struct Started {
        kind: String,
    }
    let first = run_lines(&found.dir)?.next().ok_or_else(|| Error::NoSuchRun(found.run.to_string()))??;
    let started = Some(&first.parsed).filter(|first| first.kind == EventKind::RunStarted);
    let kind = started.and_then(|first| serde_json::from_str::<Started>(first.data.get()).ok());
    let path = found.dir.strip_prefix(dir).unwrap_or(&found.dir).join(layout::CURRENT);
    Ok(RunRow {
        run: found.run,
        kind: kind.map_or_else(|| "unknown".to_owned(), |started| started.kind),
        started_at: first.parsed.ts,
        finished_at: None,
        path,
    })
}

/// Iterates over lines. After a malformed line it goes on with the next; after an error of the disk it ends.
#[derive(Debug)]
pub struct Lines {
    current: Option<Source>,
    later: std::vec::IntoIter<PathBuf>,
    number: u64,
}

impl Iterator for Lines {
    type Item = Result<Line, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let source = self.current.as_mut()?;
            let mut raw = Vec::new();
            match source.next_line(&mut raw) {
                Ok(Ending::None) => match self.later.next().map(|path| Source::open(&path)).transpose() {
                    Ok(next) => self.current = next,
                    Err(error) => return self.end_with(error),
                },
                Ok(ending) => {
                    self.number += 1;
                    return Some(parse(&source.path, self.number, raw, ending));
                }
                Err(error) => return self.end_with(error),
            }
        }
    }
}

impl Lines {
    fn end_with(&mut self, error: Error) -> Option<Result<Line, Error>> {
        self.current = None;
        Some(Err(error))
    }
}

fn parse(path: &Path, number: u64, raw: Vec<u8>, ending: Ending) -> Result<Line, Error> {
    let malformed = |reason: String| Error::Malformed { path: path.to_owned(), line: number, reason };
    match ending {
        Ending::LineFeed => serde_json::from_slice(&raw)
            .map(|parsed| Line { number, raw, parsed })
            .map_err(|error| malformed(error.to_string())),
        Ending::TooLong => Err(malformed("it is too long for a line of a trace".to_owned())),
        Ending::Torn | Ending::None => {
            Err(malformed("it is torn: it does not end with a line feed".to_owned()))
        }
    }
}

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    LineFeed,
    /// The file ended in the middle of it.
    Torn,
    /// It was passed over: longer than any line of a trace.
    TooLong,
    /// There was none: the file has ended.
    None,
}

/// One file, read line by line.
pub(crate) struct Source {
    path: PathBuf,
    reader: Box<dyn BufRead + Send>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Source {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let reader = open(path).map_err(Error::io("open", path))?;
        Ok(Self { path: path.to_owned(), reader: Box::new(BufReader::with_capacity(64 << 10, reader)) })
    }

    /// Reads the next line into `line`, which is cleared first, without its line feed.
    pub(crate) fn next_line(&mut self, line: &mut Vec<u8>) -> Result<Ending, Error> {
        line.clear();
        self.read(line).map_err(Error::io("read", &self.path))
    }

    fn read(&mut self, line: &mut Vec<u8>) -> io::Result<Ending> {
        let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
        if self.reader.by_ref().take(limit).read_until(b'\n', line)? == 0 {
            return Ok(Ending::None);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
            return Ok(Ending::LineFeed);
        }
        if line.len() < MAX_LINE {
            return Ok(Ending::Torn);
        }
        line.clear();
        self.reader.skip_until(b'\n')?;
        Ok(Ending::TooLong)
    }
}

/// Opens a file for reading, through the decompressor where its name says so.
pub(crate) fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    let file = File::open(path)?;
    let compressed = SegmentFile { number: 0, path: path.to_owned() }.is_compressed();
    if compressed { Ok(Box::new(zstd::Decoder::new(file)?)) } else { Ok(Box::new(file)) }
}

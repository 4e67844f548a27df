//! Files of rows that follow from an agent's log: they save reading it, and are made anew from it where they are missing.
//!
//! Rows are appended after the log is on the disk, and without waiting for the disk: each line has a checksum, and up to
//! where a file counts is known from elsewhere ([`Lengths`]).

use std::fs::File;
use std::ops::ControlFlow;
use std::path::PathBuf;

use seawall_store::StoreError;
use seawall_store::agents::Append;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::folder::{self, Folder, failed};
use crate::frame;
use crate::log::{Broken, Lines};
use crate::search::{Key, floor};

/// A kind of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// Messages of the history, in order of their places.
    Messages,
    /// Calls of tools; a later row takes the place of an earlier one with its name.
    Calls,
    /// Names of messages that were accepted.
    Accepted,
    /// Named points.
    Snapshots,
}

/// How far the files of an agent count, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lengths {
    pub(crate) log: u64,
    pub(crate) messages: u64,
    pub(crate) calls: u64,
    pub(crate) accepted: u64,
    pub(crate) snapshots: u64,
}

/// New lines for each kind of rows.
#[derive(Debug, Default)]
pub(crate) struct NewRows([Vec<u8>; 4]);

impl Rows {
    pub(crate) const ALL: [Self; 4] = [Self::Messages, Self::Calls, Self::Accepted, Self::Snapshots];

    pub(crate) fn file(self, folder: &Folder) -> PathBuf {
        folder.file(match self {
            Self::Messages => "messages.jsonl",
            Self::Calls => "calls.jsonl",
            Self::Accepted => "accepted.jsonl",
            Self::Snapshots => "snapshots.jsonl",
        })
    }
}

impl Lengths {
    pub(crate) fn of(&self, rows: Rows) -> u64 {
        match rows {
            Rows::Messages => self.messages,
            Rows::Calls => self.calls,
            Rows::Accepted => self.accepted,
            Rows::Snapshots => self.snapshots,
        }
    }

    /// All of them together.
    pub(crate) fn sum(&self) -> u64 {
        Rows::ALL.iter().fold(self.log, |sum, rows| sum.saturating_add(self.of(*rows)))
    }

    fn grow(&mut self, rows: Rows, by: usize) {
        let length = match rows {
            Rows::Messages => &mut self.messages,
            Rows::Calls => &mut self.calls,
            Rows::Accepted => &mut self.accepted,
            Rows::Snapshots => &mut self.snapshots,
        };
        *length = length.saturating_add(u64::try_from(by).unwrap_or(u64::MAX));
    }
}

impl NewRows {
    /// What follows from an append.
    pub(crate) fn of(append: &Append) -> Result<Self, StoreError> {
        let mut new = Self::default();
        new.add(append)?;
        Ok(new)
    }

    /// What follows from another one too.
    pub(crate) fn add(&mut self, append: &Append) -> Result<(), StoreError> {
        let Self([messages, calls, accepted, snapshots]) = self;
        push_all(messages, &append.messages)?;
        push_all(calls, &append.calls)?;
        push_all(accepted, &append.accepted)?;
        push_all(snapshots, &append.snapshots)
    }

    /// Bytes that are to be written.
    pub(crate) fn size(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    /// The lengths of the files once the rows are written.
    pub(crate) fn after(&self, mut lengths: Lengths) -> Lengths {
        Rows::ALL.iter().zip(&self.0).for_each(|(rows, bytes)| lengths.grow(*rows, bytes.len()));
        lengths
    }

    /// Writes them where the files end that count so far.
    pub(crate) fn write(&self, folder: &Folder, lengths: &Lengths) -> Result<(), StoreError> {
        for (rows, bytes) in Rows::ALL.iter().zip(&self.0).filter(|(_, bytes)| !bytes.is_empty()) {
            let (path, known) = (rows.file(folder), lengths.of(*rows));
            let file = folder::open(&path).map_err(failed(&path))?;
            let length = file.metadata().map_err(failed(&path))?.len();
            if length < known {
                let reason = format!("{} is shorter than it was", path.display());
                return Err(StoreError::Corrupt { reason });
            }
            if length > known {
                // What was written and did not come to count.
                file.set_len(known).map_err(failed(&path))?;
            }
            folder::append(&file, known, bytes).map_err(failed(&path))?;
        }
        Ok(())
    }
}

fn push_all<T: Serialize>(out: &mut Vec<u8>, rows: &[T]) -> Result<(), StoreError> {
    rows.iter()
        .try_for_each(|row| frame::push_value(out, "row", row))
        .map_err(|error| StoreError::Corrupt { reason: format!("a row can't be written as JSON: {error}") })
}

/// Cuts the files to these lengths. Fails where one is shorter, or was changed so that no line ends there.
pub(crate) fn cut(folder: &Folder, lengths: &Lengths) -> Result<(), Fault> {
    for rows in Rows::ALL {
        let (path, known) = (rows.file(folder), lengths.of(rows));
        if known == 0 {
            remove(&path).map_err(failed(&path))?;
            continue;
        }
        let file = folder::open(&path).map_err(failed(&path))?;
        let last = folder::read(&file, known.saturating_sub(1), known);
        if last.map_err(|error| Fault::of_derived(&path, error))? != b"\n" {
            return Err(Fault::Derived(format!("{}: no row ends at byte {known}", path.display())));
        }
        file.set_len(known).map_err(failed(&path))?;
    }
    Ok(())
}

pub(crate) fn remove(path: &std::path::Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Gives each row from one place of a file to another, with where it begins, until it is told to stop.
pub(crate) fn read<T: DeserializeOwned>(
    folder: &Folder,
    rows: Rows,
    from: u64,
    to: u64,
    mut each: impl FnMut(u64, T) -> ControlFlow<()>,
) -> Result<(), Fault> {
    if from >= to {
        return Ok(());
    }
    let path = rows.file(folder);
    let file = File::open(&path).map_err(|error| Fault::of_derived(&path, error))?;
    let mut lines = Lines::new(&file, from, to, u64::MAX);
    let mut end = from;
    while let Some((at, line)) = lines.next().map_err(|error| Fault::of_derived(&path, error))? {
        end = at.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        let row = row(line).map_err(|why| Fault::Derived(format!("{}, byte {at}: {why}", path.display())))?;
        if each(at, row).is_break() {
            return Ok(());
        }
    }
    if end < to {
        return Err(Fault::Derived(format!("{} ends at byte {end} of {to}", path.display())));
    }
    Ok(())
}

fn row<T: DeserializeOwned>(line: &[u8]) -> Result<T, String> {
    if line.last() != Some(&b'\n') {
        return Err(frame::Flaw::Unfinished.to_string());
    }
    let line = frame::read(line).map_err(|flaw| flaw.to_string())?;
    serde_json::from_slice(line.value).map_err(|error| error.to_string())
}

/// Where the last message begins of which the place is at most `place`.
pub(crate) fn message_at(folder: &Folder, length: u64, place: u64) -> Result<u64, Fault> {
    if length == 0 {
        return Ok(0);
    }
    let path = Rows::Messages.file(folder);
    let file = File::open(&path).map_err(|error| Fault::of_derived(&path, error))?;
    floor(&file, length, u64::MAX, place, place_of).map_err(|broken| match broken {
        Broken::Line { at, why, .. } => Fault::Derived(format!("{}, byte {at}: {why}", path.display())),
        Broken::Io(error) => Fault::of_derived(&path, error),
    })
}

/// The place of the last message; 0 where there is none.
pub(crate) fn last_place(folder: &Folder, length: u64) -> Result<u64, Fault> {
    let mut last = 0;
    let from = message_at(folder, length, u64::MAX)?;
    read(folder, Rows::Messages, from, length, |_, row: Placed| {
        last = row.place;
        ControlFlow::Continue(())
    })?;
    Ok(last)
}

/// What a message is found by.
#[derive(Deserialize)]
struct Placed {
    place: u64,
}

fn place_of(line: &[u8], _at: u64) -> Result<Key, String> {
    row::<Placed>(line).map(|placed| placed.place)
}

//! The file layer below the writer: the few things that it does with a file, and how they are done on a disk.
//!
//! It is a trait so that tests can put a disk in its place that is full, slow or broken.

use std::fmt::Debug;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::layout::{self, CURRENT, DirLock};

/// Under this name the next file is made before it takes the current one's place.
const NEXT: &str = "trace.next.jsonl";

/// Makes files.
pub(super) trait Files: Send {
    /// Makes a run's folder and its first file. `AlreadyExists` when the run has one, or somebody else writes it.
    fn create(&mut self, dir: &Path, run_dir: &Path) -> io::Result<Box<dyn Sink>>;
}

/// The file of a run that is written now.
pub(super) trait Sink: Debug + Send {
    /// Appends as much as it takes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Cuts the file to this length.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
    /// Forces what was written to the disk, and that there is such a file.
    fn sync(&mut self) -> io::Result<()>;
    /// Reads what was written back, from `start`.
    fn read_back(&self, start: u64, len: usize) -> io::Result<Vec<u8>>;
    /// Closes the file under the name of that segment, and goes on with an empty one.
    fn roll(&mut self, segment: u32) -> io::Result<()>;
}

/// Files on a disk.
#[derive(Debug)]
pub(super) struct Disk {
    /// Whether names must survive a power cut too.
    pub(super) durable: bool,
}

#[derive(Debug)]
struct DiskSink {
    run_dir: PathBuf,
    lock: DirLock,
    file: File,
    durable: bool,
    /// Folders in which there is something new that a power cut could still undo.
    unsynced: Vec<PathBuf>,
}

impl Files for Disk {
    fn create(&mut self, dir: &Path, run_dir: &Path) -> io::Result<Box<dyn Sink>> {
        let date_dir = run_dir.parent().unwrap_or(dir);
        let new_date = !date_dir.exists();
        layout::create_dir(run_dir)?;
        let lock = DirLock::take(run_dir)?.ok_or_else(|| taken("another process writes this run"))?;
        if !layout::segments(run_dir)?.is_empty() {
            return Err(taken("the run has a trace already"));
        }
        let file = layout::create_file(&run_dir.join(CURRENT))?;
        let durable = self.durable;
        let mut unsynced = Vec::new();
        if durable {
            unsynced.extend([run_dir.to_owned(), date_dir.to_owned()]);
            // Once a day, and at once: other runs of the day depend on it as well.
            if new_date {
                layout::sync_dir(dir)?;
            }
        }
        Ok(Box::new(DiskSink { run_dir: run_dir.to_owned(), lock, file, durable, unsynced }))
    }
}

fn taken(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, reason)
}

impl Sink for DiskSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    /// Names as well, the first time: of runs that begin together the disk has them all after the first of these.
    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        while let Some(folder) = self.unsynced.last() {
            layout::sync_dir(folder)?;
            self.unsynced.pop();
        }
        Ok(())
    }

    fn read_back(&self, start: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes)
    }

    fn roll(&mut self, segment: u32) -> io::Result<()> {
        let (current, next) = (self.run_dir.join(CURRENT), self.run_dir.join(NEXT));
        let archived = self.run_dir.join(layout::archived(segment));
        if next.exists() {
            // Left by a roll that failed half-way; it is empty.
            fs::remove_file(&next)?;
        }
        // The new file is made first: on a full disk the old one simply goes on.
        let file = layout::create_file(&next)?;
        fs::rename(&current, &archived)?;
        if let Err(error) = fs::rename(&next, &current) {
            fs::rename(&archived, &current)?;
            return Err(error);
        }
        self.file = file;
        if self.durable
            && let Err(error) = self.lock.sync()
        {
            // The files are in place; only a power cut right now could still undo the renaming.
            tracing::warn!(%error, run_dir = %self.run_dir.display(), "can't force the folder of a run to the disk");
        }
        Ok(())
    }
}

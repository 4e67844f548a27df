//! Where the files of a trace are, and the few things that are done with folders.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use seawall_types::{RunId, Timestamp};

/// The file that is written now.
pub(crate) const CURRENT: &str = "trace.jsonl";
/// How compressed files end.
pub(crate) const COMPRESSED: &str = ".zst";

/// One file of a run's trace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SegmentFile {
    /// Its place among the run's files; the current one comes last.
    pub(crate) number: u32,
    pub(crate) path: PathBuf,
}

impl SegmentFile {
    pub(crate) fn is_current(&self) -> bool {
        self.number == u32::MAX
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.path.as_os_str().as_encoded_bytes().ends_with(COMPRESSED.as_bytes())
    }
}

/// The file of the segment with this number, from 1, once it is full.
pub(crate) fn archived(number: u32) -> String {
    format!("trace.{number:06}.jsonl")
}

/// A run's `trace.jsonl`, relative to the folder of all runs.
pub(crate) fn relative(run: RunId, started_at: Timestamp) -> PathBuf {
    let time = started_at.to_string();
    let date = time.get(..10).unwrap_or("0000-00-00");
    PathBuf::from(date).join(run.to_string()).join(CURRENT)
}

/// The number that a file of this name has: `u32::MAX` for the current one, `None` when it is no segment.
pub(crate) fn number(name: &str) -> Option<u32> {
    let name = name.strip_suffix(COMPRESSED).unwrap_or(name);
    if name == CURRENT {
        return Some(u32::MAX);
    }
    let digits = name.strip_prefix("trace.")?.strip_suffix(".jsonl")?;
    digits.parse().ok().filter(|number| archived(*number) == name)
}

/// The files of a run's trace, in the order of their lines.
///
/// While a file is being compressed it is there twice; the uncompressed one counts.
pub(crate) fn segments(run_dir: &Path) -> io::Result<Vec<SegmentFile>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(run_dir)? {
        let entry = entry?;
        if let Some(number) = entry.file_name().to_str().and_then(number) {
            segments.push(SegmentFile { number, path: entry.path() });
        }
    }
    segments.sort();
    segments.dedup_by_key(|segment| segment.number);
    Ok(segments)
}

/// Makes a folder and those above it, for the owner only.
pub(crate) fn create_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes a file that must not be there yet, for the owner only.
pub(crate) fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create_new(true).mode(0o600).open(path)
}

/// Makes what was created, renamed or removed in a folder survive a power cut.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The exclusive right to write in a run's folder, held until it is dropped or the process dies.
#[derive(Debug)]
pub(crate) struct DirLock {
    folder: File,
}

impl DirLock {
    /// Takes the right; `None` when somebody else has it.
    pub(crate) fn take(run_dir: &Path) -> io::Result<Option<Self>> {
        let folder = File::open(run_dir)?;
        match folder.try_lock() {
            Ok(()) => Ok(Some(Self { folder })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Makes what was created, renamed or removed in the folder survive a power cut.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.folder.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_come_in_the_order_of_their_lines_and_once() {
        let dir = tempfile::tempdir().unwrap();
        let names = [
            "trace.jsonl",
            "trace.000010.jsonl",
            "trace.000002.jsonl.zst",
            "trace.000010.jsonl.zst",
            "torn-1.bin",
        ];
        for name in names {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let found: Vec<_> = segments(dir.path())
            .unwrap()
            .into_iter()
            .map(|segment| segment.path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(found, ["trace.000002.jsonl.zst", "trace.000010.jsonl", "trace.jsonl"]);
    }

    #[test]
    fn only_the_names_that_the_writer_gives_are_segments() {
        for name in
            ["trace.1.jsonl", "trace.000001.jsonl.zst.tmp", "trace.next.jsonl", "trace.jsonl.bak", "x"]
        {
            assert_eq!(number(name), None, "{name}");
        }
    }

    #[test]
    fn a_run_lies_under_the_date_it_began_on() {
        let run = RunId::from_parts(0, &[0; 10]);
        let at = "2026-03-04T05:06:07Z".parse().unwrap();
        assert_eq!(relative(run, at), PathBuf::from(format!("2026-03-04/{run}/trace.jsonl")));
    }

    #[test]
    fn a_folder_is_locked_once_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let lock = DirLock::take(dir.path()).unwrap();
        assert!(lock.is_some());
        assert!(DirLock::take(dir.path()).unwrap().is_none());
        drop(lock);
        assert!(DirLock::take(dir.path()).unwrap().is_some());
    }
}

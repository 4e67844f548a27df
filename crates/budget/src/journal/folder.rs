//! Segments as files in a folder: `journal.<number>`, and `journal.<number>.torn` for bytes that were no
//! records.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::mapped::{self, MappedSegment};
use super::{Medium, Segment};
use crate::Error;

/// A folder of segments, locked against other processes for as long as this lives.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Whether segments are appended to through memory.
    is_mapped: bool,
    /// The kernel lets go of the lock when this is closed, however the process ends.
    _lock: File,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let mut folder = fs::DirBuilder::new();
        folder.recursive(true).mode(0o700).create(path).map_err(Error::journal("making its folder"))?;
        let lock_path = path.join("lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock_path);
        let lock = lock.map_err(Error::journal("opening its lock"))?;
        match lock.try_lock() {
            Ok(()) => {
                let is_mapped = mapped::is_possible_beside(&lock);
                Ok(Self { path: path.to_owned(), is_mapped, _lock: lock })
            }
            Err(TryLockError::WouldBlock) => Err(Error::InUse { path: lock_path }),
            Err(TryLockError::Error(source)) => Err(Error::journal("taking its lock")(source)),
        }
    }

    fn file(&self, segment: u64) -> PathBuf {
        self.path.join(format!("journal.{segment}"))
    }

    /// New and removed names survive a power failure only when the folder itself is synced.
    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

impl Medium for Folder {
    fn segments(&self) -> io::Result<Vec<u64>> {
        let mut segments = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            let digits = name.to_str().and_then(|name| name.strip_prefix("journal."));
            let number: Option<u64> = digits.and_then(|digits| digits.parse().ok());
            segments.extend(number);
        }
        segments.sort_unstable();
        Ok(segments)
    }

    fn read(&self, segment: u64) -> io::Result<Box<dyn Read>> {
        Ok(Box::new(BufReader::with_capacity(1 << 16, File::open(self.file(segment))?)))
    }

    fn create(&self, segment: u64) -> io::Result<Arc<dyn Segment>> {
        let mut options = OpenOptions::new();
        // A mapping has to be readable, too.
        options
            .create_new(true)
            .mode(0o600)
            .read(self.is_mapped)
            .write(self.is_mapped)
            .append(!self.is_mapped);
        let file = options.open(self.file(segment))?;
        self.sync_names()?;
        if self.is_mapped {
            Ok(Arc::new(MappedSegment::new(file)))
        } else {
            Ok(Arc::new(WrittenSegment(file)))
        }
    }

    fn remove(&self, segment: u64) -> io::Result<()> {
        fs::remove_file(self.file(segment))
    }

    fn set_aside(&self, segment: u64, from: u64) -> io::Result<()> {
        let mut source = File::open(self.file(segment))?;
        source.seek(SeekFrom::Start(from))?;
        let path = self.path.join(format!("journal.{segment}.torn"));
        let mut kept = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        io::copy(&mut source, &mut kept)?;
        kept.sync_all()?;
        self.sync_names()
    }
}

/// A file that is appended to by writing.
#[derive(Debug)]
struct WrittenSegment(File);

impl Segment for WrittenSegment {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.0).write_all(bytes)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_open_once() {
        let folder = tempfile::tempdir().unwrap();
        let first = Folder::open(folder.path()).unwrap();
        assert!(matches!(Folder::open(folder.path()), Err(Error::InUse { .. })));
        drop(first);
        Folder::open(folder.path()).unwrap();
    }

    #[test]
    fn segments_are_listed_read_cut_and_set_aside() {
        for is_mapped in [false, true] {
            let temporary = tempfile::tempdir().unwrap();
            let folder = Folder { is_mapped, ..Folder::open(temporary.path()).unwrap() };
            for number in [10, 9] {
                folder.create(number).unwrap();
            }
            assert!(folder.create(9).is_err(), "a segment is never begun twice");
            let segment = folder.create(11).unwrap();
            segment.append(b"0123456789").unwrap();
            segment.truncate(8).unwrap();
            segment.append(b"ab").unwrap();
            segment.sync().unwrap();
            folder.set_aside(11, 6).unwrap();
            folder.remove(10).unwrap();
            assert_eq!(folder.segments().unwrap(), [9, 11]);
            let found = io::read_to_string(folder.read(11).unwrap()).unwrap();
            assert_eq!(found.trim_end_matches('\0'), "01234567ab");
            let aside = fs::read_to_string(temporary.path().join("journal.11.torn")).unwrap();
            assert_eq!(aside.trim_end_matches('\0'), "67ab");
            assert_eq!(found.ends_with('\0'), is_mapped, "space is allocated ahead of a mapping alone");
        }
    }
}

//! A segment that is appended to through memory, without a system call.
//!
//! A store into a shared mapping of a file lands in the kernel's page cache, as a write does, and survives the end of
//! the process as that does. It costs a twentieth of one. What a write tells by an error, that the disk is full, a
//! store would tell by killing the process; so there is never a store into what was not allocated before, and only
//! file systems are used this way on which allocated space is really kept ([`KEEPS_WHAT_IT_ALLOCATES`]). On others the
//! journal writes. What is left is a disk that fails, is taken away or is made read-only under a running process: then a
//! store ends it, as it does for the shared memory of SQLite.
//!
//! This is the one place of the product with `unsafe` code, and a test holds that.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use memmap2::{MmapMut, MmapOptions};
use rustix::fs::{FallocateFlags, FsWord, fallocate, fstatfs};
use rustix::io::{Errno, retry_on_intr};

use super::Segment;

/// How much is allocated and mapped at a time: the room of some thousand records.
const WINDOW: usize = 256 * 1024;

/// The magic numbers (statfs(2)) of file systems that write into the space that was allocated, whatever happens.
///
/// Not those that put every change somewhere else, nor those on which a copy of a file can share its space with it:
/// there a store may still need room. Not those of the network, where another machine may take the room away.
const KEEPS_WHAT_IT_ALLOCATES: [FsWord; 2] = [
    0xEF53,      // ext4; ext2 and ext3 have the same number, and are told apart by allocating nothing.
    0x0102_1994, // tmpfs
];

/// Whether segments beside this file can be written through memory.
pub(super) fn is_possible_beside(file: &File) -> bool {
    let keeps = fstatfs(file).is_ok_and(|found| KEEPS_WHAT_IT_ALLOCATES.contains(&found.f_type));
    // A full disk is a reason to fail later, and not to do without.
    keeps && !matches!(allocate(file, 0, 1), Err(Errno::OPNOTSUPP | Errno::NOSYS))
}

fn allocate(file: impl AsFd, from: u64, length: u64) -> Result<(), Errno> {
    // On tmpfs any signal interrupts it.
    retry_on_intr(|| fallocate(&file, FallocateFlags::empty(), from, length))
}

/// A file whose end is mapped.
#[derive(Debug)]
pub(super) struct MappedSegment {
    file: File,
    end: Mutex<End>,
}

/// The end of the file, which is zeros up to where it is allocated.
#[derive(Debug)]
struct End {
    /// The length of what was appended.
    length: u64,
    /// The part of the file that was mapped last; `None` before the first record, and after a failure.
    window: Option<MmapMut>,
    /// How much of the window has been appended to.
    used: usize,
}

impl MappedSegment {
    /// On an empty file that is open for reading and writing and that nobody else touches.
    pub(super) const fn new(file: File) -> Self {
        Self { file, end: Mutex::new(End { length: 0, window: None, used: 0 }) }
    }

    fn end(&self) -> MutexGuard<'_, End> {
        // Nothing panics under the lock.
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Allocates and maps a window behind what was appended, for at least this much more.
    fn map_behind(&self, length: u64, more: usize) -> io::Result<End> {
        let size = more.max(WINDOW);
        allocate(&self.file, length, u64::try_from(size).unwrap_or(u64::MAX))?;
        Ok(End { length, window: Some(map(&self.file, length, size)?), used: 0 })
    }
}

#[expect(unsafe_code, reason = "a mapping is sound only while nobody else changes the file")]
fn map(file: &File, from: u64, size: usize) -> io::Result<MmapMut> {
    let mut options = MmapOptions::new();
    options.offset(from).len(size);
    // SAFETY: the file was made by this process, for its owner alone, in a folder that is locked against other
    // processes of ours. In this process only the segment's own `End` changes it, through one window at a time,
    // under a lock; nobody has a reference into a window beyond one `push`. It is shortened only when no window is
    // there (`truncate`).
    unsafe { options.map_mut(file) }
}

impl End {
    /// Appends, when there is room in the window.
    fn push(&mut self, bytes: &[u8]) -> bool {
        let after = self.used.saturating_add(bytes.len());
        let Some(room) = self.window.as_mut().and_then(|window| window.get_mut(self.used..after)) else {
            return false;
        };
        room.copy_from_slice(bytes);
        self.used = after;
        self.length += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        true
    }
}

impl Segment for MappedSegment {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut end = self.end();
        if end.push(bytes) {
            return Ok(());
        }
        *end = self.map_behind(end.length, bytes.len())?;
        if end.push(bytes) { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut end = self.end();
        end.window = None;
        self.file.set_len(length)?;
        end.length = length;
        Ok(())
    }

    /// Syncing a file writes the pages that were changed through a mapping, too.
    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::read;

    use super::*;

    /// A segment in a file, and the file's path.
    fn segment(folder: &tempfile::TempDir) -> (MappedSegment, std::path::PathBuf) {
        let path = folder.path().join("segment");
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        (MappedSegment::new(file), path)
    }

    #[test]
    fn what_was_appended_stands_in_the_file_and_zeros_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let (segment, path) = segment(&folder);
        let mut expected = Vec::new();
        // Records of every length come to lie over the edges of windows, one does not fit into any.
        for length in (1..1_500).chain([WINDOW + 1, 7]) {
            let record = vec![u8::try_from(length % 255 + 1).unwrap(); length];
            segment.append(&record).unwrap();
            expected.extend(record);
        }
        segment.sync().unwrap();
        let found = read(path).unwrap();
        assert!(found.len() > expected.len() && found.len() <= expected.len() + WINDOW);
        let (appended, behind) = found.split_at(expected.len());
        assert!(appended == expected && behind.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn what_is_cut_off_is_zeros_when_the_segment_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let (segment, path) = segment(&folder);
        segment.append(&[1; 100]).unwrap();
        segment.truncate(10).unwrap();
        assert_eq!(read(&path).unwrap(), [1; 10]);
        segment.append(&[2; 5]).unwrap();
        let found = read(&path).unwrap();
        assert_eq!(found[..15], [[1; 5], [1; 5], [2; 5]].concat());
        assert!(found[15..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn where_there_is_no_room_appending_fails_and_nothing_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("segment");
        // What is open for reading alone can't be allocated in, like a disk without room.
        std::fs::write(&path, b"").unwrap();
        let segment = MappedSegment::new(File::open(&path).unwrap());
        assert!(segment.append(b"record").is_err());
        assert!(read(path).unwrap().is_empty());
    }
}

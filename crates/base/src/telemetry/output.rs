//! Where lines go: standard error, and a file that is rotated by size.
//!
//! A line is written with one call, to a file opened for appending, so lines of several processes never mix. They may
//! rotate one file together: whoever rotates holds a lock on it, and looks first whether another has done it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Options, TelemetryError};

/// All places of this process's lines.
#[derive(Debug)]
pub(crate) struct Output {
    stderr: bool,
    file: Option<Mutex<LogFile>>,
    lost: AtomicU64,
}

impl Output {
    pub(crate) fn open(options: &Options) -> Result<Self, TelemetryError> {
        let open = |path: &PathBuf| {
            LogFile::open(path, options.rotate_bytes, options.keep)
                .map_err(|source| TelemetryError::File { path: path.clone(), source })
        };
        let file = options.file.as_ref().map(open).transpose()?.map(Mutex::new);
        Ok(Self { stderr: options.stderr, file, lost: AtomicU64::new(0) })
    }

    /// Writes one whole line. What can't be written is counted: there is nowhere to report it to.
    pub(crate) fn write(&self, line: &[u8]) {
        let to_stderr = !self.stderr || io::stderr().lock().write_all(line).is_ok();
        let to_file = self.file.as_ref().is_none_or(|file| lock(file).append(line).is_ok());
        if !(to_stderr && to_file) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn reopen(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), |file| lock(file).reopen())
    }

    pub(crate) fn lost_lines(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// A panic while a line was written leaves at worst half a line.
fn lock(file: &Mutex<LogFile>) -> MutexGuard<'_, LogFile> {
    file.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct LogFile {
    path: PathBuf,
    file: File,
    /// How long the file is, as far as this process knows.
    length: u64,
    rotate_bytes: u64,
    keep: u32,
}

impl LogFile {
    fn open(path: &Path, rotate_bytes: Option<u64>, keep: u32) -> io::Result<Self> {
        let (file, length) = open_for_appending(path)?;
        Ok(Self { path: path.to_owned(), file, length, rotate_bytes: rotate_bytes.unwrap_or(u64::MAX), keep })
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let added = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.length > 0 && self.length.saturating_add(added) > self.rotate_bytes {
            // A line in a file that is too large is better than a line that is lost; the next one tries again.
            let _ = self.rotate();
        }
        self.file.write_all(line)?;
        self.length = self.length.saturating_add(added);
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        (self.file, self.length) = open_for_appending(&self.path)?;
        Ok(())
    }

    /// Renames the file and begins a new one.
    fn rotate(&mut self) -> io::Result<()> {
        self.file.lock()?;
        // Closing the old file ends the lock; where it stays ours, it is ended by hand.
        self.rotate_locked().or_else(|error| self.file.unlock().and(Err(error)))
    }

    fn rotate_locked(&mut self) -> io::Result<()> {
        let ours = self.file.metadata()?;
        let named = fs::metadata(&self.path).ok();
        if named.is_some_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())) {
            self.shift()?;
        }
        self.reopen()
    }

    /// `log.2` becomes `log.3` and so on, the oldest goes, and the file itself becomes `log.1`.
    fn shift(&self) -> io::Result<()> {
        if self.keep == 0 {
            return fs::remove_file(&self.path);
        }
        for number in (1..self.keep).rev() {
            match fs::rename(self.numbered(number), self.numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.path, self.numbered(1))
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(format!(".{number}"));
        name.into()
    }
}

fn open_for_appending(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(path: &Path) -> Vec<Option<String>> {
        let names = [
            path.to_owned(),
            path.with_extension("log.1"),
            path.with_extension("log.2"),
            path.with_extension("log.3"),
        ];
        names.iter().map(|name| fs::read_to_string(name).ok()).collect()
    }

    fn texts(expected: [Option<&str>; 4]) -> Vec<Option<String>> {
        expected.map(|text| text.map(str::to_owned)).to_vec()
    }

    #[test]
    fn a_full_file_is_renamed_and_only_so_many_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let mut log = LogFile::open(&path, Some(8), 2).unwrap();
        for line in ["one\n", "two\n", "three\n", "four\n", "more than eight\n", "six\n"] {
            log.append(line.as_bytes()).unwrap();
        }
        assert_eq!(contents(&path), texts([Some("six\n"), Some("more than eight\n"), Some("four\n"), None]));
    }

    #[test]
    fn a_file_that_another_process_has_rotated_is_not_rotated_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let mut first = LogFile::open(&path, Some(8), 2).unwrap();
        let mut second = LogFile::open(&path, Some(8), 2).unwrap();
        first.append(b"first 1\n").unwrap();
        second.append(b"second1\n").unwrap();
        first.append(b"first 2\n").unwrap();
        second.append(b"second2\n").unwrap();
        let expected = [Some("first 2\nsecond2\n"), Some("first 1\nsecond1\n"), None, None];
        assert_eq!(contents(&path), texts(expected));
    }

    #[test]
    fn after_reopening_lines_go_to_the_path_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let options = Options { stderr: false, file: Some(path.clone()), ..Options::default() };
        let output = Output::open(&options).unwrap();
        output.write(b"before\n");
        fs::rename(&path, path.with_extension("log.1")).unwrap();
        output.write(b"moved\n");
        output.reopen().unwrap();
        output.write(b"after\n");
        assert_eq!(contents(&path), texts([Some("after\n"), Some("before\nmoved\n"), None, None]));
        assert_eq!(output.lost_lines(), 0);
    }

    #[test]
    fn a_file_that_cannot_be_rotated_still_takes_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let mut log = LogFile::open(&path, Some(8), 1).unwrap();
        log.append(b"one\n").unwrap();
        fs::create_dir_all(path.with_extension("log.1").join("occupied")).unwrap();
        for line in ["more than eight\n", "again\n"] {
            log.append(line.as_bytes()).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\nmore than eight\nagain\n");
    }

    #[test]
    fn a_line_that_cannot_be_written_is_counted() {
        let options = Options { stderr: false, file: Some("/dev/full".into()), ..Options::default() };
        let output = Output::open(&options).unwrap();
        output.write(b"lost\n");
        assert_eq!(output.lost_lines(), 1);
        let missing = Options { file: Some("/no/such/folder/a.log".into()), ..Options::default() };
        assert!(matches!(Output::open(&missing), Err(TelemetryError::File { .. })));
    }
}

//! One process at a time on a data folder.
//!
//! The lock is the kernel's (`flock` on `<data_dir>/lock`), so it ends with the process that holds it, however that
//! ends; the number in the file is there only to say who holds it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The right to change a data folder, held until dropped.
#[derive(Debug)]
pub struct DataDirLock {
    path: PathBuf,
    /// Open as long as the lock is held: closing it is what lets go.
    _file: File,
}

/// The data folder can't be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("the data folder is in use by {}: stop that process, or name another folder with --data-dir ({})",
        holder(*.pid), .path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// The process that holds it, where it has written its number.
        pid: Option<u32>,
    },
    /// The folder or the file in it can't be made, opened or written.
    #[error("the data folder can't be locked: check that it is writable ({})", .path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

impl DataDirLock {
    /// Takes the lock of `data_dir`, making the folder (mode 0700) when it is not there. Never waits.
    ///
    /// # Errors
    /// Another process, or another lock of this one, holds it; or the folder can't be written.
    pub fn acquire(data_dir: &Path) -> Result<Self, LockError> {
        let path = data_dir.join("lock");
        let failed = |source| LockError::Io { path: path.clone(), source };
        make_folder(data_dir).map_err(failed)?;
        let mut file = open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held { pid: read_pid(&mut file), path }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        write_pid(&mut file).map_err(failed)?;
        Ok(Self { path, _file: file })
    }

    /// The lock file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn open(path: &Path) -> io::Result<File> {
    // Not truncated here: until the lock is ours, the number in the file is the holder's.
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_is_refused_with_the_holders_number() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("state/here");
        let lock = DataDirLock::acquire(&data_dir).unwrap();
        let refused = DataDirLock::acquire(&data_dir).unwrap_err();
        assert!(matches!(refused, LockError::Held { pid: Some(pid), .. } if pid == std::process::id()));
        assert!(refused.to_string().contains(&format!("process {}", std::process::id())));
        drop(lock);
        DataDirLock::acquire(&data_dir).unwrap();
    }

    #[test]
    fn what_a_dead_process_left_in_the_file_does_not_hold_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("lock"), "4194304 and a long line of rubbish").unwrap();
        let lock = DataDirLock::acquire(folder.path()).unwrap();
        assert_eq!(fs::read_to_string(lock.path()).unwrap(), format!("{}\n", std::process::id()));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = DataDirLock::acquire(&file.join("inside")).unwrap_err();
        assert!(matches!(error, LockError::Io { .. }) && error.to_string().contains("inside"), "{error}");
    }
}

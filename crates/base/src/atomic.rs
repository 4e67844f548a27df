//! Writing a file whole or not at all.
//!
//! The bytes go to a new file beside the target, reach the disk, and take the target's name; then the folder reaches
//! the disk. Whoever opens the target, also after a crash at any moment, sees the old contents or the new ones.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Puts `contents` at `path` with permission bits `mode` (such as `0o600`), replacing what is there.
///
/// Blocks for two waits for the disk: call it from a blocking thread where that matters.
///
/// # Errors
/// Any step failed; the target is as it was before and nothing is left beside it.
pub fn write(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let mut draft = Draft::create(path, mode)?;
    draft.file.write_all(contents)?;
    draft.file.sync_all()?;
    draft.publish(path)?;
    File::open(folder_of(path))?.sync_all()
}

/// The folder that `path` is in; `.` for a bare name.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// A file that is removed again unless it is published.
struct Draft {
    path: PathBuf,
    file: File,
    published: bool,
}

impl Draft {
    fn create(target: &Path, mode: u32) -> io::Result<Self> {
        let name = target.file_name().ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("{} names no file", target.display()))
        })?;
        let path =
            folder_of(target).join(format!(".{}.{:016x}.tmp", name.to_string_lossy(), fastrand::u64(..)));
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
        let draft = Self { path, file, published: false };
        // The process's umask may have taken bits away, and the caller was promised all of them.
        draft.file.set_permissions(Permissions::from_mode(mode))?;
        Ok(draft)
    }

    fn publish(mut self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.published {
            // Nothing is lost when this fails: the name is one that nobody reads.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn the_new_contents_and_mode_replace_the_old_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        write(&path, b"old and longer", 0o644).unwrap();
        write(&path, b"new", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(folder.path()), ["keys.json"]);
    }

    #[test]
    fn a_reader_keeps_the_file_it_has_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        write(&path, b"old", 0o600).unwrap();
        let opened = File::open(&path).unwrap();
        write(&path, b"new", 0o600).unwrap();
        assert_eq!(io::read_to_string(opened).unwrap(), "old");
    }

    #[test]
    fn a_failed_write_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("occupied");
        fs::create_dir(&target).unwrap();
        assert!(write(&target, b"x", 0o600).is_err());
        assert_eq!(names(folder.path()), ["occupied"]);
        assert!(write(&folder.path().join("no/such/folder"), b"x", 0o600).is_err());
        assert!(write(Path::new("/"), b"x", 0o600).is_err());
    }
}

//! Paths on whose way there is no link. Such a path leads where its text says, and one question proves it: the kernel
//! opens it, refusing every link, in place of our looking at every name.
//!
//! Only a proof is given here. Where there is none (a link, a kernel without `openat2`, a name that is no folder), nothing
//! is known, and the path has to be walked.

use std::borrow::Cow;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    CWD, FileType, Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags, StatFs, fstat, fstatfs, major, openat2,
    statfs,
};
use rustix::io::Errno;

use super::windows::is_process_window;

/// A path that leads where its text says.
#[derive(Debug)]
pub(super) struct Direct {
    /// Absolute, without links, `.` and `..`.
    pub(super) path: PathBuf,
    /// What is there, held so that it stays the same; `None` when nothing is. All above it is there.
    file: Option<File>,
}

impl Direct {
    /// The proof that there is no link on the way of `absolute`, if there is one.
    pub(super) fn prove(absolute: PathBuf) -> Option<Self> {
        let path = match plain(&absolute)? {
            Cow::Borrowed(_) => absolute,
            Cow::Owned(path) => path,
        };
        if is_process_window(&path) {
            return None;
        }
        match without_links(&path, OFlags::empty()) {
            Ok(file) => Some(Self { path, file: Some(file) }),
            // With its folder there, it is the last name that isn't.
            Err(Errno::NOENT) => {
                without_links(path.parent()?, OFlags::DIRECTORY).ok()?;
                Some(Self { path, file: None })
            }
            Err(_) => None,
        }
    }

    /// Whether anything is there.
    pub(super) fn exists(&self) -> bool {
        self.file.is_some()
    }

    /// What is there.
    pub(super) fn there(&self) -> io::Result<Option<There>> {
        self.file.as_ref().map(There::of).transpose()
    }
}

/// The path without `.` and doubled slashes; `None` where `..` or no beginning leaves open what it means.
pub(super) fn plain(path: &Path) -> Option<Cow<'_, Path>> {
    // Most are written so already, which takes one look at their bytes.
    if is_plain(path.as_os_str().as_bytes()) {
        return Some(Cow::Borrowed(path));
    }
    let means_one_place = path.is_absolute() && path.components().all(|part| part != Component::ParentDir);
    means_one_place.then(|| Cow::Owned(path.components().collect()))
}

fn is_plain(path: &[u8]) -> bool {
    let Some(names) = path.strip_prefix(b"/") else { return false };
    names.split(|&byte| byte == b'/').all(|name| !matches!(name, b"" | b"." | b".."))
}

/// A descriptor that can't be read or written through: opening it touches no device and waits for nobody.
fn without_links(path: &Path, flags: OFlags) -> Result<File, Errno> {
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(CWD, path, OFlags::PATH | OFlags::CLOEXEC | flags, Mode::empty(), resolve).map(File::from)
}

/// What is at the end of a path.
#[derive(Debug)]
pub(super) struct There {
    pub(super) kind: FileType,
    /// Whether it has more than one name (hard links).
    pub(super) has_other_names: bool,
    /// Whether it has none any more.
    pub(super) is_removed: bool,
    pub(super) bytes: u64,
    /// Whether it lies in a view of the kernel's processes, wherever that is mounted.
    pub(super) is_process_view: bool,
}

impl There {
    /// What an open file is.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let stat = fstat(file)?;
        // File systems without a device have 0 for its major number (`get_anon_bdev`); views of processes are among them.
        let is_on_device = major(stat.st_dev) != 0;
        Ok(Self {
            kind: FileType::from_raw_mode(stat.st_mode),
            has_other_names: stat.st_nlink > 1,
            is_removed: stat.st_nlink == 0,
            // A negative size is none that a file can have: it is too large for any limit.
            bytes: u64::try_from(stat.st_size).unwrap_or(u64::MAX),
            is_process_view: !is_on_device && is_process_view(fstatfs(file)),
        })
    }

    /// What was found at a path.
    pub(super) fn at(path: &Path, metadata: &Metadata) -> Self {
        Self {
            kind: FileType::from_raw_mode(metadata.mode()),
            has_other_names: metadata.nlink() > 1,
            is_removed: metadata.nlink() == 0,
            bytes: metadata.len(),
            is_process_view: is_process_view(statfs(path)),
        }
    }
}

/// What can't be asked is taken for one.
fn is_process_view(system: rustix::io::Result<StatFs>) -> bool {
    system.map_or(true, |system| system.f_type == PROC_SUPER_MAGIC)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::follow::{Follow, walk};
    use super::*;

    #[test]
    fn only_a_way_without_links_is_proven() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("sub")).unwrap();
        std::fs::write(root.join("sub/file"), "text").unwrap();
        symlink("sub", root.join("link")).unwrap();
        symlink("nowhere", root.join("dangling")).unwrap();
        let proven = |name: &str| Direct::prove(root.join(name)).map(|direct| direct.exists());
        assert_eq!(proven("sub/file"), Some(true));
        assert_eq!(proven("./sub//file"), Some(true));
        assert_eq!(proven("sub/"), Some(true));
        assert_eq!(proven("sub/new"), Some(false));
        for open in
            ["link", "link/file", "link/new", "dangling", "sub/file/x", "no/folder", "sub/../sub/file"]
        {
            assert_eq!(proven(open), None, "{open}");
        }
        assert!(Direct::prove("sub/file".into()).is_none());
    }

    #[test]
    fn windows_into_processes_are_never_proven() {
        for path in ["/proc/self", "/proc/1/environ", "/proc/thread-self/root", "/dev/fd/0", "/dev/stdin"] {
            assert!(Direct::prove(path.into()).is_none(), "{path}");
        }
        let there = Direct::prove("/proc/cpuinfo".into()).unwrap().there().unwrap().unwrap();
        assert!(there.is_process_view);
    }

    #[test]
    fn a_path_means_the_same_walked_and_proven() {
        for path in ["/", "/proc/", "/proc/cpuinfo", "/nothing of this name"] {
            let direct = Direct::prove(path.into()).unwrap();
            let walked = walk(Path::new(path), Follow::All).unwrap();
            assert_eq!((direct.path, direct.file.is_some()), (walked.path, walked.there.is_some()), "{path}");
            assert!(walked.links.is_empty(), "{path}");
        }
    }
}

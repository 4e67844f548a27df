//! Walks through the folders of a place, without following a link and without leaving it, in the order of names.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, openat2, statat};
use tokio_util::sync::CancellationToken;

use super::{Located, Place};
use crate::Failure;

/// So many entries are looked at.
const MOST_ENTRIES: u64 = 1_000_000;
/// The longest list of what git ignores that is read.
const IGNORE_BYTES: u64 = 1024 * 1024;

const NO_WAY_OUT: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// What is gone through.
#[derive(Debug)]
pub(crate) struct Walk {
    base: OwnedFd,
    base_path: PathBuf,
    dot: bool,
    ignored: bool,
}

/// Something on the way: no folder.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    /// Below the folder where the walk began.
    pub(crate) path: &'a Path,
    pub(crate) kind: FileType,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visit {
    GoOn,
    Enough,
}

/// A folder that is still to be gone through.
struct Ahead {
    path: PathBuf,
    /// What is ignored in it, the nearest list first. Shared with its neighbours.
    ignore: Option<std::sync::Arc<Ignore>>,
}

struct Ignore {
    list: Gitignore,
    above: Option<std::sync::Arc<Self>>,
}

impl Ignore {
    fn ignores(&self, path: &Path, is_folder: bool) -> bool {
        let matched = self.list.matched(path, is_folder);
        if matched.is_none() {
            return self.above.as_ref().is_some_and(|above| above.ignores(path, is_folder));
        }
        matched.is_ignore()
    }
}

impl Walk {
    /// Begins at a folder. `dot`: also through what begins with a dot, `.git` aside; `ignored`: also through what
    /// `.gitignore` names.
    pub(crate) fn begin(place: &Place, folder: &Located, dot: bool, ignored: bool) -> Result<Self, Failure> {
        let base = place.open_to_read(folder)?;
        let is_folder = base.metadata().is_ok_and(|metadata| metadata.is_dir());
        if !is_folder {
            return Err(Failure::new(format!("{:?} is no folder", folder.shown)));
        }
        Ok(Self { base: base.into(), base_path: folder.path.clone(), dot, ignored })
    }

    /// The folder where it began.
    pub(crate) fn base_path(&self) -> &Path {
        &self.base_path
    }

    /// Shows every file and link; whether all were shown.
    pub(crate) fn each(
        &self,
        stop: &CancellationToken,
        mut visit: impl FnMut(&Entry<'_>) -> Result<Visit, Failure>,
    ) -> Result<bool, Failure> {
        let mut ahead = vec![Ahead { path: PathBuf::new(), ignore: None }];
        let mut seen = 0_u64;
        while let Some(folder) = ahead.pop() {
            if stop.is_cancelled() {
                return Err(Failure::new("interrupted"));
            }
            // A folder that was removed meanwhile, or that may not be read, has nothing to show.
            let Ok(names) = self.names(&folder.path) else { continue };
            let ignore = self.ignore(&folder, &names);
            let mut below = Vec::new();
            for (name, kind) in names {
                seen += 1;
                if seen > MOST_ENTRIES {
                    return Ok(false);
                }
                let path = folder.path.join(&name);
                let is_folder = kind == FileType::Directory;
                let is_left_out = (!self.dot && name.as_bytes().starts_with(b"."))
                    || name == ".git"
                    || ignore.as_ref().is_some_and(|ignore| ignore.ignores(&path, is_folder));
                if is_left_out {
                    continue;
                }
                if is_folder {
                    below.push(Ahead { path, ignore: ignore.clone() });
                } else if visit(&Entry { path: &path, kind })? == Visit::Enough {
                    return Ok(false);
                }
            }
            below.reverse();
            ahead.append(&mut below);
        }
        Ok(true)
    }

    /// Opens a file that was shown. `None` when it is none (any more).
    pub(crate) fn open(&self, path: &Path) -> Option<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = openat2(&self.base, path, flags, Mode::empty(), NO_WAY_OUT).map(File::from).ok()?;
        file.metadata().is_ok_and(|metadata| metadata.is_file()).then_some(file)
    }

    /// What is in a folder, sorted.
    fn names(&self, folder: &Path) -> rustix::io::Result<Vec<(OsString, FileType)>> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat2(&self.base, folder, flags, Mode::empty(), NO_WAY_OUT)?;
        let mut names = Vec::new();
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                    Err(_) => continue,
                },
                kind => kind,
            };
            names.push((OsStr::from_bytes(name.to_bytes()).to_owned(), kind));
        }
        names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(names)
    }

    /// What is ignored in a folder.
    fn ignore(&self, folder: &Ahead, names: &[(OsString, FileType)]) -> Option<std::sync::Arc<Ignore>> {
        let has_list =
            names.iter().any(|(name, kind)| name == ".gitignore" && *kind == FileType::RegularFile);
        if self.ignored || !has_list {
            return folder.ignore.clone();
        }
        let mut text = String::new();
        let file = self.open(&folder.path.join(".gitignore"))?;
        if file.take(IGNORE_BYTES).read_to_string(&mut text).is_err() {
            return folder.ignore.clone();
        }
        let mut list = GitignoreBuilder::new(&folder.path);
        for line in text.lines() {
            // A line that is no pattern ignores nothing, as in git.
            let _no_pattern = list.add_line(None, line);
        }
        let list = list.build().ok()?;
        Some(std::sync::Arc::new(Ignore { list, above: folder.ignore.clone() }))
    }
}

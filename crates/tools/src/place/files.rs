//! Files of a place: found by its rules, read as they are, replaced whole or not at all.
//!
//! The rules say where a path leads. From then on only that place is opened, and the kernel refuses any link that somebody
//! has put in the way since.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Gid, Mode, OFlags, RenameFlags, ResolveFlags, Uid, fchmod, fchown, fsync, mkdirat, openat2,
    renameat, renameat_with, unlinkat,
};
use rustix::io::Errno;
use seawall_detect::paths::OpenOptions;
use seawall_types::Effect;

use super::Place;
use crate::Failure;

/// The longest file that is held in memory as a whole, to be edited.
pub(crate) const TEXT_BYTES: u64 = 16 * 1024 * 1024;

/// Never over a link, nor into a process.
const NO_LINKS: ResolveFlags = ResolveFlags::NO_SYMLINKS.union(ResolveFlags::NO_MAGICLINKS);

/// A path that the rules are not against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Located {
    /// Where it leads: absolute, without links.
    pub(crate) path: PathBuf,
    /// As tools name it: below the root where it is there.
    pub(crate) shown: String,
}

/// A file that is there.
#[derive(Debug)]
pub(crate) struct Present {
    /// Its contents.
    pub(crate) bytes: Vec<u8>,
    /// Its permissions and owner.
    kept: Kept,
}

/// What a new file takes over from the old one.
#[derive(Debug, Clone, Copy)]
struct Kept {
    mode: u32,
    owner: (u32, u32),
}

impl Place {
    /// Judges a path for an effect.
    pub(crate) fn locate(&self, effect: Effect, written: &str) -> Result<Located, Failure> {
        let judged = self.files.judge(effect, written);
        match judged.resolved {
            Some(path) if judged.found.is_empty() => {
                let shown = self.shown(&path);
                Ok(Located { path, shown })
            }
            _ => Err(Failure::rules(&judged.found)),
        }
    }

    /// How tools name a path.
    pub(crate) fn shown(&self, path: &Path) -> String {
        match path.strip_prefix(self.root()) {
            Ok(below) if below.as_os_str().is_empty() => ".".to_owned(),
            Ok(below) => below.to_string_lossy().into_owned(),
            Err(_) => path.to_string_lossy().into_owned(),
        }
    }

    /// Opens a file or folder to be read.
    pub(crate) fn open_to_read(&self, located: &Located) -> Result<File, Failure> {
        let Some(path) = located.path.to_str() else {
            return Err(Failure::new(format!("the path {:?} is not UTF-8", located.shown)));
        };
        let opened = self.files.open(Effect::FsRead, path, OpenOptions::default());
        opened.map_err(|refused| match refused {
            seawall_detect::paths::OpenRefused::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                Failure::new(format!("there is no file {:?}; look with fs_glob", located.shown))
            }
            refused => refused.into(),
        })
    }

    /// The contents of a file; `None` when nothing is there.
    pub(crate) fn read_whole(&self, located: &Located) -> Result<Option<Present>, Failure> {
        if located.path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Ok(None);
        }
        let file = self.open_to_read(located)?;
        let failed = |error| Failure::system(format!("{:?} can't be read", located.shown), &error);
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(Failure::new(format!("{:?} is a folder; name a file", located.shown)));
        }
        let mut bytes = Vec::new();
        file.take(TEXT_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > TEXT_BYTES {
            let size = metadata.len();
            return Err(Failure::new(format!(
                "{:?} has {size} bytes, and at most {TEXT_BYTES} can be changed at once; use bash_run",
                located.shown
            )));
        }
        let kept = Kept { mode: metadata.mode() & 0o7777, owner: (metadata.uid(), metadata.gid()) };
        Ok(Some(Present { bytes, kept }))
    }
}

impl Located {
    /// Puts contents in the place of the file, or makes it, with the folders that it is in. Whoever opens it sees the old
    /// contents or the new ones.
    pub(crate) fn replace(&self, old: Option<&Present>, new: &[u8]) -> Result<(), Failure> {
        let kept = old.map(|present| present.kept);
        replace(&self.path, kept, new).map_err(|error| match error.raw_os_error() {
            Some(code) if code == Errno::LOOP.raw_os_error() => {
                Failure::new(format!("a link was put in the way of {:?}; look at it again", self.shown))
            }
            Some(code) if code == Errno::EXIST.raw_os_error() => {
                Failure::new(format!("{:?} was just made by somebody else; read it first", self.shown))
            }
            _ => Failure::system(format!("{:?} can't be written", self.shown), &error),
        })
    }
}

fn replace(path: &Path, old: Option<Kept>, new: &[u8]) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it names no file"));
    };
    let folder = folder_at(folder)?;
    Draft::write(&folder, old, new)?.publish(name, old.is_some())?;
    Ok(fsync(&folder)?)
}

/// The folder at a path without links; it is made where it is missing.
fn folder_at(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match openat2(CWD, path, flags, Mode::empty(), NO_LINKS) {
        Ok(folder) => Ok(folder),
        Err(Errno::NOENT) => {
            let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
                return Err(Errno::NOENT.into());
            };
            let above = folder_at(above)?;
            match mkdirat(&above, name, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            Ok(openat2(&above, name, flags, Mode::empty(), NO_LINKS | ResolveFlags::BENEATH)?)
        }
        Err(error) => Err(error.into()),
    }
}

/// A new file beside its target, removed again unless it is published.
struct Draft<'a> {
    folder: &'a OwnedFd,
    name: Option<OsString>,
}

impl<'a> Draft<'a> {
    fn write(folder: &'a OwnedFd, old: Option<Kept>, new: &[u8]) -> io::Result<Self> {
        // Not the target's name, which may be as long as names can be.
        let name = OsString::from(format!(".seawall.{:016x}.tmp", fastrand::u64(..)));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        // A new file gets what the process gives to its files; one in the place of another is nobody else's until it is whole.
        let mode = Mode::from_raw_mode(if old.is_some() { 0o600 } else { 0o666 });
        let file = openat2(folder, &name, flags, mode, NO_LINKS | ResolveFlags::BENEATH)?;
        let draft = Self { folder, name: Some(name) };
        let mut file = File::from(file);
        file.write_all(new)?;
        if let Some(Kept { owner: (user, group), mode }) = old {
            // Only root can give a file away; who is not leaves it his own, as editors do.
            let _not_root = fchown(&file, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)));
            fchmod(&file, Mode::from_raw_mode(mode))?;
        }
        file.sync_all()?;
        Ok(draft)
    }

    fn publish(mut self, target: &OsStr, is_replacing: bool) -> io::Result<()> {
        let Some(name) = self.name.as_deref() else { return Ok(()) };
        if is_replacing {
            renameat(self.folder, name, self.folder, target)?;
        } else {
            // A file that somebody has made in the meantime stays.
            match renameat_with(self.folder, name, self.folder, target, RenameFlags::NOREPLACE) {
                // Some file systems can't.
                Err(Errno::INVAL) => renameat(self.folder, name, self.folder, target)?,
                other => other?,
            }
        }
        self.name = None;
        Ok(())
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // Nothing is lost when this fails: the name is one that nobody reads.
            let _left = unlinkat(self.folder, name.as_os_str(), AtFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_was_put_in_the_way_since_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("outside")).unwrap();
        std::os::unix::fs::symlink("outside", root.join("inside")).unwrap();
        // As if `inside` had been a folder when the path was judged.
        for path in ["inside/new", "inside/deeper/new"] {
            let located = Located { path: root.join(path), shown: path.to_owned() };
            let said = located.replace(None, b"x").unwrap_err().to_string();
            assert!(said.contains("a link was put in the way"), "{said}");
        }
        assert_eq!(std::fs::read_dir(root.join("outside")).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_somebody_has_just_made_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap().join("new");
        std::fs::write(&path, "theirs").unwrap();
        let located = Located { path, shown: "new".to_owned() };
        let said = located.replace(None, b"mine").unwrap_err().to_string();
        assert!(said.contains("just made by somebody else"), "{said}");
        assert_eq!(std::fs::read_to_string(&located.path).unwrap(), "theirs");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

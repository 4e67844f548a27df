//! A file opened without a gap between judging and opening.
//!
//! The path that was judged holds no link. The kernel follows it again, refuses any link (so that nothing put in its way
//! since is followed), and what it opened is then judged itself: its kind, its size, its names, and where it lies now.
//! Only then is a file emptied that is to be.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use seawall_types::{Code, Effect, Severity};

use super::direct::There;
use super::places::Places;
use super::resolved::{Case, changes};
use super::{FileRules, OpenOptions, OpenRefused, quoted};
use crate::Found;

/// Opens `path`, which was judged and holds no link.
pub(super) fn open(
    rules: &FileRules,
    effect: Effect,
    path: &Path,
    options: OpenOptions,
) -> Result<File, OpenRefused> {
    let flags = flags(effect, options)?;
    let written = path.to_string_lossy();
    let places = Places::of(rules).map_err(|unfollowable| refused(unfollowable.found(&written)))?;
    let base = places.deciding(path).map_or(path, |place| &place.path);
    let file = open_beneath(base, path, flags).map_err(|error| from_kernel(error, &written))?;
    judge_opened(rules, effect, &file, &written)?;
    if changes(effect) && options.truncate {
        file.set_len(0)?;
    }
    Ok(file)
}

/// Never blocks on a pipe, and never empties what wasn't looked at yet.
fn flags(effect: Effect, options: OpenOptions) -> io::Result<OFlags> {
    let always = OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::NOFOLLOW;
    match effect {
        Effect::FsRead => Ok(always | OFlags::RDONLY),
        Effect::FsWrite => {
            let mut flags = always | OFlags::WRONLY;
            flags.set(OFlags::CREATE, options.create || options.create_new);
            flags.set(OFlags::EXCL, options.create_new);
            flags.set(OFlags::APPEND, options.append);
            Ok(flags)
        }
        Effect::FsDelete | Effect::Net | Effect::Exec => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "only reading and writing open a file"))
        }
    }
}

/// Opens `path` below `base`, both without links.
fn open_beneath(base: &Path, path: &Path, flags: OFlags) -> Result<File, Errno> {
    let (folder, name) = match path.strip_prefix(base) {
        Ok(below) if !below.as_os_str().is_empty() => (base, below),
        // The opened place is this file or folder itself.
        _ => (path.parent().unwrap_or(path), Path::new(path.file_name().unwrap_or_else(|| OsStr::new(".")))),
    };
    let no_links = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let folder_flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat2(CWD, folder, folder_flags, Mode::empty(), no_links)?;
    // The kernel refuses a mode where nothing is made.
    let mode = if flags.contains(OFlags::CREATE) {
        Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH
    } else {
        Mode::empty()
    };
    openat2(folder, name, flags, mode, no_links | ResolveFlags::BENEATH).map(File::from)
}

/// What the kernel's refusal means.
fn from_kernel(error: Errno, written: &str) -> OpenRefused {
    match error {
        // A link where none was, or a way out: somebody has changed the path since it was judged.
        Errno::LOOP | Errno::XDEV => refused(changed(written)),
        // A pipe without a reader, or a socket.
        Errno::NXIO => refused(device(written)),
        Errno::NOSYS => OpenRefused::Io(io::Error::new(
            io::ErrorKind::Unsupported,
            "this kernel has no openat2 (Linux 5.6), without which no path can be opened safely",
        )),
        other => OpenRefused::Io(other.into()),
    }
}

/// Judges what was opened: nobody can exchange it any more.
fn judge_opened(rules: &FileRules, effect: Effect, file: &File, written: &str) -> Result<(), OpenRefused> {
    let there = There::of(file)?;
    let is_folder = there.kind == FileType::Directory;
    let may_be_read_or_written =
        there.kind == FileType::RegularFile || (is_folder && effect == Effect::FsRead);
    if !may_be_read_or_written {
        return Err(refused(device(written)));
    }
    let Some(path) = lies_at(file, &there)? else { return Err(refused(changed(written))) };
    let places = Places::of(rules).map_err(|unfollowable| refused(unfollowable.found(written)))?;
    let mut case = Case { rules, effect, places: &places, written, found: Vec::new() };
    case.judge_place(&path, &[]);
    case.judge_file(&path, &there);
    if case.found.is_empty() { Ok(()) } else { Err(OpenRefused::Rules(case.found)) }
}

/// Where the file lies now, as the kernel knows it; `None` when it was removed or lies in no folder that we see.
fn lies_at(file: &File, there: &There) -> io::Result<Option<PathBuf>> {
    let path = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    Ok((!there.is_removed && path.is_absolute()).then_some(path))
}

fn refused(found: Found) -> OpenRefused {
    OpenRefused::Rules(vec![found])
}

fn changed(written: &str) -> Found {
    Found {
        code: Code::FsSymlinkEscape,
        severity: Severity::Critical,
        message: format!("the path {} was changed while it was judged", quoted(written)),
        remedy: "find out who puts links into the root, and try again".to_owned(),
    }
}

fn device(written: &str) -> Found {
    Found {
        code: Code::FsDevice,
        severity: Severity::High,
        message: format!("the path {} leads to no file", quoted(written)),
        remedy: "name a file".to_owned(),
    }
}

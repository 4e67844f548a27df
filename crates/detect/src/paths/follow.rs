//! Where a path leads: link by link, as far as it exists.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::Unfollowable;
use super::direct::{Direct, There};
use super::windows::is_process_window;

/// So many links are followed, as the kernel does (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Whether the last name is followed when it is a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    /// Every name.
    All,
    /// All but the last: what is removed is the link.
    AllButLast,
}

/// Where a path leads.
#[derive(Debug)]
pub(super) struct Followed {
    /// Absolute, without links, `.` and `..`. Its last names need not exist.
    pub(super) path: PathBuf,
    /// What is there; `None` when nothing is.
    pub(super) there: Option<There>,
    /// The links that were followed, where they stand.
    pub(super) links: Vec<PathBuf>,
}

impl Followed {
    /// Where a path leads that was proven to hold no link.
    pub(super) fn directly(direct: Direct) -> Result<Self, Unfollowable> {
        let there = direct.there().map_err(|error| Unfollowable::look(&direct.path, error))?;
        Ok(Self { path: direct.path, there, links: Vec::new() })
    }
}

/// Follows `absolute`.
pub(super) fn follow(absolute: &Path, last: Follow) -> Result<Followed, Unfollowable> {
    match Direct::prove(absolute.to_owned()) {
        Some(direct) => Followed::directly(direct),
        None => walk(absolute, last),
    }
}

/// Follows `absolute`, name by name.
///
/// It is done here and not by `realpath`, since a path may lead to what isn't there yet, and since the links on the way
/// are judged too.
pub(super) fn walk(absolute: &Path, last: Follow) -> Result<Followed, Unfollowable> {
    let mut walk = Walk { path: PathBuf::from("/"), ahead: VecDeque::new(), links: Vec::new() };
    walk.ahead.extend(names(absolute));
    let mut metadata = None;
    while let Some(name) = walk.ahead.pop_front() {
        metadata = walk.step(name, last)?;
        if metadata.is_none() {
            walk.go_on_without_files()?;
        }
    }
    if walk.path == Path::new("/") {
        metadata = look_at(&walk.path)?;
    }
    let there = metadata.map(|metadata| There::at(&walk.path, &metadata));
    Ok(Followed { path: walk.path, there, links: walk.links })
}

/// The names of a path, from its beginning; `..` is kept.
fn names(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

struct Walk {
    /// Where we are.
    path: PathBuf,
    ahead: VecDeque<OsString>,
    links: Vec<PathBuf>,
}

impl Walk {
    /// Takes one name. `None` when there is nothing of this name.
    fn step(&mut self, name: OsString, last: Follow) -> Result<Option<Metadata>, Unfollowable> {
        if name == ".." {
            self.path.pop();
            return look_at(&self.path);
        }
        self.path.push(name);
        if is_process_window(&self.path) {
            return Err(Unfollowable::Window(self.path.clone()));
        }
        let Some(metadata) = look_at(&self.path)? else { return Ok(None) };
        if !metadata.is_symlink() || (last == Follow::AllButLast && self.ahead.is_empty()) {
            return Ok(Some(metadata));
        }
        self.turn_into_link()?;
        look_at(&self.path)
    }

    fn turn_into_link(&mut self) -> Result<(), Unfollowable> {
        if self.links.len() >= MOST_LINKS {
            return Err(Unfollowable::Loop(self.path.clone()));
        }
        let target = std::fs::read_link(&self.path).map_err(|error| Unfollowable::look(&self.path, error))?;
        self.links.push(self.path.clone());
        for name in names(&target).rev() {
            self.ahead.push_front(name);
        }
        self.path.pop();
        if target.is_absolute() {
            self.path = PathBuf::from("/");
        }
        Ok(())
    }

    /// What follows a name that doesn't exist can't be followed; it is where the names say, if they only lead down.
    fn go_on_without_files(&mut self) -> Result<(), Unfollowable> {
        for name in self.ahead.drain(..) {
            if name == ".." {
                return Err(Unfollowable::look(&self.path, io::ErrorKind::NotFound.into()));
            }
            self.path.push(name);
        }
        Ok(())
    }
}

fn look_at(path: &Path) -> Result<Option<Metadata>, Unfollowable> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Unfollowable::look(path, error)),
    }
}

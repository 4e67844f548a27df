//! Which rule decides about a place.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::direct::Direct;
use super::follow::{Follow, walk};
use super::{FileRules, Unfollowable};

/// One opened place, where it really is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Absolute and without links.
    pub(super) path: PathBuf,
    pub(super) read_only: bool,
}

/// Every opened place of some rules, as the file system stands now.
#[derive(Debug)]
pub(super) struct Places {
    root: Place,
    also: Vec<Place>,
}

/// Whether a path is the folder or in it; both absolute, without `.`, `..` and doubled slashes.
pub(super) fn is_in(path: &Path, folder: &Path) -> bool {
    let (path, folder) = (path.as_os_str().as_bytes(), folder.as_os_str().as_bytes());
    let rest = path.strip_prefix(folder);
    folder == b"/" || rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
}

impl Places {
    /// Follows the paths of the rules. A place that isn't there yet counts from where its existing part leads.
    pub(super) fn of(rules: &FileRules) -> Result<Self, Unfollowable> {
        let root = match Direct::prove(rules.root.clone()).filter(Direct::exists) {
            Some(direct) => direct.path,
            None => std::fs::canonicalize(&rules.root).map_err(Unfollowable::Root)?,
        };
        Self::in_root(rules, root)
    }

    /// The same for a root that is known to be here.
    pub(super) fn in_root(rules: &FileRules, root: PathBuf) -> Result<Self, Unfollowable> {
        let mut also = Vec::new();
        for opened in &rules.also {
            let written: PathBuf = root.join(&opened.path).components().collect();
            let path = match Direct::prove(written.clone()) {
                Some(direct) => direct.path,
                None => walk(&written, Follow::All)?.path,
            };
            // What is closed stays closed where it was written too: somebody could put a link in its place.
            if opened.read_only && path != written {
                also.push(Place { path: written, read_only: true });
            }
            also.push(Place { path, read_only: opened.read_only });
        }
        Ok(Self { root: Place { path: root, read_only: false }, also })
    }

    /// Where the root really is.
    pub(super) fn root(&self) -> &Path {
        &self.root.path
    }

    fn all(&self) -> impl Iterator<Item = &Place> {
        std::iter::once(&self.root).chain(&self.also)
    }

    /// The most specific place that `path` is in; of two the read-only one.
    pub(super) fn deciding(&self, path: &Path) -> Option<&Place> {
        self.all()
            .filter(|place| is_in(path, &place.path))
            .max_by_key(|place| (place.path.as_os_str().len(), place.read_only))
    }

    /// Whether something closed lies in `path`, so that removing `path` would remove it too.
    pub(super) fn hold_closed_below(&self, path: &Path) -> bool {
        self.all().any(|place| place.read_only && is_in(&place.path, path))
    }

    /// Whether `path` is a place itself: its entry lies in a folder that isn't open.
    pub(super) fn is_one(&self, path: &Path) -> bool {
        self.all().any(|place| place.path == path)
    }
}

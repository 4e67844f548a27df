//! Which rule decides about a place.

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
    /// Where the root really is.
    pub(super) root: PathBuf,
    all: Vec<Place>,
}

impl Places {
    /// Follows the paths of the rules. A place that isn't there yet counts from where its existing part leads.
    pub(super) fn of(rules: &FileRules) -> Result<Self, Unfollowable> {
        let root = match Direct::prove(&rules.root).filter(Direct::exists) {
            Some(direct) => direct.path,
            None => std::fs::canonicalize(&rules.root).map_err(Unfollowable::Root)?,
        };
        Self::in_root(rules, root)
    }

    /// The same for a root that is known to be here.
    pub(super) fn in_root(rules: &FileRules, root: PathBuf) -> Result<Self, Unfollowable> {
        let mut all = vec![Place { path: root.clone(), read_only: false }];
        for opened in &rules.also {
            let written: PathBuf = root.join(&opened.path).components().collect();
            let path = match Direct::prove(&written) {
                Some(direct) => direct.path,
                None => walk(&written, Follow::All)?.path,
            };
            // What is closed stays closed where it was written too: somebody could put a link in its place.
            if opened.read_only && path != written {
                all.push(Place { path: written, read_only: true });
            }
            all.push(Place { path, read_only: opened.read_only });
        }
        Ok(Self { root, all })
    }

    /// The most specific place that `path` is in; of two the read-only one.
    pub(super) fn deciding(&self, path: &Path) -> Option<&Place> {
        self.all
            .iter()
            .filter(|place| path.starts_with(&place.path))
            .max_by_key(|place| (place.path.as_os_str().len(), place.read_only))
    }

    /// Whether something closed lies in `path`, so that removing `path` would remove it too.
    pub(super) fn hold_closed_below(&self, path: &Path) -> bool {
        self.all.iter().any(|place| place.read_only && place.path.starts_with(path))
    }

    /// Whether `path` is a place itself: its entry lies in a folder that isn't open.
    pub(super) fn is_one(&self, path: &Path) -> bool {
        self.all.iter().any(|place| place.path == path)
    }
}

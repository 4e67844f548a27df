//! Files that the agent has seen and that are others by now, through a command of its own or through somebody else.
//!
//! What a file says of itself (size, times, number) tells cheaply that it is as it was when it was last looked at; else its
//! contents are compared. Nothing is watched: whoever wants to know asks.

use std::fs::Metadata;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use seawall_types::Timestamp;
use serde::{Deserialize, Serialize};

use super::files::Located;
use super::{Hash, Place};

/// The contents of a larger file are not read: that it says something else of itself is enough.
const LARGEST: u64 = 64 * 1024 * 1024;

/// What a file says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// A file that is not as the agent knows it.
#[derive(Debug, Clone)]
pub struct ChangedFile {
    /// As tools name it.
    pub path: String,
    /// When it was changed, as it says. `None`: it is not there any more, or no file.
    pub at: Option<Timestamp>,
    real: PathBuf,
    stamp: Option<Stamp>,
    is: Hash,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            file: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    fn time(&self) -> Timestamp {
        timestamp(self.modified)
    }

    /// When anything of it was changed: contents, name, permissions. Nobody but the system sets this.
    pub(super) fn changed_at(&self) -> Timestamp {
        timestamp(self.changed)
    }

    /// In the place of contents that are not read.
    fn hash(&self) -> Hash {
        blake3::hash(format!("{self:?}").as_bytes())
    }
}

fn timestamp((seconds, nanos): (i64, i64)) -> Timestamp {
    let (seconds, nanos) = (u64::try_from(seconds).unwrap_or(0), u64::try_from(nanos).unwrap_or(0));
    Timestamp::from_micros(seconds.saturating_mul(1_000_000).saturating_add(nanos / 1_000))
}

/// In the place of contents that there are none of.
fn nothing() -> Hash {
    Hash::from_bytes([0; 32])
}

impl Place {
    /// Whether the agent has seen any files.
    #[must_use]
    pub fn knows_files(&self) -> bool {
        !self.pool().seen.is_empty()
    }

    /// Files that were changed since the agent saw them, and that it was not [told](Self::told) of, by their paths. Blocks: it
    /// looks at each file that the agent has seen, and reads those that say something else of themselves than before.
    #[must_use]
    pub fn changed_files(&self) -> Vec<ChangedFile> {
        let mut pool = self.pool();
        let mut changed = Vec::new();
        let mut as_known = Vec::new();
        for (path, seen) in pool.seen.iter_mut().filter(|(path, _)| !path.starts_with(&self.scratch)) {
            let metadata = path.symlink_metadata().ok().filter(Metadata::is_file);
            let stamp = metadata.as_ref().map(Stamp::of);
            if stamp.is_some() && seen.stamp == stamp {
                continue;
            }
            // Of a large file only what it says of itself is compared, and from the first look on.
            if seen.stamp.is_none() && stamp.is_some_and(|stamp| stamp.size > LARGEST) {
                seen.stamp = stamp;
                continue;
            }
            let is = stamp.map_or_else(nothing, |stamp| self.hash(path, &stamp).unwrap_or_else(nothing));
            if is == seen.hash || seen.told == Some(is) {
                seen.stamp = stamp;
                if is == seen.hash && seen.told.is_some() {
                    as_known.push((path.clone(), is));
                }
                continue;
            }
            let (shown, real) = (self.shown(path), path.clone());
            let at = stamp.filter(|_| is != nothing()).map(|stamp| stamp.time());
            changed.push(ChangedFile { path: shown, at, real, stamp, is });
        }
        // What is again as the agent knows it is news when it is changed the next time.
        as_known.into_iter().for_each(|(path, hash)| pool.note(&path, hash));
        changed.sort_by(|one, other| one.path.cmp(&other.path));
        changed
    }

    /// The agent was told of these: they are no news any more, before they are changed again.
    pub fn told(&self, files: &[ChangedFile]) {
        let mut pool = self.pool();
        for file in files {
            pool.tell(&file.real, file.is, file.stamp);
        }
    }

    /// The hash of a file's contents. None where it can't be read: links that somebody has put in the way are not followed.
    pub(super) fn hash(&self, path: &Path, stamp: &Stamp) -> Option<Hash> {
        if stamp.size > LARGEST {
            return Some(stamp.hash());
        }
        let located = Located { path: path.to_owned(), shown: self.shown(path) };
        let mut file = self.open_to_read(&located).ok()?.take(LARGEST);
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(&mut file).ok()?;
        Some(hasher.finalize())
    }
}

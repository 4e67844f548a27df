//! Files of a pattern, compared with how they were when they were looked at before: for agents that wait for files.
//!
//! How they were is kept in the scratch folder, so that a change while nobody looked is found by the next one who does. What
//! the agent has written itself by its tools is no change; what its commands have written is one.
//!
//! What is not here: waiting. Whoever wants to know looks again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rustix::fs::FileType;
use seawall_types::{Effect, Timestamp};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::changed::Stamp;
use super::{Place, Visit, Walk, own_folder};
use crate::Failure;
use crate::builtin::Sought;

/// So many files are looked at, in the order of their names.
const MOST: usize = 10_000;

/// The clock that files are stamped by may be so far behind, in microseconds.
const COARSE: u64 = 20_000;

/// Files of a pattern, as they are.
#[derive(Debug)]
pub struct Look {
    /// Which have changed since they were looked at before, as tools name them: new ones, other ones, and those that are gone.
    pub changed: Vec<String>,
    /// Whether anything is to be kept.
    is_news: bool,
    kept: PathBuf,
    now: Files,
}

type Files = BTreeMap<String, Stamp>;

/// What is kept of a look.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    pattern: String,
    files: Files,
}

impl Place {
    /// Whether files can be sought by a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_pattern(pattern: &str) -> Result<(), String> {
        if pattern.is_empty() || pattern.split('/').any(|name| name == "..") {
            return Err(format!(
                "{pattern:?} is no pattern of files; write it from the working folder, as in inbox/*.txt"
            ));
        }
        Sought::read(pattern, ".").map(|_| ()).map_err(|failure| failure.to_string())
    }

    /// Looks at the files of a pattern, for whoever has this name. Where nobody has looked before, those are told that were
    /// changed since a time. Blocks.
    ///
    /// # Errors
    /// The folder that the pattern begins with is not open to the agent.
    pub fn look(
        &self,
        name: &str,
        pattern: &str,
        since: Option<Timestamp>,
        stop: &CancellationToken,
    ) -> Result<Look, String> {
        let now = self.files_of(pattern, stop).map_err(|failure| failure.to_string())?;
        let kept =
            self.scratch.join("watched").join(format!("{}.json", blake3::hash(name.as_bytes()).to_hex()));
        let before = std::fs::read(&kept).ok().and_then(|text| serde_json::from_slice::<Kept>(&text).ok());
        let before = before.filter(|before| before.pattern == pattern).map(|before| before.files);
        let is_news = before.as_ref() != Some(&now);
        let changed = match before {
            Some(before) if is_news => {
                let gone = before.keys().filter(|path| !now.contains_key(*path)).cloned();
                let others = now.iter().filter(|(path, stamp)| before.get(*path) != Some(*stamp));
                let mut changed: Vec<_> = others
                    .map(|(path, _)| path.clone())
                    .filter(|path| !self.is_known(path))
                    .chain(gone)
                    .collect();
                changed.sort();
                changed
            }
            Some(_) => Vec::new(),
            None => {
                let is_new = |stamp: &Stamp| {
                    since.is_some_and(|since| {
                        stamp.changed_at().as_micros().saturating_add(COARSE) > since.as_micros()
                    })
                };
                let new = now.iter().filter(|(_, stamp)| is_new(stamp)).map(|(path, _)| path.clone());
                new.filter(|path| !self.is_known(path)).collect()
            }
        };
        Ok(Look { changed, is_news, kept, now })
    }

    fn files_of(&self, pattern: &str, stop: &CancellationToken) -> Result<Files, Failure> {
        let sought = Sought::read(pattern, ".")?;
        let begin = self.locate(Effect::FsRead, &sought.folder)?;
        let mut files = Files::new();
        // A folder that is not there yet has no files.
        let Ok(walk) = Walk::begin(self, &begin, true, true) else { return Ok(files) };
        walk.each(stop, |entry| {
            if entry.kind == FileType::RegularFile && sought.matches(entry.path) {
                let path = walk.base_path().join(entry.path);
                let metadata = path.symlink_metadata().ok();
                files.extend(metadata.map(|metadata| (self.shown(&path), Stamp::of(&metadata))));
            }
            Ok(if files.len() < MOST { Visit::GoOn } else { Visit::Enough })
        })?;
        Ok(files)
    }

    /// Whether a file is as the agent has seen or written it.
    fn is_known(&self, shown: &str) -> bool {
        let path = self.root().join(shown);
        let Some(seen) = self.pool().seen.get(&path).copied() else { return false };
        let metadata = path.symlink_metadata().ok();
        let stamp = metadata.as_ref().map(Stamp::of);
        if stamp.is_some() && stamp == seen.stamp && seen.told.is_none() {
            return true;
        }
        stamp.and_then(|stamp| self.hash(&path, &stamp)) == Some(seen.hash)
    }
}

impl Look {
    /// Keeps it, so that what has changed is not told again.
    ///
    /// # Errors
    /// The disk's.
    pub fn keep(&self, pattern: &str) -> std::io::Result<()> {
        if !self.is_news {
            return Ok(());
        }
        if let Some(folder) = self.kept.parent() {
            own_folder(folder)?;
        }
        let text = serde_json::to_vec(&Kept { pattern: pattern.to_owned(), files: self.now.clone() })?;
        seawall_base::atomic::write(&self.kept, &text, 0o600)
    }
}

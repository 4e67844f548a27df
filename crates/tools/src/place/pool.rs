//! What the agent has seen of its files: so that it does not write over what somebody else has changed meanwhile.
//!
//! It goes by contents, not by times: a file that was touched is the same, and one that was changed twice within a tick of
//! the clock is not. It is kept in a file of lines, since agents are put away and taken up again, elsewhere in time. Losing
//! some of it costs a second look at a file and nothing else, so nothing waits for the disk.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::changed::Stamp;

/// Contents, by their hash.
pub(crate) type Hash = blake3::Hash;

/// So many lines about files that have newer ones are borne before the file is written anew.
const OLD_LINES: usize = 1_000;

/// The contents of files as the agent last saw or wrote them.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(super) seen: HashMap<PathBuf, Seen>,
    path: PathBuf,
    /// Open once something was noted: many agents never touch a file, and a process has not many to open.
    log: Option<File>,
}

/// A file as the agent last saw or wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) hash: Hash,
    /// The other contents that the agent was told of.
    pub(super) told: Option<Hash>,
    /// What the file said of itself when its contents were last compared.
    pub(super) stamp: Option<Stamp>,
}

/// What is known of a file's contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// The agent never saw it.
    Unseen,
    /// It is as the agent saw it.
    Same,
    /// Somebody has changed it since.
    Changed,
}

/// A file that was seen. The last line of a file counts.
#[derive(Debug, Serialize, Deserialize)]
struct Line<'a> {
    path: Cow<'a, str>,
    hash: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told: Option<Cow<'a, str>>,
}

impl Pool {
    /// What was kept in a file, which is made when there is something to keep. Lines that can't be read are left out.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let (mut seen, mut lines) = (HashMap::new(), 0);
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            lines += 1;
            seen.extend(serde_json::from_slice(line).ok().and_then(|line: Line<'_>| line.read()));
        }
        let ends_within_a_line = text.last().is_some_and(|last| *last != b'\n');
        if ends_within_a_line || lines > seen.len() + OLD_LINES {
            let tidy: Vec<u8> = seen.iter().filter_map(|(path, seen)| line(path, seen)).flatten().collect();
            seawall_base::atomic::write(path, &tidy, 0o600)?;
        }
        Ok(Self { seen, path: path.to_owned(), log: None })
    }

    /// The agent has seen, or written, these contents.
    pub(crate) fn note(&mut self, path: &Path, contents: Hash) {
        let seen = Seen { hash: contents, told: None, stamp: None };
        let before = self.seen.insert(path.to_owned(), seen);
        if before.is_none_or(|before| (before.hash, before.told) != (contents, None)) {
            self.write(path, &seen);
        }
    }

    /// The agent was told that a file has other contents than it has seen.
    pub(super) fn tell(&mut self, path: &Path, contents: Hash, stamp: Option<Stamp>) {
        // It may have seen them itself meanwhile.
        let Some(seen) = self.seen.get_mut(path).filter(|seen| seen.hash != contents) else { return };
        (seen.told, seen.stamp) = (Some(contents), stamp);
        let seen = *seen;
        self.write(path, &seen);
    }

    fn write(&mut self, path: &Path, seen: &Seen) {
        if let Some(line) = line(path, seen)
            && let Err(error) = self.log().and_then(|mut log| log.write_all(&line))
        {
            tracing::warn!(%error, "what an agent has seen of its files is not kept");
        }
    }

    fn log(&mut self) -> io::Result<&File> {
        let log = match self.log.take() {
            Some(log) => log,
            None => File::options().append(true).create(true).open(&self.path)?,
        };
        Ok(self.log.insert(log))
    }

    /// What these contents are to the agent.
    pub(crate) fn know(&self, path: &Path, contents: &Hash) -> Known {
        match self.seen.get(path) {
            None => Known::Unseen,
            Some(seen) if seen.hash == *contents => Known::Same,
            Some(_) => Known::Changed,
        }
    }
}

impl Line<'_> {
    fn read(self) -> Option<(PathBuf, Seen)> {
        let hash = Hash::from_hex(self.hash.as_bytes()).ok()?;
        let told = self.told.and_then(|told| Hash::from_hex(told.as_bytes()).ok());
        Some((PathBuf::from(self.path.into_owned()), Seen { hash, told, stamp: None }))
    }
}

/// The line of a file; none where its name is no UTF-8.
fn line(path: &Path, seen: &Seen) -> Option<Vec<u8>> {
    let told = seen.told.map(|told| told.to_hex().to_string().into());
    let line = Line { path: path.to_str()?.into(), hash: seen.hash.to_hex().to_string().into(), told };
    let mut line = serde_json::to_vec(&line).ok()?;
    line.push(b'\n');
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(text: &str) -> Hash {
        blake3::hash(text.as_bytes())
    }

    #[test]
    fn what_was_seen_is_known_again_also_after_half_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let (log, file) = (folder.path().join("seen"), Path::new("/a\n\"b"));
        Pool::open(&log).unwrap().note(file, hash("one"));
        let mut pool = Pool::open(&log).unwrap();
        assert_eq!(
            (pool.know(file, &hash("one")), pool.know(file, &hash("two"))),
            (Known::Same, Known::Changed)
        );
        pool.note(file, hash("two"));
        pool.log().unwrap().write_all(b"{\"path\":\"/a").unwrap();
        let mut pool = Pool::open(&log).unwrap();
        assert_eq!(
            (pool.know(file, &hash("two")), pool.know(Path::new("/a"), &hash(""))),
            (Known::Same, Known::Unseen)
        );
        pool.note(Path::new("/c"), hash("three"));
        assert_eq!(Pool::open(&log).unwrap().know(Path::new("/c"), &hash("three")), Known::Same);
    }

    #[test]
    fn what_is_kept_does_not_grow_with_every_look() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("seen");
        let mut pool = Pool::open(&log).unwrap();
        for turn in 0..2 * OLD_LINES {
            pool.note(Path::new("/a"), hash(&turn.to_string()));
            pool.note(Path::new("/b"), hash("the same"));
        }
        drop(Pool::open(&log).unwrap());
        assert_eq!(std::fs::read_to_string(&log).unwrap().lines().count(), 2);
    }
}

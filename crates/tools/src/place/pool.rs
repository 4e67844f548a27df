//! What the agent has seen of its files: so that it does not write over what somebody else has changed meanwhile.
//!
//! It goes by contents, not by times: a file that was touched is the same, and one that was changed twice within a tick of
//! the clock is not.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Contents, by their hash.
pub(crate) type Hash = blake3::Hash;

/// The contents of files as the agent last saw or wrote them.
#[derive(Debug, Default)]
pub(crate) struct Pool(HashMap<PathBuf, Hash>);

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

impl Pool {
    /// The agent has seen, or written, these contents.
    pub(crate) fn note(&mut self, path: &Path, contents: Hash) {
        self.0.insert(path.to_owned(), contents);
    }

    /// What these contents are to the agent.
    pub(crate) fn know(&self, path: &Path, contents: &Hash) -> Known {
        match self.0.get(path) {
            None => Known::Unseen,
            Some(seen) if seen == contents => Known::Same,
            Some(_) => Known::Changed,
        }
    }
}

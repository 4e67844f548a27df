//! What can go wrong with a trace.

use std::io;
use std::path::{Path, PathBuf};

use crate::HeadsError;

/// A trace can't be read, written, recovered or collected.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("can't {doing} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A line is not a line of a trace.
    #[error("{}, line {line}: {reason}; `seawall trace verify` says more", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The store of runs and heads refused.
    #[error("the store of runs failed: {0}")]
    Heads(#[from] HeadsError),
    /// The writer's thread can't be started.
    #[error("can't start the trace's writer thread: {0}")]
    Thread(io::Error),
    /// No run has this identifier.
    #[error("there is no run {0:?} on the disk; `seawall trace list` shows those that there are")]
    NoSuchRun(String),
    /// Several runs' identifiers begin like this.
    #[error("{prefix:?} is the beginning of {count} runs; write more of it")]
    Ambiguous {
        /// What was asked for.
        prefix: String,
        /// How many runs it fits.
        count: usize,
    },
}

impl Error {
    /// Wraps an error of the file system, for `map_err`.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}

/// Why the trace takes no events now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// More events wait for the disk than may.
    #[error("{waiting} events wait for the disk, as many as may; the disk is too slow or stands still")]
    Full {
        /// How many wait.
        waiting: usize,
    },
    /// The disk refused.
    #[error("the disk refuses: {0}")]
    Disk(String),
    /// The writer has ended.
    #[error("the trace's writer has ended")]
    Stopped,
}

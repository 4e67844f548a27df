//! What can go wrong with the ledger as a whole.

use std::io;
use std::path::PathBuf;

use seawall_types::Scope;

use crate::snapshot::SnapshotError;

/// The ledger can't be opened, changed or saved.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal can't be read or written.
    #[error("the ledger's journal failed ({doing}): check that its disk is there, writable and not full")]
    Journal {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another process has the ledger open.
    #[error("{} is in use by another process; stop it, or ask it through its API", path.display())]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// The journal was written by a newer version of this program.
    #[error(
        "the ledger's journal has format {found} and this program reads up to {known}; run the newer program"
    )]
    Newer {
        /// The format on disk.
        found: u32,
        /// The newest format that is understood.
        known: u32,
    },
    /// There is no such account.
    #[error("{scope} has no such budget; `seawall budget show` lists those that there are")]
    UnknownAccount {
        /// Whose it would be.
        scope: Scope,
    },
    /// The name of a scope is too long to be written down.
    #[error("the name of the scope is too long; use at most 4096 bytes")]
    NameTooLong,
    /// The store that keeps snapshots failed.
    #[error("the ledger's snapshot failed")]
    Snapshot(#[from] SnapshotError),
}

impl Error {
    /// For `map_err`: a failure of the journal while doing something.
    pub(crate) fn journal(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Journal { doing, source }
    }
}

//! What can go wrong with a store.

use seawall_budget::SnapshotError;
use seawall_trace::HeadsError;

use crate::ApprovalState;

/// A store refused or failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It is there already.
    #[error("{what} exists already; choose another name, or rotate or revoke the one that there is")]
    Conflict {
        /// What.
        what: String,
    },
    /// It is not there.
    #[error("{what} does not exist; list what there is to find the right name")]
    NotFound {
        /// What.
        what: String,
    },
    /// Somebody has decided otherwise, or the time for it is up.
    #[error("{what} is {state} already, and the first decision stands")]
    Decided {
        /// What.
        what: String,
        /// What was decided.
        state: ApprovalState,
    },
    /// The store can't be reached, read or written.
    #[error("the store is unavailable ({reason}); check that its disk is there, writable and not full")]
    Unavailable {
        /// What it said.
        reason: String,
    },
    /// The store holds something that makes no sense.
    #[error("the store is damaged ({reason}); restore it from a backup")]
    Corrupt {
        /// What and where.
        reason: String,
    },
    /// The store was written by a newer version of this program.
    #[error(
        "the store has version {found} and this program knows up to {known}; \
         run the newer program, or restore a backup from before it"
    )]
    Newer {
        /// The version of the store.
        found: u32,
        /// The newest version that is known.
        known: u32,
    },
}

impl From<StoreError> for SnapshotError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt { reason } => Self::Corrupt { reason },
            other => Self::Unavailable { reason: other.to_string() },
        }
    }
}

impl From<StoreError> for HeadsError {
    fn from(error: StoreError) -> Self {
        Self::new(error)
    }
}

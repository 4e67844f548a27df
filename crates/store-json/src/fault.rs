//! Why a file could not be read as it was expected: only one who knows that can say what to do.

use std::io;

use seawall_store::StoreError;

/// What stood in the way of a reader.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A file that follows from the log is missing, behind, or changed. It can be made anew.
    Derived(String),
    /// The agent has moved on in the meantime. Look again.
    Moved,
    /// Anything else.
    Store(StoreError),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Fault {
    /// For who has tried everything.
    pub(crate) fn into_store(self) -> StoreError {
        match self {
            Self::Derived(reason) => StoreError::Corrupt { reason },
            Self::Moved => StoreError::Unavailable { reason: "the agent changes too quickly".to_owned() },
            Self::Store(error) => error,
        }
    }

    /// A derived file that is not there, or too short, is behind; other errors are the disk's.
    pub(crate) fn of_derived(path: &std::path::Path, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof => {
                Self::Derived(format!("{}: {error}", path.display()))
            }
            _ => Self::Store(crate::folder::failed(path)(error)),
        }
    }
}

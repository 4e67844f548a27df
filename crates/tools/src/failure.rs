//! Why a tool did not do what it was asked for, in the words that the model gets.

use std::io;

use seawall_detect::Found;
use seawall_detect::paths::OpenRefused;

/// A tool has failed. Its text says what happened and what to do, for a model that can correct itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

impl Failure {
    /// A failure with these words.
    pub fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// What the system said of `what`, which is put before it: `the file "a" can't be read`.
    pub(crate) fn system(what: impl std::fmt::Display, error: &io::Error) -> Self {
        Self(format!("{what}: {error}"))
    }

    /// Findings of the rules, the first of which is told.
    pub(crate) fn rules(found: &[Found]) -> Self {
        Self(found.first().map_or_else(
            || "this is refused".to_owned(),
            |found| format!("[seawall] denied {}: {}. {}", found.code, found.message, found.remedy),
        ))
    }
}

impl From<OpenRefused> for Failure {
    fn from(refused: OpenRefused) -> Self {
        match refused {
            OpenRefused::Rules(found) => Self::rules(&found),
            OpenRefused::Io(error) => Self(format!("the file can't be opened: {error}")),
        }
    }
}

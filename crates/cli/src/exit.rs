//! How the process ends: the exit codes of the contract.

use std::process::ExitCode;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was tried and failed: 1.
    Failed(anyhow::Error),
    /// It was asked for wrongly, or the configuration is wrong: 2.
    Usage(String),
}

impl Failure {
    pub(crate) fn usage(message: impl std::fmt::Display) -> Self {
        Self::Usage(message.to_string())
    }

    pub(crate) fn code(&self) -> ExitCode {
        match self {
            Self::Failed(_) => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Failed(error) => f.write_str(&told(error)),
            Self::Usage(message) => f.write_str(message),
        }
    }
}

/// The error and its causes. Some say their cause themselves; nothing is said twice.
fn told(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if told.is_empty() {
            told = cause;
        } else if !told.contains(&cause) {
            told.push_str(": ");
            told.push_str(&cause);
        }
    }
    told
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// What a command gives back.
pub(crate) type Outcome = Result<ExitCode, Failure>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let cause = || std::io::Error::other("no room");
        let twice = anyhow::Error::new(cause()).context("it can't be written: no room").context("stopped");
        assert_eq!(Failure::from(twice).to_string(), "stopped: it can't be written: no room");
        let once = anyhow::Error::new(cause()).context("it can't be written");
        assert_eq!(Failure::from(once).to_string(), "it can't be written: no room");
    }
}

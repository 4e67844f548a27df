//! Commands that an agent wants to run.
//!
//! Rules about the text of a command are advice: they catch accidents and the plain form of an attack, and tell a model
//! early what it may not do. A program can always be told to do the same in words that no rule foresaw. The boundary is
//! the sandbox that the command runs in. What can't be told from the text is said so (`CMD_SHELL_META`), never guessed.

use crate::Found;

mod pattern;

pub use pattern::{CommandPattern, ParseCommandPatternError};

/// Which commands may run. Every command of a line counts, also those that another one starts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommandRules {
    /// What may run. `None` means unrestricted, empty means nothing.
    pub allow: Option<Vec<CommandPattern>>,
    /// What may not, whatever `allow` says.
    pub deny: Vec<CommandPattern>,
}

impl CommandRules {
    /// What no agent should run: nothing is restricted but what destroys the machine, hands it to somebody else, or runs
    /// what was fetched unseen. For the presets; its `deny` adds to another list.
    #[must_use]
    pub fn dangerous() -> Self {
        Self::default()
    }

    /// Judges a line that a shell is to read.
    #[must_use]
    pub fn judge_line(&self, shell_line: &str) -> Vec<Found> {
        let _ = shell_line;
        Vec::new()
    }

    /// Judges a program with its arguments, as they are given to the kernel: no shell reads them.
    #[must_use]
    pub fn judge_argv(&self, argv: &[impl AsRef<str>]) -> Vec<Found> {
        let _ = argv;
        Vec::new()
    }
}

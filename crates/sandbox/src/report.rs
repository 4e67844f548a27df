//! What was enforced, and how it ended: told by those who did it, never assumed.

use serde::{Deserialize, Serialize};

/// Which layers hold a command, and which don't and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// The layers that were applied without an error: `landlock:7`, `seccomp`, `rlimits`, `cgroup:v2`,
    /// `namespaces:user,pid,mount,ipc` …
    pub enforced: Vec<String>,
    /// `layer: reason` for each that was not.
    pub unavailable: Vec<String>,
}

impl Layers {
    pub(crate) fn enforce(&mut self, name: impl Into<String>) {
        self.enforced.push(name.into());
    }

    pub(crate) fn lack(&mut self, name: &str, reason: impl std::fmt::Display) {
        self.unavailable.push(format!("{name}: {reason}"));
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.enforced.extend(other.enforced);
        self.unavailable.extend(other.unavailable);
    }

    /// Whether a layer of this name (without its version or parts) is enforced.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.enforced.iter().any(|layer| layer.split(':').next() == Some(name))
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// It returned this code.
    Code(u8),
    /// A signal ended it.
    Signal(u8),
}

impl Ending {
    /// What a shell would say: the code, or 128 and the signal's number.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => signal.saturating_add(128),
        }
    }
}

/// How a command and its family ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How the command itself ended.
    pub ending: Ending,
    /// Whether its time was up.
    pub timed_out: bool,
    /// What held it.
    pub layers: Layers,
    /// What the kernel lets us count: processes that it ended for a forbidden system call or a limit, and the times that
    /// the cgroup refused a process or ended one for its memory. A refusal that only shows as an error code in the
    /// command (Landlock, most of seccomp) is not among them.
    pub violations: u64,
    /// Processes of the family that were alive after all was done to end them: counted, not assumed.
    pub survivors: u64,
}

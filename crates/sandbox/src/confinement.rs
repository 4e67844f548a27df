//! What a command may touch: the one description that every layer is built from. It is data; nothing is checked here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a command may touch, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// The working directory of the command, and its `HOME`. It must exist.
    pub root: PathBuf,
    /// Which files it may use.
    pub files: Files,
    /// Whom it may talk to.
    pub network: Network,
    /// How much of the machine it may take.
    pub limits: Limits,
    /// Layers that are not to be used. They are told as unavailable.
    pub without: Vec<Layer>,
}

impl Confinement {
    /// The usual one: `root` may be read and written, the system's programs may be run, and nobody may be talked to.
    #[must_use]
    pub fn of(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            files: Files::Only { writable: vec![root.to_owned()], readable: Vec::new() },
            network: Network::None,
            limits: Limits::default(),
            without: Vec::new(),
        }
    }

    /// Whether this layer may be used.
    #[must_use]
    pub fn uses(&self, layer: Layer) -> bool {
        !self.without.contains(&layer)
    }
}

/// Which files a command may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Files {
    /// These, and what programs need of the system to run at all, read-only.
    Only {
        /// Files and directories that may be read, written and executed, with all below them.
        writable: Vec<PathBuf>,
        /// Files and directories that may be read and executed, with all below them. One that lies inside a writable
        /// directory stays read-only; that takes a mount namespace, and without one the command is refused.
        readable: Vec<PathBuf>,
    },
    /// Whatever the user may use.
    Any,
}

/// Whom a command may talk to. Unix sockets are always granted between members of its family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// Nobody.
    None,
    /// By TCP, to these ports of any address. There is no UDP, so names resolve only where a resolver speaks TCP.
    Ports(Vec<u16>),
    /// Everybody.
    Any,
}

/// How much of the machine a command and its family may take. `None` means no limit of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// From the start of the command to the end of its family.
    pub wall_time: Option<Duration>,
    /// Processor time of each process, in whole seconds.
    pub cpu_seconds: Option<u64>,
    /// Bytes of memory: of the family where a cgroup can be made, else of each process.
    pub memory_bytes: Option<u64>,
    /// Processes and threads of the family.
    pub processes: Option<u64>,
    /// Bytes of the longest file that may be written.
    pub file_bytes: Option<u64>,
    /// Files that each process may have open.
    pub open_files: Option<u64>,
}

/// A mechanism of the kernel that holds a part of a confinement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Layer {
    /// Files, TCP ports, signals and abstract sockets, by rules that a process takes upon itself.
    Landlock,
    /// The system calls that are refused.
    Seccomp,
    /// User, process, mount and IPC namespaces.
    Namespaces,
    /// A network namespace with nothing in it, used where seccomp can't refuse sockets.
    NetworkNamespace,
    /// A cgroup, for limits of the whole family.
    Cgroup,
}

//! From a policy to what the kernel holds: one function, for isolated tools and for `seawall exec`.
//!
//! The kernel knows folders, ports and limits; it knows no hosts, no commands and no texts. What it can't hold is held
//! more tightly, never less: where hosts are judged there is no network at all, unless somebody grants it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use seawall_policy::Policy;
use seawall_sandbox::{Confinement, Files, Layer, Limits, Network};

/// Limits where neither the policy nor a person sets any.
const WALL_TIME: Duration = Duration::from_secs(60);
const MEMORY_BYTES: u64 = 1024 * 1024 * 1024;
const PROCESSES: u64 = 64;

/// What a person grants or limits beside the policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Granted {
    /// The network, whatever the policy says of hosts: the kernel can't tell them apart.
    pub network: bool,
    /// Files and folders that may be read and run too: the interpreter of a tool and its libraries.
    pub readable: Vec<PathBuf>,
    /// How long it may run; zero: without end.
    pub wall_time: Option<Duration>,
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
}

/// The policy has a rule that no kernel holds for a whole program, and that can't be held more tightly either.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unenforceable {
    /// A place of the files' rules is written in a way that can't be followed.
    #[error("the opened place {} can't be followed: {reason}", path.display())]
    Place {
        /// The place.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
}

/// What a command may touch under a policy, in this folder, which exists and has no links in its path.
///
/// Without rules about files any file may be used; without any rules at all, the network too.
///
/// # Errors
/// When the policy says something that can't be held.
pub fn of(policy: &Policy, root: &Path, granted: &Granted) -> Result<Confinement, Unenforceable> {
    let unbound = policy.files().is_none() && policy.network().is_none() && policy.commands().is_none();
    let network = if granted.network || unbound { Network::Any } else { Network::None };
    // A user namespace takes root's powers away, which would confine after all.
    let without = if unbound { vec![Layer::Namespaces] } else { Vec::new() };
    Ok(Confinement {
        root: root.to_owned(),
        files: files(policy, root, granted)?,
        network,
        limits: limits(policy, granted, !unbound),
        without,
    })
}

fn files(policy: &Policy, root: &Path, granted: &Granted) -> Result<Files, Unenforceable> {
    let Some(rules) = policy.files() else { return Ok(Files::Any) };
    let (mut writable, mut readable) = (vec![root.to_owned()], granted.readable.clone());
    for opened in &rules.also {
        let path = root.join(&opened.path);
        let Ok(real) = path.canonicalize() else {
            // What isn't there can't be granted, and what is closed in the root must not be made in it unseen.
            if opened.read_only && path.starts_with(root) {
                let reason = "it does not exist, so that it can't be kept read-only".to_owned();
                return Err(Unenforceable::Place { path, reason });
            }
            continue;
        };
        if opened.read_only {
            // Read-only wins a tie.
            writable.retain(|granted| *granted != real);
            readable.push(real);
        } else if !readable.contains(&real) {
            writable.push(real);
        }
    }
    Ok(Files::Only { writable, readable })
}

fn limits(policy: &Policy, granted: &Granted, limited: bool) -> Limits {
    let default_time = policy.limits.tool_time.or_else(|| limited.then_some(WALL_TIME));
    Limits {
        wall_time: granted.wall_time.or(default_time).filter(|time| !time.is_zero()),
        memory_bytes: granted.memory_bytes.or_else(|| limited.then_some(MEMORY_BYTES)),
        processes: granted.processes.or_else(|| limited.then_some(PROCESSES)),
        ..Limits::default()
    }
}

//! Limits of single processes (setrlimit(2)). Limits of a family are the cgroup's.

use std::io;

use rustix::process::{Resource, Rlimit};

use crate::confinement::Limits;
use crate::family;
use crate::report::Layers;
use crate::wire::Handover;

/// Open files of each process when nothing is said: what most systems give.
const OPEN_FILES: u64 = 1024;

/// Sets a limit that can't be raised again. One that is lower already stays.
pub(crate) fn set(resource: Resource, wanted: u64) -> io::Result<()> {
    let before = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let limit = Some(wanted.min(before));
    Ok(rustix::process::setrlimit(resource, Rlimit { current: limit, maximum: limit })?)
}

/// Applies what holds for keeper and command alike. Memory is not among it (see `launch::last_step`).
pub(crate) fn apply(limits: &Limits, handover: &Handover, layers: &mut Layers) -> io::Result<()> {
    let wanted = [
        (Resource::Core, Some(0)),
        (Resource::Nofile, limits.open_files.or(Some(OPEN_FILES))),
        (Resource::Cpu, limits.cpu_seconds),
        (Resource::Fsize, limits.file_bytes),
    ];
    for (resource, limit) in wanted {
        if let Some(limit) = limit {
            set(resource, limit)?;
        }
    }
    layers.enforce("rlimits");
    if let Some(processes) = limits.processes.filter(|_| !handover.processes_are_bounded) {
        bound_processes(processes, handover.own_processes, layers)?;
    }
    Ok(())
}

/// The kernel counts the processes of a user, in his user namespace; of root it counts none.
fn bound_processes(processes: u64, own_user: bool, layers: &mut Layers) -> io::Result<()> {
    if rustix::process::getuid().is_root() {
        layers.lack("pids", "no cgroup bounds processes, and a limit of this kind doesn't hold root");
        return Ok(());
    }
    let others = if own_user {
        0
    } else {
        layers.lack("pids of the family alone", "they are counted together with all others of this user");
        family::threads_of_user(rustix::process::getuid().as_raw())
    };
    // The keeper is one of them.
    set(Resource::Nproc, processes.saturating_add(others).saturating_add(1))
}

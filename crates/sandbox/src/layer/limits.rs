//! Limits of single processes (setrlimit(2)). Limits of a family are the cgroup's.

use std::io;

use rustix::process::{Resource, Rlimit};

use crate::confinement::Limits;
use crate::report::Layers;

/// Open files of each process when nothing is said: what most systems give.
const OPEN_FILES: u64 = 1024;

/// Sets a limit that can't be raised again. One that is lower already stays.
pub(crate) fn set(resource: Resource, wanted: u64) -> io::Result<()> {
    let before = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let limit = Some(wanted.min(before));
    Ok(rustix::process::setrlimit(resource, Rlimit { current: limit, maximum: limit })?)
}

/// Applies what holds for keeper and command alike. Memory is not among it (see `launch::last_step`).
pub(crate) fn apply(limits: &Limits, processes_are_bounded: bool, layers: &mut Layers) -> io::Result<()> {
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
    if let Some(processes) = limits.processes.filter(|_| !processes_are_bounded) {
        bound_processes(processes, layers)?;
    }
    Ok(())
}

/// The kernel counts the processes of a user, and counts none of root's.
fn bound_processes(processes: u64, layers: &mut Layers) -> io::Result<()> {
    if rustix::process::getuid().is_root() {
        layers.lack("pids", "no cgroup bounds processes, and a limit of this kind doesn't hold root");
        return Ok(());
    }
    // The keeper is one of them.
    set(Resource::Nproc, processes.saturating_add(1))
}

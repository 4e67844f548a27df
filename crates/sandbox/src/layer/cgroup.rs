//! A cgroup for the family: memory and processes of all of them together, and one stroke that ends them.
//!
//! Of version 2 where a group with these controllers can be made beside or above ours, else of version 1. Without one,
//! limits hold each process alone.

use std::io;
use std::path::{Path, PathBuf};

use rustix::process::Pid;

use crate::confinement::{Confinement, Layer, Limits};
use crate::report::Layers;
use crate::wire::Handover;

/// Where systems mount cgroups (file-hierarchy(7)).
const MOUNTED: &str = "/sys/fs/cgroup";

/// A group, removed when dropped.
#[derive(Debug)]
pub(crate) struct Cgroup {
    folders: Vec<PathBuf>,
}

impl Cgroup {
    /// Makes one for these limits, if they ask for one.
    pub(crate) fn make(
        confinement: &Confinement,
        layers: &mut Layers,
        handover: &mut Handover,
    ) -> Option<Self> {
        let limits = &confinement.limits;
        if limits.memory_bytes.is_none() && limits.processes.is_none() {
            return None;
        }
        if !confinement.uses(Layer::Cgroup) {
            lack(layers, limits, "switched off");
            return None;
        }
        match unified(limits).or_else(|_| separate(limits)) {
            Ok((group, version)) => {
                layers.enforce(format!("cgroup:v{version}"));
                handover.memory_is_bounded = limits.memory_bytes.is_some();
                handover.processes_are_bounded = limits.processes.is_some();
                Some(group)
            }
            Err(error) => {
                lack(layers, limits, &error.to_string());
                None
            }
        }
    }

    /// Puts a process and all that it will start into the group. One that has ended needs no limits.
    pub(crate) fn take(&self, process: Pid) -> io::Result<()> {
        let text = process.as_raw_nonzero().to_string();
        let put = |folder: &PathBuf| match std::fs::write(folder.join("cgroup.procs"), &text) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            other => other,
        };
        self.folders.iter().try_for_each(put)
    }

    /// Ends all of it at once, where the kernel can (Linux 5.14, version 2).
    pub(crate) fn kill(&self) {
        for folder in &self.folders {
            // Without this file the family is found and ended process by process.
            let _cannot = std::fs::write(folder.join("cgroup.kill"), "1");
        }
    }

    /// How often the group refused a process, or ended one for its memory.
    pub(crate) fn violations(&self) -> u64 {
        const COUNTERS: [(&str, &str); 3] =
            [("memory.events", "oom_kill"), ("memory.oom_control", "oom_kill"), ("pids.events", "max")];
        let counted = |folder: &PathBuf| {
            COUNTERS.map(|(file, name)| counter(&folder.join(file), name)).into_iter().sum::<u64>()
        };
        self.folders.iter().map(counted).sum()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for folder in &self.folders {
            // Whatever is still in it keeps it; that shows as a survivor.
            let _not_empty = std::fs::remove_dir(folder);
        }
    }
}

fn lack(layers: &mut Layers, limits: &Limits, reason: &str) {
    let asked = [("memory", limits.memory_bytes.is_some()), ("pids", limits.processes.is_some())];
    let names: Vec<_> = asked.iter().filter(|(_, is_asked)| *is_asked).map(|(name, _)| *name).collect();
    layers.lack("cgroup", format!("{reason}; {} held for each process alone", names.join(" and ")));
}

/// The value of `name` in a file of lines `name value`.
fn counter(file: &Path, name: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
    text.lines().find_map(value).unwrap_or(0)
}

fn name() -> String {
    format!("seawall-{}", std::process::id())
}

/// Our place in the hierarchy that `is_meant` knows by its controllers (cgroups(7): `number:controllers:path`).
fn place(is_meant: impl Fn(&str) -> bool) -> io::Result<PathBuf> {
    let text = std::fs::read_to_string("/proc/self/cgroup")?;
    let mut lines = text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let (_, path) = lines
        .find(|(controllers, _)| is_meant(controllers))
        .ok_or_else(|| io::Error::other("this kernel has no such controllers"))?;
    Ok(PathBuf::from(path.trim_start_matches('/')))
}

/// Version 2: the nearest group above ours that gives its children what is needed. In our own group no child could have
/// it, since processes live only in leaves.
fn unified(limits: &Limits) -> io::Result<(Cgroup, u8)> {
    let ours = Path::new(MOUNTED).join(place(str::is_empty)?);
    let mut needed = Vec::new();
    needed.extend(limits.memory_bytes.map(|bytes| ("memory", "memory.max", bytes)));
    needed.extend(limits.processes.map(|processes| ("pids", "pids.max", processes.saturating_add(1))));
    let mut last = io::Error::other("no group gives its children memory and pids");
    for above in ours.ancestors().take_while(|folder| folder.starts_with(MOUNTED)) {
        let given = std::fs::read_to_string(above.join("cgroup.subtree_control")).unwrap_or_default();
        if !needed.iter().all(|(controller, ..)| given.split_whitespace().any(|name| name == *controller)) {
            continue;
        }
        match fill(above.join(name()), needed.iter().map(|(_, file, value)| (*file, *value))) {
            Ok(folder) => return Ok((Cgroup { folders: vec![folder] }, 2)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Version 1: one group in each hierarchy.
fn separate(limits: &Limits) -> io::Result<(Cgroup, u8)> {
    let mut group = Cgroup { folders: Vec::new() };
    let needed = [
        ("memory", "memory.limit_in_bytes", limits.memory_bytes),
        ("pids", "pids.max", limits.processes.map(|processes| processes.saturating_add(1))),
    ];
    for (controller, file, limit) in needed {
        let Some(limit) = limit else { continue };
        let ours = place(|controllers| controllers.split(',').any(|name| name == controller))?;
        let folder = Path::new(MOUNTED).join(controller).join(ours).join(name());
        group.folders.push(fill(folder, [(file, limit)].into_iter())?);
    }
    Ok((group, 1))
}

fn fill(folder: PathBuf, files: impl Iterator<Item = (&'static str, u64)>) -> io::Result<PathBuf> {
    std::fs::create_dir(&folder)?;
    for (file, value) in files {
        if let Err(error) = std::fs::write(folder.join(file), value.to_string()) {
            let _still_empty = std::fs::remove_dir(&folder);
            return Err(error);
        }
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_read_by_its_whole_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n").unwrap();
        assert_eq!(counter(file.path(), "oom_kill"), 3);
        assert_eq!(counter(file.path(), "max"), 0);
        assert_eq!(counter(Path::new("/nowhere"), "max"), 0);
    }
}

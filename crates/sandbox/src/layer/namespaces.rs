//! Namespaces: the command sees processes, mounts and the network of its own. Entered by the supervisor, whose first
//! child is then the first process of the process namespace: when that one ends, the kernel ends all others.

use std::io;

use nix::sched::CloneFlags;

use crate::confinement::{Confinement, Layer, Network};
use crate::report::Layers;
use crate::wire::Handover;

/// The kinds, by the names that reports give them.
const NAMES: [(CloneFlags, &str); 5] = [
    (CloneFlags::CLONE_NEWUSER, "user"),
    (CloneFlags::CLONE_NEWPID, "pid"),
    (CloneFlags::CLONE_NEWNS, "mount"),
    (CloneFlags::CLONE_NEWIPC, "ipc"),
    (CloneFlags::CLONE_NEWNET, "net"),
];

/// A user namespace was made and could not be furnished: this process is of no more use.
#[derive(Debug, thiserror::Error)]
#[error("a user namespace can be made and not be used: {0}")]
pub(crate) struct HalfWay(io::Error);

/// Enters the namespaces that the confinement can do with, and tells which.
pub(crate) fn enter(
    confinement: &Confinement,
    failed_before: Option<&str>,
    layers: &mut Layers,
) -> Result<Handover, HalfWay> {
    if !confinement.uses(Layer::Namespaces) {
        layers.lack("namespaces", "switched off");
        return Ok(Handover::default());
    }
    if let Some(reason) = failed_before {
        layers.lack("namespaces", reason);
        return Ok(Handover::default());
    }
    let (user, group) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    match unshare(wanted(confinement)) {
        Ok(entered) => {
            if entered.contains(CloneFlags::CLONE_NEWUSER) {
                furnish(user, group).map_err(HalfWay)?;
            }
            Ok(told(entered, layers))
        }
        Err(error) => {
            layers.lack("namespaces", error);
            Ok(Handover::default())
        }
    }
}

fn wanted(confinement: &Confinement) -> CloneFlags {
    let mut wanted = CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC;
    // Where seccomp refuses sockets a network namespace would hold nothing more, and the kernel makes them one at a time.
    let sockets_are_refused = confinement.uses(Layer::Seccomp);
    if confinement.network == Network::None
        && !sockets_are_refused
        && confinement.uses(Layer::NetworkNamespace)
    {
        wanted |= CloneFlags::CLONE_NEWNET;
    }
    wanted
}

/// With a user namespace, which takes root's powers over the machine away and which anybody may make; else, for a root
/// who may not make one, without.
fn unshare(wanted: CloneFlags) -> io::Result<CloneFlags> {
    let with_user = wanted | CloneFlags::CLONE_NEWUSER;
    match nix::sched::unshare(with_user) {
        Ok(()) => Ok(with_user),
        Err(first) => match nix::sched::unshare(wanted) {
            Ok(()) => Ok(wanted),
            Err(_) => Err(first.into()),
        },
    }
}

/// Users stay who they are: each file keeps the owner that it shows outside (user_namespaces(7)).
fn furnish(user: u32, group: u32) -> io::Result<()> {
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}

fn told(entered: CloneFlags, layers: &mut Layers) -> Handover {
    let names: Vec<_> =
        NAMES.iter().filter(|(kind, _)| entered.contains(*kind)).map(|(_, name)| *name).collect();
    layers.enforce(format!("namespaces:{}", names.join(",")));
    Handover {
        own_processes: entered.contains(CloneFlags::CLONE_NEWPID),
        own_mounts: entered.contains(CloneFlags::CLONE_NEWNS),
        own_network: entered.contains(CloneFlags::CLONE_NEWNET),
        ..Handover::default()
    }
}

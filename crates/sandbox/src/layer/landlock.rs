//! Landlock: a process gives up all files, TCP ports, signals and abstract sockets but those that it names, for itself
//! and all that it starts (<https://docs.kernel.org/userspace-api/landlock.html>).

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, NetPort, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope, path_beneath_rules,
};

use crate::confinement::{Confinement, Files, Layer, Network};
use crate::layer::Refusal;
use crate::layer::system_files::{DEVICES, PROGRAMS, READABLE};
use crate::report::Layers;

/// The newest version whose rights are asked for; a kernel that lacks some gives the others.
const NEWEST: ABI = ABI::V9;

/// The first version that knows TCP ports, and the first that knows signals and abstract sockets.
const WITH_PORTS: ABI = ABI::V4;
const WITH_SCOPES: ABI = ABI::V6;
const WITH_TRUNCATION: ABI = ABI::V3;

/// Confines this process. `private` are folders of the family's own that it may write to.
///
/// # Errors
/// When files or ports are to be confined and the kernel can't.
pub(crate) fn apply(
    confinement: &Confinement,
    private: &[PathBuf],
    own_processes: bool,
    layers: &mut Layers,
) -> Result<(), Refusal> {
    if confinement.files == Files::Any && confinement.network == Network::Any {
        layers.lack("landlock", "files and network are not confined");
        return Ok(());
    }
    let version = if confinement.uses(Layer::Landlock) {
        restrict(confinement, private).map_err(|error| Refusal::new(format!("Landlock: {error}")))?
    } else {
        Err("switched off")
    };
    match version {
        Ok(version) => {
            let number = version as i32;
            layers.enforce(format!("landlock:{number}"));
            tell_gaps(version, own_processes, layers);
            refuse_without_ports(confinement, version)
        }
        Err(reason) => {
            layers.lack("landlock", reason);
            refuse_without_ports(confinement, ABI::Unsupported)?;
            match confinement.files {
                Files::Any => Ok(()),
                Files::Only { .. } => Err(Refusal::new(format!(
                    "files can't be confined without Landlock ({reason}); use a kernel from 5.13 on that has it switched on, or a policy that doesn't confine files"
                ))),
            }
        }
    }
}

/// The version in force, or why there is none.
fn restrict(
    confinement: &Confinement,
    private: &[PathBuf],
) -> Result<Result<ABI, &'static str>, RulesetError> {
    let mut ruleset = Ruleset::default();
    if let Files::Only { .. } = confinement.files {
        ruleset = ruleset.handle_access(AccessFs::from_all(NEWEST))?;
    }
    if confinement.network != Network::Any {
        ruleset = ruleset.handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)?;
    }
    let mut rules = ruleset.scope(Scope::AbstractUnixSocket | Scope::Signal)?.create()?;
    if let Files::Only { writable, readable } = &confinement.files {
        rules = allow_files(rules, writable, readable, private)?;
    }
    if let Network::Ports(ports) = &confinement.network {
        let allowed =
            ports.iter().map(|&port| Ok::<_, RulesetError>(NetPort::new(port, AccessNet::ConnectTcp)));
        rules = rules.add_rules(allowed)?;
    }
    Ok(match rules.restrict_self()?.landlock {
        LandlockStatus::NotEnabled => Err("not switched on in this kernel"),
        LandlockStatus::NotImplemented => Err("not built into this kernel"),
        LandlockStatus::Available { effective_abi, .. } => Ok(effective_abi),
    })
}

fn allow_files(
    rules: RulesetCreated,
    writable: &[PathBuf],
    readable: &[PathBuf],
    private: &[PathBuf],
) -> Result<RulesetCreated, RulesetError> {
    let run = AccessFs::from_read(NEWEST);
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    // Nothing that a command makes is to be a device.
    let write = AccessFs::from_all(NEWEST) & !(AccessFs::MakeChar | AccessFs::MakeBlock);
    rules
        .add_rules(path_beneath_rules(PROGRAMS.iter().map(Path::new), run))?
        .add_rules(path_beneath_rules(READABLE.iter().map(Path::new), read))?
        .add_rules(devices())?
        .add_rules(path_beneath_rules(readable, run))?
        .add_rules(path_beneath_rules(writable.iter().chain(private), write))
}

fn devices() -> impl Iterator<Item = Result<PathBeneath<PathFd>, RulesetError>> {
    let access: BitFlags<AccessFs> =
        AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
    path_beneath_rules(DEVICES.iter().map(Path::new), access)
}

/// What this version can't do and no other layer does in its place.
fn tell_gaps(version: ABI, own_processes: bool, layers: &mut Layers) {
    if version < WITH_TRUNCATION {
        layers.lack("truncation of files", "Landlock knows it from version 3 on (Linux 6.2)");
    }
    if version < WITH_SCOPES {
        layers.lack("abstract sockets", "Landlock knows them from version 6 on (Linux 6.12)");
        if !own_processes {
            layers.lack(
                "signals",
                "Landlock knows them from version 6 on (Linux 6.12), and there is no process namespace",
            );
        }
    }
}

fn refuse_without_ports(confinement: &Confinement, version: ABI) -> Result<(), Refusal> {
    if matches!(confinement.network, Network::Ports(_)) && version < WITH_PORTS {
        return Err(Refusal::new(
            "single ports can't be granted: Landlock knows them from version 4 on (Linux 6.7); grant no network or all of it",
        ));
    }
    Ok(())
}

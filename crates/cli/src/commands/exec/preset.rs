//! From flags to a confinement. The presets are a table; a policy's file is refused here, since nothing of it would hold.

use std::path::PathBuf;
use std::time::Duration;

use seawall_config::units;
use seawall_sandbox::{Confinement, Files, Layer, Limits, Network};

use crate::args::ExecArgs;
use crate::exit::Failure;

/// What a preset makes of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Writable,
    ReadOnly,
    NotConfined,
}

/// One preset.
#[derive(Debug)]
struct Preset {
    name: &'static str,
    root: Root,
    /// Whether the network is granted without `--network`.
    network: bool,
    /// Whether limits hold that were not asked for.
    limited: bool,
}

const PRESETS: [Preset; 6] = [
    Preset { name: "safe", root: Root::Writable, network: false, limited: true },
    Preset { name: "strict", root: Root::Writable, network: false, limited: true },
    Preset { name: "fs_safe", root: Root::Writable, network: false, limited: true },
    Preset { name: "net_safe", root: Root::NotConfined, network: false, limited: true },
    Preset { name: "readonly", root: Root::ReadOnly, network: false, limited: true },
    Preset { name: "off", root: Root::NotConfined, network: true, limited: false },
];

/// Limits where none are asked for.
const WALL_TIME: Duration = Duration::from_secs(60);
const MEMORY_BYTES: u64 = 1024 * 1024 * 1024;
const PROCESSES: u64 = 64;

/// The one place where flags become a confinement; a compiled policy will take the preset's place here.
pub(super) fn confinement(args: &ExecArgs, root: PathBuf) -> Result<Confinement, Failure> {
    let preset = find(&args.policy)?;
    let files = match preset.root {
        Root::Writable => Files::Only { writable: vec![root.clone()], readable: Vec::new() },
        Root::ReadOnly => Files::Only { writable: Vec::new(), readable: vec![root.clone()] },
        Root::NotConfined => Files::Any,
    };
    let network = if args.network || preset.network { Network::Any } else { Network::None };
    // A user namespace takes root's powers away, which would confine after all.
    let without =
        if preset.root == Root::NotConfined && preset.network { vec![Layer::Namespaces] } else { Vec::new() };
    Ok(Confinement { root, files, network, limits: limits(args, preset)?, without })
}

fn find(name: &str) -> Result<&'static Preset, Failure> {
    PRESETS.iter().find(|preset| preset.name == name).ok_or_else(|| {
        let names: Vec<_> = PRESETS.iter().map(|preset| preset.name).collect();
        Failure::usage(format!(
            "--policy {name}: `seawall exec` takes one of {}, and no file yet: what it can't enforce it does not accept",
            names.join(", ")
        ))
    })
}

fn limits(args: &ExecArgs, preset: &Preset) -> Result<Limits, Failure> {
    let flag =
        |name: &'static str| move |error: units::ParseUnitError| Failure::usage(format!("{name}: {error}"));
    let time = args.timeout.as_deref().map(units::parse_duration).transpose().map_err(flag("--timeout"))?;
    let memory = args.memory.as_deref().map(units::parse_size).transpose().map_err(flag("--memory"))?;
    if memory == Some(0) || args.pids == Some(0) {
        return Err(Failure::usage("--memory and --pids of 0 leave nothing to run with"));
    }
    Ok(Limits {
        wall_time: time.or_else(|| preset.limited.then_some(WALL_TIME)).filter(|time| !time.is_zero()),
        memory_bytes: memory.or_else(|| preset.limited.then_some(MEMORY_BYTES)),
        processes: args.pids.or_else(|| preset.limited.then_some(PROCESSES)),
        ..Limits::default()
    })
}

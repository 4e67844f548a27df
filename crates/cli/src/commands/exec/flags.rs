//! From flags to what is granted beside the policy.

use seawall_config::units;
use seawall_guard::confinement::Granted;

use crate::args::ExecArgs;
use crate::exit::Failure;

/// What the flags grant and limit.
pub(super) fn granted(args: &ExecArgs) -> Result<Granted, Failure> {
    let flag =
        |name: &'static str| move |error: units::ParseUnitError| Failure::usage(format!("{name}: {error}"));
    let time = args.timeout.as_deref().map(units::parse_duration).transpose().map_err(flag("--timeout"))?;
    let memory = args.memory.as_deref().map(units::parse_size).transpose().map_err(flag("--memory"))?;
    if memory == Some(0) || args.pids == Some(0) {
        return Err(Failure::usage("--memory and --pids of 0 leave nothing to run with"));
    }
    Ok(Granted {
        network: args.network,
        readable: Vec::new(),
        wall_time: time,
        memory_bytes: memory,
        processes: args.pids,
    })
}

//! `seawall exec`: a command that the kernel confines. What a policy comes to is `seawall_guard::confinement`'s; how that
//! is held, `seawall_sandbox`'s.

mod flags;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use seawall_config::units;
use seawall_guard::{PolicySource, confinement};
use seawall_sandbox::{Child, Command, Confinement, Report, Sandbox, SpawnError};
use serde_json::json;

use super::World;
use crate::args::ExecArgs;
use crate::exit::{Failure, Outcome};
use crate::output;

/// Exit codes that a shell and `env` use for a command that can't be run, and ours for one that may not.
const REFUSED: u8 = 3;
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

pub(crate) fn run(world: &World<'_>, args: ExecArgs) -> Outcome {
    let confinement = confined(world, &args)?;
    let time = confinement.limits.wall_time;
    let command = command(world, args)?;
    let child = match Sandbox::of_this_program().spawn(confinement, command) {
        Ok(child) => child,
        Err(error) => return Ok(not_run(world, &error)),
    };
    tell_gaps(world, &child);
    let report = child.wait()?;
    if report.timed_out
        && let Some(time) = time
    {
        output::say(format!(
            "seawall: ended after {}; --timeout gives it longer",
            units::format_duration(time)
        ));
    }
    tell_end(world, &report);
    Ok(ExitCode::from(report.ending.exit_code()))
}

/// What the policy comes to in the folder of `--sandbox`, else in the root that it names, else here.
fn confined(world: &World<'_>, args: &ExecArgs) -> Result<Confinement, Failure> {
    let granted = flags::granted(args)?;
    let source = PolicySource::load(&args.policy, world.environment).map_err(Failure::usage)?;
    let sandbox = args.sandbox.as_deref().map(root).transpose()?;
    let here = root(Path::new("."))?;
    let policy = source.compile(true, sandbox.as_deref(), &here);
    let root = match policy.files() {
        Some(files) => root(&files.root)?,
        None => sandbox.unwrap_or(here),
    };
    confinement::of(&policy, &root, &granted).map_err(Failure::usage)
}

/// A folder of the sandbox, with no links in its path: what is granted is what it leads to now.
fn root(folder: &Path) -> Result<PathBuf, Failure> {
    std::fs::create_dir_all(folder).with_context(|| format!("{} can't be made", folder.display()))?;
    Ok(folder.canonicalize().with_context(|| format!("{} can't be used", folder.display()))?)
}

fn command(world: &World<'_>, args: ExecArgs) -> Result<Command, Failure> {
    let mut words = args.command.into_iter();
    let program = words.next().ok_or_else(|| Failure::usage("a command is needed, after `--`"))?;
    let mut command = Command::new(program).args(words);
    if let Some(terminal) = world.environment.get("TERM") {
        command = command.env("TERM", terminal);
    }
    for variable in args.env {
        let (name, value) = pair(&variable).ok_or_else(|| {
            Failure::usage(
                "--env takes NAME=VALUE; nothing of this environment is passed on by its name alone",
            )
        })?;
        command = command.env(name, value);
    }
    Ok(command)
}

fn pair(variable: &OsStr) -> Option<(OsString, OsString)> {
    let bytes = variable.as_bytes();
    let at = bytes.iter().position(|&byte| byte == b'=').filter(|&at| at > 0)?;
    let (name, value) = (bytes.get(..at)?, bytes.get(at + 1..)?);
    Some((OsString::from_vec(name.to_vec()), OsString::from_vec(value.to_vec())))
}

fn not_run(world: &World<'_>, error: &SpawnError) -> ExitCode {
    output::say(format!("seawall: {error}"));
    if world.global.json {
        let refused = matches!(error, SpawnError::Refused(_));
        say_json(&json!({
            "enforced": [], "unavailable": [], "violations": 0, "survivors": 0,
            "refused": refused, "error": error.to_string(),
        }));
    }
    ExitCode::from(match error {
        SpawnError::Refused(_) => REFUSED,
        SpawnError::NotFound(_) => NOT_FOUND,
        SpawnError::NotExecutable(_) => NOT_EXECUTABLE,
        SpawnError::Launcher(_) => 1,
    })
}

/// Without `--json`, what does not hold is said before the command speaks.
fn tell_gaps(world: &World<'_>, child: &Child) {
    if world.global.json || world.global.quiet {
        return;
    }
    for reason in &child.layers().unavailable {
        output::say(format!("seawall: not enforced: {reason}"));
    }
}

fn tell_end(world: &World<'_>, report: &Report) {
    if world.global.json {
        say_json(&json!({
            "enforced": report.layers.enforced,
            "unavailable": report.layers.unavailable,
            "violations": report.violations,
            "survivors": report.survivors,
            "timed_out": report.timed_out,
        }));
    } else if report.survivors > 0 {
        output::say(format!("seawall: {} processes could not be ended", report.survivors));
    }
}

/// Stdout is the command's.
fn say_json(value: &serde_json::Value) {
    output::say(value.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_needs_a_name_and_its_value_may_hold_anything() {
        let pair = |text: &str| pair(OsStr::new(text));
        assert_eq!(pair("A=b=c"), Some(("A".into(), "b=c".into())));
        assert_eq!(pair("A="), Some(("A".into(), "".into())));
        assert!(pair("A").is_none() && pair("=b").is_none() && pair("").is_none());
    }
}

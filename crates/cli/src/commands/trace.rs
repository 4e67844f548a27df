//! `seawall trace`: reading, verifying and keeping traces. Works beside a running server.

mod export;
mod key;
mod line;
mod profile;
mod replay;
mod tail;
mod verify;

use std::process::ExitCode;

use seawall_base::clock::SystemClock;
use seawall_config::units;
use seawall_trace::read;
use seawall_trace::retention::{self, Policy};
use seawall_types::Clock;

use self::line::Reader;
use super::runs::Archive;
use super::{World, report, runs};
use crate::args::TraceCommand;
use crate::exit::{Failure, Outcome};
use crate::output;

pub(crate) fn run(world: &World<'_>, command: TraceCommand) -> Outcome {
    match command {
        TraceCommand::List(args) => runs::list(world, &args),
        TraceCommand::Report(args) => report::run(world, &args),
        TraceCommand::Show { run } => show(world, &run),
        TraceCommand::Tail { run, lines, no_follow } => tail::run(world, &run, lines, !no_follow),
        TraceCommand::Verify { target, public_key } => {
            verify::run(world, target.as_deref(), public_key.as_ref())
        }
        TraceCommand::Replay { run, against, step } => replay::run(world, &run, against.as_deref(), step),
        TraceCommand::Profile(args) => profile::run(world, &args),
        TraceCommand::Key(command) => key::run(world, &command),
        TraceCommand::Export(args) => export::run(world, &args),
        TraceCommand::Gc { older_than, max_size, compress, dry_run } => {
            let age = older_than.as_deref().map(units::parse_duration).transpose();
            let size = max_size.as_deref().map(units::parse_size).transpose();
            let policy = Policy {
                older_than: age.map_err(|error| Failure::usage(format!("--older-than: {error}")))?,
                max_bytes: size.map_err(|error| Failure::usage(format!("--max-size: {error}")))?,
                compress,
                dry_run,
            };
            collect(world, &policy)
        }
    }
}

/// The lines as they are on disk, or in short at a terminal.
fn show(world: &World<'_>, wanted: &str) -> Outcome {
    let archive = Archive::open(world)?;
    let reader = Reader::of(world);
    for line in read::run_lines(&archive.find(wanted)?.dir)? {
        reader.print(&line?.raw)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn collect(world: &World<'_>, policy: &Policy) -> Outcome {
    if policy.older_than.is_none() && policy.max_bytes.is_none() && !policy.compress {
        return Err(Failure::usage("nothing to do: give --older-than, --max-size or --compress"));
    }
    let archive = Archive::open(world)?;
    let done = retention::gc(&archive.dir, &*archive.heads, policy, SystemClock::new().now())?;
    if world.global.json {
        output::json(&done);
    } else {
        let would = if policy.dry_run { "would have " } else { "" };
        output::line(format!(
            "{would}removed {} runs and {} files, compressed {}, freed {} bytes",
            done.removed_runs, done.removed_segments, done.compressed, done.freed_bytes
        ));
    }
    Ok(ExitCode::SUCCESS)
}

//! `seawall trace`: reading, verifying and keeping traces. Works beside a running server.

mod export;
mod line;
mod tail;

use std::path::Path;
use std::process::ExitCode;

use seawall_base::clock::SystemClock;
use seawall_config::units;
use seawall_trace::retention::{self, Policy};
use seawall_trace::{read, verify};
use seawall_types::Clock;
use serde_json::{Value, json};

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
        TraceCommand::Verify { target } => check(world, target.as_deref()),
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
        if reader.print(&line?.raw).is_err() {
            break; // The reader went away.
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn check(world: &World<'_>, target: Option<&str>) -> Outcome {
    let reports = match target.map(Path::new) {
        Some(file) if file.is_file() => vec![verify::verify_file(file)],
        Some(_) => {
            let archive = Archive::open(world)?;
            let found = archive.find(target.unwrap_or("last"))?;
            vec![verify::verify_run(
                &archive.dir,
                &archive.row(&found)?,
                archive.heads.head(found.run)?.as_ref(),
            )]
        }
        None => {
            let archive = Archive::open(world)?;
            let rows = archive.rows()?;
            rows.iter()
                .map(|row| Ok(verify::verify_run(&archive.dir, row, archive.heads.head(row.run)?.as_ref())))
                .collect::<Result<_, Failure>>()?
        }
    };
    let checked: u64 = reports.iter().map(|report| report.checked).sum();
    let bad = reports.iter().find(|report| !report.ok);
    if world.global.json {
        output::json(&verdict(&reports, checked, bad));
    } else {
        for report in reports.iter().filter(|report| !report.ok) {
            let first = report.first_bad.as_ref();
            let place = first.map_or_else(String::new, |bad| {
                format!("{}, line {}: {}", bad.file.display(), bad.line, bad.reason)
            });
            output::line(format!("BAD  {place}"));
        }
        output::line(format!(
            "{checked} lines of {} runs checked: {}",
            reports.len(),
            if bad.is_none() { "good" } else { "NOT good" }
        ));
    }
    Ok(ExitCode::from(u8::from(bad.is_some())))
}

fn verdict(reports: &[verify::Report], checked: u64, bad: Option<&verify::Report>) -> Value {
    let mut value = json!({ "ok": bad.is_none(), "checked": checked, "runs": reports.len() });
    if let Some(map) = value.as_object_mut() {
        if let [only] = reports {
            map.insert("head".to_owned(), json!(only.head));
        }
        if let Some(first) = bad.and_then(|report| report.first_bad.as_ref()) {
            map.insert("first_bad".to_owned(), json!(first));
        }
    }
    value
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

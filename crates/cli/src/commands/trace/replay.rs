//! `seawall trace replay`: stepping through a recorded run, or comparing another with it.

use std::path::Path;
use std::process::ExitCode;

use seawall_trace::read;
use seawall_trace::replay::{Replayer, Step, compare};
use serde_json::json;

use crate::commands::World;
use crate::commands::runs::Archive;
use crate::exit::{Failure, Outcome};
use crate::output;

pub(crate) fn run(world: &World<'_>, wanted: &str, against: Option<&str>, step: bool) -> Outcome {
    let mut recorded = load(world, wanted)?;
    match against {
        Some(other) => report(world, &mut recorded, &load(world, other)?),
        None => {
            show(world, recorded.steps(), step);
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn load(world: &World<'_>, wanted: &str) -> Result<Replayer, Failure> {
    Ok(Replayer::load(lines(world, wanted)?)?)
}

/// The lines of a run or a trace file.
pub(super) fn lines(world: &World<'_>, wanted: &str) -> Result<read::Lines, Failure> {
    let path = Path::new(wanted);
    if path.is_file() {
        return Ok(read::lines(path)?);
    }
    Ok(read::run_lines(&Archive::open(world)?.find(wanted)?.dir)?)
}

fn report(world: &World<'_>, recorded: &mut Replayer, other: &Replayer) -> Outcome {
    let divergence = compare(recorded, other);
    if world.global.json {
        output::json(
            &json!({ "same": divergence.is_none(), "steps": recorded.steps().len(), "divergence": divergence }),
        );
    } else {
        match &divergence {
            Some(divergence) => output::line(divergence.to_string()),
            None => output::line(format!("the same course, {} steps", recorded.steps().len())),
        }
    }
    Ok(ExitCode::from(u8::from(divergence.is_some())))
}

/// All steps; at a terminal and with `--step`, the next after each line that is typed.
fn show(world: &World<'_>, steps: &[Step], wait: bool) {
    if world.global.json {
        return output::json(&json!({ "steps": steps }));
    }
    for (number, step) in (1_u64..).zip(steps) {
        output::line(format!("{number}  {}: {}", step.fingerprint, step.outcome));
        let mut typed = String::new();
        if wait && !matches!(std::io::stdin().read_line(&mut typed), Ok(1..)) {
            break;
        }
    }
}

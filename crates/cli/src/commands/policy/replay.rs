//! `seawall policy replay`: what another policy would have changed in runs that were recorded.

use std::path::Path;
use std::process::ExitCode;

use seawall_checkpoint::replay::{Change, NotHeld, PolicyReplay, Replayed};
use seawall_policy::Policy;
use seawall_trace::read;
use seawall_types::{ActionId, Mode};
use serde::Serialize;

use super::policy_of;
use crate::args::PolicyReplayArgs;
use crate::commands::World;
use crate::commands::runs::Archive;
use crate::exit::{Failure, Outcome};
use crate::output;

pub(super) fn run(world: &World<'_>, args: &PolicyReplayArgs) -> Outcome {
    let (policy, called) = policy_of(world, args.policy.as_deref(), args.sandbox.as_deref())?;
    let mut replay = PolicyReplay::new(&policy);
    for wanted in &args.trace {
        replay.run(lines(world, wanted)?)?;
    }
    let replayed = replay.finish();
    if world.global.json {
        output::json(&InJson { policy: &called, mode: policy.mode, replayed: &replayed });
    } else {
        tell(&policy, &called, &replayed);
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct InJson<'r> {
    policy: &'r str,
    mode: Mode,
    #[serde(flatten)]
    replayed: &'r Replayed,
}

/// A run or a trace file.
fn lines(world: &World<'_>, wanted: &str) -> Result<read::Lines, Failure> {
    let path = Path::new(wanted);
    if path.is_file() {
        return Ok(read::lines(path)?);
    }
    Ok(read::run_lines(&Archive::open(world)?.find(wanted)?.dir)?)
}

fn tell(policy: &Policy, called: &str, replayed: &Replayed) {
    let mode = if policy.mode == Mode::Strict { "strict" } else { "warn" };
    let Replayed { actions, changed, cost_delta_usd, not_held } = replayed;
    output::line(format!("{actions} actions through {called} ({mode} mode): {} would change", changed.len()));
    if !changed.is_empty() {
        let rows: Vec<Vec<String>> = changed
            .iter()
            .map(|change| {
                vec![
                    change.action.as_ref().map(ActionId::to_string).unwrap_or_default(),
                    change.kind.clone(),
                    shown(&change.name),
                    change.from.as_str().to_owned(),
                    change.to.as_str().to_owned(),
                    why(change),
                ]
            })
            .collect();
        output::table(&["ACTION", "KIND", "NAME", "FROM", "TO", "WHY"], &rows);
    }
    output::line(format!("cost: {cost_delta_usd} USD"));
    tell_what_is_missing(not_held);
}

/// Why it would be decided so: the first of the findings, with its place where it is about one.
fn why(change: &Change) -> String {
    match change.findings.as_slice() {
        [] => "no rule is against it".to_owned(),
        [found, rest @ ..] => {
            let place = if found.location.is_empty() {
                String::new()
            } else {
                format!(" {}", shown(&found.location))
            };
            let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
            format!("{}{place}: {}{more}", found.code, shown(&found.message))
        }
    }
}

fn tell_what_is_missing(not_held: &NotHeld) {
    let NotHeld { arguments, texts, cut, redacted, costs } = *not_held;
    for (count, what) in [
        (
            arguments,
            "tool calls without arguments in the trace: judged by name alone, and refused where they were (trace.content)",
        ),
        (texts, "model calls without texts in the trace: judged by model alone (trace.content)"),
        (cut, "actions of which the trace holds only the beginning"),
        (redacted, "actions with parts taken out: what was there is judged by its kind"),
        (costs, "actions that would have been let through, at a cost that is not known"),
    ] {
        if count > 0 {
            output::line(format!("not known: {count} {what}"));
        }
    }
}

/// Foreign text in one line, which commands no terminal.
fn shown(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).take(160).collect()
}

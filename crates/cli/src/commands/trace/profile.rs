//! `seawall trace profile`: what recorded runs did, as the baseline that a policy's `drift` compares others with.

use std::process::ExitCode;

use anyhow::Context;
use seawall_base::atomic;
use seawall_checkpoint::replay::Profiling;

use super::replay::lines;
use crate::args::ProfileArgs;
use crate::commands::World;
use crate::exit::Outcome;
use crate::output;
use crate::policy::working_folder;

pub(super) fn run(world: &World<'_>, args: &ProfileArgs) -> Outcome {
    let folder = working_folder();
    let root = args.root.as_ref().map(|root| folder.join(root));
    let mut profiling = Profiling::new(root, folder);
    for wanted in &args.runs {
        profiling.run(lines(world, wanted)?)?;
    }
    let profiled = profiling.finish();
    let (calls, without) = (profiled.calls, profiled.without_arguments);
    match &args.out {
        Some(file) => {
            let text = serde_json::to_string_pretty(&profiled.profile)? + "\n";
            // A policy that is in force may be watching it, and half a profile would keep it from loading.
            atomic::write(file, text.as_bytes(), 0o644)
                .with_context(|| format!("{} can't be written", file.display()))?;
            if !world.global.quiet {
                output::say(format!("wrote {}, a profile of {calls} calls of tools", file.display()));
            }
        }
        None => output::json(&profiled.profile),
    }
    if calls == 0 && !world.global.quiet {
        output::say("these runs called no tools: to a policy with this baseline everything is new");
    }
    if without > 0 && !world.global.quiet {
        output::say(format!(
            "not known: where {without} of {calls} calls led, whose arguments the trace does not hold (trace.content)"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

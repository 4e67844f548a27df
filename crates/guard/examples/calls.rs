//! How long it takes to admit and settle one call: median of many rounds, under `fs_safe` with one path, traced in groups.
//!
//! `cargo run --release -p seawall-guard --example calls`
#![expect(clippy::print_stdout, reason = "what it prints is its result")]

use std::time::Instant;

use seawall_guard::{Call, Error, PolicyChoice, Run, RunOptions, ToolEnd, TraceChoice};
use serde_json::{Value, json};

const ROUNDS: usize = 200;
const CALLS: u32 = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let options = || RunOptions {
        allow_outside_root: true,
        ..RunOptions::policy("fs_safe")
            .sandbox(folder.path().join("sandbox"))
            .data_dir(folder.path().join("data"))
    };
    let path = json!({ "path": "notes.txt", "content": "hello" });
    let text = json!({ "a": "one", "b": "two" });
    let off = || RunOptions { policy: PolicyChoice::Off, ..options() };
    for (name, options, arguments) in [
        ("fs_safe, a path, traced", options(), &path),
        ("fs_safe, a path, not traced", RunOptions { trace: TraceChoice::Off, ..options() }, &path),
        ("fs_safe, no path, traced", options(), &text),
        (
            "safe, a path, traced, money limited",
            { RunOptions { policy: PolicyChoice::named("safe"), ..options() }.max_cost_usd("5".parse()?) },
            &path,
        ),
        ("no policy, traced", off(), &path),
        ("no policy, not traced", RunOptions { trace: TraceChoice::Off, ..off() }, &path),
    ] {
        println!("{name:<36} {:>7} ns", measured(&Run::begin(options, None)?, arguments)?);
    }
    let begun = Instant::now();
    for _ in 0..20 {
        Run::begin(options(), None)?.finish();
    }
    println!("{:<36} {:>7} µs", "begin and finish a run", begun.elapsed().as_micros() / 20);
    Ok(())
}

/// Nanoseconds of one call.
fn measured(run: &Run, arguments: &Value) -> Result<u128, Error> {
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let calls: Vec<_> = (0..CALLS).map(|_| arguments.clone()).collect();
        let begun = Instant::now();
        for arguments in calls {
            run.admit(Call::new("write_file", arguments))?.settle(ToolEnd::ReturnedBytes(0), None)?;
        }
        rounds.push(begun.elapsed().as_nanos() / u128::from(CALLS));
    }
    rounds.sort_unstable();
    Ok(rounds.get(ROUNDS / 2).copied().unwrap_or_default())
}

//! How long one judgement takes, for each part of a policy and for all of them: median of many rounds.
//!
//! `cargo run --release -p seawall-policy --example judging`
#![expect(clippy::print_stdout, reason = "what it prints is its result")]

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use seawall_config::{Document, Errors, read};
use seawall_policy::{Asked, Declared, Performer, PolicyFile, Setting};
use seawall_types::{Actor, Mode};
use serde_json::{Value, json};

const ROUNDS: usize = 200;
const CALLS: u32 = 200;

fn main() -> Result<(), Errors> {
    let files = json!({ "root": "." });
    let network = json!({ "hosts": ["api.example.com"], "schemes": ["https"] });
    let commands = json!({ "allow": ["git *"] });
    let tools = json!([{ "name": "*", "verdict": "deny", "when": "args.amount > 50" }]);
    let secrets = json!({ "in": "deny" });
    let all_args = json!({ "path": "Cargo.toml", "url": "https://api.example.com/v1", "command": "git status", "amount": 5 });
    let cases: [(&str, Value, Value); 7] = [
        ("nothing", json!({}), all_args.clone()),
        ("path", json!({ "files": files }), json!({ "path": "Cargo.toml" })),
        ("url", json!({ "network": network }), json!({ "url": "https://api.example.com/v1" })),
        ("command", json!({ "commands": commands }), json!({ "command": "git status" })),
        ("when", json!({ "tools": tools }), json!({ "amount": 5 })),
        (
            "all four",
            json!({ "files": files, "network": network, "commands": commands, "tools": tools }),
            all_args.clone(),
        ),
        (
            "all four and secrets",
            json!({ "files": files, "network": network, "commands": commands, "tools": tools, "secrets": secrets }),
            all_args,
        ),
    ];
    let folder = std::env::current_dir().unwrap_or_default();
    for (name, written, args) in &cases {
        let nanos = measured(&folder, written, args)?;
        println!("{name:<22} {nanos:>8} ns");
    }
    Ok(())
}

/// Nanoseconds of one judgement.
fn measured(folder: &Path, written: &Value, args: &Value) -> Result<u128, Errors> {
    let file = read(&Document::from_value(written), PolicyFile::declare)?;
    let policy = file.compile(&Setting { mode: Mode::Strict, folder, sandbox: None }, "example");
    let (actor, effects) = (Actor::default(), Declared::Nothing);
    let asked = Asked {
        tool: "run_read",
        args,
        effects: &effects,
        actor: &actor,
        run: "",
        flow: None,
        performer: Performer::Us,
    };
    let mut rounds: Vec<u128> = (0..ROUNDS)
        .map(|_| {
            let begin = Instant::now();
            for _ in 0..CALLS {
                black_box(policy.judge(black_box(&asked)));
            }
            begin.elapsed().as_nanos() / u128::from(CALLS)
        })
        .collect();
    rounds.sort_unstable();
    Ok(rounds.get(ROUNDS / 2).copied().unwrap_or_default())
}

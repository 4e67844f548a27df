//! `seawall trace key`: the key that signs the heads of traces.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use seawall_trace::sign::{PublicKey, SignKey};
use seawall_types::Secret;
use serde_json::json;

use crate::args::TraceKeyCommand;
use crate::commands::World;
use crate::exit::{Failure, Outcome};
use crate::output;

pub(crate) fn run(world: &World<'_>, command: &TraceKeyCommand) -> Outcome {
    let public = match command {
        TraceKeyCommand::New { file } => make(file)?,
        TraceKeyCommand::Public { file } => read(file)?,
    };
    if world.global.json {
        output::json(&json!({ "public_key": public.to_string(), "pem": public.to_pem() }));
    } else {
        output::line(public.to_string());
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes a key in a new file, for the owner only. One that is there is never overwritten: what it signed would be lost.
fn make(file: &Path) -> Result<PublicKey, Failure> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("no randomness from the kernel: {error}"))?;
    let pem = SignKey::pem(&seed);
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    made.and_then(|mut made| made.write_all(pem.expose().as_bytes()).and_then(|()| made.sync_all()))
        .with_context(|| format!("the key can't be written to {}", file.display()))?;
    Ok(SignKey::parse(&pem)?.public())
}

fn read(file: &Path) -> Result<PublicKey, Failure> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))?;
    let key = SignKey::parse(&Secret::new(text))
        .map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
    Ok(key.public())
}

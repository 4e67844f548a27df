//! `seawall config import`: another gateway's configuration as one of ours.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::World;
use crate::args::ImportFormat;
use crate::exit::{Failure, Outcome};
use crate::litellm::{self, Imported};
use crate::output;

pub(crate) fn run(world: &World<'_>, format: ImportFormat, file: &Path, out: Option<&Path>) -> Outcome {
    let refused = |error: &dyn std::fmt::Display| Failure::usage(format!("{}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| refused(&error))?;
    let imported = match format {
        ImportFormat::Litellm => litellm::import(&text).map_err(|error| refused(&error))?,
    };
    if imported.upstreams == 0 {
        // Without an upstream the program would take the environment's, or the simulated provider: nobody asked for those.
        let reasons = imported.not_imported.join("\n");
        return Err(refused(&format_args!("there is no model in it that can be served\n{reasons}")));
    }
    if let Some(out) = out {
        write_new(out, &imported.yaml)?;
    }
    tell(world, &imported, out);
    Ok(ExitCode::SUCCESS)
}

/// A file that is there already is somebody's work and stays.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    written
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::usage(format!("--out: {}: {error}", path.display())))
}

fn tell(world: &World<'_>, imported: &Imported, out: Option<&Path>) {
    let Imported { yaml, not_imported, variables, upstreams } = imported;
    if world.global.json {
        let config = out.is_none().then_some(yaml);
        output::json(
            &json!({ "config": config, "out": out, "not_imported": not_imported, "variables": variables }),
        );
        return;
    }
    if out.is_none() {
        output::line(yaml.trim_end());
    }
    if world.global.quiet {
        return;
    }
    let names: Vec<&str> = variables.iter().map(String::as_str).collect();
    let to_set = if names.is_empty() { String::new() } else { format!("; set {}", names.join(", ")) };
    output::say(format!(
        "{upstreams} upstreams; {} things have no counterpart, see the comments{to_set}; then `seawall config check`",
        not_imported.len()
    ));
}

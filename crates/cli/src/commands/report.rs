//! `seawall report`: one run as a page.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use seawall_trace::report::{self, Summary};
use seawall_trace::{read, verify};

use super::World;
use super::runs::Archive;
use crate::args::{ReportArgs, ReportFormat};
use crate::exit::{Failure, Outcome};
use crate::output;

pub(crate) fn run(world: &World<'_>, args: &ReportArgs) -> Outcome {
    let (summary, name) = summary(world, &args.run)?;
    let format = if world.global.json { ReportFormat::Json } else { args.format };
    let (text, out) = match format {
        ReportFormat::Html => {
            let default = || PathBuf::from(format!("report-{name}.html"));
            (report::html(&summary), Some(args.out.clone().unwrap_or_else(default)))
        }
        ReportFormat::Md => (report::markdown(&summary), args.out.clone()),
        ReportFormat::Json => (report::json(&summary), args.out.clone()),
    };
    match out {
        Some(file) => {
            std::fs::write(&file, text).with_context(|| format!("{} can't be written", file.display()))?;
            if !world.global.quiet {
                output::say(format!("wrote {}", file.display()));
            }
        }
        None => output::line(text),
    }
    Ok(ExitCode::SUCCESS)
}

/// The summary of a run or of a trace file, and a name for it.
fn summary(world: &World<'_>, wanted: &str) -> Result<(Summary, String), Failure> {
    let path = Path::new(wanted);
    if path.is_file() {
        let summary = report::summarise(read::lines(path)?).with_chain(&verify::verify_file(path));
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or("trace").to_owned();
        return Ok((summary, name));
    }
    let archive = Archive::open(world)?;
    let found = archive.find(wanted)?;
    let chain =
        verify::verify_run(&archive.dir, &archive.row(&found)?, archive.heads.head(found.run)?.as_ref());
    let summary = report::summarise(read::run_lines(&found.dir)?).with_chain(&chain);
    Ok((summary, found.run.to_string()))
}

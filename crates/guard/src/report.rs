//! A report of one run, made of its trace.

use seawall_trace::{Heads, read, report, verify};

use crate::Error;
use crate::run::Inner;

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    /// One self-contained page.
    Html,
    /// Markdown.
    Markdown,
    /// One JSON document.
    Json,
}

impl std::str::FromStr for ReportFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "html" => Ok(Self::Html),
            "md" | "markdown" => Ok(Self::Markdown),
            "json" => Ok(Self::Json),
            _ => Err(Error::Config(format!("{text:?} is no format of reports; take html, md or json"))),
        }
    }
}

pub(crate) fn of(run: &Inner, format: ReportFormat) -> Result<String, Error> {
    let archive = run.home.archive.as_ref().ok_or_else(|| {
        Error::Config("the run is not written down, so there is nothing to report".to_owned())
    })?;
    // What was recorded a moment ago may still be on its way. A run that has ended was flushed then.
    run.home.checkpoint.trace().flush().map_err(Error::config)?;
    let found = read::find(&archive.runs, &run.id.to_string()).map_err(Error::config)?;
    let row = read::row_on_disk(&archive.runs, &found).map_err(Error::config)?;
    let head = archive.heads.head(run.id).map_err(Error::config)?;
    let chain = verify::verify_run(&archive.runs, &row, head.as_ref());
    let lines = read::run_lines(&found.dir).map_err(Error::config)?;
    let summary = report::summarise(lines).with_chain(&chain);
    Ok(match format {
        ReportFormat::Html => report::html(&summary),
        ReportFormat::Markdown => report::markdown(&summary),
        ReportFormat::Json => report::json(&summary),
    })
}

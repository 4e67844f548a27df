//! `seawall trace export`: all events of a run in another format.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use seawall_trace::read::{self, Line};
use serde_json::Value;

use crate::args::ExportFormat;
use crate::commands::World;
use crate::commands::runs::Archive;
use crate::exit::Outcome;

/// Columns of the table: those of the envelope, then what is most asked for of the data, then the data itself.
const COLUMNS: [&str; 17] = [
    "seq",
    "ts",
    "run",
    "kind",
    "action",
    "key",
    "tenant",
    "name",
    "verdict",
    "status",
    "input_tokens",
    "output_tokens",
    "estimated",
    "cost_usd",
    "duration_us",
    "code",
    "data",
];

pub(crate) fn run(world: &World<'_>, wanted: &str, format: ExportFormat, out: Option<&Path>) -> Outcome {
    let archive = Archive::open(world)?;
    let lines = read::run_lines(&archive.find(wanted)?.dir)?;
    let mut sink: Box<dyn Write> = match out {
        Some(file) => {
            Box::new(File::create(file).with_context(|| format!("{} can't be written", file.display()))?)
        }
        None => Box::new(io::stdout().lock()),
    };
    let mut sink = BufWriter::new(&mut sink);
    if format == ExportFormat::Csv {
        writeln!(sink, "{}", COLUMNS.join(","))?;
    }
    for line in lines {
        let line = line?;
        match format {
            ExportFormat::Jsonl => {
                sink.write_all(&line.raw)?;
                sink.write_all(b"\n")?;
            }
            ExportFormat::Csv => writeln!(sink, "{}", row(&line))?,
        }
    }
    sink.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn row(line: &Line) -> String {
    let parsed = &line.parsed;
    let data: Value = serde_json::from_str(parsed.data.get()).unwrap_or_default();
    let field = |pointer: &str| match data.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let text = |value: &Option<std::sync::Arc<str>>| value.as_deref().unwrap_or_default().to_owned();
    let cells = [
        parsed.seq.to_string(),
        parsed.ts.to_string(),
        parsed.run.to_string(),
        parsed.kind.as_str().to_owned(),
        parsed.action.map(|id| id.to_string()).unwrap_or_default(),
        text(&parsed.actor.key),
        text(&parsed.actor.tenant),
        field("/name"),
        field("/verdict"),
        field("/status"),
        field("/usage/input_tokens"),
        field("/usage/output_tokens"),
        field("/usage/estimated"),
        field("/cost_usd"),
        field("/duration_us"),
        field("/findings/0/code"),
        parsed.data.get().to_owned(),
    ];
    cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",")
}

/// RFC 4180, and safe for spreadsheets: a cell that would be taken for a formula begins with an apostrophe.
fn quoted(cell: &str) -> String {
    let is_formula =
        cell.starts_with(['=', '+', '@', '\t', '\r']) || (cell.starts_with('-') && cell.len() > 1);
    let cell = if is_formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_are_no_formulas() {
        for (cell, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=1+1", "'=1+1"),
            ("-", "-"),
        ] {
            assert_eq!(quoted(cell), expected);
        }
    }
}

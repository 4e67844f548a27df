//! `seawall trace export`: the actions or events of runs as a table, as spans, or as they are on disk.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use seawall_trace::export::csv::CsvTable;
use seawall_trace::export::parquet::ParquetTable;
use seawall_trace::export::table::{ACTIONS, Column, EVENTS, EventRow};
use seawall_trace::export::{ActionRow, Actions, ExportError, Row, otlp};
use seawall_trace::read::{self, Line, Lines};

use crate::args::ExportArgs;
use crate::commands::World;
use crate::commands::runs::Archive;
use crate::exit::{Failure, Outcome};
use crate::otlp::{BATCH, Collector, Endpoint};
use crate::output;

type Sink = Box<dyn Write + Send>;

pub(crate) fn run(world: &World<'_>, args: &ExportArgs) -> Outcome {
    let runs = open(world, &args.runs)?;
    match &args.otlp {
        Some(Some(endpoint)) => return send(world, runs, endpoint),
        Some(None) => write_spans(runs, &mut *sink(args)?)?,
        None if args.jsonl => write_lines(runs, &mut *sink(args)?)?,
        None if args.events => each_event(runs, table(EVENTS, args)?)?,
        None => each_action(runs, table(ACTIONS, args)?)?,
    }
    if let (Some(file), false) = (&args.out, world.global.quiet) {
        output::say(format!("wrote {}", file.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The lines of each run or trace file that is meant. All are found before anything is written.
fn open(world: &World<'_>, wanted: &[String]) -> Result<Vec<Lines>, Failure> {
    let open = |wanted: &String| {
        let path = Path::new(wanted);
        if path.is_file() {
            return Ok(read::lines(path)?);
        }
        let archive = Archive::open(world)?;
        Ok(read::run_lines(&archive.find(wanted)?.dir)?)
    };
    wanted.iter().map(open).collect()
}

fn sink(args: &ExportArgs) -> Result<Sink, Failure> {
    let Some(file) = &args.out else { return Ok(Box::new(BufWriter::new(output::Stdout))) };
    let created = File::create(file).with_context(|| format!("{} can't be written", file.display()))?;
    Ok(Box::new(BufWriter::new(created)))
}

fn write_lines(runs: Vec<Lines>, out: &mut dyn Write) -> Result<(), Failure> {
    for line in runs.into_iter().flatten() {
        out.write_all(&line?.raw)?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// A table in either format.
enum Table<R: 'static> {
    Csv(CsvTable<R, Sink>),
    Parquet(Box<ParquetTable<R, Sink>>),
}

fn table<R>(columns: &'static [Column<R>], args: &ExportArgs) -> Result<Table<R>, Failure> {
    if !args.parquet {
        return Ok(Table::Csv(CsvTable::begin(columns, sink(args)?)?));
    }
    if args.out.is_none() && io::stdout().is_terminal() {
        return Err(Failure::usage("a Parquet file is not for a terminal: give --out FILE"));
    }
    Ok(Table::Parquet(Box::new(ParquetTable::begin(columns, sink(args)?)?)))
}

impl<R> Table<R> {
    fn push(&mut self, row: &R) -> Result<(), ExportError> {
        match self {
            Self::Csv(table) => Ok(table.push(row)?),
            Self::Parquet(table) => table.push(row),
        }
    }

    fn finish(self) -> Result<(), ExportError> {
        let mut out = match self {
            Self::Csv(table) => table.finish()?,
            Self::Parquet(table) => table.finish()?,
        };
        Ok(out.flush()?)
    }
}

fn each_event(runs: Vec<Lines>, mut table: Table<EventRow>) -> Result<(), Failure> {
    for line in runs.into_iter().flatten() {
        let Line { parsed, .. } = line?;
        table.push(&EventRow::new(parsed))?;
    }
    Ok(table.finish()?)
}

fn each_action(runs: Vec<Lines>, mut table: Table<ActionRow>) -> Result<(), Failure> {
    each_row(runs, |row| match row {
        Row::Action(action) => Ok(table.push(&action)?),
        Row::Run(_) => Ok(()),
    })?;
    Ok(table.finish()?)
}

fn each_row(runs: Vec<Lines>, mut take: impl FnMut(Row) -> Result<(), Failure>) -> Result<(), Failure> {
    for lines in runs {
        let mut actions = Actions::default();
        for line in lines {
            actions.take(&line?.parsed).into_iter().try_for_each(&mut take)?;
        }
        actions.finish().into_iter().try_for_each(&mut take)?;
    }
    Ok(())
}

/// One request a line, which is how a collector's file receiver reads it.
fn write_spans(runs: Vec<Lines>, out: &mut dyn Write) -> Result<(), Failure> {
    each_batch(runs, |_, request| Ok(writeln!(out, "{request}")?))?;
    Ok(out.flush()?)
}

fn send(world: &World<'_>, runs: Vec<Lines>, endpoint: &Endpoint) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let collector = Collector::new(endpoint)?;
    let (mut sent, mut rejected) = (0, 0);
    each_batch(runs, |spans, request| {
        rejected += runtime.block_on(collector.deliver(request)).map_err(anyhow::Error::from)?;
        sent += spans;
        Ok(())
    })?;
    if world.global.json {
        output::json(
            &serde_json::json!({ "endpoint": endpoint.to_string(), "rows": sent, "rejected": rejected }),
        );
    } else if !world.global.quiet {
        output::say(format!("sent {sent} actions and runs to {endpoint}; it rejected {rejected}"));
    }
    // Rejected spans are lost where they were to go, and whoever runs this in a script is to know.
    Ok(ExitCode::from(u8::from(rejected > 0)))
}

fn each_batch(
    runs: Vec<Lines>,
    mut take: impl FnMut(usize, String) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (resource, mut batch) = (otlp::Resource::default(), Vec::with_capacity(BATCH));
    each_row(runs, |row| {
        batch.push(row);
        if batch.len() < BATCH {
            return Ok(());
        }
        let full = std::mem::take(&mut batch);
        take(full.len(), otlp::request(&full, &resource))
    })?;
    if batch.is_empty() { Ok(()) } else { take(batch.len(), otlp::request(&batch, &resource)) }
}

//! The runs that were traced, and finding one of them.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use seawall_store_sqlite::SqliteStore;
use seawall_trace::read::{self, RunOnDisk};
use seawall_trace::{Head, Heads, NoHeads, RunRow};
use serde_json::{Value, json};

use super::World;
use crate::args::ListArgs;
use crate::exit::{Failure, Outcome};
use crate::{output, settings};

/// Where traces are, with what the store knows of them.
pub(crate) struct Archive {
    pub(crate) dir: PathBuf,
    pub(crate) heads: Arc<dyn Heads>,
}

/// Where the configuration has put what is known of runs. What else is wrong with it keeps nobody from reading traces.
fn database(world: &World<'_>) -> Result<PathBuf, Failure> {
    let sources = settings::sources(world.global, world.environment, Vec::new());
    let (_, settings, outcome) = settings::attempt(&sources).map_err(Failure::usage)?;
    match outcome {
        Err(errors) if errors.0.iter().any(|error| error.key == "store") => Err(Failure::usage(errors)),
        _ => Ok(settings.database(&world.data_dir())),
    }
}

impl Archive {
    /// The traces of the data directory.
    pub(crate) fn open(world: &World<'_>) -> Result<Self, Failure> {
        let database = database(world)?;
        let heads: Arc<dyn Heads> =
            if database.exists() { Arc::new(SqliteStore::open(&database)?) } else { Arc::new(NoHeads) };
        Ok(Self { dir: world.data_dir().join("runs"), heads })
    }

    /// Every run, oldest first: those that the store knows, and those that only the disk does.
    pub(crate) fn rows(&self) -> Result<Vec<RunRow>, Failure> {
        let mut rows = self.heads.runs()?;
        for found in read::runs_on_disk(&self.dir)? {
            if !rows.iter().any(|row| row.run == found.run) {
                rows.push(read::row_on_disk(&self.dir, &found)?);
            }
        }
        rows.sort_by_key(|row| row.started_at);
        Ok(rows)
    }

    /// The run that is meant by its id, the beginning of one, or `last`.
    pub(crate) fn find(&self, wanted: &str) -> Result<RunOnDisk, Failure> {
        if wanted != "last" {
            return read::find(&self.dir, wanted).map_err(Failure::usage);
        }
        let newest = read::runs_on_disk(&self.dir)?.into_iter().max_by_key(|found| found.run);
        newest.ok_or_else(|| Failure::usage(format!("there is no trace under {}", self.dir.display())))
    }

    /// The row of a run that is on the disk.
    pub(crate) fn row(&self, found: &RunOnDisk) -> Result<RunRow, Failure> {
        let known = self.heads.runs()?.into_iter().find(|row| row.run == found.run);
        known.map_or_else(|| Ok(read::row_on_disk(&self.dir, found)?), Ok)
    }
}

pub(crate) fn list(world: &World<'_>, args: &ListArgs) -> Outcome {
    let archive = Archive::open(world)?;
    let rows = archive.rows()?;
    let newest = rows.iter().rev().take(args.limit);
    if world.global.json {
        let runs = newest
            .map(|row| Ok(shown(&archive, row, archive.heads.head(row.run)?)))
            .collect::<Result<Vec<_>, Failure>>()?;
        output::json(&json!({ "runs": runs }));
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Vec::new();
    for row in newest {
        let head = archive.heads.head(row.run)?;
        let count = |count: fn(&Head) -> u64| {
            head.as_ref().map_or_else(|| "-".to_owned(), |head| count(head).to_string())
        };
        table.push(vec![
            row.run.to_string(),
            row.kind.clone(),
            row.started_at.to_string().chars().take(19).collect(),
            row.finished_at
                .map_or_else(|| "running".to_owned(), |at| at.to_string().chars().take(19).collect()),
            count(|head| head.actions),
            count(|head| head.denied),
            head.as_ref().map_or_else(|| "-".to_owned(), |head| format!("${}", head.cost_usd)),
        ]);
    }
    output::table(&["RUN", "KIND", "STARTED", "FINISHED", "ACTIONS", "DENIED", "COST"], &table);
    Ok(ExitCode::SUCCESS)
}

fn shown(archive: &Archive, row: &RunRow, head: Option<Head>) -> Value {
    let mut value = json!({
        "run": row.run,
        "kind": row.kind,
        "started_at": row.started_at,
        "events": head.as_ref().map_or(0, |head| head.events),
        "actions": head.as_ref().map_or(0, |head| head.actions),
        "denied": head.as_ref().map_or(0, |head| head.denied),
        "cost_usd": head.map(|head| head.cost_usd).unwrap_or_default(),
        "path": archive.dir.join(&row.path),
    });
    if let (Some(map), Some(at)) = (value.as_object_mut(), row.finished_at) {
        map.insert("finished_at".to_owned(), json!(at));
    }
    value
}

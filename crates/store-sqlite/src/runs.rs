//! Runs and the heads of their traces' chains.

use rusqlite::{Connection, OptionalExtension, Result, Row, Transaction, named_params, params};
use seawall_store::StoreError;
use seawall_trace::{Head, Heads, HeadsError, RunRow};
use seawall_types::{RunId, Timestamp};

use crate::column::{Columns, integer, micros};
use crate::{SqliteStore, failed};

const INSERT_RUN: &str =
    "INSERT INTO run (run, kind, started_at, finished_at, path) VALUES (?1, ?2, ?3, ?4, ?5)
  ON CONFLICT (run) DO NOTHING";

/// A run that is not there (forgotten, or never announced) has no head.
const REPLACE_HEAD: &str = "REPLACE INTO head (run, seq, hash, first_seq, events, actions, denied, cost_usd, signature)
  SELECT run, :seq, :hash, :first_seq, :events, :actions, :denied, :cost_usd, :signature FROM run WHERE run = :run";

impl Heads for SqliteStore {
    fn started(&self, run: &RunRow) -> Result<(), HeadsError> {
        let Some(path) = run.path.to_str() else {
            let reason = format!("the path of run {} is not UTF-8", run.run);
            return Err(StoreError::Unavailable { reason }.into());
        };
        let finished_at = run.finished_at.map(micros);
        let values = params![run.run.into_bytes(), run.kind, micros(run.started_at), finished_at, path];
        Ok(self.write(|transaction| transaction.execute(INSERT_RUN, values).map(|_| ()).map_err(failed))?)
    }

    fn heads(&self, heads: &[Head]) -> Result<(), HeadsError> {
        Ok(self.write(|transaction| {
            heads.iter().try_for_each(|head| merge(transaction, head)).map_err(failed)
        })?)
    }

    fn finished(&self, run: RunId, at: Timestamp, head: &Head) -> Result<(), HeadsError> {
        let update = "UPDATE run SET finished_at = ?2 WHERE run = ?1";
        let finish = |transaction: &Transaction<'_>| {
            merge(transaction, head)?;
            transaction.execute(update, params![run.into_bytes(), micros(at)]).map(|_| ())
        };
        Ok(self.write(|transaction| finish(transaction).map_err(failed))?)
    }

    fn unfinished(&self) -> Result<Vec<RunRow>, HeadsError> {
        Ok(self.rows("SELECT * FROM run WHERE finished_at IS NULL ORDER BY run", read_run)?)
    }

    fn head(&self, run: RunId) -> Result<Option<Head>, HeadsError> {
        Ok(self.read(|connection| find_head(connection, run).map_err(failed))?)
    }

    fn runs(&self) -> Result<Vec<RunRow>, HeadsError> {
        Ok(self.rows("SELECT * FROM run ORDER BY run", read_run)?)
    }

    fn forget(&self, run: RunId) -> Result<(), HeadsError> {
        let delete = "DELETE FROM run WHERE run = ?1";
        Ok(self.write(|transaction| {
            transaction.execute(delete, [run.into_bytes()]).map(|_| ()).map_err(failed)
        })?)
    }
}

fn find_head(connection: &Connection, run: RunId) -> Result<Option<Head>> {
    let mut query = connection.prepare_cached("SELECT * FROM head WHERE run = ?1")?;
    query.query_row([run.into_bytes()], read_head).optional()
}

fn merge(transaction: &Transaction<'_>, newer: &Head) -> Result<()> {
    let head = find_head(transaction, newer.run)?.map_or(*newer, |old| old.merged(*newer));
    let values = named_params! {
        ":run": head.run.into_bytes(),
        ":seq": integer(head.seq),
        ":hash": head.hash,
        ":first_seq": integer(head.first_seq),
        ":events": integer(head.events),
        ":actions": integer(head.actions),
        ":denied": integer(head.denied),
        ":cost_usd": head.cost_usd.to_string(),
        ":signature": head.signature,
    };
    transaction.prepare_cached(REPLACE_HEAD)?.execute(values).map(|_| ())
}

fn read_run(row: &Row<'_>) -> Result<RunRow> {
    Ok(RunRow {
        run: row.id("run")?,
        kind: row.get("kind")?,
        started_at: row.time("started_at")?,
        finished_at: row.time_if("finished_at")?,
        path: row.get::<_, String>("path")?.into(),
    })
}

fn read_head(row: &Row<'_>) -> Result<Head> {
    Ok(Head {
        run: row.id("run")?,
        seq: row.count("seq")?,
        hash: row.get("hash")?,
        first_seq: row.count("first_seq")?,
        events: row.count("events")?,
        actions: row.count("actions")?,
        denied: row.count("denied")?,
        cost_usd: row.text("cost_usd")?,
        signature: row.get("signature")?,
    })
}

//! Approvals.

use rusqlite::{Connection, OptionalExtension, Result, Row, Transaction, named_params, params};
use seawall_store::approval::answering;
use seawall_store::{ApprovalDecision, ApprovalRow, ApprovalState, Approvals, AskedApproval, StoreError};
use seawall_types::{ActionId, ApprovalId, Timestamp};

use crate::column::{Columns, json, micros};
use crate::{SqliteStore, failed};

/// A row that is kept again takes its own place.
const KEEP: &str = "REPLACE INTO approval (id, run, agent, action, actor, tool, call_id, arguments, arguments_hash,
    summary, findings, asked_at, expires_at, state, scope, decided_by, decided_at, note, used_at, recorded)
  VALUES (:id, :run, :agent, :action, :actor, :tool, :call_id, :arguments, :arguments_hash,
    :summary, :findings, :asked_at, :expires_at, :state, :scope, :decided_by, :decided_at, :note, :used_at, :recorded)";

const EXPIRE: &str = "UPDATE approval SET state = 'expired', decided_at = expires_at
  WHERE state = 'pending' AND expires_at <= ?1";

/// What may answer a question. Which one does is decided by [`answering`], which looks at everything again.
const CANDIDATES: &str = "SELECT * FROM approval WHERE run = ?1 AND tool = ?2 AND used_at IS NULL
    AND (arguments_hash = ?3 OR scope = 'run')
  UNION SELECT * FROM approval WHERE id = ?4";

/// What other runs of the same kind asked about the same tool and arguments before they ended.
const OF_PAST_RUNS: &str = "SELECT approval.* FROM approval
    JOIN run AS past ON past.run = approval.run AND past.finished_at IS NOT NULL
    JOIN run AS ours ON ours.run = ?1 AND ours.kind = past.kind
  WHERE tool = ?2 AND arguments_hash = ?3 AND used_at IS NULL AND expires_at > ?4
  ORDER BY asked_at DESC, id DESC";

const NEWEST: &str = "SELECT * FROM approval ORDER BY asked_at DESC, id DESC LIMIT ?1";

const NEWEST_IN_STATE: &str =
    "SELECT * FROM approval WHERE state = ?1 ORDER BY asked_at DESC, id DESC LIMIT ?2";

const UNRECORDED: &str =
    "SELECT * FROM approval WHERE state <> 'pending' AND recorded = 0 ORDER BY asked_at, id";

/// What was asked later can't have been over earlier, and there is an index of when it was asked.
const FORGET: &str = "DELETE FROM approval
  WHERE asked_at < ?1 AND expires_at < ?1 AND state <> 'pending' AND recorded = 1";

fn keep(transaction: &Transaction<'_>, row: &ApprovalRow) -> Result<()> {
    let values = named_params! {
        ":id": row.id.into_bytes(),
        ":run": row.run.into_bytes(),
        ":agent": row.agent,
        ":action": row.action.map(ActionId::into_bytes),
        ":actor": json(&row.actor)?,
        ":tool": row.tool,
        ":call_id": row.call_id,
        ":arguments": json(&row.arguments)?,
        ":arguments_hash": row.arguments_hash,
        ":summary": row.summary,
        ":findings": json(&row.findings)?,
        ":asked_at": micros(row.asked_at),
        ":expires_at": micros(row.expires_at),
        ":state": row.state.as_str(),
        ":scope": row.scope.map(seawall_store::ApprovalScope::as_str),
        ":decided_by": row.decided_by,
        ":decided_at": row.decided_at.map(micros),
        ":note": row.note,
        ":used_at": row.used_at.map(micros),
        ":recorded": row.recorded,
    };
    transaction.prepare_cached(KEEP)?.execute(values).map(|_| ())
}

fn read(row: &Row<'_>) -> Result<ApprovalRow> {
    Ok(ApprovalRow {
        id: row.id("id")?,
        run: row.id("run")?,
        agent: row.get("agent")?,
        action: row.id_if("action")?,
        actor: row.json("actor")?,
        tool: row.get("tool")?,
        call_id: row.get("call_id")?,
        arguments: row.json("arguments")?,
        arguments_hash: row.get("arguments_hash")?,
        summary: row.get("summary")?,
        findings: row.json("findings")?,
        asked_at: row.time("asked_at")?,
        expires_at: row.time("expires_at")?,
        state: row.text("state")?,
        scope: row.text_if("scope")?,
        decided_by: row.get("decided_by")?,
        decided_at: row.time_if("decided_at")?,
        note: row.get("note")?,
        used_at: row.time_if("used_at")?,
        recorded: row.get("recorded")?,
    })
}

fn expire(connection: &Connection, at: Timestamp) -> Result<()> {
    connection.prepare_cached(EXPIRE)?.execute([micros(at)]).map(|_| ())
}

fn find(connection: &Connection, id: ApprovalId) -> Result<Option<ApprovalRow>> {
    let query = "SELECT * FROM approval WHERE id = ?1";
    connection.prepare_cached(query)?.query_row([id.into_bytes()], read).optional()
}

fn ask(
    transaction: &Transaction<'_>,
    wanted: &ApprovalRow,
    shown: Option<ApprovalId>,
) -> Result<AskedApproval> {
    expire(transaction, wanted.asked_at)?;
    let mut candidates = transaction.prepare_cached(CANDIDATES)?;
    let values = params![
        wanted.run.into_bytes(),
        wanted.tool,
        wanted.arguments_hash,
        shown.map(ApprovalId::into_bytes)
    ];
    let rows: Vec<_> = candidates.query_map(values, read)?.collect::<Result<_>>()?;
    let Some(mut row) = answering(rows, wanted, shown) else {
        keep(transaction, wanted)?;
        return Ok(AskedApproval { row: wanted.clone(), is_new: true });
    };
    if row.is_used_up_by_answering(wanted) {
        row.used_at = Some(wanted.asked_at);
        keep(transaction, &row)?;
    }
    Ok(AskedApproval { row, is_new: false })
}

impl Approvals for SqliteStore {
    fn ask(&self, wanted: &ApprovalRow, shown: Option<ApprovalId>) -> Result<AskedApproval, StoreError> {
        self.write(|transaction| ask(transaction, wanted, shown).map_err(failed))
    }

    fn asked_before(&self, wanted: &ApprovalRow) -> Result<Option<ApprovalId>, StoreError> {
        let past = |connection: &Connection| -> Result<Vec<ApprovalRow>> {
            let values =
                params![wanted.run.into_bytes(), wanted.tool, wanted.arguments_hash, micros(wanted.asked_at)];
            connection.prepare_cached(OF_PAST_RUNS)?.query_map(values, read)?.collect()
        };
        let rows = self.read(|connection| past(connection).map_err(failed))?;
        Ok(rows.into_iter().find(|row| row.is_of_the_same_call(wanted)).map(|row| row.id))
    }

    fn decide(
        &self,
        id: ApprovalId,
        decision: &ApprovalDecision,
        at: Timestamp,
    ) -> Result<ApprovalRow, StoreError> {
        // What has expired meanwhile is to be seen as such also where the decision is refused, which takes everything
        // back that was written with it.
        Approvals::expire(self, at)?;
        self.write(|transaction| {
            let row = find(transaction, id).map_err(failed)?;
            let row = row.ok_or_else(|| StoreError::NotFound { what: format!("approval {id}") })?;
            let row = row.expired_by(at).decided(decision, at)?;
            keep(transaction, &row).map_err(failed)?;
            Ok(row)
        })
    }

    fn expire(&self, at: Timestamp) -> Result<(), StoreError> {
        // Asked first, since it is asked often and a write waits for the disk.
        let query = "SELECT EXISTS (SELECT 1 FROM approval WHERE state = 'pending' AND expires_at <= ?1)";
        let is_due = |connection: &Connection| {
            connection.prepare_cached(query)?.query_one([micros(at)], |row| row.get(0))
        };
        if self.read(|connection| is_due(connection).map_err(failed))? {
            self.write(|transaction| expire(transaction, at).map_err(failed))?;
        }
        Ok(())
    }

    fn approval(&self, id: ApprovalId) -> Result<Option<ApprovalRow>, StoreError> {
        self.read(|connection| find(connection, id).map_err(failed))
    }

    fn approvals(&self, state: Option<ApprovalState>, most: u32) -> Result<Vec<ApprovalRow>, StoreError> {
        let newest = |connection: &Connection| -> Result<Vec<ApprovalRow>> {
            match state {
                Some(state) => {
                    let values = params![state.as_str(), most];
                    connection.prepare_cached(NEWEST_IN_STATE)?.query_map(values, read)?.collect()
                }
                None => connection.prepare_cached(NEWEST)?.query_map([most], read)?.collect(),
            }
        };
        let mut rows = self.read(|connection| newest(connection).map_err(failed))?;
        rows.reverse();
        Ok(rows)
    }

    fn unrecorded(&self) -> Result<Vec<ApprovalRow>, StoreError> {
        self.rows(UNRECORDED, read)
    }

    fn claim_record(&self, id: ApprovalId) -> Result<bool, StoreError> {
        let update = "UPDATE approval SET recorded = 1 WHERE id = ?1 AND recorded = 0 AND state <> 'pending'";
        self.write(|transaction| Ok(transaction.execute(update, [id.into_bytes()]).map_err(failed)? > 0))
    }

    fn forget_decided(&self, before: Timestamp) -> Result<u64, StoreError> {
        let forgotten =
            self.write(|transaction| transaction.execute(FORGET, [micros(before)]).map_err(failed))?;
        Ok(u64::try_from(forgotten).unwrap_or(u64::MAX))
    }
}

//! The ledger's snapshot. Saving one replaces every row of the last, in one transaction.

use rusqlite::{Connection, OptionalExtension, Result, Row, Transaction, named_params, params};
use seawall_budget::{AccountRow, HoldRow, Snapshot, SnapshotError, Snapshots, SweptRow};
use seawall_types::{Amount, Timestamp};

use crate::column::{Columns, integer, json, micros};
use crate::{SqliteStore, failed};

const INSERT_ACCOUNT: &str = "INSERT INTO ledger_account
    (scope, window, ceiling, period, spent_usd, spent_tokens, minute)
  VALUES (:scope, :window, :ceiling, :period, :spent_usd, :spent_tokens, :minute)";

const INSERT_HOLD: &str = "INSERT INTO ledger_hold
    (hold, run, action, scopes, usd, tokens, at, deadline, legs, swept_at)
  VALUES (:hold, :run, :action, :scopes, :usd, :tokens, :at, :deadline, :legs, :swept_at)";

impl Snapshots for SqliteStore {
    fn load(&self) -> Result<Option<Snapshot>, SnapshotError> {
        Ok(self.read(|connection| load(connection).map_err(failed))?)
    }

    fn save(&self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        Ok(self.write(|transaction| save(transaction, snapshot).map_err(failed))?)
    }
}

fn save(transaction: &Transaction<'_>, snapshot: &Snapshot) -> Result<()> {
    transaction.execute_batch("DELETE FROM ledger_account; DELETE FROM ledger_hold;")?;
    let latest = micros(snapshot.latest);
    let replace = "REPLACE INTO ledger (id, journal, latest) VALUES (0, ?1, ?2)";
    transaction.execute(replace, params![integer(snapshot.journal), latest])?;
    snapshot.accounts.iter().try_for_each(|account| insert_account(transaction, account))?;
    snapshot.holds.iter().try_for_each(|hold| insert_hold(transaction, hold, None))?;
    snapshot.swept.iter().try_for_each(|swept| insert_hold(transaction, &swept.hold, Some(swept.swept_at)))
}

fn insert_account(transaction: &Transaction<'_>, account: &AccountRow) -> Result<()> {
    let ceiling = account.limit.as_ref().map(json).transpose()?;
    let minute = account.minute.as_ref().map(json).transpose()?;
    let values = named_params! {
        ":scope": account.scope.to_string(),
        ":window": account.window.as_str(),
        ":ceiling": ceiling,
        ":period": account.period,
        ":spent_usd": account.spent.usd.to_string(),
        ":spent_tokens": integer(account.spent.tokens),
        ":minute": minute,
    };
    transaction.prepare_cached(INSERT_ACCOUNT)?.execute(values).map(|_| ())
}

fn insert_hold(transaction: &Transaction<'_>, hold: &HoldRow, swept_at: Option<Timestamp>) -> Result<()> {
    let values = named_params! {
        ":hold": hold.hold.into_bytes(),
        ":run": hold.run.into_bytes(),
        ":action": hold.action.into_bytes(),
        ":scopes": json(&hold.scopes)?,
        ":usd": hold.amount.usd.to_string(),
        ":tokens": integer(hold.amount.tokens),
        ":at": micros(hold.at),
        ":deadline": micros(hold.deadline),
        ":legs": json(&hold.legs)?,
        ":swept_at": swept_at.map(micros),
    };
    transaction.prepare_cached(INSERT_HOLD)?.execute(values).map(|_| ())
}

/// Reads in one transaction, so that no other process saves in between.
fn load(connection: &Connection) -> Result<Option<Snapshot>> {
    let transaction = connection.unchecked_transaction()?;
    let first = "SELECT journal, latest FROM ledger";
    let read = |row: &Row<'_>| {
        Ok(Snapshot { journal: row.count("journal")?, latest: row.time("latest")?, ..Snapshot::default() })
    };
    let Some(mut snapshot) = transaction.query_row(first, (), read).optional()? else { return Ok(None) };
    let mut accounts = transaction.prepare("SELECT * FROM ledger_account ORDER BY ordinal")?;
    snapshot.accounts = accounts.query_map((), read_account)?.collect::<Result<_>>()?;
    let mut holds = transaction.prepare("SELECT * FROM ledger_hold ORDER BY ordinal")?;
    for row in holds.query_map((), read_hold)? {
        match row? {
            (hold, None) => snapshot.holds.push(hold),
            (hold, Some(swept_at)) => snapshot.swept.push(SweptRow { hold, swept_at }),
        }
    }
    Ok(Some(snapshot))
}

fn read_account(row: &Row<'_>) -> Result<AccountRow> {
    let has = |name| row.get_ref(name).map(|value| value != rusqlite::types::ValueRef::Null);
    Ok(AccountRow {
        scope: row.text("scope")?,
        window: row.text("window")?,
        limit: has("ceiling")?.then(|| row.json("ceiling")).transpose()?,
        period: row.get("period")?,
        spent: Amount { usd: row.text("spent_usd")?, tokens: row.count("spent_tokens")? },
        minute: has("minute")?.then(|| row.json("minute")).transpose()?,
    })
}

fn read_hold(row: &Row<'_>) -> Result<(HoldRow, Option<Timestamp>)> {
    let hold = HoldRow {
        hold: row.id("hold")?,
        run: row.id("run")?,
        action: row.id("action")?,
        scopes: row.json("scopes")?,
        amount: Amount { usd: row.text("usd")?, tokens: row.count("tokens")? },
        at: row.time("at")?,
        deadline: row.time("deadline")?,
        legs: row.json("legs")?,
    };
    Ok((hold, row.time_if("swept_at")?))
}

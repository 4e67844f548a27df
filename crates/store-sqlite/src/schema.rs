//! The tables, and how a file comes to have them.
//!
//! Each version has one script that leads to it from the one before; there is no way back. A script that was
//! released is never changed.

use rusqlite::{Connection, TransactionBehavior};
use seawall_store::StoreError;

use crate::failed;

/// The scripts, the first leading to version 1.
const SCRIPTS: &[&str] = &[
    include_str!("schema/0001_first.sql"),
    include_str!("schema/0002_signed_heads.sql"),
    include_str!("schema/0003_approvals.sql"),
    include_str!("schema/0004_agents.sql"),
    include_str!("schema/0005_due_at_once.sql"),
    include_str!("schema/0006_timers.sql"),
];

/// Brings the tables up to date, in one transaction.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let found = version(&transaction)?;
    let known = u32::try_from(SCRIPTS.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for (version, script) in (1_u32..).zip(SCRIPTS).filter(|(version, _)| *version > found) {
        transaction.execute_batch(script).map_err(failed)?;
        transaction.execute("INSERT INTO migration (version) VALUES (?1)", [version]).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

/// The version of the file; 0 for a new one.
fn version(connection: &Connection) -> Result<u32, StoreError> {
    let create = "CREATE TABLE IF NOT EXISTS migration (version INTEGER PRIMARY KEY) STRICT";
    connection.execute(create, ()).map_err(failed)?;
    let newest = "SELECT coalesce(max(version), 0) FROM migration";
    connection.query_one(newest, (), |row| row.get(0)).map_err(failed)
}

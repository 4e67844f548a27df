//! API keys.

use rusqlite::{Connection, OptionalExtension, Result, Row, named_params, params};
use seawall_store::{KeyBudget, KeyRow, Keys, StoreError};
use seawall_types::{KeyId, Timestamp};

use crate::column::{Columns, integer, json, micros};
use crate::{SqliteStore, failed, is_conflict};

const INSERT: &str =
    "INSERT INTO api_key (id, name, tenant, hash, prefix, created_at, expires_at, revoked_at, rotated_to,
    budget_usd, budget_window, rpm, tpm, models, ips, policy, scopes)
  VALUES (:id, :name, :tenant, :hash, :prefix, :created_at, :expires_at, :revoked_at, :rotated_to,
    :budget_usd, :budget_window, :rpm, :tpm, :models, :ips, :policy, :scopes)";

const CURRENT: &str = "revoked_at IS NULL AND rotated_to IS NULL";

fn insert(connection: &Connection, name: &str, key: &KeyRow) -> Result<usize> {
    connection.prepare_cached(INSERT)?.execute(named_params! {
        ":id": key.id.into_bytes(),
        ":name": name,
        ":tenant": key.tenant,
        ":hash": key.hash,
        ":prefix": key.prefix,
        ":created_at": micros(key.created_at),
        ":expires_at": key.expires_at.map(micros),
        ":revoked_at": key.revoked_at.map(micros),
        ":rotated_to": key.rotated_to.map(KeyId::into_bytes),
        ":budget_usd": key.budget.map(|budget| budget.usd.to_string()),
        ":budget_window": key.budget.map(|budget| budget.window.as_str()),
        ":rpm": key.rpm.map(integer),
        ":tpm": key.tpm.map(integer),
        ":models": json(&key.models)?,
        ":ips": json(&key.ips)?,
        ":policy": key.policy,
        ":scopes": json(&key.scopes)?,
    })
}

fn read(row: &Row<'_>) -> Result<KeyRow> {
    let budget = row.text_if("budget_usd")?.zip(row.text_if("budget_window")?);
    Ok(KeyRow {
        id: row.id("id")?,
        name: row.get("name")?,
        tenant: row.get("tenant")?,
        hash: row.get("hash")?,
        prefix: row.get("prefix")?,
        created_at: row.time("created_at")?,
        expires_at: row.time_if("expires_at")?,
        revoked_at: row.time_if("revoked_at")?,
        rotated_to: row.id_if("rotated_to")?,
        budget: budget.map(|(usd, window)| KeyBudget { usd, window }),
        rpm: row.count_if("rpm")?,
        tpm: row.count_if("tpm")?,
        models: row.json("models")?,
        ips: row.json("ips")?,
        policy: row.get("policy")?,
        scopes: row.json("scopes")?,
    })
}

/// A constraint that a key broke means that it is there already.
fn refused(name: &str) -> impl Fn(rusqlite::Error) -> StoreError + '_ {
    move |error| match is_conflict(&error) {
        true => StoreError::Conflict { what: format!("key {name:?}") },
        false => failed(error),
    }
}

impl Keys for SqliteStore {
    fn create(&self, key: &KeyRow) -> Result<(), StoreError> {
        self.write_change(|transaction| {
            insert(transaction, &key.name, key).map(|_| ()).map_err(refused(&key.name))
        })
    }

    fn list(&self) -> Result<Vec<KeyRow>, StoreError> {
        self.rows("SELECT * FROM api_key ORDER BY created_at, id", read)
    }

    fn by_name(&self, name: &str) -> Result<Option<KeyRow>, StoreError> {
        let query = format!(
            "SELECT * FROM api_key WHERE name = ?1 ORDER BY {CURRENT} DESC, created_at DESC, id DESC LIMIT 1"
        );
        let find =
            |connection: &Connection| connection.prepare_cached(&query)?.query_row([name], read).optional();
        self.read(|connection| find(connection).map_err(failed))
    }

    fn revoke(&self, name: &str, at: Timestamp) -> Result<(), StoreError> {
        let update = "UPDATE api_key SET revoked_at = coalesce(revoked_at, ?2) WHERE name = ?1";
        self.write_change(|transaction| {
            match transaction.execute(update, params![name, micros(at)]).map_err(failed)? {
                0 => Err(StoreError::NotFound { what: format!("key {name:?}") }),
                _ => Ok(()),
            }
        })
    }

    fn rotate(&self, name: &str, next: &KeyRow, overlap_until: Timestamp) -> Result<(), StoreError> {
        let update = format!(
            "UPDATE api_key SET rotated_to = ?2, expires_at = min(coalesce(expires_at, ?3), ?3)
             WHERE name = ?1 AND {CURRENT}"
        );
        self.write_change(|transaction| {
            let values = params![name, next.id.into_bytes(), micros(overlap_until)];
            if transaction.execute(&update, values).map_err(failed)? == 0 {
                return Err(StoreError::NotFound { what: format!("a current key {name:?}") });
            }
            insert(transaction, name, next).map(|_| ()).map_err(refused(name))
        })
    }
}

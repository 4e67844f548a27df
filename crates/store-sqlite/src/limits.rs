//! Limits that operators set.

use rusqlite::{Result, Row, params};
use seawall_budget::{Limit, OnStoreDown};
use seawall_store::{Limits, StoreError};
use seawall_types::{Scope, Timestamp, Window};

use crate::column::{Columns, integer, micros};
use crate::{SqliteStore, failed};

fn read(row: &Row<'_>) -> Result<(Limit, Timestamp)> {
    let on_store_down = match row.get::<_, String>("on_store_down")?.as_str() {
        "open" => OnStoreDown::Open,
        _ => OnStoreDown::Closed,
    };
    let limit = Limit {
        scope: row.text("scope")?,
        window: row.text("window")?,
        usd: row.text_if("usd")?,
        tokens: row.count_if("tokens")?,
        on_store_down,
    };
    Ok((limit, row.time("set_at")?))
}

impl Limits for SqliteStore {
    fn list(&self) -> Result<Vec<(Limit, Timestamp)>, StoreError> {
        let mut limits = self.rows("SELECT * FROM budget_limit", read)?;
        limits.sort_by(|(a, _), (b, _)| (&a.scope, a.window).cmp(&(&b.scope, b.window)));
        Ok(limits)
    }

    fn set(&self, limit: &Limit, at: Timestamp) -> Result<(), StoreError> {
        let replace = "INSERT INTO budget_limit (scope, window, usd, tokens, on_store_down, set_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET
                 usd = coalesce(excluded.usd, usd),
                 tokens = coalesce(excluded.tokens, tokens),
                 on_store_down = excluded.on_store_down,
                 set_at = excluded.set_at";
        let on_store_down = match limit.on_store_down {
            OnStoreDown::Closed => "closed",
            OnStoreDown::Open => "open",
        };
        let values = params![
            limit.scope.to_string(),
            limit.window.as_str(),
            limit.usd.map(|usd| usd.to_string()),
            limit.tokens.map(integer),
            on_store_down,
            micros(at),
        ];
        self.write_change(|transaction| transaction.execute(replace, values).map(|_| ()).map_err(failed))
    }

    fn remove(&self, scope: &Scope, window: Window) -> Result<bool, StoreError> {
        let delete = "DELETE FROM budget_limit WHERE scope = ?1 AND window = ?2";
        let values = params![scope.to_string(), window.as_str()];
        self.write_change(|transaction| Ok(transaction.execute(delete, values).map_err(failed)? > 0))
    }
}

//! Reading rows of the server.

use seawall_store::StoreError;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::failure::damaged;

/// The value of a column, by its place from 0.
pub(crate) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, StoreError> {
    row.try_get(column).map_err(|error| {
        let name = row.columns().get(column).map_or("a column", |column| column.name());
        damaged(format!("{name} can't be read: {error}"))
    })
}

/// A value that was kept as JSON.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(what: &str, json: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(json).map_err(|error| damaged(format!("{what} can't be read: {error}")))
}

/// A value as JSON.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|error| damaged(format!("it can't be written as JSON: {error}")))
}

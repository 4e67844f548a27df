//! What the server, the connection and the pool say, in the words of stores.

use std::future::Future;
use std::time::Duration;

use deadpool_postgres::{PoolError, TimeoutType};
use seawall_store::StoreError;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;

/// The store can't do it now.
pub(crate) fn unavailable(reason: impl Into<String>) -> StoreError {
    StoreError::Unavailable { reason: reason.into() }
}

/// What the server says, unless it says nothing for longer than that.
pub(crate) async fn answered<T>(
    patience: Duration,
    asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, StoreError> {
    timeout(patience, asked).await.map_err(|_| silent())?.map_err(|error| failed(&error))
}

/// The server says nothing, and nothing is in doubt for that.
pub(crate) fn silent() -> StoreError {
    unavailable("PostgreSQL does not answer")
}

/// What was read can't have been written.
pub(crate) fn damaged(reason: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt { reason: reason.to_string() }
}

/// What a call to the server came to. The server's details and hints are left out: they may hold what was written.
pub(crate) fn failed(error: &tokio_postgres::Error) -> StoreError {
    let Some(said) = error.as_db_error() else {
        if error.is_closed() {
            return unavailable("the connection was lost; whether the last write was done is not known");
        }
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
        return unavailable(format!("{error}{cause}"));
    };
    let (message, code) = (said.message(), said.code());
    if forgets_statements(error) {
        let advice = "a pooler hands connections on; add prepared=off to the store's address";
        return unavailable(format!("{message} ({}): {advice}", code.code()));
    }
    let taken = |what: &str| StoreError::Conflict { what: format!("{what} of this name") };
    match said.table().filter(|_| *code == SqlState::UNIQUE_VIOLATION) {
        Some("seawall_agent_accepted") => return taken("a message"),
        Some("seawall_agent_snapshot") => return taken("a snapshot"),
        _ => {}
    }
    if *code == SqlState::UNIQUE_VIOLATION || *code == SqlState::CHECK_VIOLATION {
        return damaged(format!("PostgreSQL refused a row: {message}"));
    }
    unavailable(format!("PostgreSQL: {message} ({})", code.code()))
}

/// A transaction of which nothing is known to be done.
#[derive(Debug)]
pub(crate) struct Undone {
    pub(crate) error: StoreError,
    /// Nothing was written, and what is wrong is wrong with a row: others that were to be written with it may be right.
    pub(crate) is_of_one: bool,
    /// Nothing was written since somebody else is writing to a row.
    pub(crate) is_locked: bool,
}

impl Undone {
    pub(crate) fn by(error: &tokio_postgres::Error) -> Self {
        let code = error.code();
        let is_locked = code == Some(&SqlState::LOCK_NOT_AVAILABLE);
        let is_of_one = match code {
            // Values, rules of a table, limits of what a row may be.
            Some(code) if ["22", "23", "54"].iter().any(|class| code.code().starts_with(class)) => true,
            Some(code) => [
                SqlState::T_R_DEADLOCK_DETECTED,
                SqlState::T_R_SERIALIZATION_FAILURE,
                SqlState::QUERY_CANCELED,
            ]
            .contains(code),
            // A value that can't be sent.
            None => !error.is_closed(),
        };
        Self { error: failed(error), is_of_one: is_of_one || is_locked, is_locked }
    }
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        Self { error, is_of_one: false, is_locked: false }
    }
}

/// Whether the connection has other prepared statements than it was thought to have.
pub(crate) fn forgets_statements(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| {
        [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::DUPLICATE_PSTATEMENT].contains(code)
    })
}

/// Whether the connection is to be used no more.
pub(crate) fn spoils(error: &tokio_postgres::Error) -> bool {
    // A plan that a migration has made obsolete is told so: a new connection has none.
    error.is_closed() || forgets_statements(error) || error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED)
}

/// Why there is no connection.
pub(crate) fn no_connection(error: &PoolError) -> StoreError {
    match error {
        PoolError::Timeout(TimeoutType::Wait) => unavailable("pool exhausted"),
        PoolError::Timeout(_) => unavailable("PostgreSQL does not answer"),
        PoolError::Backend(error) => failed(error),
        PoolError::Closed => closed(),
        PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => unavailable(error.to_string()),
    }
}

/// The store was closed.
pub(crate) fn closed() -> StoreError {
    unavailable("it was closed")
}

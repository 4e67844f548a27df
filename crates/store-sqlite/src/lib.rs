//! The embedded store: SQLite in one file.
//!
//! [`SqliteStore`] keeps keys, limits, approvals, the ledger and runs behind one connection and a lock. [`SqliteAgents`]
//! keeps durable agents in the same file, with one thread that writes, several that read, and one that moves the log into
//! the file. Both use write-ahead logging and a sync at each commit, so that what a call has written survives a power failure;
//! but for leases, which mean nothing after one. Several processes may have the file open; one that waits for another waits
//! five seconds at most.
//!
//! How things are kept, so that other tools can read them: money is exact decimal text in dollars
//! (`0.001350`), a time is an integer of microseconds since 1970, an identifier its sixteen bytes, a list
//! JSON text. Integers are SQLite's 64 bits with a sign; a count of 2⁶³ or more, which only a limit that
//! nobody reaches has, shows as a negative one.

mod agents;
mod approvals;
mod column;
mod keys;
mod ledger;
mod limits;
mod runs;
mod schema;

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Row, Transaction, TransactionBehavior};
use seawall_store::{Store, StoreError};

use crate::column::count;

pub use agents::SqliteAgents;

/// SQLite's name for commits that wait for the disk.
const DURABLE: &str = "FULL";

/// How long a call waits for another connection that writes, and how often it looks whether it still does.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(1);

/// A store in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl SqliteStore {
    /// Opens the store in `file` (usually `<data_dir>/seawall.db`), whose folder must exist. A new file is
    /// readable by its owner alone; an older version's is brought up to date.
    ///
    /// # Errors
    /// [`StoreError::Newer`] when a newer program wrote the file; otherwise when it can't be opened, read or
    /// written.
    pub fn open(file: &Path) -> Result<Self, StoreError> {
        let mut connection = connect(file)?;
        schema::migrate(&mut connection)?;
        Ok(Self { path: file.to_owned(), connection: Mutex::new(connection) })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A transaction that panicked was rolled back when it was dropped, so the connection is good.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        read(&self.lock())
    }

    /// Reads every row that a query gives.
    fn rows<T>(
        &self,
        query: &str,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = |connection: &Connection| -> rusqlite::Result<Vec<T>> {
            connection.prepare_cached(query)?.query_map((), read)?.collect()
        };
        self.read(|connection| rows(connection).map_err(failed))
    }

    /// Writes all or nothing. It takes the right to write at the start, so that it never fails half-way for
    /// want of it.
    fn write<T>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.lock();
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let written = write(&transaction)?;
        transaction.commit().map_err(failed)?;
        Ok(written)
    }

    /// Writes keys or limits, and tells other processes.
    fn write_change<T>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.write(|transaction| {
            let written = write(transaction)?;
            transaction.execute("UPDATE change SET count = count + 1", ()).map_err(failed)?;
            Ok(written)
        })
    }
}

impl Store for SqliteStore {
    fn changes(&self) -> Result<u64, StoreError> {
        let changes = |connection: &Connection| {
            connection.prepare_cached("SELECT count FROM change")?.query_one((), |row| row.get(0).map(count))
        };
        self.read(|connection| changes(connection).map_err(failed))
    }

    fn ping(&self) -> Result<(), StoreError> {
        // An empty transaction that takes the right to write asks for everything that a real one needs.
        self.write(|_| Ok(()))?;
        self.changes().map(|_| ())
    }
}

/// A connection to the file, which is made where it is missing.
fn connect(file: &Path) -> Result<Connection, StoreError> {
    make_private(file).map_err(|error| StoreError::Unavailable {
        reason: format!("{} can't be opened: {error}", file.display()),
    })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(file, flags).map_err(failed)?;
    configure(&mut connection).map_err(failed)?;
    Ok(connection)
}

/// SQLite makes its further files (`-wal`, `-shm`) with the mode of the first.
fn make_private(file: &Path) -> io::Result<()> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(file).map(|_| ())
}

fn configure(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(is_patient))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", DURABLE)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // A file that somebody else prepared must not run functions through its schema.
    connection.pragma_update(None, "trusted_schema", false)
}

/// SQLite's own way of waiting looks ten times a second in the end. Beside a writer that hardly ever pauses, as that of
/// agents under load, one that looks so seldom may see it pause once in seconds.
fn is_patient(tries: i32) -> bool {
    thread::sleep(PAUSE);
    PAUSE.saturating_mul(tries.unsigned_abs()) < PATIENCE
}

/// SQLite's error in our terms.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode;
    let reason = error.to_string();
    let is_damage = match &error {
        rusqlite::Error::SqliteFailure(failure, _) => {
            matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        }
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..) => true,
        _ => false,
    };
    if is_damage { StoreError::Corrupt { reason } } else { StoreError::Unavailable { reason } }
}

/// Whether the error says that something is there already.
fn is_conflict(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation)
}

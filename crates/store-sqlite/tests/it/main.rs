//! The store in SQLite: what every store promises, and what a file adds to that.

#![expect(clippy::unwrap_used, reason = "a test is to panic when something is not as claimed")]

mod agents;
mod file;
mod ledger;

use std::sync::Arc;

use seawall_store::Store;
use seawall_store_sqlite::SqliteStore;
use tempfile::TempDir;

/// A folder and the store in it.
fn store_in_a_folder() -> (TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("seawall.db")).unwrap();
    (folder, store)
}

seawall_store::conformance!(|| {
    // The folder may go at once: both have the file open.
    let (folder, store) = store_in_a_folder();
    let first: Arc<dyn Store> = Arc::new(store);
    let second: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.path().join("seawall.db")).unwrap());
    (first, second)
});

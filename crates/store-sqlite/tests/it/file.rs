//! The file: who may read it, and which files are refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rusqlite::Connection;
use seawall_budget::{Limit, OnStoreDown, SnapshotError, Snapshots};
use seawall_store::{Limits, Store, StoreError};
use seawall_store_sqlite::SqliteStore;
use seawall_types::{Scope, Timestamp, Usd, Window};

use crate::store_in_a_folder;

fn limit() -> Limit {
    let usd = Some(Usd::from_picos(5));
    Limit { scope: Scope::Global, window: Window::Day, usd, tokens: None, on_store_down: OnStoreDown::Closed }
}

#[test]
fn every_file_is_its_owners_alone() {
    let (folder, store) = store_in_a_folder();
    store.set(&limit(), Timestamp::default()).unwrap();
    let modes: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().permissions().mode() & 0o777)
        .collect();
    assert_eq!(modes, [0o600; 3], "the database, its log, and the log's index");
}

#[test]
fn what_was_written_is_there_when_the_file_is_opened_again() {
    let (folder, store) = store_in_a_folder();
    store.set(&limit(), Timestamp::default()).unwrap();
    drop(store);
    let store = SqliteStore::open(&folder.path().join("seawall.db")).unwrap();
    assert_eq!(store.list().unwrap(), [(limit(), Timestamp::default())]);
}

#[test]
fn a_file_of_a_newer_program_is_refused() {
    let (folder, store) = store_in_a_folder();
    drop(store);
    let path = folder.path().join("seawall.db");
    Connection::open(&path).unwrap().execute("INSERT INTO migration (version) VALUES (99)", ()).unwrap();
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error}");
    assert!(error.to_string().contains("newer program"));
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seawall.db");
    fs::write(&path, [b'x'; 4096]).unwrap();
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), [b'x'; 4096]);
}

#[test]
fn a_missing_folder_is_told() {
    let error = SqliteStore::open(Path::new("/nowhere/at/all/seawall.db")).unwrap_err();
    assert!(
        matches!(&error, StoreError::Unavailable { reason } if reason.contains("/nowhere/at/all")),
        "{error}"
    );
}

#[test]
fn a_value_that_makes_no_sense_is_told_and_not_guessed_at() {
    let (folder, store) = store_in_a_folder();
    store.save(&seawall_budget::Snapshot::default()).unwrap();
    let other = Connection::open(folder.path().join("seawall.db")).unwrap();
    let insert = "INSERT INTO ledger_account (scope, window, period, spent_usd, spent_tokens)
         VALUES ('global', 'total', 0, '-1', 0)";
    other.execute(insert, ()).unwrap();
    let error = store.load().unwrap_err();
    assert!(matches!(&error, SnapshotError::Corrupt { reason } if reason.contains("spent_usd")), "{error}");
}

#[test]
fn a_store_that_cannot_be_written_says_so_when_asked() {
    let (folder, store) = store_in_a_folder();
    store.ping().unwrap();
    let other = Connection::open(folder.path().join("seawall.db")).unwrap();
    other.execute("DROP TABLE change", ()).unwrap();
    assert!(store.ping().is_err());
}

//! Moves what was logged into the database while others write: whoever writes would stop for tens of milliseconds otherwise.
//!
//! SQLite up to 3.51.2 could lose what was logged where two moved at the same time; the one that is built in is newer. The thread
//! never waits for anybody and nobody waits for it. What it has not got to, the writer moves itself when the log is too long;
//! only then can the log begin anew, since somebody always writes in between.

use std::path::Path;
use std::sync::mpsc::{self, SyncSender};
use std::thread::JoinHandle;

use rusqlite::Connection;
use seawall_store::StoreError;

use super::threads;
use crate::connect;

/// So many writes lie between two moves. A write is about ten pages of the log: half of what the writer lets it get to.
const WRITES: usize = 400;

/// The thread, for the one who writes.
#[derive(Debug)]
pub(super) struct Mover {
    written: usize,
    moving: Option<(SyncSender<()>, JoinHandle<()>)>,
}

impl Mover {
    pub(super) fn start(file: &Path) -> Result<Self, StoreError> {
        let connection = connect(file)?;
        let (asked, to_move) = mpsc::sync_channel(1);
        let run = move || {
            while let Ok(()) = to_move.recv() {
                // What can't be moved stays in the log, from which it is read as well; the writer tries it once more.
                let _later = move_all(&connection);
            }
        };
        let thread = threads::named("agents-move", run)?;
        Ok(Self { written: 0, moving: Some((asked, thread)) })
    }

    /// So many more writes were committed.
    pub(super) fn wrote(&mut self, writes: usize) {
        self.written = self.written.saturating_add(writes);
        if self.written >= WRITES
            && let Some((asked, _)) = &self.moving
        {
            self.written = 0;
            // Where it is at it still, it comes by again later.
            let _busy = asked.try_send(());
        }
    }
}

impl Drop for Mover {
    /// Waits until its connection is closed: the last one to close puts the log into the file, and it must not be this one.
    fn drop(&mut self) {
        if let Some((asked, thread)) = self.moving.take() {
            drop(asked);
            let _ended = thread.join();
        }
    }
}

fn move_all(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_logged_is_moved_while_its_writer_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        let writer = connect(&file).unwrap();
        writer.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
        writer.execute_batch("CREATE TABLE t (text TEXT)").unwrap();
        let mut mover = Mover::start(&file).unwrap();
        let length = || std::fs::metadata(&file).unwrap().len();
        let before = length();
        for _ in 0..WRITES {
            writer.execute("INSERT INTO t VALUES (?1)", ["x".repeat(1_000)]).unwrap();
            assert_eq!(length(), before, "not after each write");
            mover.wrote(1);
        }
        drop(mover);
        assert!(length() >= before + 1_000 * WRITES as u64, "{} bytes", length());
        let count = writer.query_row("SELECT count(*) FROM t", (), |row| row.get::<_, u32>(0)).unwrap();
        assert_eq!(usize::try_from(count).unwrap(), WRITES);
    }
}

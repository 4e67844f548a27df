//! Durable agents in SQLite: what every store promises, and what a file adds to that.

mod closing;
mod damage;
mod disk_full;
mod processes;
mod reading;
mod sender;

use std::path::Path;
use std::sync::Arc;

use seawall_store::agents::AgentStore;
use seawall_store::conformance::agents::Opened;
use seawall_store_sqlite::SqliteAgents;
use seawall_types::{ManualClock, Timestamp};

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// The agents in a file, by a clock that stands still.
fn open(file: &Path) -> Arc<SqliteAgents> {
    Arc::new(SqliteAgents::open(file, Arc::new(ManualClock::new(NOW))).unwrap())
}

/// A store that is opened twice.
fn opened(file: &Path) -> Opened {
    let time = Arc::new(ManualClock::new(NOW));
    let open =
        || -> Arc<dyn AgentStore> { Arc::new(SqliteAgents::open(file, Arc::clone(&time) as _).unwrap()) };
    let (store, other) = (open(), open());
    Opened { store, other, time }
}

seawall_store::agent_conformance!(|| async {
    // The folder may go at once: everybody has its file open.
    let folder = tempfile::tempdir().unwrap();
    opened(&folder.path().join("seawall.db"))
});

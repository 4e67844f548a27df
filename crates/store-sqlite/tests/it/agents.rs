//! Durable agents in SQLite: what every store promises, and what a file adds to that.

use std::sync::Arc;

use seawall_store::agents::AgentStore;
use seawall_store::conformance::agents::Opened;
use seawall_store_sqlite::SqliteAgents;
use seawall_types::{ManualClock, Timestamp};

/// A store in a folder that goes at once: everybody has its file open.
fn opened() -> Opened {
    let folder = tempfile::tempdir().unwrap();
    let time = Arc::new(ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000)));
    let open = || -> Arc<dyn AgentStore> {
        Arc::new(SqliteAgents::open(&folder.path().join("seawall.db"), Arc::clone(&time) as _).unwrap())
    };
    let (store, other) = (open(), open());
    Opened { store, other, time }
}

seawall_store::agent_conformance!(|| async { opened() });

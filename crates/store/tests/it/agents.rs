//! Agents in memory keep what every store of agents promises.

use std::sync::Arc;

use seawall_store::agents::AgentStore;
use seawall_store::conformance::agents::Opened;
use seawall_store::memory::MemoryAgents;
use seawall_types::{ManualClock, Timestamp};

seawall_store::agent_conformance!(|| async {
    let time = Arc::new(ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000)));
    let store: Arc<dyn AgentStore> = Arc::new(MemoryAgents::new(Arc::clone(&time) as _));
    Opened { other: Arc::clone(&store), store, time }
});

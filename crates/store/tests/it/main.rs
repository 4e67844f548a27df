//! The stores in memory keep what every store promises.

mod agents;
mod measured;

use std::sync::Arc;

use seawall_store::Store;
use seawall_store::memory::MemoryStore;

seawall_store::conformance!(|| {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    (Arc::clone(&store), store)
});

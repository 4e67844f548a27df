//! The store in memory keeps what every store promises.

use std::sync::Arc;

use seawall_store::Store;
use seawall_store::memory::MemoryStore;

seawall_store::conformance!(|| {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    (Arc::clone(&store), store)
});

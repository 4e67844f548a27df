//! The folder of JSON lines: what every store promises, and what a folder that people can read adds to that.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test is to panic when something is not as claimed"
)]

mod agents {
    use std::pin::Pin;
    use std::sync::Arc;
    use std::time::Duration;

    use seawall_store::AgentStore;
    use seawall_store::conformance::agents::{Opened, Time};
    use seawall_store_json::JsonStore;
    use seawall_types::{ManualClock, Timestamp};
    use tempfile::TempDir;

    /// The store's clock, and its folder, which goes when the store has gone.
    #[derive(Debug)]
    struct Place {
        clock: Arc<ManualClock>,
        _folder: TempDir,
    }

    impl Time for Place {
        fn now(&self) -> Pin<Box<dyn Future<Output = Timestamp> + Send + '_>> {
            Time::now(&*self.clock)
        }

        fn pass(&self, by: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
            self.clock.pass(by)
        }
    }

    seawall_store::agent_conformance!(|| async {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(crate::stage::START));
        let store: Arc<dyn AgentStore> =
            Arc::new(JsonStore::open(folder.path(), Arc::clone(&clock) as _).unwrap());
        Opened { other: Arc::clone(&store), store, time: Arc::new(Place { clock, _folder: folder }) }
    });
}

mod crash;
mod damage;
mod derived;
mod folder;
mod full;
mod lock;
mod stage;

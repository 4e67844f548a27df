//! What a store that is measured says of its use.

use std::sync::Arc;
use std::time::Duration;

use seawall_store::agents::{AgentQuery, AgentStore, Latency, Measured, Operations, Worker, WorkerId};
use seawall_store::conformance::agents::{Opened, life, run};
use seawall_store::memory::MemoryAgents;
use seawall_types::{ManualClock, Timestamp};

const MILLISECOND: Duration = Duration::from_millis(1);

/// A store that is measured by a clock which stands still.
fn measured() -> (Opened, Arc<ManualClock>, Arc<Measured<MemoryAgents>>) {
    let time = Arc::new(ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000)));
    let store = Arc::new(MemoryAgents::new(Arc::clone(&time) as _));
    let measured = Arc::new(Measured::new(store, Arc::clone(&time) as _));
    let store: Arc<dyn AgentStore> = Arc::clone(&measured) as _;
    (Opened { other: Arc::clone(&store), store, time: Arc::clone(&time) as _ }, time, measured)
}

#[test]
fn a_store_that_nobody_asked_has_taken_no_time() {
    let (opened, _, store) = measured();
    run(
        || async { opened },
        |_| {
            Box::pin(async move {
                let metrics = store.metrics().await.unwrap();
                assert_eq!(metrics.operations, Operations::default());
                assert_eq!(metrics.latency, Latency::default());
                assert_eq!(metrics.storage.agents, 0);
            })
        },
    );
}

#[test]
fn each_operation_is_counted_once_and_its_time_taken() {
    let (opened, clock, store) = measured();
    run(
        || async { opened },
        |opened| {
            Box::pin(async move {
                let agent = life(opened, 1, 20).await;
                let before = store.metrics().await.unwrap();
                assert!(before.operations.saves > 5 && before.operations.leases > 1, "{before:?}");
                assert_eq!(before.storage.agents, 1);

                let (nobody, query) = ("nobody".parse().unwrap(), AgentQuery::default());
                let slow = store.load(&agent);
                clock.advance(MILLISECOND * 7);
                assert!(slow.await.unwrap().is_some());
                store.agents(&query).await.unwrap();
                store.put_blob(&nobody, b"x").await.unwrap_err();
                store.purge(&nobody).await.unwrap();
                let worker = Worker { id: WorkerId("w".into()), lease: MILLISECOND, max_agents: 1 };
                store.renew(&worker).await.unwrap();

                let after = store.metrics().await.unwrap();
                let Operations { saves, loads, queries, deletes, leases, failures } = before.operations;
                let expected = Operations {
                    saves: saves + 1,
                    loads: loads + 1,
                    queries: queries + 1,
                    deletes: deletes + 1,
                    leases: leases + 1,
                    failures: failures + 1,
                };
                assert_eq!(after.operations, expected);
                assert_eq!(
                    (after.latency.longest, after.latency.shortest),
                    (MILLISECOND * 7, Duration::ZERO)
                );
                let count = u32::try_from(saves + loads + queries + deletes + leases + 5).unwrap();
                assert_eq!(
                    after.latency.average.as_micros(),
                    (MILLISECOND * 7).as_micros() / u128::from(count)
                );
            })
        },
    );
}

//! Appends that wait at the same time.

use std::sync::Arc;
use std::time::Duration;

use seawall_store::agents::{Appended, Pending};
use seawall_store::{AgentStore, StoreError};
use seawall_store_postgres::PostgresStore;

use crate::Way;
use crate::cluster::Database;
use crate::races::wait_until_somebody_waits;
use crate::stage::{Stage, run, send};

const MANY: usize = 40;

async fn stages(store: &Arc<PostgresStore>) -> Vec<Stage> {
    let mut stages = Vec::new();
    for number in 0..MANY {
        stages.push(Stage::new(store, &format!("a{number}")).await);
    }
    stages
}

/// The message `m` to each, none of which is waited for.
fn said<'a>(store: &'a PostgresStore, stages: &[Stage]) -> Vec<Pending<'a, Appended>> {
    stages.iter().map(|stage| store.append(stage.decide(send("m")).1)).collect()
}

#[test]
fn appends_of_agents_that_wait_for_a_connection_are_one_transaction_and_another() {
    for way in [Way::Direct, Way::Pooled] {
        run(async {
            let database = Database::new();
            let store = database.open(way, "pool_max=1");
            let stages = stages(&store).await;
            let last = Stage::new(&store, "last").await;
            let blocker = database.client().await;
            blocker
                .batch_execute("begin; select from seawall_agent where name = 'last' for update")
                .await
                .unwrap();
            let busy = store.release(last.kept.id(), last.epoch);
            wait_until_somebody_waits(&database).await;
            let appends = said(&store, &stages);
            blocker.batch_execute("rollback").await.unwrap();
            busy.await.unwrap();
            for append in appends {
                assert_eq!(append.await.unwrap(), Appended::Done);
            }
            let count = "select count(*), count(distinct xmin::text) < 10 from seawall_agent_accepted";
            assert_eq!(database.sql(count), format!("{MANY}|t"));
        });
    }
}

#[test]
fn of_many_that_are_written_together_each_has_its_own_verdict() {
    run(async {
        let database = Database::new();
        let store = database.open(Way::Direct, "");
        let mut stages = stages(&store).await;
        // Stale, behind, gone, and one that says again what was said.
        database.sql("update seawall_agent set epoch = epoch + 1 where name = 'a3'");
        let behind = stages[6].decide(send("n"));
        assert_eq!(store.append(behind.1).await.unwrap(), Appended::Done);
        assert!(store.purge(stages[7].kept.id()).await.unwrap());
        database.sql(
            "insert into seawall_agent_accepted select number, 'm', '', 1, now() from seawall_agent where name = 'a8'",
        );
        stages[4].kept = stages[5].kept.clone();
        let blocker = database.client().await;
        blocker.batch_execute("begin; select from seawall_agent where name = 'a9' for update").await.unwrap();

        let mut appends: Vec<_> = said(&store, &stages).into_iter().enumerate().collect();
        let (_, locked) = appends.remove(9);
        for (number, append) in appends {
            let appended = append.await;
            match number {
                3 => assert_eq!(appended.unwrap(), Appended::Fenced),
                // Two of one agent: whoever comes first is done.
                4 | 5 => assert!(matches!(appended.unwrap(), Appended::Done | Appended::Moved)),
                6 => assert_eq!(appended.unwrap(), Appended::Moved),
                7 => assert_eq!(appended.unwrap(), Appended::Gone),
                8 => assert!(matches!(appended, Err(StoreError::Conflict { .. })), "{appended:?}"),
                _ => assert_eq!(appended.unwrap(), Appended::Done, "a{number}"),
            }
        }
        // The others are done while it waits.
        wait_until_somebody_waits(&database).await;
        blocker.batch_execute("rollback").await.unwrap();
        assert_eq!(locked.await.unwrap(), Appended::Done);
        let done = "select count(*) from seawall_agent_accepted where message = 'm' and content <> ''";
        assert_eq!(database.sql(done), (MANY - 5).to_string(), "of a3, a6, a7 and a8 none, of a5 one of two");
    });
}

#[test]
fn who_finds_no_group_with_room_in_time_is_told_and_wrote_nothing() {
    run(async {
        let database = Database::new();
        let store = database.open(Way::Direct, "pool_max=1&pool_wait=1");
        let stages = stages(&store).await;
        let last = Stage::new(&store, "last").await;
        let blocker = database.client().await;
        blocker
            .batch_execute("begin; select from seawall_agent where name = 'last' for update")
            .await
            .unwrap();
        let busy = store.release(last.kept.id(), last.epoch);
        wait_until_somebody_waits(&database).await;
        for append in said(&store, &stages) {
            let told = tokio::time::timeout(Duration::from_secs(4), append).await.unwrap();
            assert!(
                matches!(&told, Err(StoreError::Unavailable { reason }) if reason.starts_with("pool exhausted")),
                "{told:?}"
            );
        }
        blocker.batch_execute("rollback").await.unwrap();
        busy.await.unwrap();
        assert_eq!(database.sql("select count(*) from seawall_agent_accepted"), "0");
    });
}

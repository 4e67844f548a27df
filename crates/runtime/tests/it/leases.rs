//! Several runtimes on one store: one of them runs an agent, and another goes on where it left off.

use std::sync::Arc;
use std::time::Duration;

use seawall_base::clock::SystemClock;
use seawall_engine::{CallState, EffectClass, SetTodos};
use seawall_runtime::{Settings, Status};
use seawall_store::AgentStore;
use seawall_store::agents::CallQuery;
use seawall_store::memory::MemoryAgents;

use crate::stage::{Counted, Stage, settings, until, within};

fn store() -> Arc<dyn AgentStore> {
    Arc::new(MemoryAgents::new(Arc::new(SystemClock::new())))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_front_accepts_a_worker_does() {
    let store = store();
    let front = Stage::on(
        Arc::clone(&store),
        Settings { works: false, ..settings() },
        Counted::new("work", EffectClass::Pure),
    );
    let worker = Stage::on(store, settings(), Counted::new("work", EffectClass::Pure));
    worker.tool.ends.add_permits(10);
    let id = front.agent("a").await;
    let completed =
        front.complete(&id, "m1", "sim:tool work {\"n\": 1}\nsim:turn 1 sim:text from afar").await;
    assert_eq!(completed.text.as_deref(), Some("from afar"));
    assert_eq!((front.tool.begun(), worker.tool.begun()), (0, 1));
    // The worker holds the agent by now, and is told nothing but by the store.
    worker.runtime.command(&id, SetTodos { todos: [].into() }).await.unwrap();
    let again = front.send(&id, "m2", "sim:text once more").await;
    worker.runtime.look(&id);
    let completed = within(front.runtime.wait(&id, again.first)).await.unwrap();
    assert_eq!(completed.text.as_deref(), Some("once more"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_of_a_runtime_that_stops_go_on_at_another() {
    for (effect, begun, state) in
        [(EffectClass::Idempotent, 1, CallState::Completed), (EffectClass::Unsafe, 0, CallState::Sealed)]
    {
        let store = store();
        let first = Stage::on(Arc::clone(&store), settings(), Counted::new("work", effect));
        let id = first.agent("a").await;
        let sent = first.send(&id, "m1", "sim:tool work {\"n\": 1}\nsim:turn 1 sim:text gone on").await;
        until(|| first.tool.begun() == 1).await;
        assert!(first.runtime.stop(Duration::from_secs(10)).await);
        let second = Stage::on(Arc::clone(&store), settings(), Counted::new("work", effect));
        second.tool.ends.add_permits(10);
        let completed = within(second.runtime.wait(&id, sent.first)).await.unwrap();
        assert_eq!(
            (completed.status, completed.text.as_deref()),
            (Status::Ok, Some("gone on")),
            "{effect:?}"
        );
        assert_eq!(second.tool.begun(), begun, "{effect:?}");
        let calls =
            store.calls(&CallQuery { agent: Some(id), most: 9, ..CallQuery::default() }).await.unwrap();
        assert_eq!(calls[0].call.state, state, "{effect:?}");
    }
}

//! Several runtimes on one store: one of them runs an agent, and another goes on where it left off.

use std::sync::Arc;
use std::time::Duration;

use seawall_base::clock::SystemClock;
use seawall_engine::{CallState, Channel, EffectClass, SetTodos};
use seawall_llm_client::sim::Options;
use seawall_runtime::{Settings, Status};
use seawall_store::AgentStore;
use seawall_store::agents::CallQuery;
use seawall_store::memory::MemoryAgents;
use serde_json::json;

use crate::stage::{Counted, Stage, settings, template, until, within};

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
async fn a_bookmark_from_the_middle_of_an_answer_misses_nothing_of_the_rest() {
    let worker = Stage::slow(Options { tokens_per_second: Some(400), ..Options::default() });
    let front = Stage::on(
        Arc::clone(&worker.store),
        Settings { works: false, ..settings() },
        Counted::new("work", EffectClass::Pure),
    );
    let id = worker.agent("a").await;
    worker.send(&id, "m1", "sim:repeat 300 word").await;
    let mut feed = worker.runtime.follow(&id, &Channel::ALL, 0);
    while within(feed.next()).await.unwrap().kind != "text_chunk_start" {}
    // Nothing comes of it but where the agent is.
    let said = front.runtime.command(&id, SetTodos { todos: [].into() }).await.unwrap();
    let mut feed = front.runtime.follow(&id, &Channel::ALL, said.bookmark.seq);
    while within(feed.next()).await.unwrap().kind != "done" {}
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_front_says_that_it_is_there_until_it_ends() {
    let store = store();
    let front = Settings { works: false, ..settings() };
    let front = Stage::on(Arc::clone(&store), front, Counted::new("work", EffectClass::Pure));
    let there = within(async {
        loop {
            if let Some(worker) = store.workers().await.unwrap().pop() {
                return worker;
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(there.await.max_agents, 0, "it takes up nothing");
    assert!(front.runtime.stop(Duration::from_secs(10)).await);
    assert!(store.workers().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_a_process_died_over_has_not_failed_because_the_next_one_has_no_such_tool() {
    for (effect, state) in [
        (EffectClass::Idempotent, CallState::Sealed),
        (EffectClass::Keyed, CallState::Sealed),
        // It does nothing: there is nothing to be in doubt about.
        (EffectClass::Pure, CallState::Failed),
    ] {
        let store = store();
        let first = Stage::on(Arc::clone(&store), settings(), Counted::new("work", effect));
        // What the next process does not know: the tool of one agent, the template of the other.
        first.runtime.templates().add(template("openai", &json!({ "id": "own" })));
        let agents = [first.agent("a").await, first.agent_of("b", "own", None).await];
        for id in &agents {
            first.send(id, "m1", "sim:tool work {\"n\": 1}\nsim:turn 1 sim:text gone on").await;
        }
        until(|| first.tool.begun() == 2).await;
        assert!(first.runtime.stop(Duration::from_secs(10)).await);
        let second = Stage::on(Arc::clone(&store), settings(), Counted::new("other", effect));
        for id in agents {
            let settled = async || loop {
                let query = CallQuery { agent: Some(id.clone()), most: 9, ..CallQuery::default() };
                let call = store.calls(&query).await.unwrap()[0].call.clone();
                if call.state.is_settled() {
                    return call;
                }
                tokio::task::yield_now().await;
            };
            let call = within(settled()).await;
            assert_eq!(call.state, state, "{id} {effect:?}: {:?}", call.result);
        }
        assert_eq!(second.tool.begun(), 0);
    }
}

//! Going on before it is written: what that saves, and what it must not do.

use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use seawall_base::clock::SystemClock;
use seawall_engine::{AgentId, Block, Command, EffectClass, MessageId, MessageKind, SendMessage};
use seawall_runtime::{Status, record};
use seawall_store::AgentStore;
use seawall_store::agents::Measured;
use seawall_store::memory::MemoryAgents;
use serde_json::Value;

use crate::scripted::{Does, Scripted};
use crate::stage::{Counted, Stage};

/// Asks for one call in each of two steps, and is done.
fn two_calls() -> Arc<Scripted> {
    Scripted::new(|_, body| {
        let messages = body["messages"].as_array().unwrap();
        let since = messages.iter().rev().take_while(|message| message["role"] != "user");
        match since.filter(|message| message["role"] == "tool").count() {
            step @ 0..2 => Does::Calls(vec![u64::try_from(step).unwrap() + 1]),
            _ => Does::Says("done".into()),
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_model_says_at_once_is_written_with_what_it_was_asked_about() {
    // The message; the first intent; the first result with the second intent; the second result and the answer.
    const WRITES: u64 = 4;
    for effect in [
        EffectClass::Pure,
        EffectClass::Idempotent,
        EffectClass::Keyed,
        EffectClass::Reconcilable,
        EffectClass::Unsafe,
    ] {
        let clock = Arc::new(SystemClock::new());
        let store = Arc::new(Measured::new(Arc::new(MemoryAgents::new(clock.clone())), clock));
        let tool = Counted::new("work", effect);
        tool.ends.add_permits(100);
        let stage = Stage::between(Arc::clone(&store) as _, two_calls(), tool);
        let id = stage.agent("a").await;
        // Its place is opened for its first call, which takes its time.
        stage.complete(&id, "m1", "go").await;
        let saves = async || store.metrics().await.unwrap().operations.saves;
        let before = saves().await;
        let completed = stage.complete(&id, "m2", "go").await;
        assert_eq!((completed.status, completed.text.as_deref()), (Status::Ok, Some("done")), "{effect:?}");
        assert_eq!(saves().await - before, WRITES, "{effect:?}");
        assert_eq!(stage.tool.begun(), 4, "{effect:?}");
    }
}

#[tokio::test]
async fn the_message_that_wakes_an_agent_is_written_with_its_taking_up() {
    let clock = Arc::new(SystemClock::new());
    let store = Arc::new(Measured::new(Arc::new(MemoryAgents::new(clock.clone())), clock));
    let model = Scripted::new(|_, _| Does::Says("done".into()));
    let stage = Stage::between(Arc::clone(&store) as _, model, Counted::new("work", EffectClass::Pure));
    let id = stage.agent("a").await;
    let saves = async || store.metrics().await.unwrap().operations.saves;
    let before = saves().await;
    assert_eq!(stage.complete(&id, "m1", "go").await.text.as_deref(), Some("done"));
    assert_eq!(saves().await - before, 2, "the taking up with the message; the answer");
}

/// What is ready at once, without waiting.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a store in memory has to be waited for"),
    }
}

/// Somebody else sends the agent a message: another process.
fn send_from_elsewhere(store: &dyn AgentStore, id: &AgentId) {
    let message = SendMessage {
        id: MessageId("other".into()),
        kind: MessageKind::User,
        content: [Block::text("from elsewhere")].into(),
    };
    at_once(record(store, &SystemClock::new(), id, &Command::from(message))).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_to_what_was_not_written_is_forgotten() {
    let store: Arc<OnceLock<Arc<dyn AgentStore>>> = Arc::default();
    let known = Arc::clone(&store);
    // While it is asked about what a tool gave, and before that is written, somebody writes.
    let model = Scripted::new(move |_, body: &Value| {
        let asked = body["messages"].to_string();
        let last = body["messages"].as_array().unwrap().last().unwrap();
        match last["role"].as_str() {
            Some("tool") if asked.contains("be disturbed") => {
                send_from_elsewhere(&**known.get().unwrap(), &"a".parse().unwrap());
                Does::Says("to one".into())
            }
            Some("tool") => Does::Says("done".into()),
            _ if asked.contains("from elsewhere") => Does::Says("to both".into()),
            _ => Does::Calls(vec![1]),
        }
    });
    let memory = Arc::new(MemoryAgents::new(Arc::new(SystemClock::new())));
    let stage = Stage::between(memory, Arc::clone(&model) as _, Counted::wordy("work"));
    assert!(store.set(Arc::clone(&stage.store)).is_ok());
    let id = stage.agent("a").await;
    // Its place is opened for its first call.
    stage.complete(&id, "m1", "go").await;
    let completed = stage.complete(&id, "m2", "be disturbed").await;
    assert_eq!(completed.text.as_deref(), Some("to both"));
    let events = stage.store.events(&id, 0, 1_000).await.unwrap();
    let count = |kind: &str| events.iter().filter(|event| event.fact.kind() == kind).count();
    assert_eq!((count("model.finished"), model.asked()), (4, 5), "asked for nothing, and once more");
    assert_eq!((count("tool.started"), stage.tool.begun()), (2, 2), "what a tool gave was not forgotten");
}

//! Rooms: what is said in them reaches members, wherever these are held, and goes on where a process has left off.

use std::sync::Arc;
use std::time::Duration;

use seawall_base::clock::SystemClock;
use seawall_engine::{AgentId, Archive, Channel, EffectClass, MessageId, Refused, Role};
use seawall_runtime::{AgentError, CreateRoom, Room, Say, Settings};
use seawall_store::AgentStore;
use seawall_store::agents::Owner;
use seawall_store::memory::MemoryAgents;

use crate::stage::{Counted, Stage, settings, within};

async fn room(stage: &Stage, members: &[&str]) -> Room {
    let id: AgentId = "team".parse().unwrap();
    stage.runtime.create_room(CreateRoom { id: Some(id.clone()), ..CreateRoom::default() }).await.unwrap();
    let room = stage.runtime.room(&id).await.unwrap();
    for name in members {
        let agent = stage.agent(name).await;
        room.join(name, &agent).await.unwrap();
    }
    room
}

fn say(name: &str, text: &str) -> Say {
    Say { id: Some(MessageId(name.into())), from: "user".into(), text: text.into(), only: Arc::default() }
}

/// Waits until the room has told so often that something reached a member, or never will; gives what was told of it.
async fn delivered(stage: &Stage, count: usize) -> Vec<String> {
    let mut feed = stage.runtime.follow(&"team".parse().unwrap(), &Channel::ALL, 0);
    let mut told = Vec::new();
    while told.len() < count {
        let next = within(feed.next()).await.unwrap();
        if next.kind == "room_delivered" {
            told.push(next.json);
        }
    }
    told
}

async fn heard(stage: &Stage, agent: &str) -> usize {
    let kept = stage.runtime.load(&agent.parse().unwrap()).await.unwrap();
    let said = kept.agent().history().iter().filter(|message| message.role == Role::User).count();
    said + kept.agent().queued().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_answer_to_what_is_said_in_a_room() {
    let stage = Stage::new();
    let room = room(&stage, &["ann", "bob"]).await;
    let said = room.say(say("s1", "@ann\nsim:text I hear")).await.unwrap();
    assert_eq!(said.to, ["ann".into()]);
    let done = delivered(&stage, 1).await;
    assert!(done[0].contains("\"to\":\"ann\"") && !done[0].contains("error"), "{done:?}");
    let ann: AgentId = "ann".parse().unwrap();
    let completed = within(stage.runtime.wait(&ann, 1)).await.unwrap();
    assert_eq!(completed.text.as_deref(), Some("I hear"));
    assert!(stage.last_prompt().contains("[from:user] @ann"), "{}", stage.last_prompt());
    assert_eq!((heard(&stage, "ann").await, heard(&stage, "bob").await), (1, 0));
    let history = room.history(0, 10).await.unwrap();
    assert_eq!(history, [said]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_at_a_front_is_passed_on_by_a_worker_that_takes_the_room_up() {
    let store: Arc<dyn AgentStore> = Arc::new(MemoryAgents::new(Arc::new(SystemClock::new())));
    let tool = || Counted::new("work", EffectClass::Pure);
    let front = Stage::on(Arc::clone(&store), Settings { works: false, ..settings() }, tool());
    let room = room(&front, &["ann", "bob", "cy"]).await;
    for name in ["s1", "s2"] {
        room.say(say(name, "hello")).await.unwrap();
        room.say(say(name, "hello")).await.unwrap();
    }
    assert_eq!(heard(&front, "ann").await, 0);
    let worker = Stage::on(store, settings(), tool());
    delivered(&worker, 6).await;
    for name in ["ann", "bob", "cy"] {
        assert_eq!(heard(&worker, name).await, 2, "{name}");
    }
    assert!(worker.runtime.stop(Duration::from_secs(10)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_gone_is_passed_over_and_told_of() {
    let stage = Stage::new();
    let room = room(&stage, &["ann", "bob", "cy"]).await;
    stage.store.purge(&"ann".parse().unwrap()).await.unwrap();
    stage.agent("ann").await;
    stage.runtime.command(&"bob".parse().unwrap(), Archive { by: "ann".into() }).await.unwrap();
    for name in ["@ann x", "@bob x"] {
        let refused = room.say(say("s1", name)).await.unwrap_err();
        assert!(matches!(refused, AgentError::MemberGone(_)), "{refused}");
    }
    room.say(say("s2", "hello")).await.unwrap();
    let told = delivered(&stage, 3).await;
    assert_eq!(told.iter().filter(|told| told.contains("was removed or put away")).count(), 2, "{told:?}");
    assert_eq!(
        (heard(&stage, "ann").await, heard(&stage, "cy").await),
        (0, 1),
        "another ann is not the member"
    );
    let kept = room.load().await.unwrap();
    assert!(kept.agent().rests(), "nothing is tried for ever");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_and_an_agent_are_not_taken_for_one_another() {
    let stage = Stage::new();
    let room = room(&stage, &["ann"]).await;
    let again =
        stage.runtime.create_room(CreateRoom { id: Some(room.id().clone()), ..CreateRoom::default() });
    assert!(!again.await.unwrap().1, "the same request finds it");
    let ann: AgentId = "ann".parse().unwrap();
    let taken =
        stage.runtime.create_room(CreateRoom { id: Some(ann.clone()), ..CreateRoom::default() }).await;
    assert!(matches!(taken, Err(AgentError::Exists(_))), "{taken:?}");
    assert!(matches!(stage.runtime.room(&ann).await, Err(AgentError::Refused(Refused::NotARoom))));
    let joined = room.join("itself", room.id()).await;
    assert!(matches!(joined, Err(AgentError::Refused(Refused::IsRoom))), "{joined:?}");
    let said = stage.runtime.remind(room.id(), "x").await;
    assert!(matches!(said, Err(AgentError::Refused(Refused::IsRoom))), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_of_somebody_else_does_not_join_a_tenants_room() {
    let stage = Stage::new();
    let owner = Owner { tenant: Some("acme".into()), ..Owner::default() };
    stage
        .runtime
        .create_room(CreateRoom { id: Some("team".parse().unwrap()), owner, ..CreateRoom::default() })
        .await
        .unwrap();
    let other = stage.agent("ann").await;
    let room = stage.runtime.room(&"team".parse().unwrap()).await.unwrap();
    let refused = room.join("ann", &other).await;
    assert!(matches!(&refused, Err(AgentError::NotFound(id)) if *id == other), "{refused:?}");
}

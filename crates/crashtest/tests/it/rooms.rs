//! `kill -9` at every boundary of what is said in a room: everybody for whom it was has it once, in order.

use std::sync::Arc;
use std::time::Duration;

use seawall_base::clock::SystemClock;
use seawall_engine::{AgentId, Block, Event, Fact, MessageId};
use seawall_runtime::{AgentError, CreateAgent, CreateRoom, Runtime, Say};
use seawall_store::AgentStore;
use seawall_store::agents::check_consistency;

use crate::database::Postgres;
use crate::plan::{At, How, Place, Plan};
use crate::process::{Ended, Life};
use crate::random::{Folder, fresh};
use crate::stage::TEMPLATE;
use crate::witness::{Line, Witness};

const MEMBERS: [&str; 4] = ["ann", "bob", "cy", "dee"];

/// What is said, under which name, and who hears it.
const SAID: [(&str, &str, &[&str]); 3] = [
    ("s1", "good morning", &MEMBERS),
    ("s2", "@bob and @cy: look", &["bob", "cy"]),
    ("s3", "that is all", &MEMBERS),
];

const AGAIN: Duration = Duration::from_millis(10);

fn member(plan: &Plan, name: &str) -> AgentId {
    format!("{}-{name}", plan.agent).parse().unwrap()
}

/// The part of a child: makes what is not there yet, says what was not said, and waits until nothing is left to be done.
pub(crate) async fn play(plan: &Plan, runtime: &Runtime, witness: &Witness) {
    let id: AgentId = plan.agent.parse().unwrap();
    runtime.create_room(CreateRoom { id: Some(id.clone()), ..CreateRoom::default() }).await.unwrap();
    let room = runtime.room(&id).await.unwrap();
    for name in MEMBERS {
        let agent = member(plan, name);
        let request =
            CreateAgent { id: Some(agent.clone()), template: TEMPLATE.to_owned(), ..CreateAgent::default() };
        runtime.create(request).await.unwrap();
        room.join(name, &agent).await.unwrap();
    }
    for (name, text, _) in SAID {
        let id = Some(MessageId(name.into()));
        let say = Say { id, from: "user".into(), text: text.into(), only: Arc::default() };
        let said = room.say(say).await.unwrap();
        witness.tell(&Line::Accepted { message: name.to_owned(), seq: said.bookmark.seq });
    }
    // Once the room rests everybody has heard everything, and can be waited for.
    for id in [id].into_iter().chain(MEMBERS.map(|name| member(plan, name))) {
        while !rests(runtime, &id).await.unwrap() {
            tokio::time::sleep(AGAIN).await;
        }
    }
}

async fn rests(runtime: &Runtime, id: &AgentId) -> Result<bool, AgentError> {
    let kept = runtime.load(id).await?;
    Ok(kept.agent().rests() && kept.agent().queued().is_empty())
}

/// What a member was told, in order.
async fn heard(store: &dyn AgentStore, id: &AgentId) -> Vec<String> {
    let log: Vec<Event> = store.events(id, 0, u32::MAX).await.unwrap();
    let words = log.iter().filter_map(|event| match &event.fact {
        Fact::MessageReceived { content, .. } => match content.first() {
            Some(Block::Text { text }) => Some(text.to_string()),
            _ => None,
        },
        _ => None,
    });
    words.collect()
}

fn assert_heard(plan: &Plan) {
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    threads.block_on(async {
        let store = plan.store.open(Arc::new(SystemClock::new()));
        for name in MEMBERS {
            let told = SAID.into_iter().filter(|(_, _, to)| to.contains(&name));
            let expected: Vec<_> = told.map(|(_, text, _)| format!("[from:user] {text}")).collect();
            assert_eq!(heard(&*store, &member(plan, name)).await, expected, "{name} of {plan:?}");
        }
        let room: AgentId = plan.agent.parse().unwrap();
        let found = check_consistency(&*store, &room).await.unwrap();
        assert!(found.is_consistent(), "{found:?} of {plan:?}");
        assert_eq!(store.load(&room).await.unwrap().unwrap().agent().room().unwrap().waiting(), 0);
        store.close().await.unwrap();
    });
}

/// Kills a process at each so-manieth write, and lets another one go on.
fn each(side: fn(u32) -> At, step: usize, place: &dyn Fn(&Folder) -> Place) -> u32 {
    for number in (1..).step_by(step) {
        let folder = fresh();
        let plan = Plan { is_room: true, ..Plan::new(&place(&folder), folder.path(), &folder.agent()) };
        let ended = Life::begin(&plan.ends(side(number), How::Killed)).ended();
        if ended == Ended::Killed {
            assert_eq!(Life::begin(&plan.life(2)).ended(), Ended::Well, "{:?}", side(number));
        }
        folder.keep_unless(|| assert_heard(&plan));
        if ended == Ended::Well {
            return number - 1;
        }
    }
    unreachable!("a story has an end")
}

fn all(step: usize, place: &dyn Fn(&Folder) -> Place) {
    let is_long = crate::is_long();
    let before = if is_long { each(At::Before, 1, place) } else { 0 };
    let after = each(At::After, if is_long { 1 } else { step }, place);
    println!("killed before {before} writes and after {after}, each {step}.");
    assert!(after >= 20, "{after}");
}

#[test]
fn a_broadcast_that_was_killed_reaches_everybody_once_on_sqlite() {
    all(2, &|folder| folder.sqlite());
}

#[test]
fn a_broadcast_that_was_killed_reaches_everybody_once_in_a_folder() {
    all(3, &|folder| folder.json());
}

#[test]
fn a_broadcast_that_was_killed_reaches_everybody_once_on_postgres() {
    let server = Postgres::start();
    all(3, &|_| server.place());
}

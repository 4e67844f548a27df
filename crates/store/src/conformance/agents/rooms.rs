//! Claims about rooms: they are kept as agents are.

use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{Config, Delivered, Fact, JoinRoom, Member, MessageId, SayInRoom};

use super::Opened;
use super::stage::{Stage, beginning, config, id, worker};
use crate::StoreError;
use crate::agents::{Accepted, Owner, check_consistency};

/// A room with two members, which somebody holds.
async fn room(opened: &Opened) -> Stage {
    let room = Config { template: "@room".into(), is_room: true, ..Config::default() };
    let mut stage = Stage::of(opened, "room", Owner::default(), room).await;
    for name in ["ann", "bob"] {
        let at = opened.time.now().await;
        let agent = Stage::unclaimed(opened, beginning(name, Owner::default(), config(), at)).await;
        let member = Member { name: name.into(), agent: agent.id().clone(), run: agent.agent().run() };
        stage.give_outside(JoinRoom { member }).await;
    }
    stage
}

fn say(name: &str, text: &str) -> SayInRoom {
    SayInRoom { id: MessageId(name.into()), from: "user".into(), text: text.into(), only: Arc::default() }
}

/// Whoever holds it lets go of it in between. By one worker: of several, those that it is not at home with come later.
pub async fn a_room_is_due_until_everybody_has_heard(opened: &Opened) {
    let mut stage = room(opened).await;
    opened.store.release(stage.id(), stage.epoch).await.unwrap();
    assert_eq!(opened.store.next_due().await.unwrap(), None);
    stage.give_outside(say("m", "hello")).await;
    let said = stage.log.last().unwrap().seq;
    let worker = worker("w");
    for who in ["ann", "bob"] {
        assert_eq!(opened.store.next_due().await.unwrap(), Some(Duration::ZERO), "before {who} has heard");
        let claimed = opened.other.claim_due(&worker.id, 1).await.unwrap();
        let epoch = claimed.first().unwrap().epoch;
        stage.take_up(epoch, "w").await;
        stage.give(Delivered { said, agent: id(who), failure: None }).await;
        opened.store.release(stage.id(), epoch).await.unwrap();
    }
    assert_eq!(opened.store.next_due().await.unwrap(), None);
    let found = check_consistency(&*opened.other, stage.id()).await.unwrap();
    assert!(found.is_consistent(), "{found:?}");
    let kept = opened.other.load(stage.id()).await.unwrap().unwrap();
    assert_eq!(kept.agent().room().unwrap().members().len(), 2);
}

/// Its name stays, and stands for what was said under it.
pub async fn what_is_said_in_a_room_is_accepted_once(opened: &Opened) {
    let mut stage = room(opened).await;
    stage.give_outside(say("m", "hello")).await;
    let event = stage.log.last().unwrap();
    assert!(matches!(event.fact, Fact::RoomSaid { .. }), "{event:?}");
    let expected = Accepted {
        message: MessageId("m".into()),
        content: Accepted::hash_of_said("user", "hello", &[]).unwrap(),
        seq: event.seq,
        at: event.at,
    };
    assert_eq!(opened.other.accepted(stage.id(), &expected.message).await.unwrap(), Some(expected));
    let again = opened.store.append(stage.prepare(say("m", "something else"), false)).await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
}

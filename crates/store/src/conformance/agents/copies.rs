//! Claims about copies and forks.

use std::sync::Arc;

use seawall_engine::{
    Agent, AgentId, Archive, Block, Media, MessageId, MessageKind, NewFork, SendMessage, Source, TakeSnapshot,
};
use seawall_types::{ManualClock, RunId};

use super::Opened;
use super::stage::{Stage, answered, beginning, config, id, owner, send, text, whole};
use super::walk::life;
use crate::StoreError;
use crate::agents::{
    AgentStore, Appended, BlobId, Copied, ForkError, Forks, Owner, agent_at, batch_fork, check_consistency,
    copy,
};
use crate::memory::MemoryAgents;

async fn elsewhere(opened: &Opened) -> MemoryAgents {
    MemoryAgents::new(Arc::new(ManualClock::new(opened.time.now().await)))
}

/// Makes agents of every sort: they wait, rest, have pictures, were compressed, forked or put away.
pub async fn populate(opened: &Opened) -> Vec<AgentId> {
    let mut agents = Vec::new();
    for seed in 1..=4 {
        agents.push(life(opened, seed, 120).await);
    }
    let mut stage = Stage::of(opened, "pictures", owner("x"), config()).await;
    show(&mut stage, "m", b"picture").await;
    stage.give(answered(1, vec![text("seen")])).await;
    stage.turn("n").await;
    stage.give(TakeSnapshot { id: "s".into(), label: Some("point".into()) }).await;
    stage.compress("what was said").await;
    batch_fork(&*opened.store, forks(&stage, None, &["fork"])).await.unwrap();
    stage.give(Archive { by: "ann".into() }).await;
    agents.extend([stage.id().clone(), id("fork")]);
    agents
}

/// Two stores tell the same of agents, and what each of them says of an agent fits together.
pub async fn tell_the_same(one: &dyn AgentStore, other: &dyn AgentStore, agents: &[AgentId]) {
    for agent in agents {
        assert_eq!(whole(one, agent).await, whole(other, agent).await, "{agent}");
        for store in [one, other] {
            let checked = check_consistency(store, agent).await.unwrap();
            assert!(checked.is_consistent(), "{agent}: {checked:?}");
        }
    }
}

/// Says something with a picture that is kept.
async fn show(stage: &mut Stage, name: &str, picture: &[u8]) -> BlobId {
    let blob = stage.store.put_blob(stage.id(), picture).await.unwrap();
    let source = Source::Blob(blob.to_string().into());
    let content = [Block::Image(Media { source, mime_type: "image/png".into() })].into();
    stage.give(SendMessage { id: MessageId(name.into()), kind: MessageKind::User, content }).await;
    blob
}

/// There and back: nothing is lost, and what is known already is not written again.
pub async fn a_copy_is_what_it_was_copied_from(opened: &Opened) {
    let other = elsewhere(opened).await;
    let mut stage = Stage::of(opened, "a", owner("x"), config()).await;
    let blob = show(&mut stage, "m", b"picture").await;
    let walked = life(opened, 77, 60).await;
    let copied = copy(&*opened.store, &other).await.unwrap();
    assert_eq!((copied.agents, copied.known), (2, 0));
    for agent in [stage.id(), &walked] {
        assert_eq!(whole(&other, agent).await, whole(&*opened.store, agent).await);
        assert!(check_consistency(&other, agent).await.unwrap().is_consistent());
    }
    assert_eq!(other.blob(stage.id(), &blob).await.unwrap().as_deref(), Some(&b"picture"[..]));

    let before = stage.whole().await;
    assert!(opened.store.purge(stage.id()).await.unwrap());
    let back = copy(&other, &*opened.store).await.unwrap();
    let expected = Copied { agents: 1, known: 1, events: u64::try_from(before.events.len()).unwrap() };
    assert_eq!(back, expected);
    assert_eq!(stage.whole().await, before);
    assert_eq!(opened.store.blob(stage.id(), &blob).await.unwrap().as_deref(), Some(&b"picture"[..]));
    assert_eq!(copy(&other, &*opened.store).await.unwrap(), Copied { agents: 0, known: 2, events: 0 });
}

/// Also where that is in the middle of an answer.
pub async fn a_copy_goes_on_where_it_ended(opened: &Opened) {
    let other = elsewhere(opened).await;
    let mut stage = Stage::new(opened, "a").await;
    for turn in 0..3 {
        let picture = [turn];
        let step = stage.agent().steps() + 1;
        let blob = show(&mut stage, &turn.to_string(), &picture).await;
        stage
            .give(seawall_engine::Streamed {
                step,
                attempt: 1,
                part: seawall_engine::Part::Delta {
                    stream: seawall_engine::StreamKind::Text,
                    text: "do".into(),
                },
            })
            .await;
        assert_eq!(copy(&*opened.store, &other).await.unwrap().agents, 1);
        assert_eq!(whole(&other, stage.id()).await, stage.whole().await);
        assert_eq!(other.blob(stage.id(), &blob).await.unwrap().as_deref(), Some(&picture[..]));
        stage.give(answered(step, vec![text("done")])).await;
        assert_eq!(copy(&*opened.store, &other).await.unwrap().agents, 1);
        assert_eq!(whole(&other, stage.id()).await, stage.whole().await);
    }
}

/// Another agent of the name, one that has gone on, and one that went on in another way.
pub async fn a_copy_overwrites_nothing(opened: &Opened) {
    let other = elsewhere(opened).await;
    let mut stage = Stage::new(opened, "a").await;
    let (_, another) = beginning("a", Owner::default(), config(), stage.now);
    other.create(another).await.unwrap();
    refuses(opened, &other).await;
    other.purge(stage.id()).await.unwrap();

    copy(&*opened.store, &other).await.unwrap();
    let there = stage.prepare(send("there", "go"), false);
    other.append(there).await.unwrap();
    refuses(opened, &other).await;
    assert_eq!(stage.give_outside(send("here", "go")).await, Appended::Done);
    assert_eq!(stage.kept.seq(), other.agent(stage.id()).await.unwrap().unwrap().seq);
    refuses(opened, &other).await;
    stage.give(TakeSnapshot { id: "s".into(), label: None }).await;
    refuses(opened, &other).await;
}

async fn refuses(opened: &Opened, other: &MemoryAgents) {
    let before = whole(other, &id("a")).await;
    let refused = copy(&*opened.store, other).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    assert_eq!(whole(other, &id("a")).await, before);
}

fn forks(parent: &Stage, up_to: Option<u64>, names: &[&str]) -> Forks {
    let new = |name: &&str| NewFork { id: id(name), run: RunId::from_bytes([9; 16]), config: None };
    let (parent, at) = (parent.id().clone(), parent.now);
    Forks { parent, up_to, owner: owner("y"), forks: names.iter().map(new).collect(), at }
}

/// With what was shown, from now or from any point before; also when the one that they come from is gone.
pub async fn forks_stand_by_themselves(opened: &Opened) {
    let mut parent = Stage::new(opened, "parent").await;
    parent.turn("m").await;
    let early = parent.agent().clone();
    parent.give(TakeSnapshot { id: "s".into(), label: None }).await;
    let point = opened.store.snapshots(parent.id()).await.unwrap().first().unwrap().seq - 1;
    let blob = show(&mut parent, "n", b"picture").await;
    parent.give(answered(3, vec![text("done")])).await;
    assert_eq!(agent_at(&*opened.store, parent.id(), Some(point)).await.unwrap(), early);

    let of_now = batch_fork(&*opened.store, forks(&parent, None, &["b", "c"])).await.unwrap();
    let of_then = batch_fork(&*opened.store, forks(&parent, Some(point), &["d"])).await.unwrap();
    opened.store.purge(parent.id()).await.unwrap();
    for (row, expected, from) in [
        (&of_now[0], parent.agent(), parent.agent().seq()),
        (&of_now[1], parent.agent(), parent.agent().seq()),
        (&of_then[0], &early, point),
    ] {
        let told = whole(&*opened.other, &row.id).await;
        assert_eq!(told.row.as_ref(), Some(row));
        assert_eq!((row.lineage[0].seq, row.owner.clone()), (from, owner("y")));
        let said = |agent: &Agent| agent.history().iter().map(|m| m.content.clone()).collect::<Vec<_>>();
        assert_eq!(said(&told.loaded.unwrap()), said(expected));
        assert!(check_consistency(&*opened.store, &row.id).await.unwrap().is_consistent());
    }
    assert!(opened.store.blob(&id("c"), &blob).await.unwrap().is_some());
    assert_eq!(opened.store.blob(&id("d"), &blob).await.unwrap(), None);
}

/// The forks before it are made.
pub async fn a_fork_takes_nobodys_name(opened: &Opened) {
    let mut parent = Stage::new(opened, "parent").await;
    parent.turn("m").await;
    let refused = batch_fork(&*opened.store, forks(&parent, None, &["b", "parent", "c"])).await;
    assert!(matches!(refused, Err(ForkError::Store(StoreError::Conflict { .. }))), "{refused:?}");
    assert!(opened.store.agent(&id("b")).await.unwrap().is_some());
    assert_eq!(opened.store.agent(&id("c")).await.unwrap(), None);
    for up_to in [Some(0), Some(parent.kept.seq() + 1)] {
        let refused = batch_fork(&*opened.store, forks(&parent, up_to, &["d"])).await;
        assert!(matches!(refused, Err(ForkError::Store(StoreError::NotFound { .. }))), "{refused:?}");
    }
}

//! Claims about rows that follow from logs.

use std::sync::Arc;

use seawall_engine::{
    AgentState, Archive, CallId, CallState, Fact, Judgement, MessageId, NewFork, Role, TakeSnapshot, fork,
};
use seawall_types::RunId;

use super::Opened;
use super::stage::{Stage, answered, config, gave, judged, owner, send, text, whole, wish};
use crate::StoreError;
use crate::agents::{
    Accepted, AgentRow, AgentStore, CallQuery, Creation, Kept, MessageQuery, Owner, SnapshotRow, Window,
    check_consistency,
};

async fn said(store: &dyn AgentStore, stage: &Stage) -> Vec<(u64, Role)> {
    let query = MessageQuery { agent: Some(stage.id().clone()), most: u32::MAX, ..MessageQuery::default() };
    let rows = store.messages(&query).await.unwrap();
    rows.iter().map(|row| (row.place, row.message.role)).collect()
}

/// One row for each message, in its place, when it came.
pub async fn messages_follow_the_log(opened: &Opened) {
    let mut stage = Stage::new(opened, "a").await;
    stage.turn("m").await;
    let expected = [(1, Role::User), (2, Role::Assistant), (3, Role::User), (4, Role::Assistant)];
    assert_eq!(said(&*opened.other, &stage).await, expected);
    let rows = whole(&*opened.other, stage.id()).await.messages;
    let history: Vec<_> = stage.agent().history().iter().cloned().collect();
    assert_eq!(rows.iter().map(|row| Arc::clone(&row.message)).collect::<Vec<_>>(), history);
    for row in &rows {
        let at_once = stage.log.iter().find(|event| event.last_seq() >= row.message.seq).unwrap();
        assert!(row.at >= at_once.at, "{row:?}");
        assert_eq!(row.agent, *stage.id());
    }
    // Two that waited come into the history with the next step.
    stage.give_outside(send("n", "one")).await;
    stage.give_outside(send("o", "two")).await;
    assert_eq!(said(&*opened.other, &stage).await, expected);
    stage.give(seawall_engine::Wake).await;
    assert_eq!(said(&*opened.other, &stage).await.len(), 6);
}

/// One row for each call, as it is now; also when it is none of the step at hand any more.
pub async fn calls_follow_the_log(opened: &Opened) {
    let mut stage = Stage::of(opened, "a", owner("t"), config()).await;
    stage.give(send("m", "go")).await;
    stage.give(answered(1, vec![wish("pure"), wish("unsafe"), wish("invented")])).await;
    let states = async || {
        let rows = whole(&*opened.other, &super::stage::id("a")).await.calls;
        rows.iter().map(|row| (row.call.id.index, row.call.state)).collect::<Vec<_>>()
    };
    let [one, two] = [1, 2].map(|index| CallId { step: 1, index });
    let denied = (3, CallState::Denied);
    assert_eq!(states().await, [(1, CallState::Pending), (2, CallState::Pending), denied]);
    stage.give(judged(one, Judgement::Proceed)).await;
    stage.give(judged(two, Judgement::Ask { summary: "why".into() })).await;
    assert_eq!(states().await, [(1, CallState::Executing), (2, CallState::ApprovalRequired), denied]);
    assert_eq!(whole(&*opened.store, stage.id()).await.row.unwrap().state, AgentState::Working);
    stage.give(gave(one, "r")).await;
    assert_eq!(whole(&*opened.store, stage.id()).await.row.unwrap().state, AgentState::Paused);
    stage.give_outside(super::stage::allowed(two)).await;
    stage.give(judged(two, Judgement::Proceed)).await;
    stage.give(gave(two, "s")).await;
    assert_eq!(states().await, [(1, CallState::Completed), (2, CallState::Completed), denied]);
    let rows = whole(&*opened.other, stage.id()).await.calls;
    let row = rows.get(1).unwrap();
    let trail: Vec<_> = row.call.audit.iter().map(|audit| audit.state).collect();
    let expected =
        [CallState::Pending, CallState::ApprovalRequired, CallState::Approved, CallState::Executing];
    assert_eq!(trail[..4], expected);
    assert_eq!((row.run, row.created_at), (stage.agent().run(), row.call.audit[0].at));
    assert_eq!(Some(row.updated_at), row.call.completed_at);
    assert_eq!(row.call.approval.as_ref().unwrap().decided.as_ref().unwrap().by, "ann".into());
}

/// Its name stays when it does not wait any more; who sends it again is told what became of it, or refused.
pub async fn a_message_is_accepted_once(opened: &Opened) {
    let mut stage = Stage::new(opened, "a").await;
    stage.turn("m").await;
    let Some(event) = stage.log.iter().find(|event| matches!(event.fact, Fact::MessageReceived { .. }))
    else {
        panic!("nothing was received")
    };
    let Fact::MessageReceived { id, message, content } = &event.fact else { panic!("{event:?}") };
    let expected = Accepted {
        message: id.clone(),
        content: Accepted::hash(*message, content).unwrap(),
        seq: event.seq,
        at: event.at,
    };
    assert_eq!(opened.other.accepted(stage.id(), id).await.unwrap(), Some(expected));
    assert_eq!(opened.other.accepted(stage.id(), &MessageId("n".into())).await.unwrap(), None);

    let before = stage.whole().await;
    let again = opened.store.append(stage.prepare(send("m", "something else"), false)).await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
    assert_eq!(stage.whole().await, before);
    let mut other = Stage::new(opened, "b").await;
    other.turn("m").await;
}

/// It names the point before its event.
pub async fn a_name_of_a_snapshot_is_used_once(opened: &Opened) {
    let mut stage = Stage::new(opened, "a").await;
    let mut expected = Vec::new();
    for (name, label) in [("s2", Some("first")), ("s1", None)] {
        stage.turn(name).await;
        let label: Option<Arc<str>> = label.map(Into::into);
        stage.give_outside(TakeSnapshot { id: name.into(), label: label.clone() }).await;
        let event = stage.log.last().unwrap();
        expected.push(SnapshotRow { id: name.into(), label, seq: event.seq, at: event.at });
    }
    assert_eq!(opened.other.snapshots(stage.id()).await.unwrap(), expected);
    let before = stage.whole().await;
    let again = stage.prepare(TakeSnapshot { id: "s1".into(), label: None }, true);
    let again = opened.store.append(again).await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
    assert_eq!(stage.whole().await, before);
    stage.turn("goes on").await;
}

/// After several compressions.
pub async fn a_window_is_what_the_model_sees_and_older_messages_stay(opened: &Opened) {
    let mut stage = Stage::new(opened, "a").await;
    for round in 1..=3_u64 {
        for turn in 0..3 {
            stage.turn(&format!("{round}-{turn}")).await;
        }
        stage.compress(&format!("sum {round}")).await;
        let said = round * 12;
        let loaded = opened.other.load(stage.id()).await.unwrap().unwrap();
        assert_eq!(loaded.window(), Window { from: said - 3, to: said });
        assert_eq!(loaded.agent(), stage.agent());
        assert_eq!(loaded.agent().history().len(), 5, "the summary and four messages");
        let window = MessageQuery {
            agent: Some(stage.id().clone()),
            after: loaded.window().from - 1,
            most: 100,
            ..MessageQuery::default()
        };
        let rows = opened.other.messages(&window).await.unwrap();
        let empty = loaded.clone().without_messages();
        assert_eq!(empty.agent().history().len(), 1, "the summary, which is in no row");
        let whole = empty.clone().with_messages(rows.into_iter().map(|row| row.message)).unwrap();
        assert_eq!(whole, loaded);
        let missing = empty.with_messages([]);
        assert!(matches!(missing, Err(StoreError::Corrupt { .. })), "{missing:?}");
        let places: Vec<_> =
            self::said(&*opened.other, &stage).await.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, (1..=said).collect::<Vec<_>>());
    }
    let last = MessageQuery {
        agent: Some(stage.id().clone()),
        after: stage.kept.window().from - 1,
        most: 100,
        ..MessageQuery::default()
    };
    let seen: Vec<_> = stage.agent().history().iter().skip(1).cloned().collect();
    let rows = opened.other.messages(&last).await.unwrap();
    assert_eq!(rows.into_iter().map(|row| row.message).collect::<Vec<_>>(), seen);
}

/// It stays whole when its parent is removed.
pub async fn a_fork_has_rows_of_its_own(opened: &Opened) {
    let mut parent = Stage::new(opened, "parent").await;
    for turn in 0..20 {
        parent.turn(&turn.to_string()).await;
    }
    let new = NewFork { id: super::stage::id("fork"), run: RunId::from_bytes([3; 16]), config: None };
    let decision = fork(parent.agent(), new, parent.now).unwrap();
    let (kept, first) = Kept::create(Owner::default(), &decision.events).unwrap();
    assert_eq!(opened.store.create(first).await.unwrap(), Creation::Made);
    assert!(opened.store.purge(parent.id()).await.unwrap());

    let told = whole(&*opened.other, kept.id()).await;
    assert_eq!(told.loaded.as_ref(), Some(kept.agent()));
    assert_eq!((told.messages.len(), told.calls.len()), (80, 0));
    let lineage = told.row.unwrap().lineage;
    assert_eq!((lineage.len(), lineage[0].agent.as_str()), (1, "parent"));
    assert!(check_consistency(&*opened.store, kept.id()).await.unwrap().is_consistent());
}

/// Cost, steps, states and times among it.
pub async fn the_index_follows_the_log(opened: &Opened) {
    let mut stage = Stage::of(opened, "a", owner("t"), config()).await;
    let row = async || opened.other.agent(&super::stage::id("a")).await.unwrap().unwrap();
    stage.give(send("m", "go")).await;
    let working = row().await;
    assert_eq!(working, AgentRow::of(stage.agent(), stage.kept.owner(), stage.kept.seq()));
    assert_eq!((working.state, working.epoch, working.steps), (AgentState::Working, stage.epoch, 1));
    stage.give(answered(1, vec![text("done")])).await;
    let done = row().await;
    assert_eq!((done.state, done.messages, done.tokens), (AgentState::Ready, 2, 15));
    assert!(done.cost > working.cost && done.updated_at > working.updated_at && done.seq > working.seq);
    stage.give(Archive { by: "ann".into() }).await;
    let archived = row().await;
    assert!(archived.is_archived);
    assert_eq!(archived, AgentRow::of(stage.agent(), stage.kept.owner(), stage.kept.seq()));
    let calls = CallQuery { most: 10, ..CallQuery::default() };
    assert!(opened.other.calls(&calls).await.unwrap().is_empty());
}

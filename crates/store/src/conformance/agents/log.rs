//! Claims about logs: what is written once is there, and what must not be written changes nothing.

use std::sync::Arc;

use seawall_engine::{
    Block, CallId, Event, Judgement, MessageId, MessageKind, Note, Part, SendMessage, StreamKind, Streamed,
    Tell,
};
use tokio::task::JoinSet;

use super::Opened;
use super::stage::{
    LEASE, Stage, Whole, answered, beginning, config, events_of, gave, id, judged, owner, send, text, whole,
    wish, worker,
};
use crate::agents::{AgentQuery, Append, Appended, Creation, INLINE, Kept, Lease, Owner, Right};

/// Whatever is asked of it.
pub async fn an_empty_store_has_nobody(opened: &Opened) {
    let nobody = id("nobody");
    let empty = whole(&*opened.store, &nobody).await;
    let expected = Whole {
        row: None,
        loaded: None,
        events: Vec::new(),
        messages: Vec::new(),
        calls: Vec::new(),
        snapshots: Vec::new(),
        stats: empty.stats.clone(),
    };
    assert_eq!(empty, expected);
    let stats = opened.store.stats(None).await.unwrap();
    assert_eq!((stats.agents, stats.messages, stats.calls, stats.snapshots), (0, 0, 0, 0));
    assert!(opened.store.agents(&AgentQuery { most: 10, ..AgentQuery::default() }).await.unwrap().is_empty());
    assert_eq!(opened.store.next_due().await.unwrap(), None);
    assert!(!opened.store.purge(&nobody).await.unwrap());
    assert!(opened.store.workers().await.unwrap().is_empty());
}

/// With everything that its maker said.
pub async fn a_new_agent_is_told_as_it_was_made(opened: &Opened) {
    let at = opened.time.now().await;
    let (kept, first) = beginning("a", owner("Ümläut \"&' co"), config(), at);
    let (row, events) = (first.row.clone(), events_of(&first));
    assert_eq!(opened.store.create(first).await.unwrap(), Creation::Made);
    let told = whole(&*opened.other, &id("a")).await;
    assert_eq!((told.row.as_ref(), &told.events), (Some(&row), &events));
    assert_eq!((row.run, row.due, row.seq), (kept.agent().run(), None, kept.seq()));
    assert_eq!(opened.other.load(&id("a")).await.unwrap(), Some(kept));
}

/// The others are told what there is.
pub async fn of_many_who_make_an_agent_at_once_one_does(opened: &Opened) {
    let at = opened.time.now().await;
    let mut racers = JoinSet::new();
    for number in 0..16 {
        let store = Arc::clone(if number % 2 == 0 { &opened.store } else { &opened.other });
        let (kept, first) = beginning("a", owner(&number.to_string()), config(), at);
        racers.spawn(async move { (kept, store.create(first).await.unwrap()) });
    }
    let results = racers.join_all().await;
    let made: Vec<_> = results.iter().filter(|(_, made)| *made == Creation::Made).collect();
    let [(winner, _)] = &made[..] else { panic!("{} made it", made.len()) };
    for (_, creation) in &results {
        if let Creation::Exists(row) = creation {
            assert_eq!(row.owner, *winner.owner());
        }
    }
    assert_eq!(opened.store.load(&id("a")).await.unwrap().as_ref(), Some(winner));
}

/// Every kind of value that events are made of among it.
pub async fn a_log_is_read_back_to_the_byte(opened: &Opened) {
    let mut stage = Stage::new(opened, "a").await;
    stage.turn("first \u{0} \u{1f512} \"quoted\" \\ \n").await;
    stage.give(send("m", "go")).await;
    stage.give(answered(3, vec![text("let me"), wish("unsafe"), wish("pure")])).await;
    let read = opened.other.events(stage.id(), 0, u32::MAX).await.unwrap();
    assert_eq!(bytes(&read), bytes(&stage.log));
    assert!(read.len() > 15, "{}", read.len());
}

fn bytes(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| serde_json::to_string(event).unwrap()).collect()
}

/// Also from within an event that takes several numbers; at most as many as are asked for.
pub async fn events_are_given_from_any_number_on(opened: &Opened) {
    let mut stage = Stage::new(opened, "a").await;
    stage.turn("m").await;
    let last = stage.kept.seq();
    assert!(stage.log.iter().any(|event| event.last_seq() > event.seq), "an event that takes several");
    for after in 0..=last + 1 {
        let expected: Vec<_> = stage.log.iter().filter(|event| event.last_seq() > after).cloned().collect();
        assert_eq!(stage.store.events(stage.id(), after, u32::MAX).await.unwrap(), expected, "{after}");
        let page = stage.store.events(stage.id(), after, 3).await.unwrap();
        assert_eq!(page, expected.into_iter().take(3).collect::<Vec<_>>());
    }
    assert!(stage.store.events(stage.id(), 0, 0).await.unwrap().is_empty());
}

/// Refuses an append for a reason; the store is as before.
async fn refuses(opened: &Opened, append: Append, expected: Appended) {
    let agent = append.agent.clone();
    let blob = append.blobs.first().map(|(blob, _)| *blob);
    let accepted = append.accepted.first().map(|row| row.message.clone());
    let before = whole(&*opened.store, &agent).await;
    assert_eq!(opened.store.append(append).await.unwrap(), expected);
    assert_eq!(whole(&*opened.other, &agent).await, before, "{expected:?} changes nothing");
    if let Some(blob) = blob {
        assert_eq!(opened.store.blob(&agent, &blob).await.unwrap(), None);
    }
    if let Some(message) = accepted {
        assert_eq!(opened.store.accepted(&agent, &message).await.unwrap(), None);
    }
}

/// A message of which the event goes to the blobs.
fn send_much(name: &str) -> SendMessage {
    let content = [Block::text("x".repeat(INLINE + 1))].into();
    SendMessage { id: MessageId(name.into()), kind: MessageKind::User, content }
}

/// Whoever holds the agent, and whether it lags by one event or by all.
pub async fn an_append_after_another_one_is_told_and_changes_nothing(opened: &Opened) {
    let mut stage = Stage::new(opened, "a").await;
    let (by_holder, by_outsider) =
        (stage.prepare(send_much("x"), true), stage.prepare(send_much("y"), false));
    stage.give(send("m", "go")).await;
    refuses(opened, by_holder, Appended::Moved).await;
    refuses(opened, by_outsider, Appended::Moved).await;
    stage.give(answered(1, vec![text("done")])).await;
    let ahead = Append { after: stage.kept.seq() + 1, ..stage.prepare(send_much("z"), true) };
    refuses(opened, ahead, Appended::Moved).await;
    let behind = Append { after: 0, ..stage.prepare(send_much("z"), false) };
    refuses(opened, behind, Appended::Moved).await;
    stage.turn("n").await;
}

/// Also before the new holder has written anything.
pub async fn an_append_of_a_stale_holder_is_refused_and_changes_nothing(opened: &Opened) {
    let stage = Stage::new(opened, "a").await;
    let stale = stage.prepare(send_much("x"), true);
    opened.time.pass(LEASE * 2).await;
    assert!(opened.other.renew(&worker("v")).await.unwrap());
    let lease = opened.other.claim(stage.id(), &worker("v").id).await.unwrap();
    assert_eq!(lease, Lease::Held { epoch: stage.epoch + 1 });
    refuses(opened, stale.clone(), Appended::Fenced).await;
    let invented = Append { right: Right::Holder { epoch: stage.epoch + 2 }, ..stale };
    refuses(opened, invented, Appended::Fenced).await;
}

/// Nor does it make anybody.
pub async fn an_append_to_nobody_is_refused(opened: &Opened) {
    let at = opened.time.now().await;
    let (kept, _) = beginning("a", Owner::default(), config(), at);
    for right in [Right::Outsider, Right::Holder { epoch: 0 }] {
        let (_, append) = kept.append(right, &[]).unwrap();
        refuses(opened, append, Appended::Gone).await;
    }
}

/// It has to stop, not to look and try again.
pub async fn a_stale_holder_is_told_so_whoever_else_has_written(opened: &Opened) {
    let mut stage = Stage::new(opened, "a").await;
    let stale = stage.prepare(send_much("x"), true);
    opened.time.pass(LEASE * 2).await;
    stage.claim("v").await;
    stage.turn("m").await;
    refuses(opened, stale, Appended::Fenced).await;
}

/// The others are told that somebody was quicker.
pub async fn of_many_who_append_at_once_one_does(opened: &Opened) {
    let stage = Stage::new(opened, "a").await;
    let mut racers = JoinSet::new();
    for number in 0..16 {
        let store = Arc::clone(if number % 2 == 0 { &opened.store } else { &opened.other });
        let append = stage.prepare(send(&number.to_string(), "go"), false);
        racers.spawn(async move { store.append(append).await.unwrap() });
    }
    let results = racers.join_all().await;
    let done = results.iter().filter(|appended| **appended == Appended::Done).count();
    assert_eq!(done, 1, "{results:?}");
    assert!(results.iter().all(|appended| matches!(appended, Appended::Done | Appended::Moved)));
    let kept = stage.store.load(stage.id()).await.unwrap().unwrap();
    assert_eq!(kept.agent().queued().len(), 1);
}

/// The holder looks at what was written and goes on.
pub async fn an_outsider_needs_no_lease_and_breaks_none(opened: &Opened) {
    let mut stage = Stage::new(opened, "a").await;
    let late = stage.prepare(send("late", "go"), true);
    assert_eq!(stage.give_outside(send("m", "go")).await, Appended::Done);
    assert_eq!(opened.store.append(late.clone()).await.unwrap(), Appended::Moved);
    let mut holder: Kept = opened.other.load(stage.id()).await.unwrap().unwrap();
    assert_eq!(holder.agent(), stage.agent());
    for event in stage.store.events(stage.id(), late.after, u32::MAX).await.unwrap() {
        assert_eq!(holder.agent().seq(), event.last_seq());
    }
    stage.give(send("late", "go")).await;
    holder.follow(stage.log.last().unwrap()).unwrap_err();
}

/// Who finds the agent gives other numbers than those that somebody may have been shown.
pub async fn what_expires_is_not_kept_and_its_numbers_are_not_used_again(opened: &Opened) {
    let mut stage = Stage::new(opened, "a").await;
    stage.give(send("m", "go")).await;
    let delta = |text: &str| Part::Delta { stream: StreamKind::Text, text: text.into() };
    for word in ["some", " words", " more"] {
        stage.give(Streamed { step: 1, attempt: 1, part: delta(word) }).await;
    }
    let lasting: Vec<_> = stage.log.iter().filter(|event| !event.expires()).cloned().collect();
    assert!(lasting.len() < stage.log.len());
    assert_eq!(stage.store.events(stage.id(), 0, u32::MAX).await.unwrap(), lasting);

    let shown = stage.agent().seq();
    let found = opened.other.load(stage.id()).await.unwrap().unwrap();
    assert!(found.agent().seq() > shown, "{shown}");
    assert_eq!(found.seq(), stage.kept.seq(), "the next append is after what is kept");
    stage.give(answered(1, vec![text("some words more")])).await;
    let row = stage.store.agent(stage.id()).await.unwrap().unwrap();
    assert_eq!(row.seq, stage.agent().seq());
}

/// Events, states and results that no row is for.
pub async fn what_is_large_comes_back(opened: &Opened) {
    let mut stage = Stage::new(opened, "a").await;
    let much = "\u{1f512}".repeat(INLINE);
    stage.give(send("m", &much)).await;
    stage.give(answered(1, vec![wish("pure"), text(&much)])).await;
    let call = CallId { step: 1, index: 1 };
    stage.give(judged(call, Judgement::Proceed)).await;
    stage.give(gave(call, &much)).await;
    // The message waits when a state is kept, and so is in it.
    assert_eq!(stage.give_outside(send("n", &much)).await, Appended::Done);
    for number in 0..300_u32 {
        let note = Note::Error { message: number.to_string().into() };
        stage.give(Tell { note }).await;
    }
    let told = whole(&*opened.other, stage.id()).await;
    assert_eq!(bytes(&told.events), bytes(&stage.log));
    assert_eq!(told.loaded.as_ref(), Some(stage.agent()));
    let words = told.messages.iter().map(|row| serde_json::to_string(&row.message).unwrap().len());
    assert!(words.filter(|length| *length > INLINE).count() >= 3);
}

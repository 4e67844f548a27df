//! Claims about bytes that are kept, and about removing everything.

use seawall_engine::{MessageId, Note, TakeSnapshot, Tell};

use super::Opened;
use super::stage::{Stage, config, id, owner, send, whole};
use crate::StoreError;
use crate::agents::{Appended, BlobId, INLINE, Lease};

/// Under the hash of the bytes, as often as they are given.
pub async fn a_blob_is_its_agents_own(opened: &Opened) {
    let stage = Stage::new(opened, "a").await;
    let other = Stage::new(opened, "b").await;
    for bytes in [Vec::new(), vec![0, 159, 255], vec![7; 3 * INLINE]] {
        for _ in 0..2 {
            let blob = opened.store.put_blob(stage.id(), &bytes).await.unwrap();
            assert_eq!(blob, BlobId::of(&bytes));
            assert_eq!(opened.other.blob(stage.id(), &blob).await.unwrap().as_ref(), Some(&bytes));
            assert_eq!(opened.other.blob(other.id(), &blob).await.unwrap(), None);
            assert!(opened.other.has_blob(stage.id(), &blob).await.unwrap());
            assert!(!opened.other.has_blob(other.id(), &blob).await.unwrap());
        }
    }
    let nobody = opened.store.put_blob(&id("nobody"), b"x").await;
    assert!(matches!(nobody, Err(StoreError::NotFound { .. })), "{nobody:?}");
    assert_eq!(opened.store.blob(&id("nobody"), &BlobId::of(b"x")).await.unwrap(), None);
    for (agent, blob) in [(&id("nobody"), BlobId::of(b"x")), (stage.id(), BlobId::of(b"never kept"))] {
        assert!(!opened.store.has_blob(agent, &blob).await.unwrap());
    }
}

/// And its name is free. Somebody else's things stay.
pub async fn nothing_is_left_of_who_was_purged(opened: &Opened) {
    let mut other = Stage::new(opened, "b").await;
    other.turn("m").await;
    let before = other.whole().await;
    let mut stage = Stage::of(opened, "a", owner("x"), config()).await;
    stage.turn("m").await;
    stage.give(TakeSnapshot { id: "s".into(), label: None }).await;
    stage.give(send("n", &"x".repeat(2 * INLINE))).await;
    let blob = opened.store.put_blob(stage.id(), b"bytes").await.unwrap();
    let late = stage.prepare(Tell { note: Note::Error { message: "x".into() } }, true);

    assert!(opened.other.purge(stage.id()).await.unwrap());
    assert!(!opened.other.purge(stage.id()).await.unwrap());
    assert_eq!(opened.store.append(late).await.unwrap(), Appended::Gone);
    let left = stage.whole().await;
    assert_eq!((left.row, left.loaded, left.events.len()), (None, None, 0));
    assert_eq!((left.messages.len(), left.calls.len(), left.snapshots.len()), (0, 0, 0));
    assert_eq!(opened.store.blob(stage.id(), &blob).await.unwrap(), None);
    assert!(!opened.store.has_blob(stage.id(), &blob).await.unwrap());
    assert_eq!(opened.store.accepted(stage.id(), &MessageId("m".into())).await.unwrap(), None);
    assert_eq!(opened.store.next_due().await.unwrap(), None);
    assert_eq!(opened.store.claim(stage.id(), &super::stage::worker("w").id).await.unwrap(), Lease::Gone);
    assert_eq!(whole(&*opened.store, other.id()).await, before);

    let mut next = Stage::new(opened, "a").await;
    next.turn("m").await;
    assert_eq!(opened.store.blob(next.id(), &blob).await.unwrap(), None);
    assert_eq!(next.whole().await.messages.len(), 4);
}

/// Even where all numbers are the same.
pub async fn what_was_known_of_who_was_purged_does_not_reach_its_successor(opened: &Opened) {
    let first = Stage::new(opened, "a").await;
    let stale = [first.prepare(send("m", "to the first"), true), first.prepare(send("m", "too"), false)];
    assert!(opened.store.purge(first.id()).await.unwrap());
    let second = Stage::new(opened, "a").await;
    assert_eq!((second.kept.seq(), second.agent().epoch()), (first.kept.seq(), first.agent().epoch()));
    let before = second.whole().await;
    for append in stale {
        assert_eq!(opened.other.append(append).await.unwrap(), Appended::Gone);
    }
    assert_eq!(second.whole().await, before);
}

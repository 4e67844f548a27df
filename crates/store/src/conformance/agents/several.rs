//! Claims about several processes on one store, and about its life.

use std::sync::Arc;

use seawall_engine::Wake;

use super::Opened;
use super::stage::{Stage, answered, id, send, text, whole, worker};
use crate::StoreError;
use crate::agents::{AgentQuery, Appended, Lease};

/// One accepts messages, the other one works.
pub async fn what_one_writes_the_other_sees(opened: &Opened) {
    let mut stage = Stage::new(opened, "a").await;
    stage.store = Arc::clone(&opened.other);
    for (step, name) in (1..).zip(["m", "n", "o"]) {
        assert_eq!(stage.give_outside(send(name, "go")).await, Appended::Done);
        stage.store = Arc::clone(&opened.store);
        stage.give(Wake).await;
        stage.give(answered(step, vec![text("done")])).await;
        stage.store = Arc::clone(&opened.other);
    }
    let (one, other) = (whole(&*opened.store, stage.id()).await, whole(&*opened.other, stage.id()).await);
    assert_eq!(one, other);
    assert_eq!(one.messages.len(), 6);
    assert!(opened.store.renew(&worker("v")).await.unwrap());
    let elsewhere = opened.store.claim(stage.id(), &worker("v").id).await.unwrap();
    assert!(matches!(elsewhere, Lease::Elsewhere(_)), "{elsewhere:?}");
}

/// It is well.
pub async fn a_store_says_how_it_is(opened: &Opened) {
    for store in [&opened.store, &opened.other] {
        let health = store.health().await.unwrap();
        assert!(health.connected && health.writable, "{health:?}");
        assert_eq!(health.reason, None);
    }
}

/// And what was written before is there for others.
pub async fn nothing_works_after_the_end(opened: &Opened) {
    let mut stage = Stage::new(opened, "a").await;
    stage.turn("m").await;
    let late = stage.prepare(send("n", "go"), true);
    opened.store.close().await.unwrap();
    let refused = [
        opened.store.load(&id("a")).await.map(|_| ()),
        opened.store.append(late).await.map(|_| ()),
        opened.store.agents(&AgentQuery { most: 1, ..AgentQuery::default() }).await.map(|_| ()),
        opened.store.renew(&worker("w")).await.map(|_| ()),
    ];
    for refused in refused {
        assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    }
    // Whoever has it open goes on; what only one process can have open is closed by that.
    if !Arc::ptr_eq(&opened.store, &opened.other) {
        let told = whole(&*opened.other, stage.id()).await;
        assert_eq!(told.loaded.as_ref(), Some(stage.agent()));
    }
}

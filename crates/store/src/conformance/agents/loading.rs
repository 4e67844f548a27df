//! Claims about finding an agent again.

use seawall_engine::{Agent, Event, Tell};

use super::Opened;
use super::stage::{Stage, config};
use super::walk::Walk;
use crate::agents::{Appended, Kept, Owner, Right, check_consistency};

/// Whatever happened to it, with whatever state was kept on the way.
pub async fn what_is_loaded_is_the_fold_of_the_log(opened: &Opened) {
    for seed in 0..8 {
        let mut walk = Walk::new(opened, seed).await;
        for step in 0..80 {
            walk.step(opened).await;
            let at = format!("seed {seed}, step {step}");
            assert_loads(opened, &walk.stage, &at).await;
        }
        let consistency = check_consistency(&*opened.other, walk.stage.id()).await.unwrap();
        assert!(consistency.is_consistent(), "seed {seed}: {consistency:?}");
    }
}

async fn assert_loads(opened: &Opened, stage: &Stage, at: &str) {
    let lasting: Vec<Event> = stage.log.iter().filter(|event| !event.expires()).cloned().collect();
    let folded = Kept::load(stage.kept.owner().clone(), None, [], &lasting).unwrap();
    let loaded = opened.other.load(stage.id()).await.unwrap().unwrap();
    assert_eq!(loaded.agent(), folded.agent(), "{at}");
    assert_eq!(loaded.agent(), &Agent::fold(&lasting).unwrap(), "{at}");
    assert_eq!((loaded.seq(), loaded.window()), (folded.seq(), folded.window()), "{at}");
    assert_eq!(loaded.owner(), folded.owner(), "{at}");
}

/// What is loaded decides and appends as the one that was there all the time, also far behind the state that was kept.
pub async fn what_is_loaded_goes_on_where_it_was(opened: &Opened) {
    let mut stage = Stage::of(opened, "a", Owner::default(), config()).await;
    for turn in 0..40 {
        stage.turn(&turn.to_string()).await;
        if turn % 15 == 7 {
            stage.compress("sum").await;
        }
        stage.kept = opened.other.load(stage.id()).await.unwrap().unwrap();
    }
    assert_loads(opened, &stage, "after all").await;
    let note = seawall_engine::Note::Error { message: "x".into() };
    let append = stage.prepare(Tell { note }, true);
    assert_eq!(append.right, Right::Holder { epoch: stage.epoch });
    assert_eq!(opened.other.append(append).await.unwrap(), Appended::Done);
}

//! Agents that nobody talks to for a while: their messages are put away, and are there again when they are needed.

use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{ApprovalScope, Decide, EffectClass, Ruling, Subject};
use seawall_runtime::{Settings, Status};
use serde_json::json;

use crate::stage::{Stage, settings, until, within};

fn stage() -> Stage {
    let settings = Settings { doze_after: Duration::ZERO, ..settings() };
    Stage::with(settings, EffectClass::Unsafe)
}

async fn until_it_dozes(stage: &Stage) {
    until(|| stage.runtime.gauges().dozing == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_has_dozed_asks_its_model_with_all_that_was_said() {
    let stage = stage();
    let id = stage.agent("a").await;
    let mut prompts = Vec::new();
    for turn in 1..=3 {
        let text = format!("sim:text answer {turn}");
        let completed = stage.complete(&id, &format!("m{turn}"), &text).await;
        assert_eq!(completed.status, Status::Ok);
        prompts.push(stage.last_prompt());
        until_it_dozes(&stage).await;
    }
    let last = prompts.last().unwrap();
    for said in ["answer 1", "answer 2", "answer 3"] {
        assert!(last.contains(said), "{said} is missing in {last}");
    }
    let kept = stage.runtime.load(&id).await.unwrap();
    assert_eq!(kept.agent().history().len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_dozes_while_people_are_asked_goes_on_where_it_was() {
    let stage = stage();
    stage.tool.ends.add_permits(1);
    let asking = json!({"permission": {"mode": "approval"}});
    let id = stage.agent_of("a", "openai", Some(asking)).await;
    let paused = stage.complete(&id, "m1", "sim:tool work {\"n\": 1}\nsim:turn 1 sim:text thanks").await;
    let [approval] = paused.approvals[..] else { panic!("{paused:?}") };
    until_it_dozes(&stage).await;
    let decided = Decide {
        subject: Subject::Approval(approval),
        ruling: Ruling::Allow,
        by: "ann".into(),
        scope: ApprovalScope::Once,
        note: None,
        arguments: None,
    };
    let done = stage.runtime.decide(&id, decided).await.unwrap();
    let completed = within(stage.runtime.wait(&id, done.first)).await.unwrap();
    assert_eq!((completed.status, completed.text.as_deref()), (Status::Ok, Some("thanks")));
    assert_eq!(stage.tool.begun(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_write_to_an_agent_that_dozes_is_heard() {
    let stage = stage();
    let id = stage.agent("a").await;
    stage.complete(&id, "m1", "sim:text one").await;
    until_it_dozes(&stage).await;
    let front = Settings { works: false, ..settings() };
    let front = Stage::on(Arc::clone(&stage.store), front, Arc::clone(&stage.tool));
    let sent = front.send(&id, "m2", "sim:text two").await;
    stage.runtime.look(&id);
    let completed = within(front.runtime.wait(&id, sent.first)).await.unwrap();
    assert_eq!(completed.text.as_deref(), Some("two"));
    assert!(stage.last_prompt().contains("sim:text one"), "its holder has asked the model");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_takes_the_name_of_one_that_was_removed_while_it_dozed_is_talked_to() {
    let stage = stage();
    let id = stage.agent("a").await;
    stage.complete(&id, "m1", "sim:text one").await;
    until_it_dozes(&stage).await;
    stage.store.purge(&id).await.unwrap();
    stage.agent("a").await;
    let completed = stage.complete(&id, "m1", "sim:text of another one").await;
    assert_eq!(completed.text.as_deref(), Some("of another one"));
    assert!(!stage.last_prompt().contains("sim:text one"));
}

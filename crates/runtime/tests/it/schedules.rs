//! Reminders: every so many steps, at a time, by a calendar; kept over restarts. The time is the test's.

use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{AgentId, Block, Channel, EffectClass, Role, SetSchedule, Trigger};
use seawall_runtime::{AgentError, Settings};
use seawall_store::AgentStore;
use seawall_store::memory::MemoryAgents;
use seawall_types::{Clock, ManualClock, Timestamp};

use crate::stage::{Counted, Stage, settings, within};

const HOUR: Duration = Duration::from_hours(1);

/// Half a minute past an hour.
fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new("2026-11-21T17:00:30.000000Z".parse().unwrap()))
}

/// A runtime whose worker is not missed however the time jumps.
fn stage(clock: &Arc<ManualClock>, store: &Arc<dyn AgentStore>) -> Stage {
    let settings = Settings { lease: 1_000 * HOUR, ..settings() };
    let tool = Counted::new("work", EffectClass::Pure);
    tool.ends.add_permits(100);
    Stage::at(Arc::clone(clock) as Arc<dyn Clock>, Arc::clone(store), settings, tool)
}

fn store(clock: &Arc<ManualClock>) -> Arc<dyn AgentStore> {
    Arc::new(MemoryAgents::new(Arc::clone(clock) as Arc<dyn Clock>))
}

fn set(trigger: Trigger, text: &str) -> SetSchedule {
    SetSchedule { id: "s".into(), trigger, text: text.into() }
}

/// How often an event was told, once a turn has ended so often.
async fn told(stage: &Stage, id: &AgentId, kind: &str, turns: usize) -> usize {
    let mut feed = stage.runtime.follow(id, &Channel::ALL, 0);
    let (mut ended, mut found) = (0, 0);
    while ended < turns {
        let next = within(feed.next()).await.unwrap();
        ended += usize::from(next.kind == "done");
        found += usize::from(next.kind == kind);
    }
    found
}

async fn said(stage: &Stage, id: &AgentId) -> Vec<String> {
    let kept = stage.runtime.load(id).await.unwrap();
    let answers = kept.agent().history().iter().filter(|message| message.role == Role::Assistant);
    let words = answers.flat_map(|message| message.content.iter()).filter_map(|block| match block {
        Block::Text { text } => Some(text.to_string()),
        _ => None,
    });
    words.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reminder_goes_along_with_every_nth_step_and_begins_none() {
    let clock = clock();
    let stage = stage(&clock, &store(&clock));
    let id = stage.agent("a").await;
    stage.runtime.schedule(&id, set(Trigger::Steps { every: 2 }, "mind the gap")).await.unwrap();
    let work = "sim:tool work {\"n\":1}\nsim:turn 1 sim:tool work {\"n\":2}\nsim:turn 2 sim:tool work {\"n\":3}\n\
                sim:turn 3 sim:text done";
    stage.complete(&id, "m1", work).await;
    assert_eq!(told(&stage, &id, "scheduler_triggered", 1).await, 2, "with steps two and four");
    assert!(stage.last_prompt().contains("mind the gap"));
    stage.runtime.unschedule(&id, "s").await.unwrap();
    stage.complete(&id, "m2", "sim:text five").await;
    stage.complete(&id, "m3", "sim:text six").await;
    assert_eq!(told(&stage, &id, "scheduler_triggered", 3).await, 2, "not any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_at_a_time_comes_then_once_also_after_a_restart() {
    let clock = clock();
    let store = store(&clock);
    let first = stage(&clock, &store);
    let id = first.agent("a").await;
    first.complete(&id, "m1", "sim:text ready").await;
    let at = clock.now().saturating_add(HOUR);
    first.runtime.schedule(&id, set(Trigger::Time { at }, "sim:text woken")).await.unwrap();
    clock.advance(HOUR / 2);
    first.runtime.look(&id);
    first.complete(&id, "m2", "sim:text not yet").await;
    assert_eq!(said(&first, &id).await, ["ready", "not yet"]);
    assert!(first.runtime.stop(Duration::from_secs(10)).await);
    clock.advance(HOUR);
    let second = stage(&clock, &store);
    assert_eq!(told(&second, &id, "scheduler_triggered", 3).await, 1);
    clock.advance(24 * HOUR);
    second.runtime.look(&id);
    second.complete(&id, "m3", "sim:text and that was all").await;
    assert_eq!(said(&second, &id).await, ["ready", "not yet", "woken", "and that was all"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_by_a_calendar_comes_each_time() {
    let clock = clock();
    let stage = stage(&clock, &store(&clock));
    let id = stage.agent("a").await;
    let hourly = Trigger::Cron { spec: "0 * * * *".into() };
    stage.runtime.schedule(&id, set(hourly, "sim:text the hour")).await.unwrap();
    for hours in 1..=3 {
        planned(&stage, &id, clock.now()).await;
        clock.advance(HOUR);
        stage.runtime.look(&id);
        assert_eq!(told(&stage, &id, "scheduler_triggered", hours).await, hours);
    }
    assert_eq!(said(&stage, &id).await, ["the hour"; 3]);
    let wrong = Trigger::Cron { spec: "when it rains".into() };
    let refused = stage.runtime.schedule(&id, set(wrong, "x")).await.unwrap_err();
    assert!(
        matches!(&refused, AgentError::Refused(_)) && refused.to_string().contains("no cron"),
        "{refused}"
    );
}

/// Waits until it is known when the schedule is next due.
async fn planned(stage: &Stage, id: &AgentId, now: Timestamp) {
    let mut feed = stage.runtime.follow(id, &[Channel::Monitor], 0);
    loop {
        let next = stage.runtime.load(id).await.unwrap().agent().schedules()["s"].next;
        if next.is_some_and(|next| next > now) {
            return;
        }
        within(feed.next()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reminder_by_hand_waits_for_the_next_step() {
    let clock = clock();
    let stage = stage(&clock, &store(&clock));
    let id = stage.agent("a").await;
    stage.runtime.remind(&id, "the tests are red").await.unwrap();
    assert_eq!(stage.sim.stats().requests, 0);
    stage.complete(&id, "m1", "sim:text so they are").await;
    assert!(stage.last_prompt().contains("the tests are red"));
    assert_eq!(told(&stage, &id, "reminder_sent", 1).await, 1);
}

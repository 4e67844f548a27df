//! Agents that wait for files: woken when they change, also by what happened while nobody ran them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use seawall_base::clock::SystemClock;
use seawall_engine::{AgentId, Channel, Refused, SetSchedule, Trigger};
use seawall_runtime::{AgentError, Settings};
use seawall_store::AgentStore;
use seawall_store::memory::MemoryAgents;
use tempfile::TempDir;

use crate::stage::{Stage, settings, until, within};

struct Ground {
    folder: TempDir,
    store: Arc<dyn AgentStore>,
}

impl Ground {
    fn new() -> Self {
        let store = Arc::new(MemoryAgents::new(Arc::new(SystemClock::new())));
        let ground = Self { folder: tempfile::tempdir().unwrap(), store };
        std::fs::create_dir_all(ground.inbox()).unwrap();
        ground
    }

    fn inbox(&self) -> PathBuf {
        self.folder.path().join("a/work/inbox")
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.inbox().join(name), text).unwrap();
    }

    /// The clock that files are stamped by is a coarse one.
    fn until_the_disk_says_later_than(&self, name: &str) {
        let time = |path: PathBuf| std::fs::metadata(path).unwrap().modified().unwrap();
        let (before, probe) = (time(self.inbox().join(name)), self.folder.path().join("probe"));
        loop {
            std::fs::write(&probe, "x").unwrap();
            if time(probe.clone()) > before + Duration::from_millis(50) {
                return;
            }
        }
    }

    /// One that lets go of agents that rest almost at once.
    fn stage(&self) -> Stage {
        let settings = Settings { idle_after: Duration::from_millis(1), ..settings() };
        Stage::with_files(Arc::clone(&self.store), settings, self.folder.path())
    }
}

fn waits_for(pattern: &str, text: &str) -> SetSchedule {
    SetSchedule { id: "w".into(), trigger: Trigger::Files { pattern: pattern.into() }, text: text.into() }
}

/// Waits for so many ends of turns; how often the schedule has triggered until then.
async fn triggered(stage: &Stage, id: &AgentId, turns: usize) -> usize {
    let mut feed = stage.runtime.follow(id, &Channel::ALL, 0);
    let (mut ended, mut found) = (0, 0);
    while ended < turns {
        let next = within(feed.next()).await.unwrap();
        ended += usize::from(next.kind == "done");
        found += usize::from(next.kind == "scheduler_triggered");
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_is_woken_by_files_that_it_waits_for() {
    let ground = Ground::new();
    let stage = ground.stage();
    let id = stage.agent("a").await;
    ground.write("old.txt", "there before");
    ground.until_the_disk_says_later_than("old.txt");
    stage.runtime.schedule(&id, waits_for("inbox/*.txt", "sim:text on it")).await.unwrap();
    ground.write("new.txt", "one");
    assert_eq!(triggered(&stage, &id, 1).await, 1);
    assert!(
        stage.last_prompt().contains("Files that have changed: inbox/new.txt"),
        "{}",
        stage.last_prompt()
    );
    ground.write("other.md", "which nobody waits for");
    ground.write("new.txt", "another");
    assert_eq!(triggered(&stage, &id, 2).await, 2);
    assert!(!stage.last_prompt().contains("other.md"));
    std::fs::remove_file(ground.inbox().join("old.txt")).unwrap();
    assert_eq!(triggered(&stage, &id, 3).await, 3);
    stage.runtime.unschedule(&id, "w").await.unwrap();
    ground.write("late.txt", "too late");
    stage.complete(&id, "m1", "sim:text nothing").await;
    assert_eq!(triggered(&stage, &id, 4).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_changed_while_nobody_ran_the_agent_wakes_it_afterwards() {
    let ground = Ground::new();
    let first = ground.stage();
    let id = first.agent("a").await;
    first.runtime.schedule(&id, waits_for("inbox/**", "sim:text on it")).await.unwrap();
    ground.write("one.txt", "1");
    assert_eq!(triggered(&first, &id, 1).await, 1);
    assert!(first.runtime.stop(Duration::from_secs(10)).await);
    ground.write("two.txt", "2");
    let second = ground.stage();
    assert_eq!(triggered(&second, &id, 2).await, 2);
    // The turn before may still be going on.
    until(|| second.last_prompt().contains("Files that have changed: inbox/two.txt")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_stopped_as_it_is_woken_is_told_of_a_file_once() {
    let ground = Ground::new();
    let first = ground.stage();
    let id = first.agent("a").await;
    let mut feed = first.runtime.follow(&id, &Channel::ALL, 0);
    first.runtime.schedule(&id, waits_for("inbox/**", "sim:text on it")).await.unwrap();
    ground.write("one.txt", "1");
    while within(feed.next()).await.unwrap().kind != "scheduler_triggered" {}
    assert!(first.runtime.stop(Duration::from_secs(10)).await);
    ground.write("two.txt", "2");
    let second = ground.stage();
    until(|| second.last_prompt().contains("Files that have changed: inbox/two.txt")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_agent_writes_itself_does_not_wake_it_again() {
    let ground = Ground::new();
    let stage = ground.stage();
    let id = stage.agent("a").await;
    let text =
        "sim:tool fs_write {\"path\":\"inbox/answer.txt\",\"content\":\"mine\"}\nsim:turn 1 sim:text written";
    stage.runtime.schedule(&id, waits_for("inbox/*.txt", text)).await.unwrap();
    ground.write("ask.txt", "one");
    assert_eq!(triggered(&stage, &id, 1).await, 1);
    // By then its own file was looked at as well.
    ground.write("ask.txt", "two!");
    assert_eq!(triggered(&stage, &id, 2).await, 2);
    assert!(
        stage.last_prompt().contains("Files that have changed: inbox/ask.txt"),
        "{}",
        stage.last_prompt()
    );
    assert!(!stage.last_prompt().contains("changed: inbox/answer.txt"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pattern_that_leads_out_or_is_none_is_refused() {
    let ground = Ground::new();
    let stage = ground.stage();
    let id = stage.agent("a").await;
    for pattern in ["", "../*", "inbox/[", "a/../../b"] {
        let refused = stage.runtime.schedule(&id, waits_for(pattern, "x")).await.unwrap_err();
        assert!(matches!(refused, AgentError::Refused(Refused::Invalid(_))), "{pattern}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_files_that_are_not_open_to_the_agent_is_told_so() {
    let ground = Ground::new();
    let stage = ground.stage();
    let id = stage.agent("a").await;
    stage.runtime.schedule(&id, waits_for("/etc/*.conf", "never")).await.unwrap();
    let mut feed = stage.runtime.follow(&id, &Channel::ALL, 0);
    let told = within(async {
        loop {
            let next = feed.next().await.unwrap();
            if next.kind == "error" {
                return next.json;
            }
        }
    });
    let told = told.await;
    assert!(told.contains("the files of the schedule w can't be looked at"), "{told}");
}

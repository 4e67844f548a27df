//! Files that an agent has read and that somebody else has changed: its model is told with the next step, and clients are.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use seawall_base::clock::SystemClock;
use seawall_engine::{AgentId, Channel};
use seawall_runtime::Settings;
use seawall_store::AgentStore;
use seawall_store::memory::MemoryAgents;
use serde_json::Value;
use tempfile::TempDir;

use crate::stage::{Stage, settings, until, within};

/// A folder of places, with a file of an agent.
struct Ground {
    folder: TempDir,
    store: Arc<dyn AgentStore>,
}

impl Ground {
    fn new() -> Self {
        let ground = Self {
            folder: tempfile::tempdir().unwrap(),
            store: Arc::new(MemoryAgents::new(Arc::new(SystemClock::new()))),
        };
        std::fs::create_dir_all(ground.root()).unwrap();
        ground.write("a.txt", "one\n");
        ground
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("a/work")
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.root().join(name), text).unwrap();
    }

    fn stage(&self, settings: Settings) -> Stage {
        Stage::with_files(Arc::clone(&self.store), settings, self.folder.path())
    }
}

const READ: &str = "sim:tool fs_read {\"path\":\"a.txt\"}\nsim:turn 1 sim:text read";

/// What clients were told of files so far, with how often the model was: the turn that began at this number has ended.
async fn told(stage: &Stage, id: &AgentId) -> (Vec<String>, usize) {
    let last = stage.runtime.load(id).await.unwrap().seq();
    let mut feed = stage.runtime.follow(id, &Channel::ALL, 0);
    let (mut paths, mut reminders) = (Vec::new(), 0);
    loop {
        let next = within(feed.next()).await.unwrap();
        let face: Value = serde_json::from_str(&next.json).unwrap();
        match next.kind {
            "file_changed" => paths.push(face["event"]["path"].as_str().unwrap().to_owned()),
            "reminder_sent" if face["event"]["category"] == "file" => reminders += 1,
            _ => {}
        }
        if next.seq >= last {
            return (paths, reminders);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_somebody_else_has_changed_is_told_once_for_each_change() {
    let ground = Ground::new();
    let stage = ground.stage(settings());
    let id = stage.agent("a").await;
    stage.complete(&id, "m1", READ).await;
    stage.complete(&id, "m2", "sim:text nothing new").await;
    assert_eq!(told(&stage, &id).await, (Vec::new(), 0));
    ground.write("a.txt", "two, and longer\n");
    stage.complete(&id, "m3", "sim:text I see").await;
    assert!(
        stage.last_prompt().contains("Files have changed since you last saw them"),
        "{}",
        stage.last_prompt()
    );
    assert_eq!(told(&stage, &id).await, (vec!["a.txt".to_owned()], 1));
    stage.complete(&id, "m4", "sim:text still").await;
    assert_eq!(told(&stage, &id).await.1, 1, "once is enough");
    ground.write("a.txt", "one\n");
    stage.complete(&id, "m5", "sim:text as it was").await;
    assert_eq!(told(&stage, &id).await.1, 1, "it is as the agent knows it");
    std::fs::remove_file(ground.root().join("a.txt")).unwrap();
    stage.complete(&id, "m6", "sim:text oh").await;
    assert!(stage.last_prompt().contains("a.txt (not there any more)"), "{}", stage.last_prompt());
    assert_eq!(told(&stage, &id).await.1, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_in_the_middle_of_a_turn_is_told_with_its_next_step() {
    let ground = Ground::new();
    let stage = ground.stage(settings());
    let id = stage.agent("a").await;
    let work =
        "sim:tool fs_read {\"path\":\"a.txt\"}\nsim:turn 1 sim:tool work {\"n\":1}\nsim:turn 2 sim:text done";
    let sent = stage.send(&id, "m1", work).await;
    until(|| stage.tool.begun() == 1).await;
    ground.write("a.txt", "meanwhile\n");
    ground.write("b.txt", "which nobody has read\n");
    stage.tool.ends.add_permits(1);
    within(stage.runtime.wait(&id, sent.first)).await.unwrap();
    assert!(stage.last_prompt().contains("somebody else: a.txt. Read"), "{}", stage.last_prompt());
    assert_eq!(told(&stage, &id).await, (vec!["a.txt".to_owned()], 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_agent_writes_itself_is_no_change_of_somebody_else() {
    let ground = Ground::new();
    let stage = ground.stage(settings());
    let id = stage.agent("a").await;
    let work = "sim:tool fs_read {\"path\":\"a.txt\"}\n\
                sim:turn 1 sim:tool fs_write {\"path\":\"a.txt\",\"content\":\"mine\"}\n\
                sim:turn 2 sim:tool fs_edit {\"path\":\"a.txt\",\"old_string\":\"mine\",\"new_string\":\"my own\"}\n\
                sim:turn 3 sim:text written";
    let completed = stage.complete(&id, "m1", work).await;
    assert_eq!(completed.text.as_deref(), Some("written"));
    assert_eq!(std::fs::read_to_string(ground.root().join("a.txt")).unwrap(), "my own");
    stage.complete(&id, "m2", "sim:text nothing new").await;
    assert_eq!(told(&stage, &id).await, (Vec::new(), 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_while_nobody_held_the_agent_is_told_with_the_step_that_takes_it_up() {
    let ground = Ground::new();
    let first = ground.stage(settings());
    let id = first.agent("a").await;
    first.complete(&id, "m1", READ).await;
    assert!(first.runtime.stop(Duration::from_secs(10)).await);
    ground.write("a.txt", "overnight\n");
    let front = ground.stage(Settings { works: false, ..settings() });
    let sent = front.send(&id, "m2", "sim:text good morning").await;
    let worker = ground.stage(settings());
    within(front.runtime.wait(&id, sent.first)).await.unwrap();
    assert!(worker.last_prompt().contains("somebody else: a.txt. Read"), "{}", worker.last_prompt());
    assert_eq!(told(&worker, &id).await, (vec!["a.txt".to_owned()], 1));
    worker.complete(&id, "m3", "sim:text once").await;
    assert_eq!(told(&worker, &id).await.1, 1);
    assert!(worker.runtime.stop(Duration::from_secs(10)).await);
    let last = ground.stage(settings());
    last.complete(&id, "m4", "sim:text also after another restart").await;
    assert_eq!(told(&last, &id).await.1, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gets_the_name_of_an_agent_that_was_removed_gets_none_of_its_files() {
    let ground = Ground::new();
    let id: AgentId = "a".parse().unwrap();
    let stage = ground.stage(settings());
    stage.agent("a").await;
    stage.complete(&id, "m", READ).await;
    assert!(stage.last_prompt().contains("one"), "{}", stage.last_prompt());
    assert!(stage.runtime.purge(&id).await.unwrap());
    assert!(!ground.root().exists(), "its folder goes with it");
    // As on a machine that has not seen the removal.
    std::fs::create_dir_all(ground.root()).unwrap();
    ground.write("a.txt", "somebody else's\n");
    std::fs::write(ground.folder.path().join("a/run"), "another run").unwrap();
    stage.agent("a").await;
    stage.complete(&id, "m", READ).await;
    assert!(!stage.last_prompt().contains("somebody else's"), "{}", stage.last_prompt());
    assert!(stage.runtime.purge(&id).await.unwrap());
    assert_eq!(std::fs::read_to_string(ground.root().join("a.txt")).unwrap(), "somebody else's\n");
}

//! What a place tells of files that were changed since the agent saw them.

use serde_json::json;

use crate::support::Agent;

fn paths(agent: &Agent) -> Vec<String> {
    let changed = agent.place.changed_files();
    let names = changed.iter().map(|file| file.path.clone()).collect();
    agent.place.told(&changed);
    names
}

#[tokio::test]
async fn only_what_was_seen_and_changed_is_told_and_only_once() {
    let mut agent = Agent::new();
    for name in ["a", "b", "c"] {
        agent.put(name, "one");
    }
    assert!(!agent.place.knows_files());
    for name in ["a", "b"] {
        agent.ok("fs_read", json!({ "path": name })).await;
    }
    assert_eq!(paths(&agent), [""; 0]);
    for name in ["a", "b", "c"] {
        agent.put(name, "another");
    }
    assert_eq!(paths(&agent), ["a", "b"]);
    assert_eq!(paths(&agent), [""; 0]);
    agent.restart();
    assert_eq!(paths(&agent), [""; 0], "it is kept what was told");
    agent.ok("fs_read", json!({ "path": "a" })).await;
    agent.put("a", "a third");
    assert_eq!(paths(&agent), ["a"]);
}

#[tokio::test]
async fn a_large_file_is_told_when_it_says_something_else_of_itself_and_not_for_being_large() {
    let agent = Agent::new();
    let long = "so it goes on\n".repeat(5_000_000);
    agent.put("log", &long);
    agent.ok("fs_read", json!({ "path": "log", "limit": 1 })).await;
    assert_eq!(paths(&agent), [""; 0]);
    agent.put("log", &(long + "and on\n"));
    assert_eq!(paths(&agent), ["log"]);
    assert_eq!(paths(&agent), [""; 0]);
}

#[tokio::test]
async fn what_is_not_told_in_the_end_is_found_again() {
    let agent = Agent::new();
    agent.put("a", "one");
    agent.ok("fs_read", json!({ "path": "a" })).await;
    agent.put("a", "two!");
    assert_eq!(agent.place.changed_files().len(), 1);
    assert_eq!(paths(&agent), ["a"]);
    // Told of contents that have changed again meanwhile.
    agent.put("a", "three");
    let changed = agent.place.changed_files();
    agent.put("a", "four, since");
    agent.place.told(&changed);
    assert_eq!(paths(&agent), ["a"]);
}

#[tokio::test]
async fn a_touch_is_no_change_and_the_same_size_hides_none() {
    let agent = Agent::new();
    agent.put("a", "one");
    agent.ok("fs_read", json!({ "path": "a" })).await;
    agent.put("a", "one");
    assert_eq!(paths(&agent), [""; 0]);
    agent.put("a", "two");
    assert_eq!(paths(&agent), ["a"]);
    agent.put("a", "one");
    assert_eq!(paths(&agent), [""; 0], "the agent knows it so");
    agent.put("a", "two");
    assert_eq!(paths(&agent), ["a"], "that is another change");
}

#[tokio::test]
async fn what_is_gone_or_no_file_any_more_is_told_without_a_look_at_it() {
    let agent = Agent::new();
    for name in ["gone", "linked", "folder"] {
        agent.put(name, "one");
        agent.ok("fs_read", json!({ "path": name })).await;
        std::fs::remove_file(agent.path(name)).unwrap();
    }
    std::os::unix::fs::symlink(agent.path("../outside/secret"), agent.path("linked")).unwrap();
    std::fs::create_dir(agent.path("folder")).unwrap();
    let changed = agent.place.changed_files();
    assert!(changed.iter().all(|file| file.at.is_none()), "{changed:?}");
    assert_eq!(paths(&agent), ["folder", "gone", "linked"]);
    assert_eq!(paths(&agent), [""; 0]);
}

#[tokio::test]
async fn what_the_agent_has_written_is_as_it_knows_it_and_what_is_kept_for_it_is_no_file_of_its_own() {
    let agent = Agent::new();
    agent.ok("fs_write", json!({ "path": "a", "content": "mine" })).await;
    agent.ok("fs_edit", json!({ "path": "a", "old_string": "mine", "new_string": "my own" })).await;
    let kept = agent.place.scratch().join("results");
    std::fs::create_dir_all(&kept).unwrap();
    std::fs::write(kept.join("long"), "one").unwrap();
    agent.ok("fs_read", json!({ "path": kept.join("long") })).await;
    std::fs::remove_file(kept.join("long")).unwrap();
    assert_eq!(paths(&agent), [""; 0]);
}

//! What a place tells whoever waits for files.

use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::Agent;

fn changed(agent: &Agent, pattern: &str) -> Vec<String> {
    let look = agent.place.look("w", pattern, None, &CancellationToken::new()).unwrap();
    look.keep(pattern).unwrap();
    look.changed
}

#[tokio::test]
async fn new_other_and_missing_files_of_a_pattern_are_told_once() {
    let mut agent = Agent::new();
    std::fs::create_dir(agent.path("inbox")).unwrap();
    agent.put("inbox/a.txt", "one");
    assert_eq!(changed(&agent, "inbox/*.txt"), [""; 0], "there was no time before");
    agent.put("inbox/a.txt", "another");
    agent.put("inbox/b.txt", "new");
    agent.put("inbox/c.md", "of no interest");
    assert_eq!(changed(&agent, "inbox/*.txt"), ["inbox/a.txt", "inbox/b.txt"]);
    std::fs::remove_file(agent.path("inbox/a.txt")).unwrap();
    agent.restart();
    assert_eq!(changed(&agent, "inbox/*.txt"), ["inbox/a.txt"]);
    assert_eq!(changed(&agent, "inbox/*.txt"), [""; 0]);
}

#[tokio::test]
async fn what_is_not_kept_is_told_again_and_what_the_agent_wrote_is_not_told() {
    let agent = Agent::new();
    assert_eq!(changed(&agent, "**"), [""; 0]);
    agent.put("a", "one");
    agent.ok("fs_write", json!({ "path": "mine", "content": "my own" })).await;
    let look = agent.place.look("w", "**", None, &CancellationToken::new()).unwrap();
    assert_eq!(look.changed, ["a"]);
    assert_eq!(changed(&agent, "**"), ["a"]);
    agent.put("mine", "somebody else's");
    assert_eq!(changed(&agent, "**"), ["mine"]);
}

#[tokio::test]
async fn links_lead_nowhere_and_a_folder_may_come_later() {
    let agent = Agent::new();
    assert_eq!(changed(&agent, "later/*"), [""; 0]);
    std::os::unix::fs::symlink(agent.path("../outside"), agent.path("later")).unwrap();
    assert!(
        agent.place.look("w", "later/*", None, &CancellationToken::new()).is_err(),
        "outside is not shown"
    );
    std::fs::remove_file(agent.path("later")).unwrap();
    std::fs::create_dir(agent.path("later")).unwrap();
    agent.put("later/a", "one");
    assert_eq!(changed(&agent, "later/*"), ["later/a"]);
}

//! Replays of real runs: the same prompts take the same course, and other answers are named.

use crate::support::client::{self, Call};
use crate::support::format::Format;
use crate::support::program::Setup;

/// Makes these calls in a run of their own.
async fn session(setup: &Setup, prompts: &[&str]) -> String {
    let proxy = setup.start();
    for prompt in prompts {
        client::send(proxy.address, Call::say(Format::ALL[0], prompt, false)).await;
    }
    assert!(proxy.stop().success());
    let runs = setup.cli_json(&["trace", "list"]);
    runs["runs"][0]["run"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn another_run_is_compared_step_by_step() {
    let setup = Setup::simulated("trace: { content: none }");
    let ask = "sim:tool search {\"q\":1}";
    let recorded = session(&setup, &["hi", ask]).await;
    let same = session(&setup, &["hi", ask]).await;
    let other = session(&setup, &["hi", "sim:tool delete {\"q\":1}"]).await;
    let steps = setup.cli_json(&["trace", "replay", &recorded]);
    assert_eq!(steps["steps"].as_array().unwrap().len(), 2, "{steps}");
    assert_eq!(setup.cli_json(&["trace", "replay", &recorded, "--against", &same])["same"], true);
    let output = setup.cli(&["trace", "replay", &recorded, "--against", &other]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("step 2: another output") && said.contains("\"delete\""), "{said}");
}

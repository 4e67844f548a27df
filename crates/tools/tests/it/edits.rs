//! Replacing parts of files, and what is known of it after a crash.

use seawall_engine::Found;
use serde_json::{Value, json};

use crate::support::{Agent, Attempt, words};

fn edit(path: &str, old: &str, new: &str) -> Value {
    json!({ "path": path, "old_string": old, "new_string": new })
}

#[tokio::test]
async fn a_dollar_stays_a_dollar() {
    let agent = Agent::new();
    agent.put("price", "cost is A or B");
    agent.ok("fs_edit", edit("price", "A", "$&")).await;
    agent.ok("fs_edit", edit("price", "B", "$$5")).await;
    assert_eq!(agent.text("price"), "cost is $& or $$5");
}

#[tokio::test]
async fn the_old_text_must_be_there_once() {
    let agent = Agent::new();
    agent.put("a", "x\ny\nx\n");
    let said = agent.error("fs_edit", edit("a", "x", "z")).await;
    assert!(said.contains("stands there 2 times (lines 1, 3)"), "{said}");
    let said = agent.error("fs_edit", edit("a", "absent", "z")).await;
    assert!(said.contains("not in the file"), "{said}");
    let said = agent.error("fs_edit", edit("none", "x", "z")).await;
    assert!(said.contains("there is no file \"none\""), "{said}");
    assert_eq!(agent.text("a"), "x\ny\nx\n");
    let all = json!({ "path": "a", "old_string": "x", "new_string": "z", "replace_all": true });
    assert_eq!(agent.ok("fs_edit", all).await["replacements"], 2);
    assert_eq!(agent.text("a"), "z\ny\nz\n");
}

#[tokio::test]
async fn edits_of_one_file_are_made_together_or_not_at_all() {
    let agent = Agent::new();
    agent.put("a", "one two three");
    agent.put("b", "four");
    let edits = json!({ "edits": [
        { "path": "a", "find": "one", "replace": "1" },
        { "path": "b", "find": "four", "replace": "4" },
        { "path": "./a", "find": "absent", "replace": "x" },
        { "path": "a", "find": "three", "replace": "3" },
    ] });
    let said: Value = serde_json::from_str(&agent.error("fs_multi_edit", edits).await).unwrap();
    let states: Vec<_> =
        said["edits"].as_array().unwrap().iter().map(|edit| edit["status"].clone()).collect();
    assert_eq!(states, ["skipped", "ok", "error", "skipped"]);
    assert_eq!((agent.text("a"), agent.text("b")), ("one two three".to_owned(), "4".to_owned()));
}

#[tokio::test]
async fn each_edit_sees_what_those_before_it_have_made_also_under_another_name_of_the_file() {
    let agent = Agent::new();
    agent.put("a", "one");
    let edits = json!({ "edits": [
        { "path": "a", "find": "one", "replace": "two" },
        { "path": "./a", "find": "two", "replace": "three" },
    ] });
    assert_eq!(agent.ok("fs_multi_edit", edits).await["ok"], true);
    assert_eq!(agent.text("a"), "three");
}

#[tokio::test]
async fn an_edit_that_was_made_is_found_after_a_crash_with_its_result() {
    let mut agent = Agent::new();
    agent.put("a", "old old");
    let wish = json!({ "path": "a", "old_string": "old", "new_string": "new old", "replace_all": true });
    let made = agent.outcome("fs_edit", wish.clone(), Attempt::FIRST).await;
    agent.restart();
    let found = agent.reconcile("fs_edit", wish.clone(), Attempt::FIRST).await;
    assert_eq!(found, Found::Done { result: made.result.clone() });
    // Whoever runs it again does not do it twice, though the old text is still there.
    let again = agent.outcome("fs_edit", wish, Attempt::FIRST.again()).await;
    assert_eq!(again.result, made.result);
    assert_eq!(agent.text("a"), "new old new old");
}

#[tokio::test]
async fn an_edit_that_was_not_made_is_to_be_run_again() {
    let agent = Agent::new();
    agent.put("a", "old");
    let found = agent.reconcile("fs_edit", edit("a", "old", "new"), Attempt::FIRST).await;
    assert_eq!(found, Found::NotDone);
}

#[tokio::test]
async fn an_edit_that_was_noted_and_not_made_is_to_be_run_again() {
    let mut agent = Agent::new();
    agent.put("a", "old");
    let wish = edit("a", "old", "old and new");
    agent.ok("fs_edit", wish.clone()).await;
    // As if the process had died between noting it and doing it.
    agent.put("a", "old");
    agent.restart();
    assert_eq!(agent.reconcile("fs_edit", wish.clone(), Attempt::FIRST).await, Found::NotDone);
    let again = agent.outcome("fs_edit", wish, Attempt::FIRST.again()).await;
    assert!(!again.result.is_error, "{}", words(&again));
    assert_eq!(agent.text("a"), "old and new");
}

#[tokio::test]
async fn half_of_several_files_is_finished_and_nothing_done_twice() {
    let mut agent = Agent::new();
    let wish = json!({ "edits": [
        { "path": "a", "find": "x", "replace": "xx" },
        { "path": "b", "find": "x", "replace": "xx" },
    ] });
    agent.put("a", "x");
    agent.put("b", "x");
    agent.ok("fs_multi_edit", wish.clone()).await;
    agent.put("b", "x");
    agent.restart();
    assert_eq!(agent.reconcile("fs_multi_edit", wish.clone(), Attempt::FIRST).await, Found::NotDone);
    let again = agent.outcome("fs_multi_edit", wish, Attempt::FIRST.again()).await;
    let said: Value = serde_json::from_str(&words(&again)).unwrap();
    assert_eq!(said["ok"], true, "{said}");
    assert_eq!((agent.text("a"), agent.text("b")), ("xx".to_owned(), "xx".to_owned()));
}

#[tokio::test]
async fn what_can_not_be_told_is_not_guessed() {
    let agent = Agent::new();
    let wish = edit("a", "x", "xx");
    agent.put("a", "x");
    agent.ok("fs_edit", wish.clone()).await;
    agent.put("a", "somebody else was here");
    assert_eq!(agent.reconcile("fs_edit", wish, Attempt::FIRST).await, Found::Unknown);
    // Without anything noted: the new text is there, and nobody knows whose it is.
    agent.put("b", "new old");
    let found = agent.reconcile("fs_edit", edit("b", "old", "new"), Attempt::of_step(2)).await;
    assert_eq!(found, Found::Unknown);
}

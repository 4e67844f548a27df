//! Reading and writing: beneath the root, whole or not at all, and not over what somebody else has changed.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use seawall_detect::paths::Opened;
use seawall_tools::{Place, PlaceSettings, built_in};
use serde_json::{Value, json};

use crate::support::{Agent, Attempt, words};

fn lines(from: usize, to: usize) -> String {
    (from..=to).map(|line| format!("line {line}\n")).collect()
}

#[tokio::test]
async fn a_file_is_given_as_it_is_with_its_number_of_lines() {
    let agent = Agent::new();
    agent.put("a.txt", "one\n  two\nthree");
    let read = agent.ok("fs_read", json!({ "path": "a.txt" })).await;
    let expected = json!({
        "path": "a.txt", "offset": 1, "limit": 2000, "truncated": false, "totalLines": 3, "content": "one\n  two\nthree",
    });
    assert_eq!(read, expected);
}

#[tokio::test]
async fn some_lines_are_given_and_where_to_go_on() {
    let agent = Agent::new();
    agent.put("a.txt", lines(1, 10));
    let read = agent.ok("fs_read", json!({ "path": "a.txt", "offset": 3, "limit": 2 })).await;
    assert_eq!((&read["content"], &read["truncated"]), (&json!(lines(3, 4)), &json!(true)));
    assert_eq!((&read["nextOffset"], &read["totalLines"]), (&json!(5), &json!(10)));
    let last = agent.ok("fs_read", json!({ "path": "a.txt", "offset": 9, "limit": 2 })).await;
    assert_eq!((&last["content"], &last["truncated"]), (&json!(lines(9, 10)), &json!(false)));
    let behind = agent.ok("fs_read", json!({ "path": "a.txt", "offset": 11 })).await;
    assert_eq!((&behind["content"], &behind["truncated"]), (&json!(""), &json!(false)));
    agent.put("empty", "");
    let empty = agent.ok("fs_read", json!({ "path": "empty" })).await;
    assert_eq!((&empty["content"], &empty["totalLines"]), (&json!(""), &json!(0)));
}

#[tokio::test]
async fn a_large_file_can_be_paged_to_its_end() {
    let agent = Agent::new();
    let text = lines(1, 200_000);
    agent.put("large.txt", &text);
    let (mut read, mut offset) = (String::new(), 1);
    loop {
        let page =
            agent.ok("fs_read", json!({ "path": "large.txt", "offset": offset, "limit": 100_000 })).await;
        assert!(page["content"].as_str().unwrap().len() <= 48 * 1024);
        read.push_str(page["content"].as_str().unwrap());
        match page["nextOffset"].as_u64() {
            Some(next) => offset = next,
            None => break,
        }
    }
    assert_eq!(read, text);
}

#[tokio::test]
async fn a_line_of_ten_megabytes_can_be_paged_to_its_end() {
    let agent = Agent::new();
    let text = "äöü€".repeat(1_000_000);
    agent.put("line.txt", &text);
    let (mut read, mut next) = (String::new(), json!(0));
    while next != Value::Null {
        let page = agent.ok("fs_read", json!({ "path": "line.txt", "byte_offset": next })).await;
        read.push_str(page["content"].as_str().unwrap());
        next = page["nextByteOffset"].clone();
    }
    assert!(read == text, "{} of {} bytes", read.len(), text.len());
}

#[tokio::test]
async fn what_is_no_text_is_told() {
    let agent = Agent::new();
    agent.put("program", b"\x7fELF\0\0\x01");
    assert!(agent.error("fs_read", json!({ "path": "program" })).await.contains("no text (7 bytes)"));
    agent.put("folder/a", "a");
    assert!(agent.error("fs_read", json!({ "path": "folder" })).await.contains("is a folder"));
    assert!(agent.error("fs_read", json!({ "path": "absent" })).await.contains("there is no file"));
    agent.put("latin", b"caf\xe9\n");
    assert_eq!(agent.ok("fs_read", json!({ "path": "latin" })).await["content"], "caf\u{fffd}\n");
}

#[tokio::test]
async fn no_path_leads_out_of_the_root() {
    let agent = Agent::new();
    symlink(agent.outside("secret"), agent.path("link")).unwrap();
    symlink(agent.outside(""), agent.path("folder")).unwrap();
    symlink("../outside/secret", agent.path("relative")).unwrap();
    symlink(agent.outside("new"), agent.path("dangling")).unwrap();
    let absolute = agent.outside("secret").to_string_lossy().into_owned();
    for path in [
        "../outside/secret",
        "link",
        "folder/secret",
        "relative",
        "/etc/passwd",
        "/proc/self/environ",
        &absolute,
    ] {
        let read = agent.error("fs_read", json!({ "path": path })).await;
        assert!(read.contains("[seawall] denied FS_"), "{path}: {read}");
        let written = agent.error("fs_write", json!({ "path": path, "content": "mine" })).await;
        assert!(written.contains("[seawall] denied FS_"), "{path}: {written}");
        let edited =
            agent.error("fs_edit", json!({ "path": path, "old_string": "KEY", "new_string": "x" })).await;
        assert!(edited.contains("[seawall] denied FS_"), "{path}: {edited}");
    }
    for path in ["folder/new", "dangling", "../outside/new"] {
        let written = agent.error("fs_write", json!({ "path": path, "content": "mine" })).await;
        assert!(written.contains("[seawall] denied FS_"), "{path}: {written}");
    }
    assert_eq!(std::fs::read_to_string(agent.outside("secret")).unwrap(), "PRIVATE KEY\n");
    assert!(!agent.outside("new").exists());
}

#[tokio::test]
async fn a_link_that_stays_inside_is_followed_and_stays_a_link() {
    let agent = Agent::new();
    agent.put("real.txt", "old\n");
    symlink("real.txt", agent.path("link.txt")).unwrap();
    assert_eq!(agent.ok("fs_read", json!({ "path": "link.txt" })).await["path"], "real.txt");
    agent.ok("fs_write", json!({ "path": "link.txt", "content": "new\n" })).await;
    assert_eq!(agent.text("real.txt"), "new\n");
    assert!(agent.path("link.txt").symlink_metadata().unwrap().is_symlink());
}

#[tokio::test]
async fn a_file_with_another_name_is_not_written() {
    let agent = Agent::new();
    std::fs::hard_link(agent.outside("secret"), agent.path("hard")).unwrap();
    agent.ok("fs_read", json!({ "path": "hard" })).await;
    let said = agent.error("fs_write", json!({ "path": "hard", "content": "mine" })).await;
    assert!(said.contains("hard links"), "{said}");
    let said =
        agent.error("fs_edit", json!({ "path": "hard", "old_string": "KEY", "new_string": "x" })).await;
    assert!(said.contains("hard links"), "{said}");
    assert_eq!(std::fs::read_to_string(agent.outside("secret")).unwrap(), "PRIVATE KEY\n");
}

#[tokio::test]
async fn a_read_only_place_in_the_root_stays_as_it_is() {
    let agent = Agent::with(built_in(), |settings| {
        std::fs::create_dir(settings.files.root.join(".git")).unwrap();
        settings.files.also.push(Opened { path: ".git".into(), read_only: true });
    });
    agent.put(".git/config", "old");
    agent.ok("fs_read", json!({ "path": ".git/config" })).await;
    for path in [".git/config", ".git/hooks/pre-commit"] {
        let said = agent.error("fs_write", json!({ "path": path, "content": "new" })).await;
        assert!(said.contains("read-only"), "{said}");
    }
    let told =
        agent.ok("bash_run", json!({ "cmd": "cat .git/config; echo x > .git/config; echo y > ok" })).await;
    assert!(told["output"].as_str().unwrap().starts_with("old"), "{told}");
    assert_eq!((agent.text(".git/config"), agent.text("ok")), ("old".to_owned(), "y\n".to_owned()));
}

#[test]
fn what_can_not_be_kept_read_only_is_no_place() {
    let folder = tempfile::tempdir().unwrap();
    let launcher = seawall_sandbox::Sandbox::of_this_program();
    let mut settings = PlaceSettings::of(folder.path(), &folder.path().join("scratch"), launcher);
    settings.files.also.push(Opened { path: ".git".into(), read_only: true });
    let said = Place::open(settings.clone()).unwrap_err().to_string();
    assert!(said.contains(".git is to be read-only"), "{said}");
    settings.commands = None;
    Place::open(settings).unwrap();
}

#[tokio::test]
async fn a_scratch_folder_in_the_root_is_closed_to_writers_too() {
    let agent = Agent::with(built_in(), |settings| settings.scratch = settings.files.root.join("own"));
    let begun = agent
        .ok(
            "bash_run",
            json!({ "cmd": "echo said; seq 1 20000; echo x > own/shells/shell_1_1.log; rm -rf own" }),
        )
        .await;
    assert_ne!(begun["code"], 0, "{begun}");
    assert!(begun["output"].as_str().unwrap().starts_with("said\n"), "{begun}");
    let log = "own/shells/shell_1_1.log";
    assert!(
        agent.ok("fs_read", json!({ "path": log })).await["content"].as_str().unwrap().starts_with("said")
    );
    assert!(agent.error("fs_write", json!({ "path": log, "content": "x" })).await.contains("read-only"));
}

#[tokio::test]
async fn writing_makes_folders_and_says_what_was_written() {
    let agent = Agent::new();
    let written = agent.ok("fs_write", json!({ "path": "a/b/c.txt", "content": "one\ntwo" })).await;
    assert_eq!(written, json!({ "ok": true, "path": "a/b/c.txt", "bytes": 7, "lines": 2 }));
    assert_eq!(agent.text("a/b/c.txt"), "one\ntwo");
    let names: Vec<_> = std::fs::read_dir(agent.path("a/b")).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing is left beside it: {names:?}");
}

#[tokio::test]
async fn an_overwritten_file_keeps_its_permissions_and_whoever_has_it_open_keeps_the_old_one() {
    let agent = Agent::new();
    agent.put("run.sh", "old");
    std::fs::set_permissions(agent.path("run.sh"), std::fs::Permissions::from_mode(0o750)).unwrap();
    let opened = std::fs::File::open(agent.path("run.sh")).unwrap();
    agent.ok("fs_read", json!({ "path": "run.sh" })).await;
    agent.ok("fs_write", json!({ "path": "run.sh", "content": "new" })).await;
    assert_eq!(agent.path("run.sh").metadata().unwrap().mode() & 0o7777, 0o750);
    assert_eq!(std::io::read_to_string(opened).unwrap(), "old");
}

#[tokio::test]
async fn an_agent_may_write_over_what_it_wrote_itself() {
    let agent = Agent::new();
    for text in ["one", "two", "three"] {
        agent.ok("fs_write", json!({ "path": "mine", "content": text })).await;
    }
    agent.ok("fs_edit", json!({ "path": "mine", "old_string": "three", "new_string": "four" })).await;
    agent.ok("fs_write", json!({ "path": "mine", "content": "five" })).await;
    assert_eq!(agent.text("mine"), "five");
}

#[tokio::test]
async fn what_somebody_else_has_changed_is_not_written_over() {
    let agent = Agent::new();
    agent.put("shared", "as it was");
    agent.ok("fs_read", json!({ "path": "shared" })).await;
    agent.put("shared", "as it is");
    for (tool, arguments) in [
        ("fs_write", json!({ "path": "shared", "content": "mine" })),
        ("fs_edit", json!({ "path": "shared", "old_string": "as", "new_string": "x", "replace_all": true })),
        ("fs_multi_edit", json!({ "edits": [{ "path": "shared", "find": "it is", "replace": "x" }] })),
    ] {
        let said = agent.error(tool, arguments).await;
        assert!(said.contains("was changed since you last saw it"), "{tool}: {said}");
    }
    assert_eq!(agent.text("shared"), "as it is");
    agent.ok("fs_read", json!({ "path": "shared" })).await;
    agent.ok("fs_write", json!({ "path": "shared", "content": "mine" })).await;
}

#[tokio::test]
async fn a_file_that_was_only_touched_is_the_same() {
    let agent = Agent::new();
    agent.put("touched", "text");
    agent.ok("fs_read", json!({ "path": "touched", "limit": 1 })).await;
    agent.put("touched", "text");
    agent.ok("fs_write", json!({ "path": "touched", "content": "new" })).await;
}

#[tokio::test]
async fn a_file_that_was_never_read_is_not_written_over() {
    let agent = Agent::new();
    agent.put("there", "somebody's work");
    let said = agent.error("fs_write", json!({ "path": "there", "content": "mine" })).await;
    assert!(said.contains("you have not read it"), "{said}");
    assert_eq!(agent.text("there"), "somebody's work");
}

#[tokio::test]
async fn an_agent_that_was_put_away_still_knows_its_own_files() {
    let mut agent = Agent::new();
    agent.put("read", "theirs");
    agent.ok("fs_read", json!({ "path": "read" })).await;
    agent.ok("fs_write", json!({ "path": "written", "content": "mine" })).await;
    agent.restart();
    for path in ["read", "written"] {
        agent.ok("fs_write", json!({ "path": path, "content": "mine again" })).await;
    }
    agent.restart();
    agent.put("written", "theirs");
    let said = agent.error("fs_write", json!({ "path": "written", "content": "mine" })).await;
    assert!(said.contains("was changed since you last saw it"), "{said}");
}

#[tokio::test]
async fn writing_again_after_a_crash_is_the_same_as_writing_once() {
    let mut agent = Agent::new();
    let wish = || json!({ "path": "new", "content": "text" });
    agent.ok("fs_write", wish()).await;
    agent.restart();
    let again = agent.outcome("fs_write", wish(), Attempt::FIRST.again()).await;
    assert!(!again.result.is_error, "{}", words(&again));
}

#[tokio::test]
async fn two_writers_of_one_agent_do_not_lose_each_others_edits() {
    let agent = Agent::new();
    agent.put("count", lines(1, 20));
    let edit = |line: usize| {
        let (old, new) = (format!("line {line}\n"), format!("LINE {line}\n"));
        agent.outcome(
            "fs_edit",
            json!({ "path": "count", "old_string": old, "new_string": new }),
            Attempt::of_step(line as u64),
        )
    };
    // `line 1` is in `line 10` too, but not with its line end.
    let (a, b, c) = tokio::join!(edit(3), edit(7), edit(15));
    for outcome in [a, b, c] {
        assert!(!outcome.result.is_error, "{}", words(&outcome));
    }
    let text = agent.text("count");
    assert!(["LINE 3\n", "LINE 7\n", "LINE 15\n"].iter().all(|line| text.contains(line)), "{text}");
}

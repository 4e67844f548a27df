//! One process at a time.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use seawall_store::AgentStore;

use crate::stage::{open, try_open, wait};

/// Another process that plays a part: a test of this binary that is run by name, and told where by its input.
pub(crate) fn part(name: &str, folder: &std::path::Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture", "--test-threads", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.as_mut().unwrap(), "{}", folder.display()).unwrap();
    child
}

/// Where a part is played; nothing for who runs all tests there are.
pub(crate) fn told() -> Option<std::path::PathBuf> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap();
    let path = line.trim_end();
    (!path.is_empty()).then(|| path.into())
}

#[test]
#[ignore = "it is a part of the test below"]
fn holds_a_folder() {
    let Some(folder) = told() else { return };
    let _store = open(&folder);
    println!("held");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn a_second_process_is_told_who_uses_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = part("lock::holds_a_folder", folder.path());
    let lines = BufReader::new(other.stdout.as_mut().unwrap()).lines();
    assert!(lines.map(Result::unwrap).any(|line| line.ends_with("held")));
    let error = try_open(folder.path()).unwrap_err().to_string();
    assert!(error.contains(&format!("process {}", other.id())), "{error}");
    drop(other.stdin.take());
    other.wait().unwrap();
    drop(open(folder.path()));
}

#[test]
fn closing_lets_go_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path());
    assert!(try_open(folder.path()).is_err());
    wait(first.close()).unwrap();
    let second = open(folder.path());
    assert!(wait(first.agents(&seawall_store::agents::AgentQuery::default())).is_err());
    assert!(!wait(first.health()).unwrap().connected);
    assert!(wait(second.health()).unwrap().writable);
}

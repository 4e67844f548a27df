//! A disk that is full: refused is refused, kept is kept, and with room again everything goes on.
//!
//! The part is played in a mount namespace of its own, on a small disk in memory.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use seawall_store::agents::Appended;
use seawall_store::{AgentStore, StoreError};

use crate::lock::told;
use crate::stage::{Actor, id, open, wait};

/// Takes all the room that is left, but for so many bytes.
fn fill(folder: &Path, but: usize) {
    let mut ballast = File::create(folder.join("ballast")).unwrap();
    for size in [1 << 16, 1 << 12, 1] {
        while ballast.write_all(&vec![b'x'; size]).is_ok() {}
    }
    let length = ballast.metadata().unwrap().len();
    ballast.set_len(length - u64::try_from(but).unwrap()).unwrap();
}

#[test]
#[ignore = "it is a part of the test below"]
fn writes_to_a_small_disk() {
    let Some(folder) = told() else { return };
    let store = open(&folder);
    let mut actor = Actor::new(&store, "writer");
    for but in [0, 4_096, 8_192, 16_384, 40_960] {
        fill(&folder, but);
        // With little room left the log may get its append, and the other files not their rows.
        let mut refused = 0;
        for _ in 0..50 {
            let words = "many words ".repeat(400);
            let is_ready = actor.kept.agent().status().state == seawall_engine::AgentState::Ready;
            if is_ready {
                let saying = actor.saying(&words);
                match actor.attempt(&store, saying) {
                    Ok(appended) => assert_eq!(appended, Appended::Done),
                    Err(StoreError::Unavailable { .. }) => refused += 1,
                    Err(error) => panic!("{error}"),
                }
            } else {
                let answer = actor.answering("short");
                match actor.attempt(&store, answer) {
                    Ok(appended) => assert_eq!(appended, Appended::Done),
                    Err(StoreError::Unavailable { .. }) => refused += 1,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        assert!(refused > 0, "the disk was full");
        assert!(!wait(store.health()).unwrap().writable);
        fs::remove_file(folder.join("ballast")).unwrap();
        actor.next(&store);
        actor.next(&store);
        actor.assert_kept(&store);
    }
    fill(&folder, 0);
    drop(store);
    fs::remove_file(folder.join("ballast")).unwrap();
    let store = open(&folder);
    actor.assert_kept(&store);
    assert!(wait(store.agent(&id("other"))).unwrap().is_none());
    println!("all is well");
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let namespaces: &[&str] = if rustix::process::geteuid().is_root() {
        &["--mount"]
    } else {
        &["--user", "--map-root-user", "--mount"]
    };
    let script = "mount -t tmpfs -o size=1m,mode=700 seawall-test \"$0\" && exec \"$@\"";
    let mut child = Command::new("unshare")
        .args(namespaces)
        .args(["sh", "-c", script, folder.path().to_str().unwrap()])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "full::writes_to_a_small_disk", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{}", folder.path().display()).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("all is well"), "{told}");
}

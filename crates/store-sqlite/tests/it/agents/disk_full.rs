//! A disk that is full: what can't be written is refused, and written when there is room again.
//!
//! The test runs once more as a process with a mount namespace of its own, on a small tmpfs.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use seawall_store::StoreError;
use seawall_store::agents::{AgentStore, check_consistency};

use super::open;
use super::sender::Sender;

#[test]
fn a_full_disk_refuses_and_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=8m,mode=700 seawall-test \"$0\" && cd \"$0\" && exec \"$@\"";
    let is_root = rustix::process::geteuid().is_root();
    let namespaces: &[&str] = if is_root { &["--mount"] } else { &["--user", "--map-root-user", "--mount"] };
    let output = Command::new("unshare")
        .args(namespaces)
        .args(["sh", "-c", script])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "agents::disk_full::a_process_on_a_small_disk", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}\n{output:?}");
}

fn fill() {
    let mut ballast = File::create("ballast").unwrap();
    for size in [1 << 16, 1 << 12, 1] {
        while ballast.write_all(&vec![b'x'; size]).is_ok() {}
    }
}

#[test]
#[ignore = "started by the other test, as another process"]
fn a_process_on_a_small_disk() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = open(Path::new("seawall.db"));
        let (mut one, mut two) = (Sender::new(&store, "one").await, Sender::new(&store, "two").await);
        for _ in 0..3 {
            one.send(1_000).await.unwrap();
            fill();
            // What there is of the log is written over before it has to grow.
            let refused = loop {
                if let Err(error) = one.send(200_000).await {
                    break error;
                }
            };
            assert!(matches!(refused, StoreError::Unavailable { .. }), "{refused}");
            let (first, second) = tokio::join!(one.send(200_000), two.send(200_000));
            assert!(first.is_err() && second.is_err(), "{first:?} {second:?}");
            for sender in [&one, &two] {
                let kept = store.load(sender.id()).await.unwrap().unwrap();
                assert_eq!(kept.agent(), sender.agent(), "it is read, and what was refused is not there");
            }
            let health = store.health().await.unwrap();
            assert!(health.connected, "{health:?}");

            std::fs::remove_file("ballast").unwrap();
            one.send(1_000).await.unwrap();
            two.send(1_000).await.unwrap();
        }
        for sender in [&one, &two] {
            assert!(check_consistency(&*store, sender.id()).await.unwrap().is_consistent());
        }
    });
}

//! `gateway.busy_poll`: workers that ask for more instead of sleeping, and sleep when there is nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

use crate::support::eventually;
use crate::support::format::Format;
use crate::support::program::{Program, Setup};

/// The folder of its one worker's thread.
fn worker(server: &Program) -> PathBuf {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid)).unwrap();
    let mut folders = tasks.map(|task| task.unwrap().path());
    let is_worker = |folder: &PathBuf| {
        fs::read_to_string(folder.join("comm")).is_ok_and(|name| name.starts_with("seawall-worker"))
    };
    folders.find(is_worker).unwrap()
}

/// Whether a thread sleeps. One that polls never does: it runs, or it is ready to.
fn sleeps(worker: &Path) -> bool {
    let stat = fs::read_to_string(worker.join("stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.starts_with('S')
}

#[tokio::test]
async fn a_worker_that_polls_busily_serves_comes_to_rest_and_ends() {
    let server = Setup::simulated("gateway: { busy_poll: 1s }").args(["--workers", "1"]).start();
    let worker = worker(&server);
    for format in Format::ALL {
        for streamed in [false, true] {
            let answer = server.ask(format.request("sim:repeat 20 word", streamed)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert!(answer.complete && answer.text().contains("word"), "{answer:?}");
        }
    }
    eventually("the worker polls", async || {
        assert_eq!(server.get("/health").await.status, 200);
        for look in 0..20 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if sleeps(&worker) {
                return Err(look);
            }
        }
        Ok(())
    })
    .await;
    eventually("the worker rests", async || if sleeps(&worker) { Ok(()) } else { Err("it polls") }).await;

    assert_eq!(server.get("/health").await.status, 200);
    server.signal(Signal::TERM);
    assert!(server.wait().success(), "it ends although it polls");
}

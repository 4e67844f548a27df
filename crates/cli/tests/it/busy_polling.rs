//! `gateway.busy_poll`: workers that ask for more instead of sleeping, and sleep when there is nothing.

use std::fs;

use rustix::process::Signal;

use crate::support::eventually;
use crate::support::format::Format;
use crate::support::program::{Program, Setup};

/// Processor time that the workers have used, in nanoseconds.
fn workers_ran(server: &Program) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid)).unwrap();
    let folders = tasks.map(|task| task.unwrap().path());
    let is_worker = |folder: &std::path::PathBuf| {
        fs::read_to_string(folder.join("comm")).is_ok_and(|name| name.starts_with("seawall-worker"))
    };
    let ran = folders.filter(is_worker).map(|folder| {
        let text = fs::read_to_string(folder.join("schedstat")).unwrap();
        text.split(' ').next().unwrap().parse::<u64>().unwrap()
    });
    ran.sum()
}

#[tokio::test]
async fn a_worker_that_polls_busily_serves_comes_to_rest_and_ends() {
    let server = Setup::simulated("gateway: { busy_poll: 1s }").start();
    for format in Format::ALL {
        for streamed in [false, true] {
            let answer = server.ask(format.request("sim:repeat 20 word", streamed)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert!(answer.complete && answer.text().contains("word"), "{answer:?}");
        }
    }
    // Six short answers take a few milliseconds, and nothing is asked any more.
    eventually("the workers poll", async || {
        let ran = workers_ran(&server);
        if ran >= 50_000_000 { Ok(()) } else { Err(ran) }
    })
    .await;
    let mut before = workers_ran(&server);
    eventually("the workers rest", async || {
        let (ran, earlier) = (workers_ran(&server), before);
        before = ran;
        if ran == earlier { Ok(()) } else { Err(ran - earlier) }
    })
    .await;
    server.signal(Signal::TERM);
    assert!(server.wait().success());
}

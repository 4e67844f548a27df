//! What people type: each command prints what it promises, writes where it says, and ends with the code that tells how it
//! went.

mod completing;
mod configuring;
mod diagnosing;
mod following;
mod keeping;
mod listing;
mod mangling;
mod operating;
mod refusing;
mod reporting;

use std::path::PathBuf;

use crate::support::client::{self, Call};
use crate::support::format::Format;
use crate::support::program::{Program, Setup, files_named};

/// One answered call: four tokens in, one out, six millionths of a dollar.
async fn call(server: &Program) {
    let answer = client::send(server.address, Call::say(Format::Chat, "sim:text four", false)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// As many runs that have ended as there are numbers, each of so many calls; their identifiers, oldest first.
async fn ended_runs(calls: &[usize]) -> (Setup, Vec<String>) {
    let setup = Setup::simulated("");
    let mut runs = Vec::new();
    for &calls in calls {
        let server = setup.start();
        for _ in 0..calls {
            call(&server).await;
        }
        runs.push(server.run());
        assert!(server.stop().success());
    }
    (setup, runs)
}

/// The file of a run's trace, while it is not compressed.
fn trace_file(setup: &Setup, run: &str) -> PathBuf {
    let mut files = files_named(&setup.data_dir().join("runs"), "trace.jsonl");
    files.retain(|file| file.to_str().unwrap().contains(run));
    let [file] = &files[..] else { panic!("one file of {run}: {files:?}") };
    file.clone()
}

/// What a command says on stderr that must end with this code and print nothing.
fn refusal(setup: &Setup, args: &[&str], code: i32) -> String {
    let output = setup.cli(args);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    assert!(output.stdout.is_empty(), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
    said
}

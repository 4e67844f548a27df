//! `seawall trace tail`: every line of a run, as it is written.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use super::{call, ended_runs, trace_file};
use crate::support::eventually;
use crate::support::program::Setup;

/// The longest that a test waits for a line.
const PATIENCE: Duration = Duration::from_secs(30);

/// A tail that runs. Dropping it kills it.
struct Tail {
    child: Child,
    lines: Receiver<String>,
}

impl Tail {
    fn spawn(setup: &Setup, args: &[&str]) -> Child {
        let mut seawall = Command::new(env!("CARGO_BIN_EXE_seawall"));
        seawall.args(["trace", "tail"]).args(args).arg("--data-dir").arg(setup.data_dir()).env_clear();
        seawall.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
    }

    fn of(setup: &Setup, args: &[&str]) -> Self {
        let mut child = Self::spawn(setup, args);
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    /// The lines up to the first of this kind.
    fn until(&self, kind: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line =
                self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no {kind} after {lines:#?}"));
            let event: Value = serde_json::from_str(&line).unwrap();
            lines.push(line);
            if event["kind"] == kind {
                return lines;
            }
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        self.child.wait().unwrap();
    }
}

fn lines_of(setup: &Setup, run: &str) -> Vec<String> {
    std::fs::read_to_string(trace_file(setup, run)).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn each_line_comes_when_it_is_written_and_as_it_was_written() {
    let setup = Setup::simulated("");
    let server = setup.start();
    call(&server).await;
    let mut tail = Tail::of(&setup, &["-n", "1000"]);
    let mut seen = tail.until("action.settled");
    for _ in 0..3 {
        call(&server).await;
        seen.extend(tail.until("action.settled"));
    }
    assert!(server.stop().success());
    seen.extend(tail.until("run.finished"));
    assert_eq!(seen, lines_of(&setup, &server.run()), "all of them, once, in their order");
    assert!(tail.child.try_wait().unwrap().is_none(), "it waits for more");
}

#[tokio::test]
async fn a_run_named_by_its_beginning_is_followed_beside_a_newer_one() {
    let (setup, runs) = ended_runs(&[2]).await;
    let server = setup.start();
    call(&server).await;
    let earlier = Tail::of(&setup, &[&runs[0][..18]]);
    assert_eq!(earlier.until("run.finished"), lines_of(&setup, &runs[0]));
    let newest = Tail::of(&setup, &["last"]);
    assert!(newest.until("action.settled").iter().all(|line| line.contains(&server.run())));
}

#[tokio::test]
async fn it_begins_with_as_many_of_the_last_lines_as_are_wanted() {
    let (setup, runs) = ended_runs(&[4]).await;
    let lines = lines_of(&setup, &runs[0]);
    assert!(lines.len() > 10);
    let printed = |args: &[&str]| -> Vec<String> {
        let said = setup.cli_well(&[&["trace", "tail", "--no-follow"], args].concat());
        said.lines().map(str::to_owned).collect()
    };
    assert_eq!(printed(&[]), lines[lines.len() - 10..]);
    assert_eq!(printed(&["-n", "3"]), lines[lines.len() - 3..]);
    assert_eq!(printed(&["--lines", "1000"]), lines);
    assert!(printed(&["-n", "0"]).is_empty());
}

#[tokio::test]
async fn it_ends_when_nobody_reads_it_any_more() {
    let setup = Setup::simulated("");
    let server = setup.start();
    call(&server).await;
    let mut child = Tail::spawn(&setup, &[]);
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut String::new()).unwrap();
    drop(output);
    // There is no other line that it could fail to write.
    let status = eventually("the end of tail", async || child.try_wait().unwrap().ok_or("it goes on")).await;
    assert!(status.success(), "{status}");
}

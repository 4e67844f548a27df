//! Several processes on one data folder.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use seawall_guard::{Call, RunOptions, ToolEnd, run};
use seawall_trace::{Heads, read, verify};
use serde_json::json;

use crate::stage::{Stage, lines};

/// Another process in the middle of a run: it has settled a call and is in another.
struct Other {
    process: Child,
    _out: BufReader<ChildStdout>,
    trace: PathBuf,
}

impl Other {
    fn start(stage: &Stage) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "processes::a_process_that_is_in_a_call", "--ignored", "--nocapture"])
            .current_dir(stage.folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("trace=") {
            line.clear();
            assert_ne!(out.read_line(&mut line).unwrap(), 0, "it ended");
        }
        let trace = PathBuf::from(line["trace=".len()..].trim_end());
        Self { process, _out: out, trace }
    }

    fn end(mut self) -> PathBuf {
        drop(self.process.stdin.take());
        assert!(self.process.wait().unwrap().success());
        self.trace
    }

    fn kill(mut self) -> PathBuf {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.trace
    }
}

#[test]
#[ignore = "started by the other tests, as another process"]
fn a_process_that_is_in_a_call() {
    let run = run(RunOptions::policy("safe").data_dir("data")).unwrap();
    let call = || Call::new("work", json!({ "n": 1 }));
    run.admit(call()).unwrap().settle(ToolEnd::ReturnedBytes(0), None).unwrap();
    let under_way = run.admit(call()).unwrap();
    run.report(seawall_guard::ReportFormat::Json).unwrap();
    println!("\ntrace={}", run.trace_path().unwrap().display());
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    under_way.settle(ToolEnd::ReturnedBytes(0), None).unwrap();
}

fn heads(stage: &Stage) -> impl Heads {
    seawall_store_sqlite::SqliteStore::open(&stage.data_dir().join("seawall.db")).unwrap()
}

/// Whether a trace is whole, up to the head that the store has.
fn is_whole(stage: &Stage, trace: &Path) -> bool {
    let run = trace.parent().unwrap().file_name().unwrap().to_str().unwrap();
    let runs = stage.data_dir().join("runs");
    let row = read::row_on_disk(&runs, &read::find(&runs, run).unwrap()).unwrap();
    let report = verify::verify_run(&runs, &row, heads(stage).head(row.run).unwrap().as_ref());
    report.ok && heads(stage).unfinished().unwrap().iter().all(|unfinished| unfinished.run != row.run)
}

#[test]
fn processes_share_a_folder_and_leave_each_other_s_runs_alone() {
    let stage = Stage::new();
    let others = [Other::start(&stage), Other::start(&stage)];
    let mine = stage.run("safe");
    mine.admit(Call::new("work", json!({}))).unwrap().settle(ToolEnd::ReturnedBytes(0), None).unwrap();
    mine.finish();
    assert!(is_whole(&stage, mine.trace_path().unwrap()));
    for other in others {
        let trace = other.end();
        assert_eq!(lines(&trace).last().unwrap()["data"]["reason"], "finished");
        assert!(is_whole(&stage, &trace));
    }
    assert_eq!(heads(&stage).runs().unwrap().len(), 3);
}

#[test]
fn the_next_start_closes_what_a_crash_left() {
    let stage = Stage::new();
    let trace = Other::start(&stage).kill();
    assert_ne!(lines(&trace).last().unwrap()["kind"], "run.finished");
    stage.run("safe").finish();
    let lines = lines(&trace);
    let [.., abandoned, finished] = &lines[..] else { panic!() };
    assert_eq!(
        (&abandoned["kind"], &abandoned["data"]["name"]),
        (&json!("action.abandoned"), &json!("work"))
    );
    assert_eq!((&finished["kind"], &finished["data"]["reason"]), (&json!("run.finished"), &json!("crashed")));
    assert!(is_whole(&stage, &trace));
}

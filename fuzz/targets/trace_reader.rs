//! Trace files: any bytes can be read, verified, recovered and reported, and no report runs a script.
#![no_main]

use std::fs;
use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use seawall_fuzz::Input;
use seawall_trace::recover::recover;
use seawall_trace::report::{html, json, markdown, summarise};
use seawall_trace::{Heads, MemoryHeads, RunRow, read, verify};
use seawall_types::{ManualClock, RunId, Timestamp};

const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let (name, with_recovery) = input.pick(&[
        ("trace.jsonl", false),
        ("trace.jsonl", true),
        ("trace.jsonl.zst", false),
        ("trace.000002.jsonl", false),
    ]);
    let Ok(folder) = tempfile::tempdir() else { panic!("no temporary folder") };
    let run = RunId::from_bytes([1; 16]);
    let path = PathBuf::from("2026-01-01").join(run.to_string());
    let run_dir = folder.path().join(&path);
    let file = run_dir.join(name);
    if fs::create_dir_all(&run_dir).and_then(|()| fs::write(&file, input.rest())).is_err() {
        panic!("the temporary folder can't be written");
    }
    can_be_read(&file);
    if with_recovery {
        let row =
            RunRow { run, kind: "proxy".into(), started_at: NOW, finished_at: None, path: path.join(name) };
        is_closed(folder.path(), &row);
    }
});

fn can_be_read(file: &Path) {
    let Ok(lines) = read::lines(file) else { return };
    let report = verify::verify_file(file);
    assert_eq!(report.ok, report.first_bad.is_none());
    let summary = summarise(lines).with_chain(&report);
    if report.ok {
        assert_eq!(
            (summary.events, summary.unreadable),
            (report.checked, 0),
            "a verified trace can't be read"
        );
    }
    let page = html(&summary);
    assert!(!page.to_ascii_lowercase().contains("<script"), "a trace puts a script into its report");
    assert!(page.len() < 4 << 20, "the report is not bounded");
    assert!(!markdown(&summary).is_empty());
    assert!(serde_json::from_str::<serde_json::Value>(&json(&summary)).is_ok());
}

fn is_closed(folder: &Path, row: &RunRow) {
    let (heads, clock) = (MemoryHeads::default(), ManualClock::new(NOW));
    if heads.started(row).is_err() {
        panic!("a store in memory failed");
    }
    let was_good = verify::verify_run(folder, row, None).ok;
    let Ok(done) = recover(folder, &heads, &clock) else { panic!("a store in memory failed") };
    let Ok(unfinished) = heads.unfinished() else { panic!("a store in memory failed") };
    let problem = done.iter().find_map(|done| done.problem.as_ref());
    assert!(unfinished.is_empty() || problem.is_some(), "the run is not closed, and nothing is said of it");
    if was_good && unfinished.is_empty() {
        assert!(verify::verify_run(folder, row, None).ok, "recovery broke a good chain");
    }
}

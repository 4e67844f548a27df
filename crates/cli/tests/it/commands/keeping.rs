//! `seawall trace gc`: what retention says goes, everything else stays and still proves itself.

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::{call, ended_runs, refusal, trace_file};
use crate::support::program::{Setup, files_named};

/// Makes a file look as if it had been written last so many seconds after the turn of the millennium.
fn date_back(file: &PathBuf, seconds: u64) {
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(978_307_200 + seconds);
    File::options().write(true).open(file).unwrap().set_modified(then).unwrap();
}

fn bytes(file: &PathBuf) -> u64 {
    std::fs::metadata(file).unwrap().len()
}

fn collect(setup: &Setup, args: &[&str]) -> Value {
    setup.cli_json(&[&["trace", "gc"], args].concat())
}

/// Asserts that these runs are there, oldest first, that no other is, and that all that is there verifies.
fn assert_left(setup: &Setup, runs: &[String]) {
    let listed = setup.cli_json(&["trace", "list"]);
    let listed: Vec<&str> =
        listed["runs"].as_array().unwrap().iter().map(|row| row["run"].as_str().unwrap()).collect();
    assert!(listed.iter().rev().eq(runs), "{listed:?} {runs:?}");
    let verdict = setup.cli_json(&["trace", "verify"]);
    let lines: usize = setup.events().len();
    assert_eq!((&verdict["ok"], &verdict["runs"]), (&true.into(), &runs.len().into()), "{verdict}");
    assert_eq!(verdict["checked"], lines, "{verdict}");
}

#[tokio::test]
async fn runs_older_than_the_age_go_and_the_others_stay() {
    let (setup, runs) = ended_runs(&[1, 2, 1]).await;
    let files: Vec<PathBuf> = runs.iter().map(|run| trace_file(&setup, run)).collect();
    date_back(&files[1], 0);
    let wanted =
        json!({ "removed_runs": 1, "removed_segments": 1, "compressed": 0, "freed_bytes": bytes(&files[1]) });
    assert_eq!(collect(&setup, &["--older-than", "30d", "--dry-run"]), wanted);
    assert_left(&setup, &runs);
    assert_eq!(collect(&setup, &["--older-than", "30d"]), wanted);
    assert_left(&setup, &[runs[0].clone(), runs[2].clone()]);
    assert!(!files[1].parent().unwrap().exists() && files[0].exists());
    assert!(refusal(&setup, &["trace", "show", &runs[1]], 2).contains("there is no run"));
    let again = setup.cli_well(&["trace", "gc", "--older-than", "30d"]);
    assert_eq!(again, "removed 0 runs and 0 files, compressed 0, freed 0 bytes\n");
    assert!(setup.start().stop().success(), "a server starts over what is left");
}

#[tokio::test]
async fn the_oldest_go_until_the_rest_is_small_enough() {
    let (setup, runs) = ended_runs(&[1, 1, 3, 1]).await;
    let files: Vec<PathBuf> = runs.iter().map(|run| trace_file(&setup, run)).collect();
    for (age, file) in (0..).zip(&files) {
        date_back(file, age);
    }
    let newest_two = (bytes(&files[2]) + bytes(&files[3])).to_string();
    let older_two = bytes(&files[0]) + bytes(&files[1]);
    let done = collect(&setup, &["--max-size", &newest_two]);
    assert_eq!((&done["removed_runs"], &done["freed_bytes"]), (&2.into(), &older_two.into()), "{done}");
    assert_left(&setup, &runs[2..]);
    assert_eq!(collect(&setup, &["--max-size", &newest_two])["removed_runs"], 0);
}

#[test]
fn a_folder_that_is_lost_does_not_verify() {
    let output = Setup::new("up").cli(&["trace", "verify"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("there is no data folder"), "{said}");
}

#[tokio::test]
async fn what_is_compressed_reads_and_verifies_as_before() {
    let (setup, runs) = ended_runs(&[4, 3]).await;
    let looks = [
        vec!["trace", "show", &runs[0]],
        vec!["trace", "export", &runs[0], &runs[1], "--jsonl"],
        vec!["report", &runs[0], "--format", "md"],
        vec!["trace", "verify", "--json"],
        vec!["trace", "tail", &runs[1], "--no-follow"],
    ];
    let look = || looks.iter().map(|args| setup.cli_well(args)).collect::<Vec<_>>();
    let before = look();
    let size: u64 = runs.iter().map(|run| bytes(&trace_file(&setup, run))).sum();
    let done = collect(&setup, &["--compress"]);
    let kept: u64 = files_named(&setup.data_dir().join("runs"), "").iter().map(bytes).sum();
    assert_eq!((&done["compressed"], &done["removed_runs"]), (&2.into(), &0.into()), "{done}");
    assert!(kept < size && done["freed_bytes"].as_u64().unwrap() > 0, "{kept} of {size}: {done}");
    assert!(files_named(&setup.data_dir().join("runs"), "trace.jsonl").is_empty(), "nothing is left twice");
    assert_eq!(look(), before);
    assert_eq!(collect(&setup, &["--compress"])["compressed"], 0);
}

#[tokio::test]
async fn the_run_that_goes_on_stays_and_goes_on() {
    let (setup, _runs) = ended_runs(&[1, 1]).await;
    let server = setup.start();
    call(&server).await;
    let done = collect(&setup, &["--older-than", "0s", "--max-size", "0", "--compress"]);
    assert_eq!((&done["removed_runs"], &done["compressed"]), (&2.into(), &0.into()), "{done}");
    call(&server).await;
    assert!(server.stop().success());
    assert_left(&setup, &[server.run()]);
    assert_eq!(setup.cli_json(&["report"])["verdicts"]["settled"], 2);
}

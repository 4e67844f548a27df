//! What retention removes, what it leaves, and that verification can tell it from theft.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use seawall_trace::retention::{GcReport, Policy, gc};
use seawall_trace::verify::{HeadState, verify_file};
use seawall_trace::{Heads, NoHeads, read};
use seawall_types::{EventKind, RunId, Timestamp};
use serde_json::json;

use crate::stage::{Stage, run, stage};

/// The moment from which ages count in these tests.
fn now() -> Timestamp {
    Timestamp::from_micros(1_800_000_000_000_000)
}

/// Makes a file look as if it was last written so long before [`now`].
fn age(path: &Path, days: u64) {
    let written = now().as_secs() - days * 86_400;
    let time: SystemTime = UNIX_EPOCH + Duration::from_secs(written);
    fs::File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
}

fn run_dir(stage: &Stage, run: RunId) -> std::path::PathBuf {
    stage.path(run).parent().unwrap().to_owned()
}

fn age_run(stage: &Stage, run: RunId, days: u64) {
    read::segments(&run_dir(stage, run)).unwrap().iter().for_each(|path| age(path, days));
}

fn older_than(days: u64) -> Policy {
    Policy { older_than: Some(Duration::from_secs(days * 86_400)), ..Policy::default() }
}

fn collect(stage: &Stage, policy: &Policy) -> GcReport {
    gc(stage.dir(), &*stage.heads, policy, now()).unwrap()
}

#[test]
fn runs_older_than_the_limit_go_and_younger_ones_stay() {
    let stage = stage();
    for (number, days) in [(1, 40), (2, 20)] {
        stage.write_finished(run(number), 3);
        age_run(&stage, run(number), days);
    }
    let bytes = fs::metadata(stage.path(run(1))).unwrap().len();
    let (old, young) = (run_dir(&stage, run(1)), run_dir(&stage, run(2)));
    let expected = GcReport { removed_runs: 1, removed_segments: 1, compressed: 0, freed_bytes: bytes };
    let dry = Policy { dry_run: true, ..older_than(30) };
    assert_eq!(collect(&stage, &dry), expected);
    assert!(old.exists());
    assert_eq!(collect(&stage, &older_than(30)), expected);
    assert!(!old.exists() && young.exists());
    assert_eq!(stage.heads.runs().unwrap().len(), 1);
    assert_eq!(collect(&stage, &older_than(30)), GcReport::default());
    assert_eq!(collect(&stage, &older_than(10)).removed_runs, 1);
    assert_eq!(read::runs_on_disk(stage.dir()).unwrap(), []);
    assert_eq!(fs::read_dir(stage.dir()).unwrap().count(), 0);
}

#[test]
fn the_oldest_go_until_the_rest_is_small_enough() {
    let stage = stage();
    for (number, days) in [(1, 1), (2, 3), (3, 2)] {
        stage.write_finished(run(number), 3);
        age_run(&stage, run(number), days);
    }
    let bytes = fs::metadata(stage.path(run(1))).unwrap().len();
    let policy = Policy { max_bytes: Some(2 * bytes), ..Policy::default() };
    assert_eq!(collect(&stage, &policy).removed_runs, 1);
    let left: Vec<_> = read::runs_on_disk(stage.dir()).unwrap().into_iter().map(|found| found.run).collect();
    assert_eq!(left, [run(1), run(3)]);
    let everything = Policy { max_bytes: Some(0), ..Policy::default() };
    assert_eq!(collect(&stage, &everything).removed_runs, 2);
}

#[test]
fn a_living_run_loses_old_files_but_not_the_current_one_and_still_verifies() {
    let stage = stage();
    let (writer, handle) = stage.start(2_000);
    handle.start_run(run(1), "test", &());
    let note = |number: u32| {
        handle.record(stage.event(run(1), EventKind::Note, &json!({ "number": number })));
        handle.flush().unwrap();
    };
    (0..40).for_each(note);
    let segments = read::segments(&run_dir(&stage, run(1))).unwrap();
    segments.iter().for_each(|path| age(path, 50));
    assert!(segments.len() > 5, "{segments:?}");
    age(&segments[2], 1);
    let report = collect(&stage, &older_than(30));
    assert_eq!((report.removed_runs, report.removed_segments), (0, 2), "files after a kept one stay");
    assert!(!segments[1].exists() && segments[2].exists());
    (40..50).for_each(note);
    let verified = stage.verify(run(1));
    assert_eq!((verified.ok, verified.head), (true, HeadState::Matches), "{verified:?}");
    let everything = Policy { max_bytes: Some(0), ..Policy::default() };
    collect(&stage, &everything);
    let left = read::segments(&run_dir(&stage, run(1))).unwrap();
    assert_eq!(left.len(), 1);
    note(50);
    handle.finish_run(run(1), &());
    writer.stop();
    assert!(stage.verify(run(1)).ok);
    assert!(stage.heads.head(run(1)).unwrap().unwrap().first_seq > 0);
}

#[test]
fn what_is_stolen_beyond_what_retention_removed_shows() {
    let stage = stage();
    stage.write(run(1), 30, 2_000);
    let segments = read::segments(&run_dir(&stage, run(1))).unwrap();
    let head = stage.heads.head(run(1)).unwrap().unwrap();
    stage.heads.finished(run(1), now(), &head).unwrap();
    segments.iter().for_each(|path| age(path, 1));
    age(&segments[0], 50);
    assert_eq!(collect(&stage, &older_than(30)).removed_segments, 1);
    assert!(stage.verify(run(1)).ok);
    fs::remove_file(&segments[1]).unwrap();
    let bad = stage.verify(run(1)).first_bad.unwrap();
    assert!(bad.line == 1 && bad.reason.contains("missing"), "{bad:?}");
}

#[test]
fn without_a_store_a_run_goes_whole_or_not_at_all() {
    let stage = stage();
    stage.write(run(1), 20, 2_000);
    let segments = read::segments(&run_dir(&stage, run(1))).unwrap();
    segments.iter().for_each(|path| age(path, 1));
    age(&segments[0], 50);
    assert_eq!(gc(stage.dir(), &NoHeads, &older_than(30), now()).unwrap(), GcReport::default());
    assert_eq!(gc(stage.dir(), &NoHeads, &older_than(0), now()).unwrap().removed_runs, 1);
}

#[test]
fn a_run_that_was_not_recovered_yet_keeps_its_current_file() {
    let stage = stage();
    stage.write(run(1), 3, 1 << 30);
    age_run(&stage, run(1), 50);
    assert_eq!(collect(&stage, &older_than(30)), GcReport::default());
    assert!(stage.verify(run(1)).ok);
}

#[test]
fn a_compressed_run_is_read_and_verified_like_a_plain_one() {
    let stage = stage();
    stage.write(run(1), 200, 20_000);
    let head = stage.heads.head(run(1)).unwrap().unwrap();
    stage.heads.finished(run(1), now(), &head).unwrap();
    age_run(&stage, run(1), 10);
    let dir = run_dir(&stage, run(1));
    let raw = |dir: &Path| -> Vec<Vec<u8>> {
        read::run_lines(dir).unwrap().map(|line| line.unwrap().raw).collect()
    };
    let (before, files) = (raw(&dir), read::segments(&dir).unwrap().len());
    let policy = Policy { compress: true, ..Policy::default() };
    let report = collect(&stage, &policy);
    assert_eq!(report.compressed, files as u64);
    assert!(report.freed_bytes > 20_000, "{report:?}");
    let segments = read::segments(&dir).unwrap();
    assert!(segments.iter().all(|path| path.extension().is_some_and(|end| end == "zst")), "{segments:?}");
    assert_eq!(fs::read_dir(&dir).unwrap().count(), files, "nothing is left beside");
    assert_eq!(raw(&dir), before);
    let verified = stage.verify(run(1));
    assert_eq!(
        (verified.ok, verified.checked, verified.head),
        (true, 201, HeadState::Matches),
        "{verified:?}"
    );
    assert!(verify_file(&segments[1]).ok);
    assert_eq!(collect(&stage, &policy), GcReport::default());
    assert_eq!(
        collect(&stage, &older_than(9)).removed_runs,
        1,
        "a compressed file is as old as the plain one was"
    );
}

#[test]
fn a_changed_compressed_file_shows() {
    let stage = stage();
    stage.write_finished(run(1), 50);
    collect(&stage, &Policy { compress: true, ..Policy::default() });
    let path = read::segments(&run_dir(&stage, run(1))).unwrap().remove(0);
    let original = fs::read(&path).unwrap();
    for at in 0..original.len() {
        let mut changed = original.clone();
        changed[at] ^= 0x10;
        fs::write(&path, &changed).unwrap();
        assert!(!stage.verify(run(1)).ok || same_text(&path, &stage, &original), "byte {at}");
    }
}

/// A few bits of a zstd frame mean nothing to what it unpacks to; then nothing was changed.
fn same_text(path: &Path, stage: &Stage, original: &[u8]) -> bool {
    let read =
        |path: &Path| -> Vec<Vec<u8>> { read::lines(path).unwrap().map(|line| line.unwrap().raw).collect() };
    let changed = read(path);
    let plain = stage.dir().join("original.zst");
    fs::write(&plain, original).unwrap();
    changed == read(&plain)
}

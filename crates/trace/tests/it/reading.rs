//! Reading lines and finding runs.

use std::fs;

use proptest::prelude::*;
use seawall_trace::{Error, read};
use seawall_types::EventKind;

use crate::stage::{run, stage};

#[test]
fn a_line_is_read_as_it_was_recorded() {
    let stage = stage();
    stage.write(run(1), 1, 1 << 30);
    let lines: Vec<_> = read::lines(&stage.path(run(1))).unwrap().map(Result::unwrap).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((lines[1].number, lines[1].parsed.seq, lines[1].parsed.kind), (2, 1, EventKind::Note));
    assert_eq!(lines[1].parsed.data.get(), r#"{"number":0,"text":"aé|\"b"}"#);
    let on_disk = stage.content(run(1));
    assert_eq!(lines[1].raw, on_disk.lines().nth(1).unwrap().as_bytes());
}

#[test]
fn lines_count_over_all_files_of_a_run() {
    let stage = stage();
    stage.write(run(1), 20, 2_000);
    let lines = read::run_lines(stage.path(run(1)).parent().unwrap()).unwrap();
    let numbers: Vec<_> =
        lines.map(|line| line.unwrap()).map(|line| (line.number, line.parsed.seq)).collect();
    assert_eq!(numbers, (0..21).map(|seq| (seq + 1, seq)).collect::<Vec<_>>());
}

#[test]
fn a_run_is_found_by_what_only_its_identifier_begins_with() {
    let stage = stage();
    (1..=2).for_each(|number| stage.write(run(number), 1, 1 << 30));
    let whole = run(1).to_string();
    assert_eq!(read::find(stage.dir(), &whole).unwrap().run, run(1));
    let unique = (1..=whole.len()).find(|len| !run(2).to_string().starts_with(&whole[..*len])).unwrap();
    assert_eq!(read::find(stage.dir(), &whole[..unique].to_uppercase()).unwrap().run, run(1));
    let ambiguous = read::find(stage.dir(), &whole[..unique - 1]);
    assert!(matches!(ambiguous, Err(Error::Ambiguous { count: 2, .. })), "{ambiguous:?}");
    assert!(matches!(read::find(stage.dir(), "ffff"), Err(Error::NoSuchRun(_))));
}

#[test]
fn the_runs_on_the_disk_describe_themselves() {
    let stage = stage();
    stage.write(run(1), 1, 1 << 30);
    fs::create_dir(stage.dir().join("not-a-date")).unwrap();
    let found = read::runs_on_disk(stage.dir()).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(read::row_on_disk(stage.dir(), &found[0]).unwrap(), stage.row(run(1)));
    assert_eq!(read::runs_on_disk(&stage.dir().join("nowhere")).unwrap(), []);
}

#[test]
fn a_bad_line_is_an_error_and_the_next_is_read_all_the_same() {
    let stage = stage();
    stage.write(run(1), 2, 1 << 30);
    let path = stage.dir().join("loose.jsonl");
    let content = stage.content(run(1));
    let mut lines: Vec<_> = content.lines().collect();
    lines[1] = "{\"v\":1}";
    fs::write(&path, lines.join("\n")).unwrap();
    let read: Vec<_> = read::lines(&path).unwrap().collect();
    assert!(matches!(read[1], Err(Error::Malformed { line: 2, .. })));
    assert!(matches!(&read[2], Err(Error::Malformed { line: 3, reason, .. }) if reason.contains("torn")));
    assert_eq!((read.len(), read[0].as_ref().unwrap().number), (3, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_reading_or_verifying_panic(bytes: Vec<u8>, compressed: bool) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(if compressed { "trace.jsonl.zst" } else { "trace.jsonl" });
        fs::write(&path, &bytes).unwrap();
        if let Ok(lines) = read::lines(&path) {
            prop_assert!(lines.take(bytes.len() + 1).all(|line| line.is_err()));
        }
        let report = seawall_trace::verify::verify_file(&path);
        prop_assert!(!report.ok || bytes.is_empty());
    }
}

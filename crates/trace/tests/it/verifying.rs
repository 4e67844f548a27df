//! Whatever is done to a trace shows, at the line where it was done.

use std::fs;

use proptest::prelude::*;
use seawall_trace::verify::{HeadState, verify_file};
use seawall_trace::{Head, Heads};
use seawall_types::EventKind;
use serde_json::json;

use crate::stage::{Stage, run, stage};

/// A run of six lines, and its content.
fn six_lines() -> (Stage, Vec<String>) {
    let stage = stage();
    stage.write(run(1), 5, 1 << 30);
    let lines = stage.content(run(1)).lines().map(str::to_owned).collect();
    (stage, lines)
}

fn put(stage: &Stage, lines: &[String]) {
    fs::write(stage.path(run(1)), lines.join("\n") + "\n").unwrap();
}

/// The line that verification finds bad, with the head and without it.
fn bad_lines(stage: &Stage) -> (Option<u64>, Option<u64>) {
    let with_head = stage.verify(run(1));
    let loose = verify_file(&stage.path(run(1)));
    assert_eq!((with_head.ok, loose.ok), (with_head.first_bad.is_none(), loose.first_bad.is_none()));
    (with_head.first_bad.map(|bad| bad.line), loose.first_bad.map(|bad| bad.line))
}

#[test]
fn an_untouched_trace_is_good() {
    let (stage, _) = six_lines();
    let report = stage.verify(run(1));
    assert_eq!((report.ok, report.checked, report.head), (true, 6, HeadState::Matches));
    let loose = verify_file(&stage.path(run(1)));
    assert_eq!((loose.ok, loose.checked, loose.head), (true, 6, HeadState::Unknown));
    let json = serde_json::to_value(&loose).unwrap();
    assert_eq!(json, json!({ "ok": true, "checked": 6, "head": "unknown" }));
}

#[test]
fn every_changed_byte_is_found_at_its_line() {
    let (stage, _) = six_lines();
    let path = stage.path(run(1));
    let original = fs::read(&path).unwrap();
    let mut line = 1;
    for at in 0..original.len() {
        for mask in [0x01, 0x20, 0x80] {
            let mut changed = original.clone();
            changed[at] ^= mask;
            fs::write(&path, &changed).unwrap();
            assert_eq!(bad_lines(&stage), (Some(line), Some(line)), "byte {at} ^ {mask:#x}");
        }
        line += u64::from(original[at] == b'\n');
    }
    assert_eq!(line, 7);
}

#[test]
fn every_removed_line_is_found() {
    let (stage, lines) = six_lines();
    for removed in 0..lines.len() {
        let mut rest = lines.clone();
        rest.remove(removed);
        put(&stage, &rest);
        let line = Some(removed as u64 + 1);
        // Without the head, a trace that lacks its last line is a shorter trace.
        let loose = if removed == 5 { None } else { line };
        assert_eq!(bad_lines(&stage), (line, loose));
    }
}

#[test]
fn every_inserted_line_is_found() {
    let (stage, lines) = six_lines();
    for copied in 0..lines.len() {
        for at in 0..=lines.len() {
            let mut more = lines.clone();
            more.insert(at, lines[copied].clone());
            put(&stage, &more);
            // A copy in front of its original can't be told from it: then it is the original that is one too many.
            let line = Some(if at == copied { at + 2 } else { at + 1 } as u64);
            assert_eq!(bad_lines(&stage), (line, line), "line {copied} at {at}");
        }
    }
    for at in 0..=lines.len() {
        let mut more = lines.clone();
        more.insert(at, String::new());
        put(&stage, &more);
        assert_eq!(bad_lines(&stage), (Some(at as u64 + 1), Some(at as u64 + 1)));
    }
}

#[test]
fn every_two_exchanged_lines_are_found() {
    let (stage, lines) = six_lines();
    for one in 0..lines.len() {
        for other in one + 1..lines.len() {
            let mut moved = lines.clone();
            moved.swap(one, other);
            put(&stage, &moved);
            assert_eq!(bad_lines(&stage), (Some(one as u64 + 1), Some(one as u64 + 1)));
        }
    }
}

#[test]
fn a_tail_cut_at_any_byte_is_found_with_the_head() {
    let (stage, lines) = six_lines();
    let whole = (lines.join("\n") + "\n").into_bytes();
    for len in 0..whole.len() {
        fs::write(stage.path(run(1)), &whole[..len]).unwrap();
        let report = stage.verify(run(1));
        let line = whole[..len].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        let bad = report.first_bad.unwrap();
        assert_eq!((report.ok, bad.line, bad.seq), (false, line, line - 1), "cut at {len}");
    }
}

#[test]
fn a_missing_file_is_not_a_good_one() {
    let (stage, _) = six_lines();
    fs::remove_file(stage.path(run(1))).unwrap();
    assert_eq!(bad_lines(&stage), (Some(1), Some(1)));
}

#[test]
fn a_chain_that_was_written_anew_does_not_have_the_head() {
    let (stage, _) = six_lines();
    let forged = crate::stage::stage();
    forged.clock.advance(std::time::Duration::from_secs(1));
    forged.write(run(1), 8, 1 << 30);
    fs::copy(forged.path(run(1)), stage.path(run(1))).unwrap();
    let report = stage.verify(run(1));
    assert_eq!((report.ok, report.head), (false, HeadState::Missing));
    let bad = report.first_bad.unwrap();
    assert_eq!((bad.line, bad.seq), (6, 5));
}

#[test]
fn a_line_of_another_run_does_not_belong() {
    let (stage, lines) = six_lines();
    stage.write(run(2), 5, 1 << 30);
    let other = stage.content(run(2));
    let mut mixed = lines;
    mixed[3] = other.lines().nth(3).unwrap().to_owned();
    put(&stage, &mixed);
    assert_eq!(bad_lines(&stage), (Some(4), Some(4)));
    let whole = fs::copy(stage.path(run(2)), stage.path(run(1)));
    assert!(whole.is_ok());
    assert_eq!(bad_lines(&stage), (Some(1), None));
}

/// Makes the store forget the newest lines.
fn set_back(stage: &Stage, seq: u64) -> Head {
    let line = stage.content(run(1)).lines().nth(usize::try_from(seq).unwrap()).unwrap().to_owned();
    let hash: serde_json::Value = serde_json::from_str(&line).unwrap();
    let hash = *blake3::Hash::from_hex(hash["hash"].as_str().unwrap()).unwrap().as_bytes();
    Head { seq, hash, ..stage.heads.head(run(1)).unwrap().unwrap() }
}

#[test]
fn a_running_trace_may_go_on_behind_the_head_and_a_finished_one_may_not() {
    let (stage, _) = six_lines();
    let head = set_back(&stage, 3);
    let mut row = stage.row(run(1));
    let report = seawall_trace::verify::verify_run(stage.dir(), &row, Some(&head));
    assert_eq!((report.ok, report.head, report.checked), (true, HeadState::Behind, 6));
    row.finished_at = Some(row.started_at);
    let report = seawall_trace::verify::verify_run(stage.dir(), &row, Some(&head));
    let bad = report.first_bad.unwrap();
    assert_eq!((report.ok, report.checked, bad.line, bad.seq), (false, 4, 5, 4));
}

#[test]
fn a_trace_that_is_being_written_is_good_at_every_moment() {
    let stage = stage();
    let (writer, handle) = stage.start(100_000);
    handle.start_run(run(1), "test", &());
    handle.flush().unwrap();
    std::thread::scope(|scope| {
        let producer = scope.spawn(|| {
            for number in 0..20_000 {
                handle.record(stage.event(run(1), EventKind::Note, &json!({ "number": number })));
                if number % 500 == 0 {
                    handle.flush().unwrap();
                }
            }
        });
        while !producer.is_finished() {
            let report = stage.verify(run(1));
            assert!(report.ok, "{report:?}");
        }
    });
    writer.stop();
    assert_eq!(stage.verify(run(1)).checked, 20_001);
}

#[test]
fn a_loose_later_file_is_held_against_the_one_before_it() {
    let stage = stage();
    stage.write(run(1), 20, 2_000);
    let segments = seawall_trace::read::segments(stage.path(run(1)).parent().unwrap()).unwrap();
    for segment in &segments {
        assert!(verify_file(segment).ok, "{segment:?}");
    }
    let second = fs::read_to_string(&segments[1]).unwrap();
    let (_, rest) = second.split_once('\n').unwrap();
    fs::write(&segments[1], rest).unwrap();
    assert_eq!(verify_file(&segments[1]).first_bad.unwrap().line, 1);
    let bad = stage.verify(run(1)).first_bad.unwrap();
    assert_eq!(bad.file, segments[1]);
    assert_eq!(bad.line, fs::read_to_string(&segments[0]).unwrap().lines().count() as u64 + 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn traces_over_any_number_of_files_are_good_until_one_byte_changes(
        notes in 1_u32..40,
        segment_bytes in 500_u64..20_000,
        at: prop::sample::Index,
        mask in 1_u8..,
    ) {
        let stage = stage();
        stage.write(run(1), notes, segment_bytes);
        prop_assert!(stage.verify(run(1)).ok);
        let segments = seawall_trace::read::segments(stage.path(run(1)).parent().unwrap()).unwrap();
        let contents: Vec<_> = segments.iter().map(|segment| fs::read(segment).unwrap()).collect();
        let mut at = at.index(contents.iter().map(Vec::len).sum());
        let mut line = 1;
        for (segment, content) in segments.iter().zip(contents) {
            let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
            if at < content.len() {
                line += lines(&content[..at]);
                let mut changed = content;
                changed[at] ^= mask;
                fs::write(segment, changed).unwrap();
                break;
            }
            at -= content.len();
            line += lines(&content);
        }
        prop_assert_eq!(stage.verify(run(1)).first_bad.map(|bad| bad.line), Some(line as u64));
    }
}

//! What the writer leaves on the disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use seawall_trace::read;
use seawall_trace::verify::HeadState;
use seawall_types::EventKind;
use serde_json::json;

use crate::stage::{run, stage};

#[test]
fn four_threads_at_once_make_one_gapless_chain_for_each_run() {
    let stage = stage();
    let (writer, handle) = stage.start(64 << 10);
    (0..2).for_each(|number| drop(handle.start_run(run(number), "test", &())));
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let (stage, handle) = (&stage, handle.clone());
            scope.spawn(move || {
                for number in 0..2_000 {
                    let data = json!({ "thread": thread, "number": number });
                    handle.record(stage.event(run(thread % 2), EventKind::Note, &data));
                }
            });
        }
    });
    (0..2).for_each(|number| handle.finish_run(run(number), &()));
    let stats = writer.stop();
    assert_eq!((stats.events, stats.dropped), (8_004, 0));
    for number in 0..2 {
        let report = stage.verify(run(number));
        assert_eq!((report.ok, report.checked, report.head), (true, 4_002, HeadState::Matches), "{report:?}");
        assert!(stage.row(run(number)).finished_at.is_some());
    }
}

#[test]
fn the_events_of_one_thread_keep_their_order() {
    let stage = stage();
    stage.write(run(1), 500, 1 << 30);
    let numbers: Vec<_> = read::lines(&stage.path(run(1)))
        .unwrap()
        .skip(1)
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line.unwrap().parsed.data.get()).unwrap()["number"]
                .clone()
        })
        .collect();
    assert_eq!(numbers, (0..500).map(|number| json!(number)).collect::<Vec<_>>());
}

#[test]
fn a_full_file_is_put_away_and_the_chain_goes_on() {
    let stage = stage();
    stage.write(run(1), 30, 2_000);
    let run_dir = stage.path(run(1)).parent().unwrap().to_owned();
    let segments = read::segments(&run_dir).unwrap();
    assert!(segments.len() > 3, "{segments:?}");
    assert!(segments[0].ends_with("trace.000001.jsonl") && segments.last().unwrap().ends_with("trace.jsonl"));
    let report = stage.verify(run(1));
    assert_eq!((report.ok, report.checked, report.head), (true, 31, HeadState::Matches), "{report:?}");
}

#[test]
fn a_run_identifier_is_never_used_twice() {
    let stage = stage();
    stage.write_finished(run(1), 3);
    let before = stage.content(run(1));
    let (writer, handle) = stage.start(1 << 30);
    handle.start_run(run(1), "test", &());
    handle.start_run(run(2), "test", &());
    handle.flush().unwrap();
    let stats = writer.stop();
    assert_eq!((stats.events, stats.dropped), (1, 1));
    assert_eq!(stage.content(run(1)), before);
}

#[test]
fn two_writers_never_write_one_run() {
    let stage = stage();
    let (one, first) = stage.start(1 << 30);
    first.start_run(run(1), "test", &());
    first.flush().unwrap();
    let (other, second) = stage.start(1 << 30);
    second.record(stage.event(run(1), EventKind::Note, &json!({})));
    second.flush().unwrap();
    assert_eq!(other.stop().dropped, 1);
    first.finish_run(run(1), &());
    assert_eq!(one.stop().dropped, 0);
    assert!(stage.verify(run(1)).ok);
}

#[test]
fn only_the_owner_can_read_a_trace() {
    let stage = stage();
    stage.write(run(1), 1, 1 << 30);
    let path = stage.path(run(1));
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
}

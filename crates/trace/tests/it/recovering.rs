//! What is left of a process that died, and what becomes of it.

use std::fs::{self, OpenOptions};
use std::io::Write as _;

use seawall_trace::recover::{Recovered, recover};
use seawall_trace::verify::HeadState;
use seawall_trace::{Head, Heads, MemoryHeads, read};
use seawall_types::EventKind;
use serde_json::Value;

use crate::stage::{Stage, action, run, stage};

/// A run of which the process died with actions 1 and 3 under way.
fn crashed() -> Stage {
    let stage = stage();
    let (writer, handle) = stage.start(1 << 30);
    handle.start_run(run(1), "test", &());
    (1..=3).for_each(|number| stage.admit(&handle, run(1), action(number)));
    stage.settle(&handle, run(1), action(2));
    writer.stop();
    stage
}

fn recover_all(stage: &Stage) -> Vec<Recovered> {
    recover(stage.dir(), &*stage.heads, &*stage.clock).unwrap()
}

/// The kinds of the run's lines, with the actions they are about.
fn kinds(stage: &Stage) -> Vec<(EventKind, Option<u8>)> {
    let number = |id| (1..=3).find(|number| action(*number) == id);
    read::run_lines(stage.path(run(1)).parent().unwrap())
        .unwrap()
        .map(|line| line.unwrap().parsed)
        .map(|event| (event.kind, event.action.and_then(number)))
        .collect()
}

fn expected_kinds() -> Vec<(EventKind, Option<u8>)> {
    vec![
        (EventKind::RunStarted, None),
        (EventKind::ActionAdmitted, Some(1)),
        (EventKind::ActionAdmitted, Some(2)),
        (EventKind::ActionAdmitted, Some(3)),
        (EventKind::ActionSettled, Some(2)),
        (EventKind::ActionAbandoned, Some(1)),
        (EventKind::ActionAbandoned, Some(3)),
        (EventKind::RunFinished, None),
    ]
}

fn tear(stage: &Stage, bytes: &[u8]) {
    OpenOptions::new().append(true).open(stage.path(run(1))).unwrap().write_all(bytes).unwrap();
}

#[test]
fn what_was_under_way_is_abandoned_and_the_run_is_finished() {
    let stage = crashed();
    let recovered = recover_all(&stage);
    assert_eq!(
        recovered,
        [Recovered { run: run(1), abandoned: vec![action(1), action(3)], torn_bytes: 0, problem: None }]
    );
    assert_eq!(kinds(&stage), expected_kinds());
    let report = stage.verify(run(1));
    assert_eq!((report.ok, report.head), (true, HeadState::Matches), "{report:?}");
    assert_eq!(stage.row(run(1)).finished_at, Some(seawall_types::Clock::now(&*stage.clock)));
    let head = stage.heads.head(run(1)).unwrap().unwrap();
    assert_eq!((head.events, head.actions, head.denied), (8, 3, 0));
    assert_eq!(head.cost_usd.to_string(), "1.125000");
    let content = stage.content(run(1));
    let abandoned: Value = serde_json::from_str(content.lines().nth(5).unwrap()).unwrap();
    assert_eq!(abandoned["actor"]["key"], "ci");
    assert_eq!(abandoned["data"]["cost_usd"], "0.500000");
    assert_eq!(recover_all(&stage), []);
    assert_eq!(stage.content(run(1)), content);
}

#[test]
fn a_torn_last_line_is_cut_off_and_kept_beside() {
    let stage = crashed();
    tear(&stage, b"{\"v\":1,\"seq\":5,\"ts");
    let recovered = recover_all(&stage);
    assert_eq!((recovered[0].torn_bytes, recovered[0].abandoned.len()), (18, 2));
    assert_eq!(kinds(&stage), expected_kinds());
    assert!(stage.verify(run(1)).ok);
    let kept = stage.path(run(1)).with_file_name("torn-1.bin");
    assert_eq!(fs::read(kept).unwrap(), b"{\"v\":1,\"seq\":5,\"ts");
    assert!(stage.content(run(1)).lines().last().unwrap().contains("\"torn_bytes\":18"));
}

#[test]
fn a_recovery_that_was_itself_killed_at_any_byte_comes_to_the_same_end() {
    let stage = crashed();
    let (before, head) = (stage.content(run(1)), stage.heads.head(run(1)).unwrap().unwrap());
    let row = stage.row(run(1));
    recover_all(&stage);
    let whole = stage.content(run(1));
    for len in before.len()..=whole.len() {
        fs::write(stage.path(run(1)), &whole[..len]).unwrap();
        let heads = MemoryHeads::default();
        heads.started(&row).unwrap();
        heads.heads(&[head]).unwrap();
        let recovered = recover(stage.dir(), &heads, &*stage.clock).unwrap();
        assert_eq!((recovered.len(), &recovered[0].problem), (1, &None), "cut at {len}");
        assert_eq!(kinds(&stage), expected_kinds(), "cut at {len}");
        let finished = heads.runs().unwrap().pop().unwrap();
        let report =
            seawall_trace::verify::verify_run(stage.dir(), &finished, heads.head(run(1)).unwrap().as_ref());
        assert_eq!((report.ok, report.head), (true, HeadState::Matches), "cut at {len}: {report:?}");
        let totals = heads.head(run(1)).unwrap().unwrap();
        assert_eq!((totals.events, totals.actions), (8, 3), "cut at {len}");
        assert_eq!(totals.cost_usd.to_string(), "1.125000");
    }
}

#[test]
fn a_run_that_a_living_process_writes_is_left_alone() {
    let stage = stage();
    let (writer, handle) = stage.start(1 << 30);
    handle.start_run(run(1), "test", &());
    stage.admit(&handle, run(1), action(1));
    handle.flush().unwrap();
    let before = stage.content(run(1));
    assert_eq!(recover_all(&stage), []);
    assert_eq!(stage.content(run(1)), before);
    writer.stop();
    assert_eq!(recover_all(&stage).len(), 1);
}

#[test]
fn lines_that_the_store_knew_and_the_file_lost_go_on_showing() {
    let stage = crashed();
    let content = stage.content(run(1));
    let kept: Vec<_> = content.lines().take(3).collect();
    fs::write(stage.path(run(1)), kept.join("\n") + "\n").unwrap();
    let recovered = recover_all(&stage);
    assert!(recovered[0].problem.as_ref().is_some_and(|problem| problem.contains("lines are missing")));
    assert!(stage.row(run(1)).finished_at.is_some());
    assert!(stage.content(run(1)).contains("\"kind\":\"error\""));
    assert!(!stage.verify(run(1)).ok);
    assert_eq!(recover_all(&stage), []);
}

#[test]
fn dying_while_a_file_is_put_away_loses_nothing() {
    let stage = crashed();
    let path = stage.path(run(1));
    fs::rename(&path, path.with_file_name("trace.000001.jsonl")).unwrap();
    fs::write(path.with_file_name("trace.next.jsonl"), "").unwrap();
    recover_all(&stage);
    assert_eq!(kinds(&stage), expected_kinds());
    let report = stage.verify(run(1));
    assert_eq!((report.ok, report.head, report.checked), (true, HeadState::Matches, 8), "{report:?}");
}

#[test]
fn a_run_that_died_before_its_first_line_is_finished_with_one() {
    let stage = crashed();
    let row = stage.row(run(1));
    fs::write(stage.path(run(1)), "").unwrap();
    let heads = MemoryHeads::default();
    heads.started(&row).unwrap();
    let recovered = recover(stage.dir(), &heads, &*stage.clock).unwrap();
    assert_eq!((recovered.len(), &recovered[0].problem), (1, &None));
    assert_eq!(heads.head(run(1)).unwrap().map(|head: Head| head.seq), Some(0));
    assert_eq!(heads.unfinished().unwrap(), []);
}

#[test]
fn a_run_whose_files_are_gone_keeps_its_head_so_that_it_shows() {
    let stage = crashed();
    fs::remove_dir_all(stage.path(run(1)).parent().unwrap()).unwrap();
    let recovered = recover_all(&stage);
    assert_eq!(recovered[0].problem.as_deref(), Some("its files are gone"));
    assert!(!stage.verify(run(1)).ok);
    assert_eq!(recover_all(&stage), []);
}

#[test]
fn one_run_that_can_not_be_closed_keeps_no_other_from_being_closed() {
    let stage = crashed();
    stage.write(run(2), 2, 1 << 30);
    tear(&stage, b"not a line\n");
    let recovered = recover_all(&stage);
    assert_eq!(recovered.len(), 2);
    assert!(recovered[0].problem.as_ref().is_some_and(|problem| problem.contains("last line")));
    assert_eq!((recovered[1].run, &recovered[1].problem), (run(2), &None));
    assert_eq!(stage.heads.unfinished().unwrap().len(), 1);
}

//! The writer on disks that are full, broken or slow.

mod fake;

use std::task::Poll;

use seawall_types::Usd;
use serde_json::json;

use self::fake::{NoStore, Stage, block_on, losses, numbers, poll_once, stage, stage_with};
use super::*;
use crate::{MemoryHeads, OnUnavailable};

#[test]
fn a_full_disk_leaves_no_torn_line_and_loses_nothing_that_was_taken() {
    let stage = stage(|_| {});
    stage.handle.start_run(stage.run, "proxy", &());
    stage.record(0);
    stage.handle.flush().unwrap();
    stage.disk.set(|state| state.room = Some(700));
    (1..20).for_each(|number| _ = stage.record(number));
    assert!(matches!(stage.handle.flush(), Err(Unavailable::Disk(_))));
    assert_eq!(numbers(&stage.disk.content()), [0]);
    assert!(matches!(stage.handle.check(), Err(Unavailable::Disk(_))));
    assert!(!stage.handle.stats().available);
    assert_eq!(stage.handle.stats().waiting, 19);

    stage.disk.set(|state| state.room = None);
    stage.handle.flush().unwrap();
    assert_eq!(numbers(&stage.disk.content()), (0..20).collect::<Vec<_>>());
    assert_eq!(stage.handle.check(), Ok(()));
    let stats = stage.writer.stop();
    assert_eq!((stats.waiting, stats.dropped, stats.available), (0, 0, false));
    assert!(stats.last_error.is_some());
    let content = stage.disk.content();
    assert!(
        content
            .lines()
            .last()
            .unwrap()
            .contains(r#""data":{"note":"the trace could not be written for a while","dropped":0,"error":"#)
    );
}

#[test]
fn wherever_the_disk_is_full_no_line_is_torn_or_written_twice() {
    for room in (0..3_000).step_by(50) {
        let stage = stage(|options| options.durability = Durability::Buffered);
        stage.disk.set(|state| state.room = Some(room));
        (0..10).for_each(|number| _ = stage.record(number));
        let full = stage.handle.flush().is_err();
        let kept = numbers(&stage.disk.content()).len();
        assert!(full == (kept < 10), "{kept} lines fit into {room} bytes");
        stage.disk.set(|state| state.room = None);
        stage.handle.flush().unwrap();
        assert_eq!(numbers(&stage.disk.content()), (0..10).collect::<Vec<_>>());
    }
}

#[test]
fn the_disk_is_tried_again_when_a_tenth_of_a_second_has_passed() {
    let stage = stage(|options| options.durability = Durability::Each);
    stage.disk.set(|state| state.room = Some(0));
    assert!(block_on(stage.handle.durable(stage.record(0))).is_err());
    stage.disk.set(|state| state.room = None);
    // A flush would make it try at once; the clock alone has to do it here.
    stage.clock.advance(Duration::from_millis(100));
    while stage.handle.check().is_err() {
        std::thread::yield_now();
    }
    assert_eq!(block_on(stage.handle.durable(stage.record(1))), Ok(()));
    assert_eq!(numbers(&stage.disk.content()), [0, 1]);
}

#[test]
fn what_was_dropped_while_the_disk_was_full_is_noted_in_the_run() {
    let stage = stage(|options| (options.capacity, options.on_unavailable) = (4, OnUnavailable::Count));
    stage.handle.start_run(stage.run, "proxy", &());
    stage.handle.flush().unwrap();
    stage.disk.set(|state| state.room = Some(0));
    let kept = (0..10).filter(|number| stage.record(*number).0.is_some()).count();
    assert_eq!(kept, 4);
    assert_eq!(stage.handle.check(), Ok(()));
    assert!(stage.handle.flush().is_err());
    stage.disk.set(|state| state.room = None);
    stage.handle.flush().unwrap();
    stage.handle.flush().unwrap();
    let content = stage.disk.content();
    assert_eq!(numbers(&content), [0, 1, 2, 3]);
    assert_eq!(losses(&content), 6, "{content}");
    assert!(content.contains(r#""note":"the trace could not be written for a while""#), "{content}");
    assert_eq!(stage.writer.stop().dropped, 6);
}

#[test]
fn what_happens_without_a_disk_can_be_changed_while_there_is_none() {
    let stage = stage(|options| options.on_unavailable = OnUnavailable::Count);
    stage.disk.set(|state| state.room = Some(0));
    stage.record(0);
    assert!(stage.handle.flush().is_err());
    assert_eq!(stage.handle.check(), Ok(()));
    stage.handle.set_on_unavailable(OnUnavailable::Refuse);
    assert!(matches!(stage.handle.check(), Err(Unavailable::Disk(_))));
    stage.handle.set_on_unavailable(OnUnavailable::Count);
    assert_eq!(stage.handle.check(), Ok(()));
}

#[test]
fn with_refuse_there_is_room_for_the_ends_of_what_was_admitted() {
    let stage = stage(|options| options.capacity = 8);
    stage.disk.set(|state| state.syncs_wait = true);
    // The first event gets the writer stuck in a sync, so that what follows waits.
    stage.record(0);
    while stage.handle.stats().waiting > 0 {
        std::thread::yield_now();
    }
    let waiting = |stage: &Stage| stage.handle.stats().waiting;
    (1..=7).for_each(|number| _ = stage.record(number));
    assert_eq!(stage.handle.check(), Ok(()));
    stage.record(8);
    assert_eq!(
        (stage.handle.check(), stage.handle.is_pressed()),
        (Err(Unavailable::Full { waiting: 8 }), true)
    );
    assert!(stage.record(9).0.is_some() && stage.record(10).0.is_some());
    assert_eq!((stage.record(11), waiting(&stage)), (Ticket(None), 10));
    assert!(block_on(stage.handle.durable(Ticket(None))).is_err());
    stage.disk.set(|state| state.syncs_wait = false);
    stage.handle.flush().unwrap();
    assert_eq!(stage.handle.check(), Ok(()));
    assert_eq!(numbers(&stage.disk.content()), (0..=10).collect::<Vec<_>>());
    assert!(stage.disk.content().contains(r#"{"note":"the trace's writer fell behind","dropped":1}"#));
    assert_eq!(stage.writer.stop().dropped, 1);
}

#[test]
fn after_a_failed_sync_the_lines_are_written_anew_and_once() {
    let stage = stage(|_| {});
    stage.record(0);
    stage.handle.flush().unwrap();
    stage.disk.set(|state| state.syncs_fail = true);
    stage.record(1);
    assert!(stage.handle.flush().is_err());
    assert_eq!(numbers(&stage.disk.content()), [0]);
    stage.disk.set(|state| state.syncs_fail = false);
    stage.handle.flush().unwrap();
    assert_eq!(numbers(&stage.disk.content()), [0, 1]);
    stage.handle.flush().unwrap();
    let lines = stage.disk.content().lines().count() as u64;
    assert_eq!(stage.writer.stop().events, lines);
}

#[test]
fn an_event_is_durable_once_it_was_synced_and_not_before() {
    let stage = stage(|options| options.durability = Durability::Each);
    stage.disk.set(|state| state.syncs_wait = true);
    let mut durable = stage.handle.durable(stage.record(0));
    assert_eq!(poll_once(&mut durable), Poll::Pending);
    while stage.handle.stats().events == 0 {
        std::thread::yield_now();
    }
    assert_eq!(poll_once(&mut durable), Poll::Pending);
    stage.disk.set(|state| state.syncs_wait = false);
    assert_eq!(block_on(durable), Ok(()));
    assert_eq!(numbers(&stage.disk.content()), [0]);
}

#[test]
fn many_who_wait_are_all_woken() {
    let stage = stage(|options| options.durability = Durability::Each);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let stage = &stage;
            scope.spawn(move || {
                for _ in 0..50 {
                    assert_eq!(block_on(stage.handle.durable(stage.record(number))), Ok(()));
                }
            });
        }
    });
    assert_eq!(numbers(&stage.disk.content()).len(), 400);
}

#[test]
fn waiting_for_an_event_ends_when_the_disk_refuses() {
    let stage = stage(|options| options.durability = Durability::Each);
    stage.disk.set(|state| state.syncs_fail = true);
    assert!(matches!(block_on(stage.handle.durable(stage.record(0))), Err(Unavailable::Disk(_))));
}

#[test]
fn without_each_nobody_waits_for_the_disk() {
    for durability in [Durability::Buffered, Durability::Group { every: Duration::from_secs(1) }] {
        let stage = stage(|options| options.durability = durability);
        stage.disk.set(|state| state.room = Some(0));
        assert_eq!(poll_once(&mut stage.handle.durable(stage.record(0))), Poll::Ready(Ok(())));
    }
}

#[test]
fn stopping_writes_what_waits_and_takes_nothing_more() {
    let stage = stage(|options| options.durability = Durability::Buffered);
    (0..1_000).for_each(|number| _ = stage.record(number));
    let stats = stage.writer.stop();
    assert_eq!((stats.events, stats.dropped, stats.waiting), (1_000, 0, 0));
    assert_eq!(numbers(&stage.disk.content()).len(), 1_000);
    let late = Event::new(stage.clock.now(), stage.run, EventKind::Note, &());
    assert_eq!(stage.handle.record(late), Ticket(None));
    assert_eq!(stage.handle.flush(), Err(Unavailable::Stopped));
    assert_eq!(stage.handle.check(), Err(Unavailable::Stopped));
    assert_eq!(stage.handle.stats().dropped, 1);
}

#[test]
fn stopping_on_a_full_disk_counts_what_is_lost() {
    let stage = stage(|_| {});
    stage.disk.set(|state| state.room = Some(0));
    (0..5).for_each(|number| _ = stage.record(number));
    let stats = stage.writer.stop();
    assert_eq!((stats.events, stats.dropped, stats.waiting), (0, 5, 0));
}

#[test]
fn nobody_waits_forever_for_a_writer_that_panicked() {
    let stage = stage(|options| options.durability = Durability::Each);
    stage.disk.set(|state| state.panics = true);
    assert_eq!(block_on(stage.handle.durable(stage.record(0))), Err(Unavailable::Stopped));
    assert_eq!(stage.handle.flush(), Err(Unavailable::Stopped));
    assert_eq!(stage.handle.check(), Err(Unavailable::Stopped));
    assert!(!stage.handle.stats().available);
}

#[test]
fn a_file_that_can_not_be_rolled_goes_on() {
    let stage = stage(|options| options.segment_bytes = 1);
    (0..5).for_each(|number| {
        stage.record(number);
        stage.handle.flush().unwrap();
    });
    assert_eq!(stage.handle.check(), Ok(()));
    assert_eq!(numbers(&stage.disk.content()), [0, 1, 2, 3, 4]);
}

#[test]
fn an_event_after_the_end_of_its_run_is_counted_as_dropped() {
    let stage = stage(|_| {});
    stage.handle.start_run(stage.run, "proxy", &());
    stage.handle.finish_run(stage.run, &());
    stage.record(1);
    stage.handle.flush().unwrap();
    stage.record(2);
    stage.handle.flush().unwrap();
    let content = stage.disk.content();
    assert!(content.lines().last().unwrap().contains(r#""kind":"run.finished""#));
    assert_eq!((numbers(&content).len(), content.lines().count()), (0, 2));
    let stats = stage.writer.stop();
    assert_eq!((stats.events, stats.dropped, stats.waiting), (2, 2, 0));
}

#[test]
fn a_store_that_is_down_does_not_stop_the_trace() {
    let stage = stage_with(|_| {}, Arc::new(NoStore));
    stage.handle.start_run(stage.run, "proxy", &());
    stage.record(0);
    stage.handle.finish_run(stage.run, &());
    stage.handle.flush().unwrap();
    assert_eq!(numbers(&stage.disk.content()), [0]);
    let stats = stage.handle.stats();
    assert!(stats.available && stats.head_failures >= 3, "{stats:?}");
}

#[test]
fn lag_is_the_age_of_the_oldest_event_that_waits() {
    let stage = stage(|_| {});
    stage.disk.set(|state| state.room = Some(0));
    stage.record(0);
    assert!(stage.handle.flush().is_err());
    stage.clock.advance(Duration::from_secs(3));
    assert_eq!(stage.handle.stats().lag, Duration::from_secs(3));
    stage.disk.set(|state| state.room = None);
    stage.handle.flush().unwrap();
    assert_eq!(stage.handle.stats().lag, Duration::ZERO);
}

#[test]
fn the_end_of_a_run_reaches_the_store_with_its_totals() {
    let heads = Arc::new(MemoryHeads::default());
    let stage = stage_with(|_| {}, Arc::clone(&heads) as Arc<dyn Heads>);
    let event = |kind, data| Event::new(stage.clock.now(), stage.run, kind, &data);
    stage.handle.start_run(stage.run, "proxy", &json!({ "kind": "other", "mode": "warn" }));
    stage.handle.record(event(EventKind::ActionAdmitted, json!({ "reserved_usd": "1.000000" })));
    let cost = Usd::from_picos(250_000_000_000);
    stage.handle.record(event(EventKind::ActionSettled, json!({ "cost_usd": cost })).charging(cost));
    stage.handle.record(event(EventKind::ActionDenied, json!({})));
    stage.handle.flush().unwrap();
    assert_eq!(heads.unfinished().unwrap().len(), 1);
    stage.handle.finish_run(stage.run, &());
    stage.handle.flush().unwrap();
    let row = heads.runs().unwrap().pop().unwrap();
    assert_eq!((row.kind.as_str(), row.finished_at), ("proxy", Some(stage.clock.now())));
    let head = heads.head(stage.run).unwrap().unwrap();
    assert_eq!((head.seq, head.events, head.actions, head.denied), (4, 5, 2, 1));
    assert_eq!(head.cost_usd.to_string(), "0.250000");
    assert!(stage.disk.content().contains(r#""data":{"kind":"proxy","mode":"warn"}"#));
}

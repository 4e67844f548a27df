//! The disk is full, or breaks.

use seawall_budget::{Ledger, Limit, OnStoreDown, Refusal};
use seawall_types::{Scope, Window};

use crate::disk::Disk;
use crate::given::*;

fn closed() -> Vec<Limit> {
    vec![limit(Scope::Global, Window::Total, 100)]
}

fn open() -> Vec<Limit> {
    vec![Limit { on_store_down: OnStoreDown::Open, ..limit(Scope::Global, Window::Total, 100) }]
}

fn try_reserve(ledger: &Ledger, number: u64, picos: u128) -> Result<(), Box<Refusal>> {
    reserve(ledger, number, &[Scope::Global], usd(picos), NOW).map(|_| ())
}

fn is_unavailable(result: &Result<(), Box<Refusal>>) -> bool {
    result.as_ref().is_err_and(|refusal| matches!(**refusal, Refusal::Unavailable { .. }))
}

/// A process that starts on this disk finds what this one knows.
fn assert_kept(disk: &Disk, ledger: &Ledger, limits: Vec<Limit>) {
    let (next, recovery) = disk.after_restart().open(limits, NOW);
    assert_eq!(books(&next, NOW), books(ledger, NOW));
    assert!(!recovery.torn);
}

#[test]
fn a_full_disk_refuses_what_is_closed_and_nothing_is_held_for_it() {
    let disk = Disk::default();
    let (ledger, _) = disk.open(closed(), NOW);
    try_reserve(&ledger, 1, 10).unwrap();
    for room in [0, 1, 50] {
        disk.state().room = Some(room);
        let refusal = reserve(&ledger, 2, &[key("late"), Scope::Global], usd(10), NOW).unwrap_err();
        assert!(matches!(*refusal, Refusal::Unavailable { .. }));
        assert_eq!(figures(&ledger, &Scope::Global, Window::Total, NOW), (0, 10));
    }
    disk.state().room = None;
    // The name of the key was in the writes that failed; it must be written again.
    reserve(&ledger, 2, &[key("late"), Scope::Global], usd(10), NOW).unwrap();
    assert_kept(&disk, &ledger, closed());
    assert_eq!(ledger.stats().journal_errors, 3);
}

#[test]
fn a_full_disk_admits_what_is_open_and_that_is_written_when_there_is_room() {
    let disk = Disk::default();
    let (ledger, _) = disk.open(open(), NOW);
    disk.state().room = Some(40);
    try_reserve(&ledger, 1, 60).unwrap();
    let refusal = *try_reserve(&ledger, 2, 60).unwrap_err();
    assert!(matches!(refusal, Refusal::Exceeded { .. }), "the limit still holds");
    assert!(!ledger.stats().journal_complete);
    disk.state().room = None;
    ledger.sync().unwrap();
    assert!(ledger.stats().journal_complete);
    assert_kept(&disk, &ledger, open());
}

#[test]
fn one_closed_limit_among_open_ones_refuses() {
    let disk = Disk::default();
    let limits = vec![open().remove(0), limit(key("a"), Window::Day, 100)];
    let (ledger, _) = disk.open(limits, NOW);
    disk.state().room = Some(0);
    assert!(reserve(&ledger, 1, &[Scope::Global, key("a")], usd(1), NOW).is_err());
    reserve(&ledger, 2, &[Scope::Global], usd(1), NOW).unwrap();
    reserve(&ledger, 3, &[key("nobody limited this one")], usd(1), NOW).unwrap();
}

#[test]
fn settling_goes_on_while_the_disk_is_full_and_is_written_before_the_next_reservation() {
    let disk = Disk::default();
    let (ledger, _) = disk.open(closed(), NOW);
    try_reserve(&ledger, 1, 90).unwrap();
    disk.state().room = Some(20);
    ledger.settle(hold_id(1), usd(10), NOW);
    assert_eq!(figures(&ledger, &Scope::Global, Window::Total, NOW), (10, 0));
    assert!(is_unavailable(&try_reserve(&ledger, 2, 90)));
    disk.state().room = None;
    try_reserve(&ledger, 2, 90).unwrap();
    assert_kept(&disk, &ledger, closed());
}

#[test]
fn a_settle_lost_with_the_process_leaves_its_hold_to_be_swept() {
    let disk = Disk::default();
    let (ledger, _) = disk.open(closed(), NOW);
    try_reserve(&ledger, 1, 90).unwrap();
    disk.state().room = Some(0);
    ledger.settle(hold_id(1), usd(10), NOW);
    let (next, recovery) = disk.after_restart().open(closed(), NOW);
    assert_eq!(recovery.holds.len(), 1);
    next.sweep(after(300));
    assert_eq!(figures(&next, &Scope::Global, Window::Total, NOW), (90, 0));
}

#[test]
fn changes_of_limits_are_refused_while_they_cannot_be_written() {
    let disk = Disk::default();
    let (ledger, _) = disk.open(closed(), NOW);
    disk.state().room = Some(10);
    ledger.set_limit(limit(Scope::Global, Window::Total, 5), NOW).unwrap_err();
    ledger.reset(&Scope::Global, None, NOW).unwrap_err();
    assert_eq!(account(&ledger, &Scope::Global, Window::Total, NOW).limit_usd, closed()[0].usd);
}

#[test]
fn what_a_failed_write_leaves_behind_is_never_built_upon() {
    let disk = Disk::default();
    let (ledger, _) = disk.open(closed(), NOW);
    try_reserve(&ledger, 1, 10).unwrap();
    {
        let mut state = disk.state();
        (state.room, state.refuses_truncation) = (Some(30), true);
    }
    ledger.settle(hold_id(1), usd(4), NOW);
    {
        let mut state = disk.state();
        (state.room, state.refuses_truncation) = (None, false);
    }
    assert!(is_unavailable(&try_reserve(&ledger, 2, 10)), "the settle is not in the journal");
    ledger.sync().unwrap();
    try_reserve(&ledger, 2, 10).unwrap();
    assert_kept(&disk, &ledger, closed());
}

#[test]
fn when_too_much_waits_a_snapshot_takes_its_place() {
    let disk = Disk::default();
    let limits =
        || vec![Limit { on_store_down: OnStoreDown::Open, ..limit(Scope::Global, Window::Total, 1 << 40) }];
    let (ledger, _) = disk.open(limits(), NOW);
    disk.state().room = Some(0);
    for number in 0..12_000 {
        try_reserve(&ledger, number, 2).unwrap();
        ledger.settle(hold_id(number), usd(1), NOW);
    }
    disk.state().room = None;
    assert!(!ledger.stats().journal_complete);
    ledger.sync().unwrap();
    assert!(ledger.stats().journal_complete);
    assert_eq!(disk.state().segments.len(), 1);
    assert_kept(&disk, &ledger, limits());
}

#[test]
fn a_sync_that_failed_is_made_good_by_a_snapshot() {
    let disk = Disk::default();
    let (ledger, _) = disk.open(closed(), NOW);
    try_reserve(&ledger, 1, 10).unwrap();
    disk.state().refuses_syncing = true;
    ledger.sync().unwrap_err();
    assert!(is_unavailable(&try_reserve(&ledger, 2, 10)), "nobody knows what of the journal is on the disk");
    disk.state().refuses_syncing = false;
    ledger.sync().unwrap();
    try_reserve(&ledger, 2, 10).unwrap();
    assert_kept(&disk, &ledger, closed());
}

#[test]
fn a_snapshot_that_failed_loses_nothing_and_is_tried_again() {
    let disk = Disk::default();
    let (ledger, _) = disk.open(closed(), NOW);
    try_reserve(&ledger, 1, 10).unwrap();
    disk.state().refuses_snapshots = true;
    ledger.checkpoint().unwrap_err();
    try_reserve(&ledger, 2, 10).unwrap();
    assert_kept(&disk, &ledger, closed());
    disk.state().refuses_snapshots = false;
    ledger.checkpoint().unwrap();
    assert_eq!(disk.state().segments.len(), 1);
    assert_kept(&disk, &ledger, closed());
}

#[test]
fn repairs_that_fail_are_not_tried_at_every_sync() {
    let disk = Disk::default();
    let (ledger, _) = disk.open(closed(), NOW);
    {
        let mut state = disk.state();
        (state.refuses_syncing, state.refuses_snapshots) = (true, true);
    }
    ledger.sync().unwrap_err();
    for _ in 0..500 {
        let _ = ledger.sync();
    }
    assert!(disk.state().segments.len() < 20, "each try begins a segment");
}

#[test]
fn a_ledger_does_not_open_without_its_store() {
    let disk = Disk::default();
    disk.state().refuses_snapshots = true;
    assert!(disk.try_open(closed(), NOW).is_err());
    let disk = Disk::default();
    disk.state().room = Some(0);
    assert!(disk.try_open(closed(), NOW).is_err());
}

#[test]
fn a_sync_with_nothing_new_costs_nothing() {
    let disk = Disk::default();
    let (ledger, _) = disk.open(closed(), NOW);
    ledger.sync().unwrap();
    let before = disk.state().syncs;
    ledger.sync().unwrap();
    assert_eq!(disk.state().syncs, before);
    try_reserve(&ledger, 1, 10).unwrap();
    ledger.sync().unwrap();
    assert_eq!(disk.state().syncs, before + 1);
}

#[test]
fn a_checkpoint_with_nothing_new_changes_nothing() {
    let disk = Disk::default();
    let (ledger, _) = disk.open(closed(), NOW);
    disk.state().refuses_snapshots = true;
    ledger.checkpoint().unwrap();
    try_reserve(&ledger, 1, 10).unwrap();
    ledger.checkpoint().unwrap_err();
    ledger.checkpoint().unwrap_err();
    disk.state().refuses_snapshots = false;
    ledger.checkpoint().unwrap();
    disk.state().refuses_snapshots = true;
    ledger.checkpoint().unwrap();
    assert_kept(&disk, &ledger, closed());
}

//! The process is killed, or the power fails, at any moment.

use proptest::prelude::*;
use seawall_budget::{AccountView, Error, Ledger, Limit, Settled};
use seawall_types::{Scope, Window};

use crate::disk::Disk;
use crate::given::*;

fn limits() -> Vec<Limit> {
    vec![
        limit(Scope::Global, Window::Total, 100),
        limit(Scope::Global, Window::Minute, 60),
        limit(key("a"), Window::Day, 50),
    ]
}

type Step = Box<dyn Fn(&Ledger)>;

/// A short life: each step is one change, and all kinds of change are there.
fn steps() -> Vec<Step> {
    let scopes = || [Scope::Run(run()), key("a"), Scope::Global];
    vec![
        Box::new(move |ledger| drop(reserve(ledger, 1, &scopes(), amount(10, 5), NOW))),
        Box::new(move |ledger| drop(reserve(ledger, 2, &scopes(), amount(20, 5), after(1)))),
        Box::new(|ledger| _ = ledger.settle(hold_id(1), amount(4, 4), after(2))),
        Box::new(|ledger| ledger.set_limit(limit(key("a"), Window::Month, 70), after(3)).unwrap_or(())),
        Box::new(|ledger| drop(reserve(ledger, 3, &[key("b"), Scope::Global], usd(7), after(4)))),
        Box::new(|ledger| drop(ledger.checkpoint())),
        Box::new(|ledger| drop(reserve(ledger, 4, &[key("a"), Scope::Global], usd(9), after(5)))),
        Box::new(|ledger| drop(ledger.sweep(after(301)))),
        Box::new(|ledger| _ = ledger.settle(hold_id(2), usd(30), after(302))),
        Box::new(|ledger| ledger.reset(&key("a"), None, after(303)).unwrap_or(())),
        Box::new(|ledger| ledger.remove_limit(&key("a"), Window::Month)),
        Box::new(|ledger| drop(ledger.sync())),
        Box::new(|ledger| drop(ledger.checkpoint())),
        Box::new(|ledger| _ = ledger.release(hold_id(4), after(304))),
        Box::new(|ledger| _ = ledger.abandon(hold_id(3), after(304))),
    ]
}

fn books_now(ledger: &Ledger) -> Vec<AccountView> {
    books(ledger, after(304))
}

/// The limits that are in force after the steps so far; opening puts its own into force.
fn limits_of(ledger: &Ledger) -> Vec<Limit> {
    let views = ledger.show(NOW).into_iter().filter(|view| view.limit_usd.is_some());
    views.map(|view| limit(view.scope, view.window, view.limit_usd.unwrap().as_picos())).collect()
}

#[test]
fn a_kill_at_any_write_leaves_the_state_before_or_after_the_change() {
    let mut kills = 0;
    for fuse in 1.. {
        let disk = Disk::default();
        let (ledger, _) = disk.open(limits(), NOW);
        disk.state().fuse = Some(fuse);
        let mut survivors = vec![(limits(), books_now(&ledger))];
        let was_killed = steps().iter().any(|step| {
            step(&ledger);
            let is_killed = disk.state().fuse == Some(0);
            survivors.push((limits_of(&ledger), books_now(&ledger)));
            is_killed
        });
        let candidates = &survivors[survivors.len().saturating_sub(2)..];
        let matches = candidates.iter().any(|(limits, books)| {
            let (next, _) = disk.after_restart().open(limits.clone(), after(304));
            books_now(&next) == *books
        });
        assert!(matches, "killed at write {fuse}");
        if !was_killed {
            break;
        }
        kills += 1;
    }
    assert!(kills > 20, "{kills}");
}

#[test]
fn a_kill_while_opening_loses_nothing() {
    let disk = Disk::default();
    let (ledger, _) = disk.open(limits(), NOW);
    steps().iter().take(9).for_each(|step| step(&ledger));
    for fuse in 1..8 {
        let killed = disk.after_restart();
        killed.state().fuse = Some(fuse);
        let _ = killed.try_open(limits_of(&ledger), after(304));
        let (next, _) = killed.after_restart().open(limits_of(&ledger), after(304));
        assert_eq!(books_now(&next), books_now(&ledger), "killed at write {fuse}");
    }
}

#[test]
fn a_journal_cut_after_any_byte_gives_the_state_of_its_whole_records() {
    let disk = Disk::default();
    let (ledger, _) = disk.open(limits(), NOW);
    let mut history = vec![(disk.newest().len(), limits_of(&ledger), books_now(&ledger))];
    for step in steps().iter().take(5) {
        step(&ledger);
        history.push((disk.newest().len(), limits_of(&ledger), books_now(&ledger)));
    }
    for cut in history[0].0..=disk.newest().len() {
        // Of a change that is cut off, nothing counts.
        let (_, limits, expected) = history.iter().rev().find(|(length, ..)| *length <= cut).unwrap();
        let machine = disk.after_restart();
        machine.state().segments.values_mut().for_each(|bytes| bytes.truncate(cut));
        let (next, _) = machine.open(limits.clone(), after(304));
        assert_eq!(books_now(&next), *expected, "cut after {cut} bytes");
    }
}

/// What happens in a longer life, without checkpoints, so that the journal is one segment.
#[derive(Debug, Clone)]
enum Change {
    Reserve {
        picos: u128,
        with_key: bool,
    },
    /// At a part of the estimate, in percent.
    Settle {
        hold: prop::sample::Index,
        percent: u128,
    },
    Sweep {
        seconds: u64,
    },
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => (0_u128..40, any::<bool>()).prop_map(|(picos, with_key)| Change::Reserve { picos, with_key }),
        2 => (any::<prop::sample::Index>(), 0_u128..=100)
            .prop_map(|(hold, percent)| Change::Settle { hold, percent }),
        1 => (0_u64..400).prop_map(|seconds| Change::Sweep { seconds }),
    ]
}

struct Life {
    disk: Disk,
    /// After each change: the length of the journal, and what was really spent until then.
    history: Vec<(usize, u128)>,
    /// The books at the end.
    books: Vec<AccountView>,
    end: u64,
}

fn live(changes: &[Change]) -> Life {
    let disk = Disk::default();
    let (ledger, _) = disk.open(limits(), NOW);
    let mut estimates = Vec::new();
    let (mut now, mut spent) = (0, 0);
    let mut history = vec![(disk.newest().len(), 0)];
    for change in changes {
        match change {
            Change::Reserve { picos, with_key } => {
                let scopes = [key("a"), Scope::Global];
                let number = estimates.len() as u64;
                let admitted =
                    reserve(&ledger, number, &scopes[usize::from(!with_key)..], usd(*picos), after(now));
                estimates.push(admitted.map_or(0, |_| *picos));
            }
            Change::Settle { hold, percent } if !estimates.is_empty() => {
                let number = hold.index(estimates.len());
                let actual = estimates[number] * percent / 100;
                if ledger.settle(hold_id(number as u64), usd(actual), after(now)) != Settled::Unknown {
                    spent += actual;
                }
            }
            Change::Settle { .. } => {}
            Change::Sweep { seconds } => {
                now += seconds;
                ledger.sweep(after(now));
            }
        }
        history.push((disk.newest().len(), spent));
    }
    Life { disk, history, books: books(&ledger, after(now)), end: now }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn after_a_cut_the_books_hold_at_least_the_truth_and_at_most_the_limit(
        changes in prop::collection::vec(change(), 1..30),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 16),
    ) {
        let life = live(&changes);
        let whole = life.disk.newest().len();
        for cut in cuts.iter().map(|cut| cut.index(whole + 1)) {
            let machine = life.disk.after_restart();
            machine.state().segments.values_mut().for_each(|bytes| bytes.truncate(cut));
            let (next, recovery) = machine.open(limits(), after(life.end));
            for view in next.show(after(life.end)) {
                let counted = view.spent_usd.saturating_add(view.held_usd);
                prop_assert!(view.limit_usd.is_none_or(|limit| counted <= limit), "{view:?}");
                let known = life.history.iter().rev().find(|(length, _)| *length <= cut);
                let is_everything = view.scope == Scope::Global && view.window == Window::Total;
                if let Some((_, truth)) = known.filter(|_| is_everything) {
                    prop_assert!(counted.as_picos() >= *truth, "{view:?} for {truth}");
                }
            }
            let ends_whole = life.history.iter().any(|(length, _)| *length == cut);
            prop_assert!(!(ends_whole && recovery.torn));
        }
    }

    #[test]
    fn the_state_after_a_restart_is_the_state_before(changes in prop::collection::vec(change(), 1..40)) {
        let life = live(&changes);
        let (next, recovery) = life.disk.after_restart().open(limits(), after(life.end));
        prop_assert_eq!(books(&next, after(life.end)), life.books);
        prop_assert!(!recovery.torn);
    }

    #[test]
    fn foreign_bytes_in_the_journal_are_kept_aside_and_harm_nothing(
        changes in prop::collection::vec(change(), 0..8),
        mut tail in prop::collection::vec(any::<u8>(), 0..300),
        end in 1_u8..,
    ) {
        tail.push(end);
        let life = live(&changes);
        let machine = life.disk.after_restart();
        machine.state().segments.values_mut().for_each(|bytes| bytes.extend(&tail));
        let (next, recovery) = machine.open(limits(), after(life.end));
        prop_assert_eq!(books(&next, after(life.end)), life.books);
        prop_assert!(recovery.torn);
        let aside = machine.state().set_aside.values().next().cloned();
        prop_assert_eq!(aside, Some(tail));
    }

    #[test]
    fn space_that_was_allocated_ahead_is_no_fault(
        changes in prop::collection::vec(change(), 0..8),
        ahead in 1_usize..200_000,
    ) {
        let life = live(&changes);
        let machine = life.disk.after_restart();
        machine.state().segments.values_mut().for_each(|bytes| bytes.resize(bytes.len() + ahead, 0));
        let (next, recovery) = machine.open(limits(), after(life.end));
        prop_assert_eq!(books(&next, after(life.end)), life.books);
        prop_assert!(!recovery.torn);
    }
}

/// The first record of a segment, as any version writes it.
fn first_record(format: u32, segment: u64) -> Vec<u8> {
    // Kind, format, segment: the format is the first field after the length and the kind.
    let mut payload = vec![0];
    payload.extend(format.to_le_bytes());
    payload.extend(segment.to_le_bytes());
    let mut bytes = (payload.len() as u32).to_le_bytes().to_vec();
    bytes.extend(&payload);
    bytes.extend(&blake3::hash(&payload).as_bytes()[..8]);
    bytes
}

#[test]
fn a_journal_of_the_first_format_is_read() {
    let disk = Disk::default();
    let (ledger, _) = disk.open(limits(), NOW);
    steps().iter().take(5).for_each(|step| step(&ledger));
    let machine = disk.after_restart();
    for (number, bytes) in &mut machine.state().segments {
        let old = first_record(1, *number);
        bytes.splice(..old.len(), old);
    }
    let (next, recovery) = machine.open(limits_of(&ledger), after(304));
    assert_eq!(books_now(&next), books_now(&ledger));
    assert!(!recovery.torn);
}

#[test]
fn a_journal_of_a_newer_program_is_refused() {
    let disk = Disk::default();
    drop(disk.open(limits(), NOW));
    let machine = disk.after_restart();
    let bytes = first_record(99, 0);
    machine.state().segments.values_mut().for_each(|segment| segment.clone_from(&bytes));
    let error = machine.try_open(limits(), NOW).unwrap_err();
    assert!(matches!(error, Error::Newer { found: 99, .. }), "{error}");
}

#[test]
fn a_journal_that_is_missing_is_told() {
    let disk = Disk::default();
    drop(disk.open(limits(), NOW));
    let machine = disk.after_restart();
    machine.state().segments.clear();
    let (ledger, recovery) = machine.open(limits(), NOW);
    assert!(recovery.torn);
    drop(ledger);
    let (_, recovery) = machine.after_restart().open(limits(), NOW);
    assert!(!recovery.torn, "once");
}

//! Many callers at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use seawall_budget::{AccountView, Journal, Ledger};
use seawall_types::{Amount, Scope, Window};

use crate::disk::Disk;
use crate::given::*;

const THREADS: u64 = 8;
const TRIES: u64 = 500;
const WORTH: u64 = 777;

/// How many of the reservations are admitted, each of one.
fn admitted(ledger: &Ledger) -> u64 {
    let admitted = AtomicU64::new(0);
    let hammer = |thread: u64| {
        for number in 0..TRIES {
            let scopes = [Scope::Run(run()), key(&format!("k{thread}")), Scope::Global];
            if reserve(ledger, thread * TRIES + number, &scopes, amount(1, 1), NOW).is_ok() {
                admitted.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| (0..THREADS).for_each(|thread| drop(scope.spawn(move || hammer(thread)))));
    admitted.into_inner()
}

#[test]
fn a_budget_worth_so_many_calls_admits_exactly_so_many() {
    let ledger = global(Window::Total, u128::from(WORTH));
    assert_eq!(admitted(&ledger), WORTH);
    assert_eq!(figures(&ledger, &Scope::Global, Window::Total, NOW), (0, u128::from(WORTH)));
    let is_a_key = |view: &AccountView| matches!(view.scope, Scope::Key(_));
    let of_keys: u64 =
        ledger.show(NOW).iter().filter(|view| is_a_key(view)).map(|view| view.held_tokens).sum();
    assert_eq!(of_keys, WORTH, "a refused reservation holds nothing anywhere");
}

#[test]
fn so_does_one_with_a_journal_and_the_next_process_knows() {
    let disk = Disk::default();
    let limits = vec![limit(Scope::Global, Window::Minute, u128::from(WORTH))];
    let (ledger, _) = disk.open(limits.clone(), NOW);
    assert_eq!(admitted(&ledger), WORTH);
    let (next, recovery) = disk.after_restart().open(limits, NOW);
    assert_eq!(u64::try_from(recovery.holds.len()), Ok(WORTH));
    assert_eq!(books(&next, NOW), books(&ledger, NOW));
}

#[test]
fn settling_from_many_threads_with_snapshots_in_between_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let open = |disk: &Disk| {
        let journal = Journal::open(folder.path()).unwrap();
        Ledger::open(Vec::new(), journal, std::sync::Arc::new(disk.clone()), NOW).unwrap()
    };
    let (ledger, _) = open(&disk);
    let work = |thread: u64| {
        for number in 0..TRIES {
            let hold =
                reserve(&ledger, thread * TRIES + number, &[Scope::Global], amount(9, 9), NOW).unwrap();
            ledger.settle(hold, amount(2, 3), NOW);
        }
    };
    thread::scope(|scope| {
        (0..THREADS).for_each(|thread| drop(scope.spawn(move || work(thread))));
        for _ in 0..10 {
            ledger.checkpoint().unwrap();
            ledger.sync().unwrap();
        }
    });
    drop(ledger);
    let (ledger, recovery) = open(&disk);
    assert_eq!((recovery.holds, recovery.torn), (Vec::new(), false));
    let calls = THREADS * TRIES;
    let account = account(&ledger, &Scope::Global, Window::Total, NOW);
    let spent = Amount { usd: account.spent_usd, tokens: account.spent_tokens };
    assert_eq!(spent, amount(u128::from(calls) * 2, calls * 3));
}

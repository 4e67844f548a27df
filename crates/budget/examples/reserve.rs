//! How many reservations a second the ledger makes and settles, from one and two threads over one budget.
//!
//! `cargo run --release -p seawall-budget --example reserve [COUNT]` prints a line for each of memory and
//! journal. Every reservation pays from four scopes; the budget has a limit in `total` and in `minute`.

#![expect(clippy::print_stdout, reason = "it prints a table")]

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use seawall_budget::{
    Journal, Ledger, Limit, OnStoreDown, Reservation, Settled, Snapshot, SnapshotError, Snapshots,
};
use seawall_types::{ActionId, Amount, HoldId, RunId, Scope, Timestamp, Usd, Window};

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
const CALL: Amount = Amount { usd: Usd::from_picos(1_350_000_000), tokens: 1_200 };

fn main() -> Result<(), Box<dyn Error>> {
    let count = std::env::args().nth(1).map_or(Ok(200_000), |count| count.parse())?;
    println!("{:<10} {:>7} {:>16} {:>16}", "ledger", "threads", "reservations/s", "µs/reservation");
    for threads in [1, 2] {
        let ledger = Ledger::in_memory(limits());
        report("memory", threads, count, measure(&ledger, threads, count));
    }
    for threads in [1, 2] {
        let folder = tempfile::tempdir_in(".")?;
        let journal = Journal::open(folder.path())?;
        let (ledger, _) = Ledger::open(limits(), journal, Arc::new(Shelf::default()), NOW)?;
        report("journalled", threads, count, measure(&ledger, threads, count));
    }
    Ok(())
}

fn limits() -> Vec<Limit> {
    let limit = |window| Limit {
        scope: Scope::Global,
        window,
        usd: Some(Usd::from_picos(u128::MAX >> 1)),
        tokens: None,
        on_store_down: OnStoreDown::Closed,
    };
    vec![limit(Window::Total), limit(Window::Minute)]
}

/// How long the threads take for `count` reservations each, every one settled.
fn measure(ledger: &Ledger, threads: u64, count: u64) -> Duration {
    let began = Instant::now();
    thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || work(ledger, thread, count));
        }
    });
    began.elapsed()
}

fn work(ledger: &Ledger, thread: u64, count: u64) {
    let run = RunId::from_parts(thread, &[0; 10]);
    let scopes = [Scope::Run(run), Scope::Global, Scope::Key("ci".into()), Scope::Tenant("acme".into())];
    let deadline = NOW.saturating_add(Duration::from_secs(600));
    for number in 0..count {
        let mut random = [0; 10];
        random.iter_mut().skip(2).zip(number.to_be_bytes()).for_each(|(slot, byte)| *slot = byte);
        let (hold, action) = (HoldId::from_parts(thread, &random), ActionId::from_parts(thread, &random));
        let wanted = Reservation { hold, run, action, scopes: &scopes, amount: CALL, deadline };
        assert!(ledger.reserve(&wanted, NOW).is_ok());
        assert_eq!(ledger.settle(hold, CALL, NOW), Settled::First { over_estimate: false });
    }
}

fn report(name: &str, threads: u64, count: u64, took: Duration) {
    let reservations = u32::try_from(threads * count).unwrap_or(u32::MAX);
    let rate = f64::from(reservations) / took.as_secs_f64();
    println!("{name:<10} {threads:>7} {rate:>16.0} {:>16.2}", 1e6 / rate);
}

/// Keeps the snapshot that opening makes.
#[derive(Default)]
struct Shelf(Mutex<Option<Snapshot>>);

impl Snapshots for Shelf {
    fn load(&self) -> Result<Option<Snapshot>, SnapshotError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn save(&self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot.clone());
        Ok(())
    }
}

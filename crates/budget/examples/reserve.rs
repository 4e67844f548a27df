//! How many reservations a second the ledger makes and settles, from one, two and 64 clients over one budget that does not
//! suffice: the last tenth of the calls is refused.
//!
//! `cargo run --release -p seawall-budget --example reserve [COUNT]` prints a line for each of memory and journal, with what
//! was spent over the limit, which is to be nothing. Every reservation pays from four scopes; the budget has a limit in
//! `total` and in `minute`.

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
    let count = std::env::args().nth(1).map_or(Ok(400_000), |count| count.parse())?;
    println!(
        "{:<10} {:>7} {:>14} {:>14} {:>12}",
        "ledger", "clients", "reservations/s", "µs/reservation", "over/tokens"
    );
    for clients in [1, 2, 64] {
        report("memory", &Ledger::in_memory(limits(count)), clients, count)?;
    }
    for clients in [1, 2, 64] {
        let folder = tempfile::tempdir_in(".")?;
        let journal = Journal::open(folder.path())?;
        let (ledger, _) = Ledger::open(limits(count), journal, Arc::new(Shelf::default()), NOW)?;
        report("journal", &ledger, clients, count)?;
    }
    Ok(())
}

/// A budget for nine tenths of so many calls.
fn limits(count: u64) -> Vec<Limit> {
    let limit = |window| Limit {
        scope: Scope::Global,
        window,
        usd: None,
        tokens: Some(count / 10 * 9 * CALL.tokens),
        on_store_down: OnStoreDown::Closed,
    };
    vec![limit(Window::Total), limit(Window::Minute)]
}

/// Lets the clients ask for `count` calls, and prints how it went.
fn report(name: &str, ledger: &Ledger, clients: u64, count: u64) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    let granted: u64 = thread::scope(|scope| {
        let clients: Vec<_> =
            (0..clients).map(|client| scope.spawn(move || work(ledger, client, count / clients))).collect();
        clients.into_iter().map(|client| client.join().unwrap_or_default()).sum()
    });
    let took = began.elapsed().as_secs_f64();
    let accounts = ledger.show(NOW);
    let budget =
        accounts.iter().find(|account| account.window == Window::Total && account.scope == Scope::Global);
    let budget = budget.ok_or("the budget is gone")?;
    let over = budget.spent_tokens.saturating_sub(budget.limit_tokens.ok_or("the limit is gone")?);
    let rate = f64::from(u32::try_from(granted)?) / took;
    println!("{name:<10} {clients:>7} {rate:>14.0} {:>14.2} {over:>12}", 1e6 / rate);
    Ok(())
}

/// Reserves and settles so many calls; how many were paid for.
fn work(ledger: &Ledger, client: u64, count: u64) -> u64 {
    let run = RunId::from_parts(client, &[0; 10]);
    let scopes = [Scope::Run(run), Scope::Global, Scope::Key("ci".into()), Scope::Tenant("acme".into())];
    let deadline = NOW.saturating_add(Duration::from_secs(600));
    let mut granted = 0;
    for number in 0..count {
        let mut random = [0; 10];
        random.iter_mut().skip(2).zip(number.to_be_bytes()).for_each(|(slot, byte)| *slot = byte);
        let (hold, action) = (HoldId::from_parts(client, &random), ActionId::from_parts(client, &random));
        let wanted = Reservation { hold, run, action, scopes: &scopes, amount: CALL, deadline };
        if ledger.reserve(&wanted, NOW).is_ok() {
            assert_eq!(ledger.settle(hold, CALL, NOW), Settled::First { over_estimate: false });
            granted += 1;
        }
    }
    granted
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

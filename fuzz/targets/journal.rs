//! The ledger's journal: whatever a broken disk has left, opening it refuses or gives a ledger whose sums add up, and the
//! same one every time.
#![no_main]

use std::io::{self, Cursor, Read};
use std::sync::{Arc, Mutex, PoisonError};

use libfuzzer_sys::fuzz_target;
use seawall_budget::{
    AccountView, Journal, Ledger, Medium, Recovery, Segment, Snapshot, SnapshotError, Snapshots,
};
use seawall_fuzz::Input;
use seawall_types::{Scope, Timestamp, Tokens, Usd, Window};

const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
const LATER: Timestamp = Timestamp::from_micros(u64::MAX);

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let journal = if input.flag() { input.rest().to_vec() } else { framed(input.rest()) };
    let Some((ledger, recovery)) = opened(&journal) else { return };
    let accounts = ledger.show(NOW);
    let Some((again, _)) = opened(&journal) else { panic!("the same journal opens only once") };
    assert_eq!(again.show(NOW), accounts, "the same journal tells two things");
    let everything =
        |account: &&AccountView| account.scope == Scope::Global && account.window == Window::Total;
    if let Some(total) = accounts.iter().find(everything) {
        let held: Usd = recovery.holds.iter().map(|hold| hold.amount.usd).sum();
        assert!(total.held_usd <= held, "more is held than there are holds for");
        assert!(total.holds <= recovery.holds.len() as u64);
    }
    ledger.sweep(LATER);
    for account in ledger.show(LATER) {
        let held = (account.held_usd, account.held_tokens, account.holds);
        assert_eq!(
            held,
            (Usd::ZERO, Tokens::default(), 0),
            "a hold outlives its deadline in {}",
            account.scope
        );
    }
});

/// Frames as a journal has them, with right checksums, so that what is inside gets read: in the input each payload follows
/// its length in one byte.
fn framed(mut input: &[u8]) -> Vec<u8> {
    let mut journal = Vec::new();
    push_frame(&mut journal, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    while let Some((length, rest)) = input.split_first() {
        let (payload, after) = rest.split_at(usize::from(*length).min(rest.len()));
        push_frame(&mut journal, payload);
        input = after;
    }
    journal
}

fn push_frame(journal: &mut Vec<u8>, payload: &[u8]) {
    let Ok(length) = u32::try_from(payload.len()) else { return };
    journal.extend_from_slice(&length.to_le_bytes());
    journal.extend_from_slice(payload);
    journal.extend_from_slice(&blake3::hash(payload).as_bytes()[..8]);
}

fn opened(journal: &[u8]) -> Option<(Ledger, Recovery)> {
    let disk = Disk(Arc::new(Mutex::new(vec![journal.to_vec()])));
    Ledger::open(Vec::new(), Journal::on(disk), Arc::new(Shelf::default()), NOW).ok()
}

/// Segments in memory.
#[derive(Debug)]
struct Disk(Arc<Mutex<Vec<Vec<u8>>>>);

impl Disk {
    fn with<T>(&self, read: impl FnOnce(&mut Vec<Vec<u8>>) -> T) -> T {
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Medium for Disk {
    fn segments(&self) -> io::Result<Vec<u64>> {
        Ok((0..self.with(|segments| segments.len() as u64)).collect())
    }

    fn read(&self, segment: u64) -> io::Result<Box<dyn Read>> {
        let bytes =
            usize::try_from(segment).ok().and_then(|at| self.with(|segments| segments.get(at).cloned()));
        bytes.map(|bytes| Box::new(Cursor::new(bytes)) as Box<dyn Read>).ok_or(io::ErrorKind::NotFound.into())
    }

    fn create(&self, _: u64) -> io::Result<Arc<dyn Segment>> {
        self.with(|segments| segments.push(Vec::new()));
        Ok(Arc::new(Ignoring))
    }

    fn remove(&self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn set_aside(&self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }
}

/// What is written after opening is not read again here.
#[derive(Debug)]
struct Ignoring;

impl Segment for Ignoring {
    fn append(&self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

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

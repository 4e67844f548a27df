//! Claims about runs and the heads of their chains.

use std::path::PathBuf;

use seawall_trace::{Head, RunRow};
use seawall_types::{RunId, Usd};

use super::{Pair, at};

pub(super) fn row(number: u64) -> RunRow {
    RunRow {
        run: RunId::from_parts(number, &[0; 10]),
        kind: "proxy".to_owned(),
        started_at: at(number),
        finished_at: None,
        path: PathBuf::from(format!("2026-01-02/{number}/trace.jsonl")),
    }
}

fn head(number: u64, seq: u64, first_seq: u64) -> Head {
    let hash = [u8::try_from(seq).unwrap_or(u8::MAX); 32];
    let cost_usd = Usd::from_picos(u128::MAX);
    // Signed and not, by turns: a store keeps either.
    let signature = (seq % 2 == 1).then_some([u8::try_from(seq).unwrap_or(u8::MAX); 64]);
    Head {
        run: row(number).run,
        seq,
        hash,
        first_seq,
        events: seq + 1,
        actions: 3,
        denied: 1,
        cost_usd,
        signature,
    }
}

/// From `started` to `finished`, in order of their beginning.
pub fn a_run_is_listed_from_its_start_to_its_end((store, other): &Pair) {
    for number in [2, 1] {
        store.started(&row(number)).unwrap();
    }
    assert_eq!(other.runs().unwrap(), [row(1), row(2)]);
    assert_eq!(other.unfinished().unwrap(), [row(1), row(2)]);
    assert_eq!(other.head(row(1).run).unwrap(), None);
    store.finished(row(1).run, at(9), &head(1, 4, 0)).unwrap();
    assert_eq!(other.unfinished().unwrap(), [row(2)]);
    assert_eq!(other.runs().unwrap(), [RunRow { finished_at: Some(at(9)), ..row(1) }, row(2)]);
    assert_eq!(other.head(row(1).run).unwrap(), Some(head(1, 4, 0)));
}

/// The newer head stays and so does what retention has removed, in whatever order they come.
pub fn heads_are_merged((store, _): &Pair) {
    store.started(&row(1)).unwrap();
    store.started(&row(2)).unwrap();
    store.heads(&[head(1, 5, 0), head(2, 1, 0), head(1, 7, 0)]).unwrap();
    store.heads(&[head(1, 6, 4)]).unwrap();
    assert_eq!(store.head(row(1).run).unwrap(), Some(head(1, 7, 4)));
    assert_eq!(store.head(row(2).run).unwrap(), Some(head(2, 1, 0)));
}

/// Retention removes rows, and may do so twice.
pub fn a_forgotten_run_is_gone((store, _): &Pair) {
    store.started(&row(1)).unwrap();
    store.heads(&[head(1, 5, 0)]).unwrap();
    store.forget(row(1).run).unwrap();
    store.forget(row(1).run).unwrap();
    assert_eq!(store.runs().unwrap(), []);
    assert_eq!(store.head(row(1).run).unwrap(), None);
}

/// A repeated call after a crash does no harm.
pub fn starting_twice_keeps_the_first_row((store, _): &Pair) {
    store.started(&row(1)).unwrap();
    store.heads(&[head(1, 5, 0)]).unwrap();
    store.started(&RunRow { kind: "other".to_owned(), ..row(1) }).unwrap();
    assert_eq!(store.runs().unwrap(), [row(1)]);
    assert_eq!(store.head(row(1).run).unwrap(), Some(head(1, 5, 0)));
}

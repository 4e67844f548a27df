//! Reserve and settle: the ledger's algebra, its journal, and rate limits.
//!
//! A [`Ledger`] keeps accounts, one for each [`Limit`]: what was spent and what is held for calls under way.
//! Whoever is about to spend money [reserves](Ledger::reserve) the most that it can come to, in every scope
//! that pays or in none; afterwards the real cost [takes the reservation's place](Ledger::settle), exactly
//! once. So the sum of spent and held never passes a limit at an admission, however many callers there are. A
//! reservation that nobody settles becomes spend at its estimate when its deadline passes: the ledger errs on
//! the safe side of money.
//!
//! What the ledger knows survives the process: each change is in the [`Journal`] before it is answered, and a
//! [`Snapshot`] in the store takes the place of old journals from time to time.
//!
//! [`rate`] holds limits of another kind, requests and tokens a minute, which are not worth surviving
//! anything.
//!
//! This crate knows no prices, no async runtime and no database.

mod account;
mod books;
mod error;
mod hold;
mod journal;
mod ledger;
mod limit;
mod minute;
mod period;
pub mod rate;
mod record;
mod refusal;
mod snapshot;
mod state;
mod view;

pub use error::Error;
pub use hold::{Correction, HoldView, Reservation, Settled, Swept};
pub use journal::{Journal, Medium, Segment};
pub use ledger::{Ledger, Recovery, Stats};
pub use limit::{Ceiling, Limit, LimitValue, OnStoreDown};
pub use refusal::Refusal;
pub use snapshot::{AccountRow, HoldRow, LegRow, MinuteRow, Snapshot, SnapshotError, Snapshots, SweptRow};
pub use view::{AccountView, RefusalView};

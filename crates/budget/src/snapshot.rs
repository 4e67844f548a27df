//! The whole ledger at one moment, as a store keeps it.
//!
//! The rows are plain data: what the ledger makes of them is in `state`.

use seawall_types::{ActionId, Amount, HoldId, RunId, Scope, Timestamp, Window};
use serde::{Deserialize, Serialize};

use crate::limit::Ceiling;

/// Where snapshots are kept.
pub trait Snapshots: Send + Sync {
    /// The last snapshot that was saved, if there is one.
    ///
    /// # Errors
    /// When the store can't be read or holds something that is no snapshot.
    fn load(&self) -> Result<Option<Snapshot>, SnapshotError>;

    /// Puts this snapshot into the place of the last one: durably, and wholly or not at all.
    ///
    /// # Errors
    /// When the store can't be written; the last snapshot is still there then.
    fn save(&self, snapshot: &Snapshot) -> Result<(), SnapshotError>;
}

/// A snapshot can't be loaded or saved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// The store can't be reached, read or written.
    #[error("the store is unavailable: {reason}")]
    Unavailable {
        /// What it said.
        reason: String,
    },
    /// What the store holds is no snapshot.
    #[error("the stored ledger can't be understood ({reason}); restore it from a backup")]
    Corrupt {
        /// What is wrong with it.
        reason: String,
    },
}

/// The whole ledger at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// The first segment of the journal that it does not cover.
    pub journal: u64,
    /// The latest moment that the ledger has seen.
    pub latest: Timestamp,
    /// Every account, by scope and window.
    pub accounts: Vec<AccountRow>,
    /// Every hold that is not settled, by name.
    pub holds: Vec<HoldRow>,
    /// Swept holds that a late settle may still correct, oldest first.
    pub swept: Vec<SweptRow>,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRow {
    /// Whose.
    pub scope: Scope,
    /// Over what time.
    pub window: Window,
    /// The limit, if one is set.
    pub limit: Option<Ceiling>,
    /// The day or month that it stands in, as a number; 0 where there is none.
    pub period: u32,
    /// What is spent in the window; nothing where `minute` tells it.
    pub spent: Amount,
    /// What is spent by the second, for the sliding minute.
    pub minute: Option<MinuteRow>,
}

/// What was spent in the last seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinuteRow {
    /// The newest second, since the epoch.
    pub second: u64,
    /// Spending in that second, the one before, and so on.
    pub spent_by_age: Vec<Amount>,
}

/// One hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldRow {
    /// Its name.
    pub hold: HoldId,
    /// The run that asked for it.
    pub run: RunId,
    /// The action that it is for.
    pub action: ActionId,
    /// Everybody who pays; empty once it is swept.
    pub scopes: Vec<Scope>,
    /// What is held.
    pub amount: Amount,
    /// When it was made.
    pub at: Timestamp,
    /// When it becomes spend.
    pub deadline: Timestamp,
    /// Its shares in accounts.
    pub legs: Vec<LegRow>,
}

/// The share of a hold in one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegRow {
    /// Whose account.
    pub scope: Scope,
    /// Over what time.
    pub window: Window,
    /// The day or month that the hold belongs to.
    pub period: u32,
}

/// A hold that became spend at its estimate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweptRow {
    /// The hold.
    pub hold: HoldRow,
    /// When it was swept.
    pub swept_at: Timestamp,
}

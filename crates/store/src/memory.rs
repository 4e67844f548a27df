//! Stores that forget everything with the process: for tests, and for running without a folder.

mod agents;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use seawall_budget::{Limit, Snapshot, SnapshotError, Snapshots};
use seawall_trace::{Head, Heads, HeadsError, MemoryHeads, RunRow};
use seawall_types::{ApprovalId, RunId, Scope, Timestamp, Window};

use crate::approval::answering;
use crate::{
    ApprovalDecision, ApprovalRow, ApprovalState, Approvals, AskedApproval, KeyRow, Keys, Limits, Store,
    StoreError,
};

pub use agents::MemoryAgents;

/// The store.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
    heads: MemoryHeads,
}

#[derive(Debug, Default)]
struct Tables {
    keys: Vec<KeyRow>,
    limits: BTreeMap<(Scope, Window), (Limit, Timestamp)>,
    approvals: BTreeMap<(Timestamp, ApprovalId), ApprovalRow>,
    snapshot: Option<Snapshot>,
    changes: u64,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_current(key: &KeyRow) -> bool {
    key.revoked_at.is_none() && key.rotated_to.is_none()
}

impl Tables {
    fn current(&mut self, name: &str) -> Option<&mut KeyRow> {
        self.keys.iter_mut().find(|key| key.name == name && is_current(key))
    }

    fn must_be_new(&self, key: &KeyRow) -> Result<(), StoreError> {
        let is_known = self.keys.iter().any(|other| other.id == key.id || other.hash == key.hash);
        if is_known { Err(StoreError::Conflict { what: format!("key {:?}", key.name) }) } else { Ok(()) }
    }
}

impl Keys for MemoryStore {
    fn create(&self, key: &KeyRow) -> Result<(), StoreError> {
        let mut tables = self.lock();
        if is_current(key) && tables.current(&key.name).is_some() {
            return Err(StoreError::Conflict { what: format!("key {:?}", key.name) });
        }
        tables.must_be_new(key)?;
        tables.keys.push(key.clone());
        tables.changes += 1;
        Ok(())
    }

    fn list(&self) -> Result<Vec<KeyRow>, StoreError> {
        let mut keys = self.lock().keys.clone();
        keys.sort_by_key(|key| (key.created_at, key.id));
        Ok(keys)
    }

    fn by_name(&self, name: &str) -> Result<Option<KeyRow>, StoreError> {
        let keys = Keys::list(self)?.into_iter().filter(|key| key.name == name);
        Ok(keys.max_by_key(|key| (is_current(key), key.created_at, key.id)))
    }

    fn revoke(&self, name: &str, at: Timestamp) -> Result<(), StoreError> {
        let mut tables = self.lock();
        let mut found = false;
        for key in tables.keys.iter_mut().filter(|key| key.name == name) {
            key.revoked_at.get_or_insert(at);
            found = true;
        }
        tables.changes += 1;
        if found { Ok(()) } else { Err(StoreError::NotFound { what: format!("key {name:?}") }) }
    }

    fn rotate(&self, name: &str, next: &KeyRow, overlap_until: Timestamp) -> Result<(), StoreError> {
        let mut tables = self.lock();
        tables.must_be_new(next)?;
        let Some(current) = tables.current(name) else {
            return Err(StoreError::NotFound { what: format!("a current key {name:?}") });
        };
        current.rotated_to = Some(next.id);
        current.expires_at = Some(current.expires_at.map_or(overlap_until, |at| at.min(overlap_until)));
        tables.keys.push(KeyRow { name: name.to_owned(), ..next.clone() });
        tables.changes += 1;
        Ok(())
    }
}

impl Limits for MemoryStore {
    fn list(&self) -> Result<Vec<(Limit, Timestamp)>, StoreError> {
        Ok(self.lock().limits.values().cloned().collect())
    }

    fn set(&self, limit: &Limit, at: Timestamp) -> Result<(), StoreError> {
        let mut tables = self.lock();
        let key = (limit.scope.clone(), limit.window);
        let before = tables.limits.get(&key).map(|(before, _set_at)| before);
        let usd = limit.usd.or_else(|| before?.usd);
        let tokens = limit.tokens.or_else(|| before?.tokens);
        tables.limits.insert(key, (Limit { usd, tokens, ..limit.clone() }, at));
        tables.changes += 1;
        Ok(())
    }

    fn remove(&self, scope: &Scope, window: Window) -> Result<bool, StoreError> {
        let mut tables = self.lock();
        let was_there = tables.limits.remove(&(scope.clone(), window)).is_some();
        tables.changes += u64::from(was_there);
        Ok(was_there)
    }
}

impl Tables {
    fn expire(&mut self, now: Timestamp) {
        self.approvals.values_mut().for_each(|row| *row = row.clone().expired_by(now));
    }

    fn approval(&mut self, id: ApprovalId) -> Option<&mut ApprovalRow> {
        self.approvals.values_mut().find(|row| row.id == id)
    }

    fn keep(&mut self, row: &ApprovalRow) {
        self.approvals.insert((row.asked_at, row.id), row.clone());
    }
}

impl Approvals for MemoryStore {
    fn ask(&self, wanted: &ApprovalRow, shown: Option<ApprovalId>) -> Result<AskedApproval, StoreError> {
        let mut tables = self.lock();
        tables.expire(wanted.asked_at);
        let rows = tables.approvals.values().cloned();
        let Some(mut row) = answering(rows, wanted, shown) else {
            tables.keep(wanted);
            return Ok(AskedApproval { row: wanted.clone(), is_new: true });
        };
        if row.is_used_up_by_answering(wanted) {
            row.used_at = Some(wanted.asked_at);
            tables.keep(&row);
        }
        Ok(AskedApproval { row, is_new: false })
    }

    fn asked_before(&self, wanted: &ApprovalRow) -> Result<Option<ApprovalId>, StoreError> {
        let runs =
            self.heads.runs().map_err(|error| StoreError::Unavailable { reason: error.to_string() })?;
        let Some(ours) = runs.iter().find(|run| run.run == wanted.run) else { return Ok(None) };
        let is_of_a_past_life = |row: &&ApprovalRow| {
            runs.iter().any(|run| run.run == row.run && run.kind == ours.kind && run.finished_at.is_some())
        };
        let tables = self.lock();
        let rows = tables.approvals.values().rev().filter(|row| row.is_of_the_same_call(wanted));
        let mut open = rows.filter(|row| row.used_at.is_none() && row.expires_at > wanted.asked_at);
        Ok(open.find(is_of_a_past_life).map(|row| row.id))
    }

    fn decide(
        &self,
        id: ApprovalId,
        decision: &ApprovalDecision,
        at: Timestamp,
    ) -> Result<ApprovalRow, StoreError> {
        let mut tables = self.lock();
        tables.expire(at);
        let Some(row) = tables.approval(id) else {
            return Err(StoreError::NotFound { what: format!("approval {id}") });
        };
        *row = row.clone().decided(decision, at)?;
        Ok(row.clone())
    }

    fn expire(&self, at: Timestamp) -> Result<(), StoreError> {
        self.lock().expire(at);
        Ok(())
    }

    fn approval(&self, id: ApprovalId) -> Result<Option<ApprovalRow>, StoreError> {
        Ok(self.lock().approval(id).cloned())
    }

    fn approvals(&self, state: Option<ApprovalState>, most: u32) -> Result<Vec<ApprovalRow>, StoreError> {
        let tables = self.lock();
        let rows = tables.approvals.values().filter(|row| state.is_none_or(|state| row.state == state));
        let mut rows: Vec<_> =
            rows.rev().take(usize::try_from(most).unwrap_or(usize::MAX)).cloned().collect();
        rows.reverse();
        Ok(rows)
    }

    fn unrecorded(&self) -> Result<Vec<ApprovalRow>, StoreError> {
        let is_due = |row: &&ApprovalRow| row.state != ApprovalState::Pending && !row.recorded;
        Ok(self.lock().approvals.values().filter(is_due).cloned().collect())
    }

    fn claim_record(&self, id: ApprovalId) -> Result<bool, StoreError> {
        let mut tables = self.lock();
        let decided = tables.approval(id).filter(|row| row.state != ApprovalState::Pending);
        Ok(decided.is_some_and(|row| !std::mem::replace(&mut row.recorded, true)))
    }

    fn forget_decided(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut tables = self.lock();
        let known = tables.approvals.len();
        tables.approvals.retain(|_, row| !row.is_over(before));
        Ok(u64::try_from(known - tables.approvals.len()).unwrap_or(u64::MAX))
    }
}

impl Snapshots for MemoryStore {
    fn load(&self) -> Result<Option<Snapshot>, SnapshotError> {
        Ok(self.lock().snapshot.clone())
    }

    fn save(&self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        self.lock().snapshot = Some(snapshot.clone());
        Ok(())
    }
}

impl Heads for MemoryStore {
    fn started(&self, run: &RunRow) -> Result<(), HeadsError> {
        self.heads.started(run)
    }

    fn heads(&self, heads: &[Head]) -> Result<(), HeadsError> {
        self.heads.heads(heads)
    }

    fn finished(&self, run: RunId, at: Timestamp, head: &Head) -> Result<(), HeadsError> {
        self.heads.finished(run, at, head)
    }

    fn unfinished(&self) -> Result<Vec<RunRow>, HeadsError> {
        self.heads.unfinished()
    }

    fn head(&self, run: RunId) -> Result<Option<Head>, HeadsError> {
        self.heads.head(run)
    }

    fn runs(&self) -> Result<Vec<RunRow>, HeadsError> {
        self.heads.runs()
    }

    fn forget(&self, run: RunId) -> Result<(), HeadsError> {
        self.heads.forget(run)
    }
}

impl Store for MemoryStore {
    fn changes(&self) -> Result<u64, StoreError> {
        Ok(self.lock().changes)
    }

    fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

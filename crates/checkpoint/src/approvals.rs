//! Asking a person whether a call may happen, and hearing what was decided.
//!
//! An approval is kept in the store, so that it outlives this process and can be decided by another one: the command
//! line, a server, a console. It is bound to the run, the actor, the tool and the exact arguments; whatever is another
//! one of these is another question. Nobody deciding in time is a denial, and so is a store that can't be reached.
//!
//! Why a person is asked is the policy's; how one is reached (a page, a webhook) is the binary's.

mod bell;
mod canonical;
mod events;

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seawall_base::id;
use seawall_store::{ApprovalDecision, ApprovalRow, ApprovalState, Store, StoreError};
use seawall_trace::Handle;
use seawall_types::{ActionId, Actor, ApprovalId, Clock, Finding, RunId, Timestamp};
use serde_json::Value;

use self::bell::Bell;

/// How often who waits looks for decisions of other processes.
const LOOK: Duration = Duration::from_millis(200);
/// The most pending approvals that are looked at together.
const MOST: u32 = 1_000;

/// A call that a person is to decide on.
#[derive(Debug, Clone, Copy)]
pub struct ApprovalRequest<'a> {
    /// In which run.
    pub run: RunId,
    /// Which action waits for it.
    pub action: Option<ActionId>,
    /// On whose behalf.
    pub actor: &'a Arc<Actor>,
    /// The tool.
    pub tool: &'a str,
    /// How the model named the call.
    pub call_id: Option<&'a str>,
    /// The exact arguments. Only their hash is kept.
    pub arguments: &'a Value,
    /// The arguments as they are kept and shown to people: without secrets.
    pub shown_arguments: &'a Value,
    /// What the call would do, in a line for people; without secrets.
    pub summary: &'a str,
    /// Why a person is asked.
    pub findings: &'a [Finding],
    /// The approval that the caller was given when it asked before, if it still has it. It is good in another run too,
    /// so that a caller which was started again may come back with it.
    pub approval: Option<ApprovalId>,
}

/// What a caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The call may happen. What was allowed once is used up by this answer.
    Allowed,
    /// It must not.
    Denied {
        /// What the person says to it.
        note: Option<String>,
    },
    /// Nobody decided in time. Who asks after this answer asks a person anew.
    Expired,
    /// Nobody has decided yet.
    Pending {
        /// The approval.
        id: ApprovalId,
        /// When it is denied by itself.
        expires_at: Timestamp,
    },
    /// Nobody can be asked, so the call must not happen.
    Unavailable {
        /// Why, and what to do.
        reason: String,
    },
}

impl From<&ApprovalRow> for Answer {
    fn from(row: &ApprovalRow) -> Self {
        match row.state {
            ApprovalState::Allowed => Self::Allowed,
            ApprovalState::Denied => Self::Denied { note: row.note.clone() },
            ApprovalState::Expired => Self::Expired,
            ApprovalState::Pending => Self::Pending { id: row.id, expires_at: row.expires_at },
        }
    }
}

impl From<StoreError> for Answer {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "approvals can't be read or written; what needs one is refused");
        Self::Unavailable { reason: error.to_string() }
    }
}

/// How many approvals wait, and how often which decision was written into a trace by this process.
#[derive(Debug, Default)]
pub struct ApprovalCounts {
    /// Those that waited when it was looked last.
    pub pending: AtomicU64,
    /// Allowed.
    pub allowed: AtomicU64,
    /// Denied.
    pub denied: AtomicU64,
    /// Expired.
    pub expired: AtomicU64,
}

impl ApprovalCounts {
    fn count(&self, decided: ApprovalState) {
        let count = match decided {
            ApprovalState::Pending => return,
            ApprovalState::Allowed => &self.allowed,
            ApprovalState::Denied => &self.denied,
            ApprovalState::Expired => &self.expired,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Asks, decides and waits. Shared by everything of this process that does.
///
/// Calls block on the store, but for [`Approvals::wait`].
pub struct Approvals {
    store: Arc<dyn Store>,
    trace: Handle,
    clock: Arc<dyn Clock>,
    home: RunId,
    expires_after: Duration,
    /// Runs of this process that have asked.
    asking: Mutex<HashSet<RunId>>,
    bell: Bell,
    counts: ApprovalCounts,
}

impl fmt::Debug for Approvals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Approvals").field("home", &self.home).finish_non_exhaustive()
    }
}

impl Approvals {
    /// Approvals in this store. `home` is the run of this process, whose trace also has what was decided for runs that
    /// have ended; `expires_after` is the time that people have.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        trace: Handle,
        clock: Arc<dyn Clock>,
        home: RunId,
        expires_after: Duration,
    ) -> Self {
        let (asking, bell, counts) = Default::default();
        Self { store, trace, clock, home, expires_after, asking, bell, counts }
    }

    /// How many wait, and what was decided.
    #[must_use]
    pub fn counts(&self) -> &ApprovalCounts {
        &self.counts
    }

    /// Whether the call may happen: as a person has decided, or else a person is asked.
    pub fn ask(&self, request: &ApprovalRequest<'_>) -> Answer {
        self.try_ask(request).unwrap_or_else(Into::into)
    }

    fn try_ask(&self, request: &ApprovalRequest<'_>) -> Result<Answer, StoreError> {
        let wanted = self.row_of(request);
        let asked = self.store.ask(&wanted, request.approval)?;
        self.lock().insert(request.run);
        if asked.is_new {
            self.trace.record(events::asked(&asked.row));
        }
        self.record(std::slice::from_ref(&asked.row))?;
        Ok(Answer::from(&asked.row))
    }

    fn row_of(&self, request: &ApprovalRequest<'_>) -> ApprovalRow {
        let now = self.clock.now();
        ApprovalRow {
            id: id::new_approval_at(now),
            run: request.run,
            agent: request.actor.agent.as_deref().map(str::to_owned),
            action: request.action,
            actor: Actor::clone(request.actor),
            tool: request.tool.to_owned(),
            call_id: request.call_id.map(str::to_owned),
            arguments: request.shown_arguments.clone(),
            arguments_hash: canonical::hash(request.arguments),
            summary: request.summary.to_owned(),
            findings: request.findings.to_vec(),
            asked_at: now,
            expires_at: now.saturating_add(self.expires_after),
            state: ApprovalState::Pending,
            scope: None,
            decided_by: None,
            decided_at: None,
            note: None,
            used_at: None,
            recorded: false,
        }
    }

    /// Decides, and wakes who waits for it in this process.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such approval; [`StoreError::Decided`] when another decision was made
    /// before, or its time is up; otherwise when the store can't be read or written.
    pub fn decide(&self, id: ApprovalId, decision: &ApprovalDecision) -> Result<ApprovalRow, StoreError> {
        let row = self.store.decide(id, decision, self.clock.now())?;
        self.bell.ring();
        if let Err(error) = self.record(std::slice::from_ref(&row)) {
            // The decision holds; what it lacks is written when it is looked for the next time.
            tracing::warn!(%error, approval = %id, "a decision is not in the trace yet");
        }
        Ok(row)
    }

    /// One approval, as it stands now.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub fn show(&self, id: ApprovalId) -> Result<Option<ApprovalRow>, StoreError> {
        self.store.expire(self.clock.now())?;
        self.store.approval(id)
    }

    /// The newest approvals, of all states or of one, oldest first.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub fn list(&self, state: Option<ApprovalState>) -> Result<Vec<ApprovalRow>, StoreError> {
        self.store.expire(self.clock.now())?;
        self.store.approvals(state, MOST)
    }

    /// Waits until the approval is decided, here or by another process, at most until `until`; then it is still
    /// pending. Uses nothing up: who is told that it is allowed asks again, and that question is let through.
    ///
    /// Must be called within a tokio runtime; the store is asked on a thread that may block.
    pub async fn wait(self: &Arc<Self>, id: ApprovalId, until: Timestamp) -> Answer {
        loop {
            let rung = self.bell.rung();
            let this = Arc::clone(self);
            let looked = tokio::task::spawn_blocking(move || this.look(id)).await;
            let broken =
                |_| Answer::Unavailable { reason: "asking the store broke off; see the log".to_owned() };
            let answer = looked.unwrap_or_else(broken);
            let left = until.since(self.clock.now());
            if !matches!(answer, Answer::Pending { .. }) || left.is_zero() {
                return answer;
            }
            let _rung_or_time_to_look = tokio::time::timeout(left.min(LOOK), rung).await;
        }
    }

    /// The same for a thread that may block.
    pub fn wait_blocking(&self, id: ApprovalId, until: Timestamp) -> Answer {
        loop {
            let heard = self.bell.rings();
            let answer = self.look(id);
            let left = until.since(self.clock.now());
            if !matches!(answer, Answer::Pending { .. }) || left.is_zero() {
                return answer;
            }
            self.bell.wait(heard, left.min(LOOK));
        }
    }

    fn look(&self, id: ApprovalId) -> Answer {
        let look = || -> Result<Answer, StoreError> {
            let found = self.show(id)?;
            let row = found.ok_or_else(|| StoreError::NotFound { what: format!("approval {id}") })?;
            self.record(std::slice::from_ref(&row))?;
            Ok(Answer::from(&row))
        };
        look().unwrap_or_else(Into::into)
    }

    /// Makes those expire whose time is up, writes down what was decided elsewhere, and gives those that wait. Call it
    /// about twice a second.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub fn tend(&self) -> Result<Vec<ApprovalRow>, StoreError> {
        self.store.expire(self.clock.now())?;
        let decided = self.store.unrecorded()?;
        if !decided.is_empty() {
            self.bell.ring();
            self.record(&decided)?;
        }
        let pending = self.store.approvals(Some(ApprovalState::Pending), MOST)?;
        self.counts.pending.store(u64::try_from(pending.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(pending)
    }

    /// Writes decisions into the traces of the runs that asked, each once, whoever made it.
    fn record(&self, rows: &[ApprovalRow]) -> Result<(), StoreError> {
        let is_due = |row: &&ApprovalRow| row.state != ApprovalState::Pending && !row.recorded;
        let due: Vec<&ApprovalRow> = rows.iter().filter(is_due).collect();
        if due.is_empty() {
            return Ok(());
        }
        let going_on = self.runs_going_on()?;
        for row in due {
            let Some(run) = self.trace_for(row.run, &going_on) else { continue };
            if self.store.claim_record(row.id)? {
                self.trace.record(events::decided(row, run, self.clock.now()));
                self.counts.count(row.state);
            }
        }
        Ok(())
    }

    fn runs_going_on(&self) -> Result<HashSet<RunId>, StoreError> {
        let unfinished = self.store.unfinished();
        let unfinished = unfinished.map_err(|error| StoreError::Unavailable { reason: error.to_string() })?;
        Ok(unfinished.into_iter().map(|row| row.run).collect())
    }

    /// The run in whose trace this process writes what was decided for `run`: that run while it goes on here, and ours
    /// when it has ended. `None` while it goes on in another process, which writes it.
    fn trace_for(&self, run: RunId, going_on: &HashSet<RunId>) -> Option<RunId> {
        if run == self.home {
            return Some(run);
        }
        let mut asking = self.lock();
        if !going_on.contains(&run) {
            asking.remove(&run);
            return Some(self.home);
        }
        asking.contains(&run).then_some(run)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<RunId>> {
        // A set is never half-changed by one call.
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;

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
mod request;
mod shown;

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use seawall_base::id;
use seawall_store::{ApprovalDecision, ApprovalRow, ApprovalState, Store, StoreError};
use seawall_trace::Handle;
use seawall_types::{Actor, ApprovalId, Clock, RunId, Timestamp};

use self::bell::Bell;
pub use self::request::{Answer, ApprovalRequest, Approver, Binding};
use self::shown::Mask;
use crate::findings;

/// How often a thread that waits looks for decisions of other processes.
const LOOK: Duration = Duration::from_millis(200);
/// How often a task does. There may be thousands, and a server hears of them by [`Approvals::tend`] as well.
const LOOK_OF_TASKS: Duration = Duration::from_secs(1);
/// The most pending approvals that are looked at together.
const MOST: u32 = 1_000;

/// How long what was decided is kept, counted from the end of the time that people had. What was asked and decided
/// stands in the trace, for as long as that is kept.
const KEPT: Duration = Duration::from_secs(30 * 86_400);
/// How often it is looked for what is to be forgotten.
const LOOK_FOR_OLD: Duration = Duration::from_secs(3_600);

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
    home: Option<RunId>,
    expires_after: Duration,
    /// Takes out what people need not see; made for the first question.
    mask: OnceLock<Mask>,
    /// Runs of this process that have asked.
    asking: Mutex<HashSet<RunId>>,
    /// When old ones were forgotten last.
    tidied: Mutex<Option<Timestamp>>,
    bell: Bell,
    counts: ApprovalCounts,
}

impl fmt::Debug for Approvals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Approvals").field("home", &self.home).finish_non_exhaustive()
    }
}

impl Approvals {
    /// Approvals in this store. `home` is the run of this process, if it has one as long as itself: its trace also has
    /// what was decided for runs that have ended, and it inherits what the same process was asked and told before it was
    /// started again. `expires_after` is the time that people have.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        trace: Handle,
        clock: Arc<dyn Clock>,
        home: Option<RunId>,
        expires_after: Duration,
    ) -> Self {
        let (mask, asking, tidied, bell, counts) = Default::default();
        Self { store, trace, clock, home, expires_after, mask, asking, tidied, bell, counts }
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
        let Some(wanted) = self.row_of(request) else { return Ok(unbound(request.binding)) };
        let known = self.known(request, &wanted)?;
        let asked = self.store.ask(&wanted, known)?;
        self.lock().insert(request.run);
        if asked.is_new {
            self.trace.record(events::asked(&asked.row));
        }
        self.record(std::slice::from_ref(&asked.row))?;
        Ok(Answer::from(&asked.row))
    }

    /// The approval of another run that the caller may answer with: one that it brings, or one that this process asked for
    /// before it was started again.
    fn known(
        &self,
        request: &ApprovalRequest<'_>,
        wanted: &ApprovalRow,
    ) -> Result<Option<ApprovalId>, StoreError> {
        for id in request.known {
            let row = self.store.approval(*id)?;
            if row.is_some_and(|row| row.used_at.is_none() && row.is_of_the_same_call(wanted)) {
                return Ok(Some(*id));
            }
        }
        if self.home == Some(request.run) { self.store.asked_before(wanted) } else { Ok(None) }
    }

    fn row_of(&self, request: &ApprovalRequest<'_>) -> Option<ApprovalRow> {
        let arguments_hash = canonical::hash(request.arguments, request.binding)?;
        let now = self.clock.now();
        let mask = self.mask.get_or_init(Mask::default);
        let arguments = shown::arguments(mask, request.arguments);
        Some(ApprovalRow {
            id: id::new_approval_at(now),
            run: request.run,
            agent: request.actor.agent.as_deref().map(str::to_owned),
            action: request.action,
            actor: Actor::clone(request.actor),
            tool: request.tool.to_owned(),
            call_id: request.call_id.map(str::to_owned),
            summary: shown::line(mask, request.tool, &arguments),
            arguments,
            arguments_hash,
            findings: findings::kept(request.findings),
            asked_at: now,
            expires_at: now.saturating_add(self.expires_after),
            state: ApprovalState::Pending,
            scope: None,
            decided_by: None,
            decided_at: None,
            note: None,
            used_at: None,
            recorded: false,
        })
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
            let _rung_or_time_to_look = tokio::time::timeout(left.min(LOOK_OF_TASKS), rung).await;
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

    /// Makes those expire whose time is up, writes down what was decided elsewhere, forgets what was decided long ago, and
    /// gives those that wait. Call it about twice a second.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub fn tend(&self) -> Result<Vec<ApprovalRow>, StoreError> {
        self.store.expire(self.clock.now())?;
        let decided = self.store.unrecorded()?;
        // What another process is to write down is its own to hear of, and stands there until it does.
        if self.record(&decided)? {
            self.bell.ring();
        }
        self.forget_old()?;
        let pending = self.store.approvals(Some(ApprovalState::Pending), MOST)?;
        self.counts.pending.store(u64::try_from(pending.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(pending)
    }

    /// Forgets what has been kept for long enough, at first and once an hour then.
    fn forget_old(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        {
            // A time is never half-changed.
            let mut tidied = self.tidied.lock().unwrap_or_else(PoisonError::into_inner);
            if tidied.is_some_and(|last| now.since(last) < LOOK_FOR_OLD) {
                return Ok(());
            }
            *tidied = Some(now);
        }
        let age = now.since(Timestamp::default());
        let forgotten =
            self.store.forget_decided(Timestamp::default().saturating_add(age.saturating_sub(KEPT)))?;
        if forgotten > 0 {
            tracing::info!(forgotten, "approvals that were over for long are forgotten");
        }
        Ok(())
    }

    /// Writes decisions into the traces of the runs that asked, each once, whoever made it. Whether one was written.
    fn record(&self, rows: &[ApprovalRow]) -> Result<bool, StoreError> {
        let is_due = |row: &&ApprovalRow| row.state != ApprovalState::Pending && !row.recorded;
        let due: Vec<&ApprovalRow> = rows.iter().filter(is_due).collect();
        if due.is_empty() {
            return Ok(false);
        }
        let mut has_written = false;
        let going_on = self.runs_going_on()?;
        for row in due {
            let written = self.trace_for(row.run, &going_on);
            let Some(run) = written.or_else(|| self.trace_for_old(row, &going_on)) else { continue };
            if self.store.claim_record(row.id)? {
                self.trace.record(events::decided(row, run, self.clock.now()));
                self.counts.count(row.state);
                has_written = true;
            }
        }
        Ok(has_written)
    }

    fn runs_going_on(&self) -> Result<HashSet<RunId>, StoreError> {
        let unfinished = self.store.unfinished();
        let unfinished = unfinished.map_err(|error| StoreError::Unavailable { reason: error.to_string() })?;
        Ok(unfinished.into_iter().map(|row| row.run).collect())
    }

    /// The run in whose trace this process writes what was decided for `run`: that run while it goes on here, and ours
    /// when it has ended. `None` while it goes on in another process, which writes it, and where there is no run of ours.
    fn trace_for(&self, run: RunId, going_on: &HashSet<RunId>) -> Option<RunId> {
        if self.home == Some(run) {
            return Some(run);
        }
        let mut asking = self.lock();
        if !going_on.contains(&run) {
            asking.remove(&run);
            return self.home;
        }
        asking.contains(&run).then_some(run)
    }

    /// A run of this process for what nobody has written down in all the time that it was kept, since the run that asked has
    /// ended and no server has come since. So that it can be forgotten, and not without a trace.
    fn trace_for_old(&self, row: &ApprovalRow, going_on: &HashSet<RunId>) -> Option<RunId> {
        let is_old = self.clock.now().since(row.expires_at) > KEPT;
        let has_ended = !going_on.contains(&row.run);
        (is_old && has_ended).then(|| self.lock().iter().find(|run| going_on.contains(run)).copied())?
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<RunId>> {
        // A set is never half-changed by one call.
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unbound(binding: &Binding) -> Answer {
    let kind = match binding {
        Binding::Impossible { kind } => kind.clone(),
        Binding::Arguments | Binding::Original(_) => String::new(),
    };
    Answer::Unbound { kind }
}

#[cfg(test)]
mod tests;

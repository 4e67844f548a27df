//! Asking people about a run's calls: by approvals in the data folder's store, which outlive this process and can be decided
//! by any other, the command line for one.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use seawall_checkpoint::{Answer, ApprovalRequest, Approvals, Approver};
use seawall_store::StoreError;
use seawall_types::{ApprovalId, Clock, Timestamp};

use crate::home::Home;

/// How often who waits is asked whether he still does.
const LOOK: Duration = Duration::from_millis(250);

/// How a call waits for a person.
#[derive(Clone)]
pub struct Patience(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl Patience {
    /// As long as this says so, and not beyond the run's time for it. It is asked a few times a second, so that a binding can
    /// hear signals, and once more before an approval is used up: who has gone does not take it along.
    pub fn new(goes_on: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(goes_on)))
    }

    /// It does not wait, whatever its run does: where nobody has decided yet, the caller is told what it waits for.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    pub(crate) const fn waits(&self) -> bool {
        self.0.is_some()
    }

    fn goes_on(&self) -> bool {
        self.0.as_ref().is_some_and(|goes_on| goes_on())
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self::new(|| true)
    }
}

impl fmt::Debug for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Patience")
    }
}

/// Asks about one call, for as long as its caller has patience.
#[derive(Debug)]
pub(crate) struct Asking<'a> {
    people: &'a dyn Approver,
    patience: &'a Patience,
    clock: &'a dyn Clock,
    /// What the call waits for, once it has waited.
    awaited: Mutex<Option<Answer>>,
}

impl<'a> Asking<'a> {
    pub(crate) fn new(people: &'a dyn Approver, patience: &'a Patience, clock: &'a dyn Clock) -> Self {
        Self { people, patience, clock, awaited: Mutex::default() }
    }

    fn awaited(&self) -> MutexGuard<'_, Option<Answer>> {
        // An answer is never half-changed.
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Approver for Asking<'_> {
    fn ask(&self, request: &ApprovalRequest<'_>) -> Answer {
        // Asking uses up what is allowed once. Whoever has waited and gone since leaves it for the next who comes.
        let awaited = self.awaited().clone();
        if let Some(awaited) = awaited.filter(|_| !self.patience.goes_on()) {
            return awaited;
        }
        let answer = self.people.ask(request);
        if matches!(answer, Answer::Pending { .. }) && self.patience.waits() {
            *self.awaited() = Some(answer.clone());
        }
        answer
    }

    fn wait(&self, id: ApprovalId, until: Timestamp) -> Answer {
        // Whoever has gone waits for nothing: what was decided since is for the next who comes.
        while self.patience.goes_on() {
            let look = until.min(self.clock.now().saturating_add(LOOK));
            let answer = self.people.wait(id, look);
            if !matches!(answer, Answer::Pending { .. }) || self.clock.now() >= until {
                return answer;
            }
        }
        let nobody = || Answer::Unavailable { reason: "the caller has gone".to_owned() };
        self.awaited().clone().unwrap_or_else(nobody)
    }
}

/// Asks about the calls of one run. The store is opened for the first question.
#[derive(Debug)]
pub(crate) struct People {
    home: Arc<Home>,
    expires_after: Duration,
    approvals: OnceLock<Approvals>,
}

impl People {
    pub(crate) fn new(home: &Arc<Home>, expires_after: Duration) -> Self {
        Self { home: Arc::clone(home), expires_after, approvals: OnceLock::new() }
    }

    fn approvals(&self) -> Result<&Approvals, StoreError> {
        if let Some(approvals) = self.approvals.get() {
            return Ok(approvals);
        }
        let checkpoint = &self.home.checkpoint;
        // Whoever decides is to know the run as one that goes on. Where nothing is written down it is known to nobody.
        let _not_written = checkpoint.trace().flush();
        let (trace, clock) = (checkpoint.trace().clone(), Arc::clone(checkpoint.clock()));
        let approvals = Approvals::new(self.home.store()?, trace, clock, None, self.expires_after);
        Ok(self.approvals.get_or_init(|| approvals))
    }

    /// The run ends: what was decided about its calls and not heard by anybody is written into its trace.
    pub(crate) fn write_down_decisions(&self) {
        if let Some(approvals) = self.approvals.get()
            && let Err(error) = approvals.tend()
        {
            tracing::warn!(%error, "decisions about a run's calls are not in its trace");
        }
    }
}

impl Approver for People {
    fn ask(&self, request: &ApprovalRequest<'_>) -> Answer {
        self.approvals().map_or_else(Into::into, |approvals| approvals.ask(request))
    }

    fn wait(&self, id: ApprovalId, until: Timestamp) -> Answer {
        self.approvals().map_or_else(Into::into, |approvals| approvals.wait_blocking(id, until))
    }
}

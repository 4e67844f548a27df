//! Asking people about a run's calls: by approvals in the data folder's store, which outlive this process and can be decided
//! by any other, the command line for one.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use seawall_checkpoint::{Answer, ApprovalRequest, Approvals, Approver};
use seawall_store::StoreError;
use seawall_types::{ApprovalId, Timestamp};

use crate::home::Home;

/// How often who waits is asked whether he still does.
const LOOK: Duration = Duration::from_millis(250);

/// Whether a wait for a person goes on: asked a few times a second while it does, so that a binding can hear signals.
#[derive(Clone)]
pub struct Patience(Arc<dyn Fn() -> bool + Send + Sync>);

impl Patience {
    /// As long as this says so.
    pub fn new(goes_on: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(goes_on))
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

/// Asks about the calls of one run. The store is opened for the first question.
#[derive(Debug)]
pub(crate) struct People {
    home: Arc<Home>,
    expires_after: Duration,
    patience: Patience,
    approvals: OnceLock<Approvals>,
}

impl People {
    pub(crate) fn new(home: &Arc<Home>, expires_after: Duration, patience: Patience) -> Self {
        Self { home: Arc::clone(home), expires_after, patience, approvals: OnceLock::new() }
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
        let clock = self.home.checkpoint.clock();
        let approvals = match self.approvals() {
            Ok(approvals) => approvals,
            Err(error) => return error.into(),
        };
        loop {
            let answer = approvals.wait_blocking(id, until.min(clock.now().saturating_add(LOOK)));
            let is_pending = matches!(answer, Answer::Pending { .. });
            if !is_pending || clock.now() >= until || !(self.patience.0)() {
                return answer;
            }
        }
    }
}

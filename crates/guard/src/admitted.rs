//! A call that may happen.

use std::sync::Arc;
use std::time::Duration;

use seawall_checkpoint::tool::{Resolved, Settled, ToolEnd, ToolPermit};
use seawall_policy::{Policy, Replacement};
use seawall_types::{ActionId, Effect, Finding, Usd, Verdict};
use serde_json::Value;

use crate::run::OpenCall;
use crate::{Error, Seen};

/// A call that may happen. Settle it; dropping it records the call as abandoned, at the cost that was declared.
#[must_use = "a call that is dropped stays charged and is recorded as abandoned"]
#[derive(Debug)]
pub struct Admitted {
    /// Before `open`: what is dropped first is written down before the run may end.
    permit: ToolPermit,
    arguments: Value,
    declared_cost: Usd,
    pub(crate) open: OpenCall,
}

impl Admitted {
    pub(crate) fn new(permit: ToolPermit, arguments: Value, open: OpenCall, declared_cost: Usd) -> Self {
        Self { permit, arguments, declared_cost, open }
    }

    /// The action, as it stands in the trace.
    #[must_use]
    pub fn action(&self) -> ActionId {
        self.permit.action()
    }

    /// `allow`, or `warn` with findings.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.permit.verdict()
    }

    /// What was found in the call and does not keep it from happening.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        self.permit.findings()
    }

    /// The arguments that the tool is to get: paths resolved, secrets taken out where the policy says so.
    #[must_use]
    pub fn arguments(&self) -> &Value {
        &self.arguments
    }

    /// Takes the arguments out.
    #[must_use]
    pub fn take_arguments(&mut self) -> Value {
        self.arguments.take()
    }

    /// Where they differ from what was written, by JSON pointer: for who has the arguments in another form.
    #[must_use]
    pub fn replacements(&self) -> &[Replacement] {
        self.permit.replacements()
    }

    /// The hosts that the arguments lead to, with the addresses that were checked. Whoever connects goes to one of them,
    /// and looks nothing up again.
    #[must_use]
    pub fn addresses(&self) -> &[Resolved] {
        self.permit.addresses()
    }

    /// How long the tool may take.
    #[must_use]
    pub fn time_limit(&self) -> Option<Duration> {
        self.permit.time_limit()
    }

    /// Whether what the tool gives is looked into. Where not, [`ToolEnd::ReturnedBytes`] is enough.
    #[must_use]
    pub fn looks_into_result(&self) -> bool {
        self.permit.looks_into_result()
    }

    /// Whether what the tool gives is written into the trace: then it is to be given even where nobody looks into it.
    #[must_use]
    pub fn keeps_result(&self) -> bool {
        self.permit.keeps_result()
    }

    /// Judges what the tool is about to do, whatever its arguments said.
    ///
    /// # Errors
    /// [`Error::PolicyDenied`] when it must not do it.
    pub fn observe(&self, seen: Seen<'_>) -> Result<(), Error> {
        self.permit
            .observe(seen, &*self.open.run.inner.resolver)
            .map_err(|denial| Error::denied(self.permit.action(), denial))
    }

    /// Whether the policy has nothing to say about the tool's doing this with the file of this path. Nothing is written down:
    /// who lets it be done needs to ask no more, and who does not [observes](Self::observe) it.
    #[must_use]
    pub fn lets_pass(&self, effect: Effect, path: &str) -> bool {
        self.permit.lets_pass(effect, path)
    }

    /// The call ended. `cost_usd` is what it really cost; `None`: what was declared.
    ///
    /// # Errors
    /// When what the tool gave must not go on. It is settled all the same, and the value is emptied. For a call that
    /// [timed out](ToolEnd::TimedOut), always: [`Error::ToolTimeout`].
    pub fn settle(mut self, end: ToolEnd<'_>, cost_usd: Option<Usd>) -> Result<Settled, Error> {
        self.open.cost = cost_usd.unwrap_or(self.declared_cost);
        let timed_out = matches!(end, ToolEnd::TimedOut).then(|| Error::ToolTimeout {
            tool: self.permit.name().to_owned(),
            limit: self.permit.time_limit().unwrap_or_default(),
        });
        let action = self.permit.action();
        let settled = self.permit.settle(end, cost_usd).map_err(|denial| Error::denied(action, denial));
        match timed_out {
            Some(error) => Err(error),
            None => settled,
        }
    }

    /// The policy that admitted it.
    #[must_use]
    pub fn policy(&self) -> &Arc<Policy> {
        self.permit.policy()
    }

    /// Whether the size of what it gives is limited.
    #[must_use]
    pub fn limits_output(&self) -> bool {
        self.permit.policy().limits.output_bytes.is_some()
    }
}

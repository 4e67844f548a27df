//! An admitted call of a tool, and what is done with what the tool gave.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seawall_policy::{Decision, Policy, Replacement};
use seawall_types::{ActionId, Actor, Code, Finding, RunId, Usd, Verdict, mask};
use serde_json::Value;

use super::inspect;
use super::{Resolved, RunState, ToolCall};
use crate::{Checkpoint, Denial, Outcome, Permit};

/// So many characters of a tool's error are written down.
const MOST_OF_AN_ERROR: usize = 1_000;

/// An admitted call of a tool. Dropping it leaves its cost charged and the call recorded as abandoned.
#[must_use = "a permit that is dropped stays charged at its reservation"]
#[derive(Debug)]
pub struct ToolPermit {
    permit: Permit,
    action: ActionId,
    run: RunId,
    actor: Arc<Actor>,
    policy: Arc<Policy>,
    state: Arc<RunState>,
    decision: Decision,
    addresses: Vec<Resolved>,
    /// What names led to that the tool was seen to look up.
    observed: Mutex<Vec<IpAddr>>,
    name: Box<str>,
}

/// How a call of a tool ended.
#[derive(Debug)]
pub enum ToolEnd<'a> {
    /// It gave this. It is looked through, and what must not go on is taken out in place.
    Returned(&'a mut Value),
    /// It gave so many bytes that nobody can look into.
    ReturnedBytes(u64),
    /// It failed, and said this about it.
    Failed(&'a str),
    /// It took longer than it may.
    TimedOut,
}

/// What was found in what a tool gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settled {
    /// Whether parts were taken out of it.
    pub redacted: bool,
    /// Everything that was found.
    pub findings: Vec<Finding>,
}

impl ToolPermit {
    pub(super) fn new(
        permit: Permit,
        action: ActionId,
        decision: Decision,
        addresses: Vec<Resolved>,
        call: &ToolCall<'_>,
    ) -> Self {
        Self {
            permit,
            action,
            run: call.run,
            actor: Arc::clone(call.actor),
            policy: Arc::clone(call.policy),
            state: Arc::clone(call.state),
            decision,
            addresses,
            observed: Mutex::default(),
            name: call.name.into(),
        }
    }

    /// The action.
    #[must_use]
    pub fn action(&self) -> ActionId {
        self.action
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// The tool.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The policy that admitted it.
    #[must_use]
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// The verdict under which it was admitted.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.permit.verdict()
    }

    /// What was found in the call.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.decision.findings
    }

    /// What the tool is to get in the place of what was written.
    #[must_use]
    pub fn replacements(&self) -> &[Replacement] {
        &self.decision.replacements
    }

    /// Makes of the arguments as they were written those that the tool is to get.
    pub fn apply(&self, arguments: &mut Value) {
        self.decision.apply(arguments);
    }

    /// The hosts that the call leads to, with the addresses that were checked.
    #[must_use]
    pub fn addresses(&self) -> &[Resolved] {
        &self.addresses
    }

    pub(super) fn observed_addresses(&self) -> MutexGuard<'_, Vec<IpAddr>> {
        // A list that grows is never half-done.
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn checkpoint(&self) -> &Arc<Checkpoint> {
        self.permit.checkpoint()
    }

    pub(super) fn actor(&self) -> &Arc<Actor> {
        &self.actor
    }

    /// How long the tool may take. Whoever performs the call keeps it, and says so when it was not enough.
    #[must_use]
    pub fn time_limit(&self) -> Option<Duration> {
        self.policy.limits.tool_time
    }

    /// Whether what the tool gives is looked into at all. Where not, its size is enough.
    #[must_use]
    pub fn looks_into_result(&self) -> bool {
        self.decision.sensitive || self.policy.text_from_tool().detector().is_some()
    }

    /// Whether what the tool gives is written down, so that somebody who has it is to give it.
    #[must_use]
    pub fn keeps_result(&self) -> bool {
        self.checkpoint().trace().keeps_payloads()
    }

    /// Waits until its admission is on disk: for a trace whose actions go ahead only then.
    pub fn recorded(&self) -> impl Future<Output = Result<(), Denial>> + Send + use<> {
        self.permit.recorded()
    }

    /// The call ended. `cost` is what it really cost; `None`: what was declared.
    ///
    /// # Errors
    /// When what the tool gave must not go on: it is too large, or holds what the policy refuses. The call is settled all
    /// the same, and the value is emptied.
    pub fn settle(mut self, end: ToolEnd<'_>, cost: Option<Usd>) -> Result<Settled, Denial> {
        let cost = cost.unwrap_or_else(|| self.permit.estimate().usd);
        let outcome = Outcome { cost, status: 200, ..Outcome::default() };
        let (outcome, result) = match end {
            ToolEnd::Returned(value) => self.returned(value, outcome),
            ToolEnd::ReturnedBytes(bytes) => match self.too_large(bytes) {
                Some(denial) => self.refused(denial, outcome),
                None => (outcome, Ok(Settled::default())),
            },
            ToolEnd::Failed(error) => {
                let error = mask(error).chars().take(MOST_OF_AN_ERROR).collect();
                let outcome = Outcome { status: 500, ended: Some("failed"), error: Some(error), ..outcome };
                (outcome, Ok(Settled::default()))
            }
            ToolEnd::TimedOut => {
                (Outcome { status: 504, ended: Some("timeout"), ..outcome }, Ok(Settled::default()))
            }
        };
        self.permit.settle(outcome);
        result
    }

    fn returned(&mut self, value: &mut Value, outcome: Outcome) -> (Outcome, Result<Settled, Denial>) {
        if self.decision.sensitive {
            self.state.remember(&self.name, value);
        }
        let refused = match self.policy.limits.output_bytes {
            Some(_) => self.too_large(inspect::size(value)),
            None => None,
        };
        let inspected = inspect::inspect(&self.policy, value);
        if let Some(denial) = refused.or(inspected.refused) {
            *value = Value::Null;
            return self.refused(denial, outcome);
        }
        let (findings, redacted) = (inspected.findings, inspected.redacted);
        let payloads = self.checkpoint().kept("output", value).into_iter().collect();
        self.permit.raise(match (redacted, findings.is_empty()) {
            (true, _) => Verdict::Redact,
            (false, false) => Verdict::Warn,
            (false, true) => Verdict::Allow,
        });
        (Outcome { findings: findings.clone(), payloads, ..outcome }, Ok(Settled { redacted, findings }))
    }

    fn refused(&mut self, denial: Denial, outcome: Outcome) -> (Outcome, Result<Settled, Denial>) {
        self.permit.raise(Verdict::Deny);
        let status = denial.code.http_status();
        let outcome = Outcome { status, ended: Some("refused"), findings: denial.as_findings(), ..outcome };
        (outcome, Err(denial))
    }

    /// A limit of resources refuses in any mode.
    fn too_large(&self, bytes: u64) -> Option<Denial> {
        let most = self.policy.limits.output_bytes.filter(|most| bytes > *most)?;
        let message = format!("{} gave {bytes} bytes, and the policy allows {most}", self.name);
        let remedy = "ask the tool for less at once, or raise limits.output_bytes of the policy";
        Some(Denial::new(Code::OutputTooLarge, message, remedy))
    }
}

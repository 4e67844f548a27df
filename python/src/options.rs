//! From what `seawall.run` was given to the options of a run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use seawall_config::Environment;
use seawall_guard::{ApprovalId, Patience, PolicyChoice, PolicySource, RunOptions, TraceChoice, Usd};

use crate::raised;
use crate::resolver::Pinned;

/// The keywords of `Run(…)`, which are those of `seawall.run` made plain.
#[derive(Debug, FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Keywords {
    policy: String,
    sandbox: Option<PathBuf>,
    trace: bool,
    content: Option<String>,
    strict: bool,
    run_id: Option<String>,
    tags: BTreeMap<String, String>,
    max_cost_usd: Option<String>,
    max_tokens: Option<u64>,
    max_usd_per_minute: Option<String>,
    allow_outside_root: bool,
    data_dir: Option<PathBuf>,
    approvals: Vec<String>,
    wait_for_approval: f64,
    approval_expires_after: f64,
}

impl Keywords {
    pub(crate) fn options(self) -> PyResult<RunOptions> {
        Ok(RunOptions {
            policy: PolicyChoice::Named(self.policy),
            sandbox: self.sandbox,
            allow_outside_root: self.allow_outside_root,
            trace: if self.trace { TraceChoice::Auto } else { TraceChoice::Off },
            content: self.content.map(|word| word.parse()).transpose().map_err(raised::error)?,
            strict: self.strict,
            run_id: self.run_id,
            tags: self.tags,
            max_cost_usd: dollars(self.max_cost_usd.as_deref())?,
            max_tokens: self.max_tokens,
            max_usd_per_minute: dollars(self.max_usd_per_minute.as_deref())?,
            data_dir: self.data_dir,
            approvals: self.approvals.iter().map(|id| approval(id)).collect::<PyResult<_>>()?,
            wait_for_approval: seconds("wait_for_approval", self.wait_for_approval)?,
            approvals_expire_after: seconds("approval_expires_after", self.approval_expires_after)?,
            patience: Patience::new(is_undisturbed),
            resolver: Arc::new(Pinned),
            ..RunOptions::default()
        })
    }
}

fn approval(id: &str) -> PyResult<ApprovalId> {
    id.parse().map_err(|_not_one| {
        raised::config(format!("{id:?} is no approval; give what ApprovalRequired named"))
    })
}

fn seconds(name: &str, seconds: f64) -> PyResult<Duration> {
    let duration = Duration::try_from_secs_f64(seconds);
    duration.map_err(|_none| {
        raised::config(format!("{name} is {seconds}; give a number of seconds, zero or more"))
    })
}

thread_local! {
    /// What a handler of a signal raised while this thread waited for a person.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// Whether no signal wants the wait for a person to end. Python runs its handlers in the main thread, and only when asked.
fn is_undisturbed() -> bool {
    let raised = Python::attach(|py| py.check_signals()).err();
    let is_undisturbed = raised.is_none();
    RAISED.with_borrow_mut(|slot| *slot = raised);
    is_undisturbed
}

/// What ended the wait of this thread, if a signal did.
pub(crate) fn disturbance() -> Option<PyErr> {
    RAISED.take()
}

pub(crate) fn dollars(text: Option<&str>) -> PyResult<Option<Usd>> {
    text.map(str::parse).transpose().map_err(raised::config)
}

/// Raises a `ConfigError` with everything that is wrong, unless this is a preset's name or the path of a good policy.
#[pyfunction]
pub(crate) fn check_policy(source: &str) -> PyResult<()> {
    PolicySource::load(source, &Environment::capture()).map(drop).map_err(raised::error)
}

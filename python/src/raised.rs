//! The exceptions of the package, `seawall.errors`, made of what the guard refuses with.

use std::fmt::Display;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyType};
use seawall_guard::{ApprovalRequired, BudgetExceeded, Error, Finding, PolicyDenied, Usd};

use crate::value;

/// A class of `seawall.errors`.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Policy,
    Budget,
    Approval,
    Timeout,
    Contract,
    Config,
}

impl Kind {
    fn class(self, py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
        static CLASSES: [PyOnceLock<Py<PyType>>; 6] = [const { PyOnceLock::new() }; 6];
        let (place, name) = match self {
            Self::Policy => (&CLASSES[0], "PolicyDenied"),
            Self::Budget => (&CLASSES[1], "BudgetExceeded"),
            Self::Approval => (&CLASSES[2], "ApprovalRequired"),
            Self::Timeout => (&CLASSES[3], "ToolTimeout"),
            Self::Contract => (&CLASSES[4], "ContractViolation"),
            Self::Config => (&CLASSES[5], "ConfigError"),
        };
        place.import(py, "seawall.errors", name)
    }

    /// An exception of this class. When even that fails, what failed is raised instead: never nothing.
    fn raised(self, message: &str, fill: impl FnOnce(&Bound<'_, PyDict>) -> PyResult<()>) -> PyErr {
        Python::attach(|py| {
            let made = || {
                let keywords = PyDict::new(py);
                fill(&keywords)?;
                self.class(py)?.call((message,), Some(&keywords))
            };
            made().map_or_else(|failed| failed, PyErr::from_value)
        })
    }
}

/// A `ConfigError`.
pub(crate) fn config(error: impl Display) -> PyErr {
    Kind::Config.raised(&error.to_string(), |_| Ok(()))
}

/// What a permit can't be used for any more.
pub(crate) fn used_up() -> PyErr {
    PyRuntimeError::new_err("the call has been settled already")
}

/// A refusal with one reason, made here.
pub(crate) fn denied(code: &str, message: &str, remedy: &str) -> PyErr {
    Kind::Policy.raised(message, |keywords| {
        keywords.set_item("code", code)?;
        keywords.set_item("remedy", remedy)
    })
}

/// What a call whose time was up still tried.
pub(crate) fn too_late(tool: &str) -> PyErr {
    Kind::Timeout.raised(&format!("the time of {tool} is up, and it may do nothing more"), |keywords| {
        keywords.set_item("remedy", "let it do less at once, or give it longer")
    })
}

/// The exception for what the guard refuses.
pub(crate) fn error(error: Error) -> PyErr {
    match error {
        Error::PolicyDenied(denied) => policy_denied(&denied),
        Error::BudgetExceeded(exceeded) => budget_exceeded(&exceeded),
        Error::ApprovalRequired(required) => approval_required(&required),
        Error::ToolTimeout { .. } => Kind::Timeout.raised(&error.to_string(), |_| Ok(())),
        Error::ContractViolation { .. } => Kind::Contract.raised(&error.to_string(), |_| Ok(())),
        Error::Config(message) => config(message),
    }
}

fn policy_denied(denied: &PolicyDenied) -> PyErr {
    Kind::Policy.raised(&denied.message, |keywords| {
        let py = keywords.py();
        keywords.set_item("code", denied.code.as_str())?;
        keywords.set_item("remedy", &denied.remedy)?;
        keywords.set_item("action", denied.action.to_string())?;
        keywords.set_item("findings", findings(py, &denied.findings)?)
    })
}

fn findings<'py>(py: Python<'py>, findings: &[Finding]) -> PyResult<Bound<'py, PyList>> {
    let given = |finding| value::given(py, &serde_json::to_value(finding).unwrap_or_default());
    let findings: Vec<_> = findings.iter().map(given).collect::<PyResult<_>>()?;
    PyList::new(py, findings)
}

fn budget_exceeded(exceeded: &BudgetExceeded) -> PyErr {
    let budget = &exceeded.budget;
    Kind::Budget.raised(&exceeded.message, |keywords| {
        let decimal = keywords.py().import("decimal")?.getattr("Decimal")?;
        let dollars = |usd: Usd| decimal.call1((usd.to_string(),));
        keywords.set_item("code", exceeded.code.as_str())?;
        keywords.set_item("remedy", &exceeded.remedy)?;
        keywords.set_item("scope", budget.scope.to_string())?;
        keywords.set_item("limit_usd", budget.limit_usd.map(dollars).transpose()?)?;
        keywords.set_item("spent_usd", dollars(budget.spent.usd)?)?;
        keywords.set_item("held_usd", dollars(budget.held.usd)?)?;
        keywords.set_item("retryable", budget.frees_at.is_some())
    })
}

/// When it is too late, as a `datetime` in UTC.
fn expires_at<'py>(py: Python<'py>, required: &ApprovalRequired) -> PyResult<Bound<'py, PyAny>> {
    let datetime = py.import("datetime")?;
    let micros = PyDict::new(py);
    micros.set_item("microseconds", required.expires_at.as_micros())?;
    let since = datetime.getattr("timedelta")?.call((), Some(&micros))?;
    let epoch = datetime
        .getattr("datetime")?
        .call_method1("fromtimestamp", (0, datetime.getattr("timezone")?.getattr("utc")?))?;
    epoch.add(since)
}

fn approval_required(required: &ApprovalRequired) -> PyErr {
    Kind::Approval.raised(&required.message, |keywords| {
        keywords.set_item("remedy", &required.remedy)?;
        keywords.set_item("approval_id", required.approval_id.to_string())?;
        keywords.set_item("expires_at", expires_at(keywords.py(), required)?)
    })
}

//! A run.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use seawall_guard::{Call, Run as Guarded};

use crate::effects::Tool;
use crate::options::{Keywords, disturbance, dollars};
use crate::permit::Permit;
use crate::{raised, value};

/// A run that has begun.
#[pyclass(frozen, module = "seawall._seawall")]
#[derive(Debug)]
pub(crate) struct Run {
    guarded: Guarded,
}

#[pymethods]
impl Run {
    #[new]
    #[pyo3(signature = (inside=None, **options))]
    fn new(py: Python<'_>, inside: Option<&Self>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let options = options.ok_or_else(|| raised::config("a run needs its options"))?;
        let options = options.extract::<Keywords>()?.options()?;
        let inside = inside.map(|run| run.guarded.clone());
        // Opening the data folder may wait for another process.
        let guarded = py.detach(|| Guarded::begin(options, inside.as_ref())).map_err(raised::error)?;
        Ok(Self { guarded })
    }

    /// Decides on a call of this tool with these arguments. Looking up a name and asking a person let other threads go on.
    fn admit(&self, py: Python<'_>, tool: &Tool, arguments: &Bound<'_, PyDict>) -> PyResult<Permit> {
        let call = Call {
            effects: &tool.effects,
            cost_usd: tool.cost,
            ..Call::new(&tool.name, value::described(arguments.as_any())?)
        };
        let admitted = py.detach(|| self.guarded.admit(call));
        let admitted = admitted.map_err(|refused| disturbance().unwrap_or_else(|| raised::error(refused)))?;
        Permit::new(admitted, self.guarded.clone(), &tool.name, arguments)
    }

    /// Books a model call that was made by other means.
    fn record_usage(
        &self,
        model: &str,
        input_tokens: u64,
        output_tokens: u64,
        cost_usd: Option<&str>,
    ) -> PyResult<()> {
        let cost = dollars(cost_usd)?;
        self.guarded.record_usage(model, input_tokens, output_tokens, cost).map(drop).map_err(raised::error)
    }

    /// Whether a call may ask a person, which takes a store and perhaps time.
    #[getter]
    fn may_ask(&self) -> bool {
        self.guarded.policy().may_ask()
    }

    /// What it has cost, as decimal text.
    #[getter]
    fn spent_usd(&self) -> String {
        self.guarded.spent_usd().to_string()
    }

    #[getter]
    fn run_id(&self) -> String {
        self.guarded.id().to_string()
    }

    #[getter]
    fn trace_path(&self) -> Option<String> {
        self.guarded.trace_path().map(|path| path.to_string_lossy().into_owned())
    }

    #[getter]
    fn sandbox(&self) -> String {
        self.guarded.sandbox().to_string_lossy().into_owned()
    }

    /// A page about it: `md`, `html` or `json`.
    fn report(&self, py: Python<'_>, format: &str) -> PyResult<String> {
        let format = format.parse().map_err(raised::error)?;
        py.detach(|| self.guarded.report(format)).map_err(raised::error)
    }

    /// Ends it. What was written until now is on the disk when this returns.
    fn finish(&self, py: Python<'_>) {
        py.detach(|| self.guarded.finish());
    }
}

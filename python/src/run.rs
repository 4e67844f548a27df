//! A run.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use seawall_guard::{Admitted, Binding, Call, Run as Guarded, ToolEnd};
use seawall_types::Verdict;

use crate::effects::Tool;
use crate::options::{Keywords, disturbance, dollars};
use crate::permit::Permit;
use crate::wait::Wait;
use crate::{raised, value};

/// A run that has begun.
#[pyclass(frozen, module = "seawall._seawall")]
#[derive(Debug)]
pub(crate) struct Run {
    guarded: Guarded,
}

impl Run {
    fn call<'a>(&self, tool: &'a Tool, arguments: &Bound<'_, PyDict>) -> PyResult<Call<'a>> {
        let arguments = arguments.as_any();
        let (arguments, binding) = if self.guarded.policy().may_ask() {
            value::described_and_bound(arguments)?
        } else {
            (value::described(arguments)?, Binding::Arguments)
        };
        Ok(Call { binding, effects: &tool.effects, cost_usd: tool.cost, ..Call::new(&tool.name, arguments) })
    }
}

/// What a person has allowed is not what the tool would get by now.
fn changed_meanwhile(admitted: Admitted, tool: &str) -> PyErr {
    let message = format!("what {tool} is called with is not any more what a person has allowed");
    let _nothing_to_refuse = admitted.settle(ToolEnd::Failed(&message), None);
    raised::denied("APPROVAL_DENIED", &message, "change no argument of a call that waits, then make it again")
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
    /// Without `wait` a call waits for the person in this thread, and until a signal wants it to end.
    #[pyo3(signature = (tool, arguments, wait=None))]
    fn admit(
        &self,
        py: Python<'_>,
        tool: &Tool,
        arguments: &Bound<'_, PyDict>,
        wait: Option<&Wait>,
    ) -> PyResult<Permit> {
        let call = Call { patience: wait.map(Wait::patience), ..self.call(tool, arguments)? };
        let binding = call.binding.clone();
        let admitted = py.detach(|| self.guarded.admit(call));
        let admitted = admitted.map_err(|refused| disturbance().unwrap_or_else(|| raised::error(refused)))?;
        if admitted.verdict() == Verdict::Ask {
            // While a person thought about it, the program went on.
            let is_as_it_was = value::described_and_bound(arguments.as_any()).map(|(_, now)| now == binding);
            if !is_as_it_was.unwrap_or(false) {
                return Err(changed_meanwhile(admitted, &tool.name));
            }
        }
        Permit::new(admitted, self.guarded.clone(), &tool.name, arguments)
    }

    /// Whether there are calls that a person is asked about.
    #[getter]
    fn may_ask(&self) -> bool {
        self.guarded.policy().may_ask()
    }

    /// Whether a person would be asked about this call. Nobody is.
    fn asks(&self, tool: &Tool, arguments: &Bound<'_, PyDict>) -> PyResult<bool> {
        let call =
            Call { effects: &tool.effects, ..Call::new(&tool.name, value::described(arguments.as_any())?) };
        Ok(self.guarded.asks(&call))
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

//! Tools in a confined process.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use seawall_guard::confinement::Granted;
use seawall_guard::{Admitted, Error, Isolated};
use seawall_sandbox::{Command, Sandbox};

/// Runs the command where the policy has it confined, with these files to be read beside.
pub(crate) fn run(
    admitted: &Admitted,
    launcher: &Path,
    argv: Vec<OsString>,
    input: &[u8],
    readable: Vec<PathBuf>,
    seconds: Option<f64>,
) -> Result<Isolated, Error> {
    let mut words = argv.into_iter();
    let program = words.next().ok_or_else(|| Error::Config("a command is needed".to_owned()))?;
    let wall_time = seconds.map(Duration::try_from_secs_f64).transpose();
    let wall_time = wall_time.map_err(|error| Error::Config(format!("timeout: {error}")))?;
    let granted = Granted { readable, wall_time, ..Granted::default() };
    admitted.run_isolated(
        &Sandbox::with_launcher(launcher),
        &granted,
        Command::new(program).args(words),
        input,
    )
}

/// `(output, errors, exit code, timed out, cut)`.
pub(crate) fn told<'py>(py: Python<'py>, ended: &Isolated) -> PyResult<Bound<'py, PyTuple>> {
    let report = &ended.report;
    let (output, errors) = (PyBytes::new(py, &ended.output), PyBytes::new(py, &ended.errors));
    (output, errors, report.ending.exit_code(), report.timed_out, ended.cut).into_pyobject(py)
}

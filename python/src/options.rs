//! From what `seawall.run` was given to the options of a run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use seawall_config::Environment;
use seawall_guard::{PolicyChoice, PolicySource, RunOptions, TraceChoice, Usd};

use crate::raised;
use crate::resolver::Pinned;

/// The keywords of `Run(…)`, which are those of `seawall.run` made plain.
#[derive(Debug, FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Keywords {
    policy: String,
    sandbox: Option<PathBuf>,
    trace: bool,
    strict: bool,
    run_id: Option<String>,
    tags: BTreeMap<String, String>,
    max_cost_usd: Option<String>,
    max_tokens: Option<u64>,
    max_usd_per_minute: Option<String>,
    allow_outside_root: bool,
    data_dir: Option<PathBuf>,
}

impl Keywords {
    pub(crate) fn options(self) -> PyResult<RunOptions> {
        Ok(RunOptions {
            policy: PolicyChoice::Named(self.policy),
            sandbox: self.sandbox,
            allow_outside_root: self.allow_outside_root,
            trace: if self.trace { TraceChoice::Auto } else { TraceChoice::Off },
            strict: self.strict,
            run_id: self.run_id,
            tags: self.tags,
            max_cost_usd: dollars(self.max_cost_usd.as_deref())?,
            max_tokens: self.max_tokens,
            max_usd_per_minute: dollars(self.max_usd_per_minute.as_deref())?,
            data_dir: self.data_dir,
            resolver: Arc::new(Pinned),
            ..RunOptions::default()
        })
    }
}

pub(crate) fn dollars(text: Option<&str>) -> PyResult<Option<Usd>> {
    text.map(str::parse).transpose().map_err(raised::config)
}

/// Raises a `ConfigError` with everything that is wrong, unless this is a preset's name or the path of a good policy.
#[pyfunction]
pub(crate) fn check_policy(source: &str) -> PyResult<()> {
    PolicySource::load(source, &Environment::capture()).map(drop).map_err(raised::error)
}

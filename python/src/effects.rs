//! What is known of a tool before any of its calls: read once, when it is guarded.

use std::collections::BTreeMap;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use seawall_guard::{Declared, Effect, Usd};

use crate::raised;

/// A tool: its name, its declared effects, and what one call costs.
#[pyclass(frozen, module = "seawall._seawall")]
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) effects: Declared,
    pub(crate) cost: Usd,
}

#[pymethods]
impl Tool {
    #[new]
    #[pyo3(signature = (name, effects=None, cost_usd=None))]
    fn new(name: String, effects: Option<&Bound<'_, PyAny>>, cost_usd: Option<&str>) -> PyResult<Self> {
        let cost = cost_usd.map(str::parse::<Usd>).transpose();
        Ok(Self {
            name,
            effects: effects.map_or(Ok(Declared::Nothing), declared)?,
            cost: cost.map_err(raised::config)?.unwrap_or_default(),
        })
    }
}

fn declared(effects: &Bound<'_, PyAny>) -> PyResult<Declared> {
    let Ok(parameters) = effects.cast::<PyDict>() else {
        let names: Vec<String> = effects.extract()?;
        return Ok(Declared::Tool(names.iter().map(|name| effect(name)).collect::<PyResult<_>>()?));
    };
    let mut declared = BTreeMap::new();
    for (parameter, name) in parameters {
        let name: String = name.extract()?;
        let effect = if name == "ignore" { None } else { Some(effect(&name)?) };
        declared.insert(parameter.extract()?, effect);
    }
    Ok(Declared::Parameters(declared))
}

pub(crate) fn effect(name: &str) -> PyResult<Effect> {
    let known = Effect::ALL.into_iter().find(|effect| effect.as_str() == name);
    known.ok_or_else(|| raised::config(format!("{name:?} is no effect")))
}

//! JSON Schemas that results are held to.

use jsonschema::Validator;
use pyo3::prelude::*;

use crate::{raised, value};

/// A compiled schema. References out of it are refused when it is made: nothing is fetched.
#[pyclass(frozen, module = "seawall._seawall")]
#[derive(Debug)]
pub(crate) struct Schema {
    validator: Validator,
}

#[pymethods]
impl Schema {
    #[new]
    fn new(schema: &Bound<'_, PyAny>) -> PyResult<Self> {
        let schema = value::described(schema)?;
        let validator = jsonschema::validator_for(&schema);
        Ok(Self {
            validator: validator
                .map_err(|error| raised::config(format!("output is no JSON Schema: {error}")))?,
        })
    }

    /// The first thing that is wrong with a value; `None` when nothing is.
    fn problem(&self, value: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
        let value = value::described(value)?;
        let error = self.validator.iter_errors(&value).next();
        Ok(error.map(|error| match error.instance_path().as_str() {
            "" => error.to_string(),
            place => format!("{error}, at {place}"),
        }))
    }
}

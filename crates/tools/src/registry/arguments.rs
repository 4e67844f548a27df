//! What a model gave as arguments, held to the schema of the tool.
//!
//! Nothing is changed of a schema or of arguments: what does not fit is told in words that a model can go by.

use std::fmt::Write;

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use seawall_config::nearest;
use serde_json::Value;

/// So many faults are told, and so much of each.
const MOST_FAULTS: usize = 5;
const LONGEST_FAULT: usize = 300;

/// A compiled schema.
#[derive(Debug)]
pub(super) struct Arguments {
    validator: Validator,
    /// The names at the top, in the schema's order.
    properties: Vec<String>,
}

impl Arguments {
    /// Compiles a schema. One that points outside of itself is refused: nothing is fetched.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn compile(schema: &Value) -> Result<Self, String> {
        if schema.get("type").is_some_and(|kind| kind != "object") {
            return Err("its type is another than object".to_owned());
        }
        if !schema.is_object() {
            return Err("it is no JSON object".to_owned());
        }
        let validator = jsonschema::validator_for(schema).map_err(|error| shortened(&error.to_string()))?;
        let properties = schema.get("properties").and_then(Value::as_object);
        let properties = properties.map(|properties| properties.keys().cloned().collect());
        Ok(Self { validator, properties: properties.unwrap_or_default() })
    }

    /// Checks arguments.
    ///
    /// # Errors
    /// Everything that is wrong with them, a fault a line.
    pub(super) fn check(&self, arguments: &Value) -> Result<(), String> {
        if !arguments.is_object() {
            return Err(format!("- the arguments must be a JSON object, not {}", kind(arguments)));
        }
        if self.validator.is_valid(arguments) {
            return Ok(());
        }
        let mut said = String::new();
        let mut faults = 0_usize;
        for error in self.validator.iter_errors(arguments) {
            faults += 1;
            if faults > MOST_FAULTS {
                continue;
            }
            let place = error.instance_path().as_str();
            let place = if place.is_empty() { String::new() } else { format!("{place}: ") };
            let fault = shortened(&error.to_string());
            let _never_fails = writeln!(said, "- {place}{fault}{}", self.hint(error.kind()));
        }
        if faults > MOST_FAULTS {
            let _never_fails = writeln!(said, "- and {} more", faults - MOST_FAULTS);
        }
        said.truncate(said.trim_end().len());
        Err(said)
    }

    fn hint(&self, kind: &ValidationErrorKind) -> String {
        let ValidationErrorKind::AdditionalProperties { unexpected } = kind else { return String::new() };
        let known = || self.properties.iter().map(String::as_str);
        let meant = unexpected.iter().find_map(|name| nearest(name, known()));
        meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"))
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A value that does not fit may be long, and stands in what is said of it.
fn shortened(text: &str) -> String {
    if text.len() <= LONGEST_FAULT {
        return text.to_owned();
    }
    let (head, tail) = (text.floor_char_boundary(LONGEST_FAULT / 3), text.len() - LONGEST_FAULT * 2 / 3);
    let tail = text.ceil_char_boundary(tail);
    format!("{} … {}", text.get(..head).unwrap_or_default(), text.get(tail..).unwrap_or_default())
}

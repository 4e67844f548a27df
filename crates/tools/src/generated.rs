//! What `#[tool]` makes calls these. They are no interface of this crate: they change with the attribute.

use std::fmt::Display;
pub use std::sync::LazyLock;

pub use schemars;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema};
pub use seawall_engine::{EffectClass, Found, ToolSpec};
pub use seawall_policy::{Declared, Meaning};
pub use seawall_types::Effect;
pub use serde;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use crate::{BoxFuture, Call, Description, Outcome, Tool};

/// The schema of arguments: an object, what it is made of written out where it stands, since not every provider follows
/// references.
#[must_use]
pub fn schema<A: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<A>();
    RecursiveTransform(plain_numbers).transform(&mut schema);
    let mut schema = schema.to_value();
    if let Some(schema) = schema.as_object_mut() {
        // The name of a type of ours.
        schema.remove("title");
        schema.entry("type").or_insert_with(|| "object".into());
        schema.entry("properties").or_insert_with(|| Map::new().into());
    }
    schema
}

/// `uint32` and the like are no formats that providers know, and some refuse what they don't know. The bounds stay.
fn plain_numbers(schema: &mut Schema) {
    let is_number = |kind: &Value| {
        let is_one = |kind: &Value| kind == "integer" || kind == "number";
        is_one(kind) || kind.as_array().is_some_and(|kinds| kinds.iter().any(is_one))
    };
    if schema.get("type").is_some_and(is_number) {
        schema.remove("format");
    }
}

/// Arguments that the function can't be given, though they may fit the schema: a check in somebody's `Deserialize`.
#[derive(Debug)]
pub struct Unfit(String);

impl From<Unfit> for Outcome {
    fn from(unfit: Unfit) -> Self {
        Self::error(unfit.0)
    }
}

/// Nothing was done with them; and where a call was begun, it was not with these.
impl From<Unfit> for Found {
    fn from(Unfit(words): Unfit) -> Self {
        tracing::warn!(words, "a tool can't be asked about a call: its arguments can't be read any more");
        Self::Unknown
    }
}

/// The arguments as the function takes them.
///
/// # Errors
/// In the words in which the registry refuses what does not fit the schema.
pub fn arguments<A: DeserializeOwned>(tool: &str, arguments: &Value) -> Result<A, Unfit> {
    A::deserialize(arguments).map_err(|error| {
        Unfit(format!("the arguments do not fit the parameters of {tool}, so nothing was done:\n- {error}"))
    })
}

/// What a model is told of what a function gave.
pub fn outcome<T: Serialize, E: Display>(given: Result<T, E>) -> Outcome {
    match given {
        Ok(given) => told(&given),
        // Errors that have causes tell them in this way, where they can.
        Err(error) => Outcome::error(format!("{error:#}")),
    }
}

fn told(given: &impl Serialize) -> Outcome {
    match serde_json::to_value(given) {
        Ok(Value::String(text)) => Outcome::text(text),
        Ok(value) => Outcome::json(&value),
        Err(error) => {
            Outcome::error(format!("it was done, but what it gave can't be written as JSON: {error}"))
        }
    }
}

/// Whether a call was done, as the tool's function says.
pub fn found<T: Serialize, E: Display>(tool: &str, given: Result<Option<T>, E>) -> Found {
    match given {
        Ok(Some(given)) => Found::Done { result: told(&given).result },
        Ok(None) => Found::NotDone,
        Err(error) => {
            tracing::warn!(tool, error = format!("{error:#}"), "a tool can't tell whether a call was done");
            Found::Unknown
        }
    }
}

/// What arguments are for the policy.
#[must_use]
pub fn means<const N: usize>(meanings: [(&str, Meaning); N]) -> Declared {
    if N == 0 {
        return Declared::Nothing;
    }
    Declared::Members(meanings.into_iter().map(|(name, meaning)| (name.to_owned(), meaning)).collect())
}

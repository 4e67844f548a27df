//! Truth values and plain numbers.

use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};

use super::{Fault, Kind, quoted};
use crate::node::{Content, Node};

/// `true` or `false`.
pub(crate) struct Boolean;

impl Kind for Boolean {
    type Value = bool;

    fn name(&self) -> String {
        "true or false".to_owned()
    }

    fn schema(&self) -> Value {
        json!({ "type": "boolean" })
    }

    fn parse(&self, node: &Node) -> Result<bool, Vec<Fault>> {
        match (&node.content, node.untyped_text()) {
            (Content::Boolean(value), _) => Ok(*value),
            (_, Some("true")) => Ok(true),
            (_, Some("false")) => Ok(false),
            (_, Some(text)) => {
                let reason = format!("{} is neither true nor false", quoted(text));
                Err(vec![Fault::unreadable("true or false", node, reason, "")])
            }
            _ => Err(vec![Fault::type_mismatch("true or false", node)]),
        }
    }

    fn show(&self, value: &bool) -> Value {
        Value::Bool(*value)
    }
}

/// A whole number that is not negative, within a range.
pub(crate) struct Integer(pub(crate) RangeInclusive<u64>);

impl Kind for Integer {
    type Value = u64;

    fn name(&self) -> String {
        "integer".to_owned()
    }

    fn schema(&self) -> Value {
        let mut schema = Map::from_iter([
            ("type".to_owned(), json!("integer")),
            ("minimum".to_owned(), json!(self.0.start())),
        ]);
        if *self.0.end() < u64::MAX {
            schema.insert("maximum".to_owned(), json!(self.0.end()));
        }
        Value::Object(schema)
    }

    fn parse(&self, node: &Node) -> Result<u64, Vec<Fault>> {
        let number = self.number(node).map_err(|fault| vec![fault])?;
        let value =
            number.and_then(|number| u64::try_from(number).ok()).filter(|number| self.0.contains(number));
        value.ok_or_else(|| vec![Fault::new("out of range", self.range())])
    }

    fn show(&self, value: &u64) -> Value {
        json!(value)
    }
}

impl Integer {
    /// The number, or `None` when it is larger than any that is allowed.
    fn number(&self, node: &Node) -> Result<Option<i128>, Fault> {
        match (&node.content, node.untyped_text()) {
            (Content::Number(number), _) if !number.is_f64() => Ok(number.as_i128()),
            (_, Some(text)) if is_integer(text) => Ok(text.parse().ok()),
            (_, Some(text)) => {
                let reason = format!("{} is not an integer", quoted(text));
                Err(Fault::unreadable("an integer", node, reason, &self.range()))
            }
            (Content::Number(_), _) => Err(Fault::new("expected an integer, found a fraction", self.range())),
            _ => Err(Fault::type_mismatch("an integer", node)),
        }
    }

    fn range(&self) -> String {
        match *self.0.end() {
            u64::MAX => format!("give at least {}", self.0.start()),
            end => format!("give {} to {end}", self.0.start()),
        }
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number within a range: a share, a factor. Never money.
pub(crate) struct Ratio(pub(crate) RangeInclusive<f64>);

impl Kind for Ratio {
    type Value = f64;

    fn name(&self) -> String {
        "number".to_owned()
    }

    fn schema(&self) -> Value {
        json!({ "type": "number", "minimum": self.0.start(), "maximum": self.0.end() })
    }

    fn parse(&self, node: &Node) -> Result<f64, Vec<Fault>> {
        let number = match (&node.content, node.untyped_text()) {
            (Content::Number(number), _) => number.as_f64(),
            (_, Some(text)) => Some(text.parse().map_err(|_| {
                let reason = format!("{} is not a number", quoted(text));
                vec![Fault::unreadable("a number", node, reason, "")]
            })?),
            _ => return Err(vec![Fault::type_mismatch("a number", node)]),
        };
        number.filter(|number| self.0.contains(number)).ok_or_else(|| {
            vec![Fault::new("out of range", format!("give {} to {}", self.0.start(), self.0.end()))]
        })
    }

    fn show(&self, value: &f64) -> Value {
        json!(value)
    }
}

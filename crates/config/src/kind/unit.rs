//! Quantities with a unit: durations, sizes and money.

use std::ops::RangeInclusive;
use std::time::Duration;

use seawall_types::{ParseUsdError, Usd};
use serde_json::{Number, Value, json};

use super::{Fault, Kind, text_of};
use crate::node::{Content, Node};
use crate::units::{format_duration, format_size, parse_duration, parse_size};

/// A duration within a range, such as `10s`.
pub(crate) struct Time(pub(crate) RangeInclusive<Duration>);

impl Kind for Time {
    type Value = Duration;

    fn name(&self) -> String {
        "duration".to_owned()
    }

    fn schema(&self) -> Value {
        json!({ "type": "string", "pattern": "^[0-9]+(ns|us|ms|s|m|h|d)$" })
    }

    fn parse(&self, node: &Node) -> Result<Duration, Vec<Fault>> {
        let duration = match (&node.content, text_of(node)) {
            (_, Some(text)) => parse_duration(text)
                .map_err(|error| vec![Fault::unreadable("a duration", node, error, "")])?,
            (Content::Number(_), _) => {
                return Err(vec![Fault::new(
                    "a duration needs a unit",
                    "write it like 250ms, 10s, 5m, 2h or 30d",
                )]);
            }
            _ => return Err(vec![Fault::type_mismatch("a duration such as 10s", node)]),
        };
        if self.0.contains(&duration) {
            Ok(duration)
        } else {
            Err(vec![Fault::new("out of range", self.range())])
        }
    }

    fn show(&self, value: &Duration) -> Value {
        Value::String(format_duration(*value))
    }
}

impl Time {
    fn range(&self) -> String {
        let start = format_duration(*self.0.start());
        match *self.0.end() {
            Duration::MAX => format!("give at least {start}"),
            end => format!("give {start} to {}", format_duration(end)),
        }
    }
}

/// A number of bytes within a range, such as `10M`.
pub(crate) struct Size(pub(crate) RangeInclusive<u64>);

impl Kind for Size {
    type Value = u64;

    fn name(&self) -> String {
        "size".to_owned()
    }

    fn schema(&self) -> Value {
        json!({ "anyOf": [{ "type": "string", "pattern": "^[0-9]+[KMGTkmgt]?$" }, { "type": "integer", "minimum": 0 }] })
    }

    fn parse(&self, node: &Node) -> Result<u64, Vec<Fault>> {
        let bytes = match (&node.content, text_of(node)) {
            (_, Some(text)) => {
                parse_size(text).map_err(|error| vec![Fault::unreadable("a size", node, error, "")])?
            }
            (Content::Number(number), _) => number.as_u64().ok_or_else(|| {
                vec![Fault::new(
                    "expected a size, found a number below zero or with a fraction",
                    self.range(),
                )]
            })?,
            _ => return Err(vec![Fault::type_mismatch("a size such as 10M", node)]),
        };
        if self.0.contains(&bytes) { Ok(bytes) } else { Err(vec![Fault::new("out of range", self.range())]) }
    }

    fn show(&self, value: &u64) -> Value {
        Value::String(format_size(*value))
    }
}

impl Size {
    fn range(&self) -> String {
        let start = format_size(*self.0.start());
        match *self.0.end() {
            u64::MAX => format!("give at least {start}"),
            end => format!("give {start} to {}", format_size(end)),
        }
    }
}

/// An amount of US dollars, exact.
pub(crate) struct Money;

/// As many decimal digits as a number without quotes keeps in every format.
const EXACT_DIGITS: usize = 15;

impl Kind for Money {
    type Value = Usd;

    fn name(&self) -> String {
        "US dollars".to_owned()
    }

    fn schema(&self) -> Value {
        json!({ "anyOf": [
            { "type": "string", "pattern": "^\\$?[0-9]*\\.?[0-9]*([eE][+-]?[0-9]+)?$" },
            { "type": "number", "minimum": 0 },
        ] })
    }

    fn parse(&self, node: &Node) -> Result<Usd, Vec<Fault>> {
        let parsed = match (&node.content, text_of(node)) {
            (_, Some(text)) => text.parse(),
            (Content::Number(number), _) => exact(number).map_err(|fault| vec![fault])?.parse(),
            _ => return Err(vec![Fault::type_mismatch("an amount of US dollars such as \"0.25\"", node)]),
        };
        parsed.map_err(|error: ParseUsdError| {
            let hint = match error {
                ParseUsdError::Negative(_) => "leave the key out for no limit, or give 0 to allow nothing",
                ParseUsdError::OutOfRange(_) | ParseUsdError::NotANumber(_) => "",
            };
            vec![Fault::unreadable("an amount of US dollars", node, error, hint)]
        })
    }

    fn show(&self, value: &Usd) -> Value {
        Value::String(value.to_string())
    }
}

/// The decimal that was written. A file's fraction has gone through binary, which keeps fifteen digits; with more of
/// them the amount may not be the one that the operator sees.
fn exact(number: &Number) -> Result<String, Fault> {
    let text = number.to_string();
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let digits = mantissa.trim_start_matches(['-', '0', '.']).bytes().filter(u8::is_ascii_digit).count();
    if number.is_f64() && digits > EXACT_DIGITS {
        return Err(Fault::new("this number can't be kept exactly", "put quotes around it"));
    }
    Ok(text)
}

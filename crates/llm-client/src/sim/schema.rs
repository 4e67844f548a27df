//! A value that satisfies a JSON schema: always the same one for the same schema.
//!
//! Knows what structured-output requests use (types, properties, enums, references, combinations, bounds) in JSON Schema
//! and in Gemini's spelling. Not a validator, and no `pattern`.

use serde_json::{Map, Number, Value, json};

/// From this depth on the smallest value is chosen that the schema allows, so that one that refers to itself ends.
const DEEP: usize = 6;
/// Values nest at most so deep.
const DEPTH: usize = 32;
/// The value has at most so many parts, so that a schema that refers to itself twice ends.
const PARTS: usize = 10_000;
/// Bounds on lengths are followed up to here.
const LENGTH: u64 = 4_096;

/// The example for a schema.
pub(crate) fn example(schema: &Value) -> Value {
    Example { root: schema, parts_left: PARTS }.of(schema, 0)
}

struct Example<'a> {
    root: &'a Value,
    parts_left: usize,
}

impl<'a> Example<'a> {
    fn of(&mut self, schema: &'a Value, depth: usize) -> Value {
        if depth > DEPTH || self.parts_left == 0 {
            return Value::Null;
        }
        self.parts_left -= 1;
        if let Some(target) = self.reference(schema) {
            return self.of(target, depth + 1);
        }
        if let Some(given) = schema.get("const").or_else(|| schema.get("enum")?.as_array()?.first()) {
            return given.clone();
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(choice) = choice(schema.get(key), depth) {
                return self.of(choice, depth + 1);
            }
        }
        if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
            return self.merged(schema, parts, depth);
        }
        self.of_type(schema, depth)
    }

    fn reference(&self, schema: &Value) -> Option<&'a Value> {
        let pointer = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
        self.root.pointer(pointer)
    }

    /// All parts of an `allOf`, and what stands beside it; for objects their properties together.
    fn merged(&mut self, schema: &'a Value, parts: &'a [Value], depth: usize) -> Value {
        let mut merged = Map::new();
        let mut other = None;
        for part in parts {
            match self.of(part, depth + 1) {
                Value::Object(object) => merged.extend(object),
                value => other = Some(value),
            }
        }
        if schema.get("properties").is_some()
            && let Value::Object(object) = self.of_type(schema, depth)
        {
            merged.extend(object);
        }
        other.filter(|_| merged.is_empty()).unwrap_or(Value::Object(merged))
    }

    fn of_type(&mut self, schema: &'a Value, depth: usize) -> Value {
        match type_of(schema).as_str() {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, depth),
            "integer" => Value::Number(integer(schema)),
            "number" => number(schema),
            "boolean" => Value::Bool(true),
            "null" => Value::Null,
            _ => Value::String(string(schema)),
        }
    }

    /// The required properties; all of them where none is said to be, but not in the deep.
    fn object(&mut self, schema: &'a Value, depth: usize) -> Value {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return json!({}) };
        let required = schema.get("required").and_then(Value::as_array).filter(|names| !names.is_empty());
        let is_wanted =
            |name: &str| required.map_or(depth < DEEP, |names| names.iter().any(|wanted| wanted == name));
        let mut object = Map::new();
        for (name, property) in properties.iter().filter(|(name, _)| is_wanted(name)) {
            object.insert(name.clone(), self.of(property, depth + 1));
        }
        Value::Object(object)
    }

    fn array(&mut self, schema: &'a Value, depth: usize) -> Value {
        if let Some(prefix) = schema.get("prefixItems").and_then(Value::as_array) {
            return prefix.iter().map(|item| self.of(item, depth + 1)).collect();
        }
        let most = count(schema, "maxItems").unwrap_or(LENGTH);
        let wanted =
            count(schema, "minItems").unwrap_or_else(|| u64::from(depth < DEEP)).min(most).min(LENGTH);
        match schema.get("items") {
            Some(items) => (0..wanted).map(|_| self.of(items, depth + 1)).collect(),
            None => json!([]),
        }
    }
}

/// The first choice that is not null, or in the deep the one that is.
fn choice(choices: Option<&Value>, depth: usize) -> Option<&Value> {
    let choices = choices?.as_array()?;
    let wants_null = depth >= DEEP;
    choices.iter().find(|choice| (type_of(choice) == "null") == wants_null).or_else(|| choices.first())
}

/// In lower case, as Gemini writes types in upper case; the first that is not null of several; what the keywords imply
/// when there is none.
fn type_of(schema: &Value) -> String {
    let named = match schema.get("type") {
        Some(Value::String(name)) => Some(name.as_str()),
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).find(|name| *name != "null").or(Some("null"))
        }
        _ => None,
    };
    let implied = || {
        if schema.get("properties").is_some() {
            "object"
        } else if schema.get("items").is_some() || schema.get("prefixItems").is_some() {
            "array"
        } else {
            "string"
        }
    };
    named.unwrap_or_else(implied).to_ascii_lowercase()
}

/// A count; Gemini writes them as strings.
fn count(schema: &Value, key: &str) -> Option<u64> {
    let value = schema.get(key)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn integer(schema: &Value) -> Number {
    let bound = |key: &str| schema.get(key).and_then(Value::as_i64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|bound| bound.saturating_add(1)));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|bound| bound.saturating_sub(1)));
    let value = least.unwrap_or_else(|| most.map_or(1, |most| most.min(1)));
    match bound("multipleOf") {
        Some(step) if step > 0 => value.saturating_add((step - value.rem_euclid(step)) % step).into(),
        _ => value.into(),
    }
}

fn number(schema: &Value) -> Value {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|bound| bound + 1.0));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|bound| bound - 1.0));
    let value = match (least, most) {
        (Some(least), Some(most)) if least > most => f64::midpoint(least, most),
        (Some(least), _) => least,
        (None, Some(most)) => most.min(1.5),
        (None, None) => 1.5,
    };
    json!(value)
}

fn string(schema: &Value) -> String {
    let text = match schema.get("format").and_then(Value::as_str) {
        Some("date-time") => "2026-01-02T03:04:05Z",
        Some("date") => "2026-01-02",
        Some("time") => "03:04:05Z",
        Some("duration") => "PT1S",
        Some("email") => "someone@example.com",
        Some("hostname") => "example.com",
        Some("ipv4") => "192.0.2.1",
        Some("ipv6") => "2001:db8::1",
        Some("uri" | "url") => "https://example.com/",
        Some("uuid") => "01890a5d-ac96-774b-bcce-b302099a8057",
        _ => return plain_string(schema),
    };
    text.to_owned()
}

fn plain_string(schema: &Value) -> String {
    let length = |key| count(schema, key).and_then(|length| usize::try_from(length.min(LENGTH)).ok());
    let mut text = String::from("simulated");
    while length("minLength").is_some_and(|least| text.len() < least) {
        text.push('x');
    }
    if let Some(most) = length("maxLength") {
        text.truncate(most);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_keyword_is_satisfied() {
        for (schema, value) in [
            (json!({"type": "string"}), json!("simulated")),
            (json!({"type": "string", "minLength": 11}), json!("simulatedxx")),
            (json!({"type": "string", "maxLength": 3}), json!("sim")),
            (json!({"type": "string", "format": "date"}), json!("2026-01-02")),
            (json!({"type": "integer", "minimum": 7}), json!(7)),
            (json!({"type": "integer", "exclusiveMinimum": 7, "multipleOf": 5}), json!(10)),
            (json!({"type": "integer", "maximum": -4}), json!(-4)),
            (json!({"type": "number", "maximum": 1}), json!(1.0)),
            (json!({"type": "boolean"}), json!(true)),
            (json!({"type": ["null", "boolean"]}), json!(true)),
            (json!({"enum": ["b", "a"]}), json!("b")),
            (json!({"const": 3}), json!(3)),
            (json!({"anyOf": [{"type": "null"}, {"type": "integer"}]}), json!(1)),
            (json!({"type": "array", "items": {"type": "integer"}, "minItems": 2}), json!([1, 1])),
            (json!({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}]}), json!([1, 2])),
            (json!({"type": "ARRAY", "items": {"type": "STRING"}, "minItems": "1"}), json!(["simulated"])),
            (
                json!({"properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["a"]}),
                json!({"a": 1}),
            ),
            (
                json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"const": "x"}}}),
                json!({"a": "x"}),
            ),
            (
                json!({"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}]}),
                json!({"a": 1, "b": 2}),
            ),
            (json!({}), json!("simulated")),
            (json!(true), json!("simulated")),
        ] {
            assert_eq!(example(&schema), value, "{schema}");
        }
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let wide = json!({"properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}, "c": {"$ref": "#"}}});
        assert!(example(&wide).is_object());
        let endless = json!({"properties": {"a": {"$ref": "#"}}, "required": ["a"]});
        assert!(example(&endless).is_object());
    }

    #[test]
    fn what_refers_to_itself_ends_where_the_schema_allows_it() {
        let schema = json!({
            "properties": {
                "name": {"type": "string"},
                "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
                "all": {"type": "array", "items": {"$ref": "#"}},
            },
            "required": ["name", "next", "all"],
        });
        let mut at = &example(&schema);
        while at["next"].is_object() {
            at = &at["next"];
            assert_eq!(at["name"], "simulated");
            assert!(at["all"].is_array());
        }
        assert!(at["next"].is_null());
    }
}

//! Writing a configuration as people would: tables of tables as blocks, small tables on one line.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The YAML of a table.
pub(super) fn write(map: &Map<String, Value>) -> String {
    let mut out = String::new();
    block(&mut out, map, 0);
    out
}

fn block(out: &mut String, map: &Map<String, Value>, indent: usize) {
    for (index, (key, value)) in map.iter().enumerate() {
        // In a list, the first key stands behind the dash.
        if index > 0 || !out.ends_with("- ") {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str(&scalar(key));
        out.push(':');
        entry(out, value, indent);
    }
}

fn entry(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Array(items) if items.iter().any(Value::is_object) => {
            out.push('\n');
            for item in items {
                let _infallible = write!(out, "{}- ", " ".repeat(indent + 2));
                match item {
                    Value::Object(map) if !is_small(map) => block(out, map, indent + 4),
                    small => line(out, small),
                }
            }
        }
        Value::Object(map) if !is_small(map) => {
            out.push('\n');
            block(out, map, indent + 2);
        }
        small => {
            out.push(' ');
            line(out, small);
        }
    }
}

fn line(out: &mut String, value: &Value) {
    out.push_str(&flow(value));
    out.push('\n');
}

/// Whether a table has its place on one line.
fn is_small(map: &Map<String, Value>) -> bool {
    map.len() <= 3 && map.values().all(|value| !value.is_object() && !value.is_array())
}

fn flow(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let pairs: Vec<String> =
                map.iter().map(|(key, value)| format!("{}: {}", scalar(key), flow(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(text) => scalar(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// Without quotes where nobody could take it for anything but this text.
fn scalar(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:".contains(c);
    let begins_plain = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_word =
        ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&&*text.to_lowercase());
    let is_quantity = text.starts_with(|c: char| c.is_ascii_digit()) && text.ends_with(['s', 'm', 'h', 'd']);
    let ends_plain = !text.ends_with(':');
    let is_safe = text.chars().all(is_plain) && (begins_plain || is_quantity) && ends_plain && !is_word;
    if is_safe { text.to_owned() } else { quoted(text) }
}

/// Whether YAML lets a character stand nowhere, or takes it for the end of a line (YAML 1.2.2 §5.1, §5.4).
pub(super) fn is_forbidden(c: char) -> bool {
    c.is_control() || "\u{2028}\u{2029}\u{feff}\u{fffe}\u{ffff}".contains(c)
}

/// In double quotes, with what YAML forbids and JSON lets stand escaped.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    for c in Value::String(text.to_owned()).to_string().chars() {
        if is_forbidden(c) {
            let _infallible = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read_back(value: &Value) -> Value {
        let text = write(value.as_object().unwrap());
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    #[test]
    fn it_is_written_as_people_would() {
        let text = write(
            json!({
                "gateway": { "limits": { "in_flight": 10 } },
                "upstreams": [
                    { "name": "a", "base_url": "https://a.example/v1", "models": ["x*", "1"], "timeouts": { "total": "30s" } },
                ],
                "routes": [{ "model": "no", "to": [{ "upstream": "a", "weight": 1 }] }],
            })
            .as_object()
            .unwrap(),
        );
        assert_eq!(
            text,
            "gateway:\n  limits: { in_flight: 10 }\nupstreams:\n  - name: a\n    base_url: https://a.example/v1\n    \
             models: [\"x*\", \"1\"]\n    timeouts: { total: 30s }\nroutes:\n  - model: \"no\"\n    to:\n      \
             - { upstream: a, weight: 1 }\n"
        );
    }

    proptest! {
        #[test]
        fn it_is_read_back_as_it_was_written(
            key in "[a-z]{1,5}", text in "\\PC{0,20}|[0-9a-z:./#-]{0,6}|[a-z ]{0,9}", other in ".{0,20}", number in any::<i32>(),
        ) {
            let scalars = json!({ "text": text, "other": other, "list": [text, other, number, true, null] });
            let value = json!({ &key: scalars, "list": [scalars, { &key: text }, { "deep": [{ &key: other }] }] });
            prop_assert_eq!(read_back(&value), value);
        }
    }
}

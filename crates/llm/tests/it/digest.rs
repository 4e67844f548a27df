//! The digest of a text depends on what it says and not on how it is written.

use proptest::prelude::*;
use seawall_llm::json::{Digest, digest};
use serde_json::{Map, Value, json};

fn digest_of(text: &str) -> Digest {
    digest(text.as_bytes(), 128).unwrap()
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("\\PC{0,6}", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Writes `json` with its keys in another order, with other white space, and with every character escaped.
fn rewrite(json: &Value, space: &str, out: &mut String) {
    out.push_str(space);
    match json {
        Value::Object(members) => {
            out.push('{');
            for (index, (key, value)) in members.iter().rev().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                escape(key, out);
                out.push_str(space);
                out.push(':');
                rewrite(value, space, out);
            }
            out.push('}');
        }
        Value::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                rewrite(element, space, out);
            }
            out.push(']');
        }
        Value::String(text) => escape(text, out),
        scalar => out.push_str(&scalar.to_string()),
    }
    out.push_str(space);
}

fn escape(text: &str, out: &mut String) {
    out.push('"');
    for unit in text.encode_utf16() {
        out.push_str(&format!("\\u{unit:04X}"));
    }
    out.push('"');
}

/// How many values there are to be changed.
fn size(json: &Value) -> usize {
    1 + match json {
        Value::Array(elements) => elements.iter().map(size).sum(),
        Value::Object(members) => members.values().map(size).sum(),
        _ => 0,
    }
}

/// Changes the `at`-th value.
fn change(json: &mut Value, at: &mut usize) {
    if *at == 0 {
        *json = match json {
            Value::Null => json!(false),
            Value::Bool(value) => json!(!*value),
            Value::Number(number) => json!(format!("{number}")),
            Value::String(text) => json!(format!("{text} ")),
            Value::Array(elements) => json!([elements.clone(), null]),
            Value::Object(members) => Value::Object(
                members
                    .clone()
                    .into_iter()
                    .chain([("another key".to_owned(), Value::Null)])
                    .collect::<Map<_, _>>(),
            ),
        };
    }
    let inside: Box<dyn Iterator<Item = &mut Value>> = match json {
        _ if *at == 0 => Box::new(std::iter::empty()),
        Value::Array(elements) => Box::new(elements.iter_mut()),
        Value::Object(members) => Box::new(members.values_mut()),
        _ => Box::new(std::iter::empty()),
    };
    *at = at.wrapping_sub(1);
    for value in inside {
        change(value, at);
    }
}

proptest! {
    #[test]
    fn order_of_keys_white_space_and_escapes_are_irrelevant(json in any_json(), space in "[ \t\r\n]{0,3}") {
        let mut rewritten = String::new();
        rewrite(&json, &space, &mut rewritten);
        prop_assert_eq!(digest_of(&json.to_string()), digest_of(&rewritten), "{}", rewritten);
    }

    #[test]
    fn any_change_of_a_value_is_relevant(json in any_json(), at in any::<prop::sample::Index>()) {
        let mut changed = json.clone();
        change(&mut changed, &mut at.index(size(&json)));
        prop_assert_ne!(digest_of(&json.to_string()), digest_of(&changed.to_string()), "{}", changed);
    }
}

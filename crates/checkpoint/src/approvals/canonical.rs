//! The hash that an approval is bound to: of a call's exact arguments, however they are written.
//!
//! Numbers are not made equal: `1` and `1.0` are two calls, and a person is asked for each.

use seawall_types::canonical;
use serde_json::Value;

use super::Binding;

/// Stands between the text and what else is bound. No text has this byte in it.
const BEYOND_TEXT: &[u8] = &[0xff];

/// The hash; `None` where nothing can be bound.
pub(super) fn hash(arguments: &Value, binding: &Binding) -> Option<[u8; 32]> {
    let mut hasher = blake3::Hasher::new();
    // A hasher takes whatever it is given, and what is in a value can always be written.
    let _infallible = canonical::write(arguments, &mut hasher);
    match binding {
        Binding::Arguments => {}
        Binding::Original(original) => {
            hasher.update(BEYOND_TEXT).update(original);
        }
        Binding::Impossible { .. } => return None,
    }
    Some(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_of(text: &str) -> [u8; 32] {
        hash(&serde_json::from_str(text).unwrap(), &Binding::Arguments).unwrap()
    }

    #[test]
    fn the_order_of_members_and_white_space_do_not_matter() {
        let written = [
            r#"{"a":{"x":1,"y":[1,{"p":2,"q":3}]},"b":"\u0041"}"#,
            r#"{ "b": "A", "a": {"y":[1,{"q":3,"p":2}], "x":1} }"#,
        ];
        assert_eq!(hash_of(written[0]), hash_of(written[1]));
    }

    #[test]
    fn whatever_is_another_value_has_another_hash() {
        let texts = [
            "null",
            "{}",
            "[]",
            "\"\"",
            "0",
            "1",
            "1.0",
            "-1",
            "\"1\"",
            "[1]",
            "[[1]]",
            "[1,1]",
            r#"{"a":1}"#,
            r#"{"a":"1"}"#,
            r#"{"a":[1]}"#,
            r#"{"a":1,"b":1}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a,b":1}"#,
            r#"{"A":1}"#,
            r#"["a","b"]"#,
            r#"["a,b"]"#,
            r#"["b","a"]"#,
            r#"["a\",\"b"]"#,
            "true",
            "false",
        ];
        let hashes: std::collections::HashSet<_> = texts.iter().map(|text| hash_of(text)).collect();
        assert_eq!(hashes.len(), texts.len());
    }

    #[test]
    fn what_the_arguments_describe_is_bound_with_them() {
        let (text, other) = (serde_json::json!(["x"]), serde_json::json!(["y"]));
        let bound = |arguments, number| hash(arguments, &Binding::Original([number; 32])).unwrap();
        let hashes = [bound(&text, 1), bound(&text, 2), bound(&other, 1), hash_of(r#"["x"]"#)];
        assert_eq!(hashes.iter().collect::<std::collections::HashSet<_>>().len(), hashes.len());
        assert_eq!(hash(&text, &Binding::Impossible { kind: "Client".to_owned() }), None);
    }

    #[test]
    fn the_hash_is_that_of_the_canonical_text() {
        let text = r#"{"amount":5,"to":["x",null]}"#;
        assert_eq!(hash_of(r#"{"to":["x",null],"amount":5}"#), *blake3::hash(text.as_bytes()).as_bytes());
    }
}

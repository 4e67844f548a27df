//! The hash that an approval is bound to: of a call's exact arguments, however they are written.
//!
//! Members of objects are taken in the order of their names, and there is no white space; everything else is as
//! `serde_json` writes it. Numbers are not made equal: `1` and `1.0` are two calls, and a person is asked for each.
//! That is stricter than RFC 8785, which a comparison within one program does not need.

use std::io::{self, Write};

use serde_json::Value;

/// The hash.
pub(super) fn hash(arguments: &Value) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    // A hasher takes whatever it is given, and what is in a value can always be written.
    let _infallible = write(arguments, &mut hasher);
    *hasher.finalize().as_bytes()
}

fn write(value: &Value, out: &mut impl Write) -> io::Result<()> {
    match value {
        Value::Array(items) => {
            out.write_all(b"[")?;
            for (index, item) in items.iter().enumerate() {
                separate(index, out)?;
                write(item, out)?;
            }
            out.write_all(b"]")
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            out.write_all(b"{")?;
            for (index, (name, member)) in members.into_iter().enumerate() {
                separate(index, out)?;
                serde_json::to_writer(&mut *out, name)?;
                out.write_all(b":")?;
                write(member, out)?;
            }
            out.write_all(b"}")
        }
        plain => Ok(serde_json::to_writer(out, plain)?),
    }
}

fn separate(index: usize, out: &mut impl Write) -> io::Result<()> {
    if index == 0 { Ok(()) } else { out.write_all(b",") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_of(text: &str) -> [u8; 32] {
        hash(&serde_json::from_str(text).unwrap())
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
    fn the_hash_is_that_of_the_canonical_text() {
        let text = r#"{"amount":5,"to":["x",null]}"#;
        assert_eq!(hash_of(r#"{"to":["x",null],"amount":5}"#), *blake3::hash(text.as_bytes()).as_bytes());
    }
}

//! From the text of a file to a value: TOML, YAML and JSON, with no key twice.
//!
//! The parsers are strangers' code over an operator's file that may hold secrets; of their errors only the words and
//! the place are kept, never the line that they would show.

use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How a configuration file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Toml,
    Yaml,
    Json,
}

impl Format {
    /// By the extension of the file's name.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "toml" => Some(Self::Toml),
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Reads a whole file. An empty one is an empty table.
pub(crate) fn parse(text: &str, format: Format) -> Result<Value, String> {
    let value = match format {
        Format::Toml => parse_toml(text)?,
        Format::Yaml => parse_yaml(text)?,
        Format::Json => parse_json(text)?,
    };
    Ok(if value.is_null() { Value::Object(Map::new()) } else { value })
}

/// Reads JSON, refusing a key that stands twice.
pub(crate) fn parse_json(text: &str) -> Result<Value, String> {
    serde_json::from_str::<Strict>(text).map(|strict| strict.0).map_err(|error| error.to_string())
}

fn parse_toml(text: &str) -> Result<Value, String> {
    toml::from_str::<Strict>(text).map(|strict| strict.0).map_err(|error| {
        let line =
            error.span().and_then(|span| text.get(..span.start)).map(|before| before.split('\n').count());
        // The parser's words may run over several lines; an error of ours is one.
        let message = error.message().replace('\n', ", ");
        line.map_or_else(|| message.clone(), |line| format!("{message} at line {line}"))
    })
}

fn parse_yaml(text: &str) -> Result<Value, String> {
    let guarded = guard_references(text);
    let options = serde_saphyr::options! {
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        merge_keys: serde_saphyr::MergeKeyPolicy::Merge,
        // `policy: off` is a preset and `country: no` is Norway: only true and false are truth values.
        strict_booleans: true,
        with_snippet: false,
    };
    let parsed = serde_saphyr::from_str_with_options::<Strict>(&guarded, options);
    let value = parsed.map_err(|error| error.without_snippet().to_string().replace('\n', ", "))?.0;
    Ok(if guarded == text { value } else { restore_references(value) })
}

const OPEN: char = '\u{e000}';
const CLOSE: char = '\u{e001}';

/// Puts `${NAME}` where YAML does not see its braces.
///
/// In `{ api_key: ${KEY} }` a brace would begin a mapping, and quoting every reference is what people forget. Each
/// brace pair becomes two characters that mean nothing to YAML, of the same width, so that columns in errors stay true.
fn guard_references(text: &str) -> String {
    if text.contains([OPEN, CLOSE]) || !text.contains("${") {
        return text.to_owned();
    }
    let mut guarded = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        guarded.push_str(before);
        rest = match after.split_once('}') {
            Some((inside, behind)) if !before.ends_with('$') && is_plain(inside) => {
                guarded.extend(['$', OPEN]);
                guarded.push_str(inside);
                guarded.push(CLOSE);
                behind
            }
            _ => {
                guarded.push_str("${");
                after
            }
        };
    }
    guarded + rest
}

/// Whether this, between braces, can't be anything but a reference.
fn is_plain(inside: &str) -> bool {
    let name = inside.split_once(":-").map_or(inside, |(name, _)| name);
    super::reference::is_name(name) && !inside.contains(['\n', '{', '"', '\''])
}

fn restore_references(value: Value) -> Value {
    let restore = |text: &str| text.replace(OPEN, "{").replace(CLOSE, "}");
    match value {
        Value::String(text) => Value::String(restore(&text)),
        Value::Array(items) => Value::Array(items.into_iter().map(restore_references).collect()),
        Value::Object(map) => Value::Object(
            map.into_iter().map(|(key, value)| (restore(&key), restore_references(value))).collect(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

/// Any value without a key that stands twice. `serde_json::Value` would keep the last of them in silence.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor)
    }
}

/// The key under which the TOML parser hands over a date, which is text to us.
const TOML_DATE: &str = "$__toml_private_datetime";

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Strict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Strict, E> {
        Ok(Strict(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Strict, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number must be finite"))?;
        Ok(Strict(Value::Number(number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Strict, E> {
        Ok(Strict(Value::String(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Strict, E> {
        Ok(Strict(Value::String(value)))
    }

    fn visit_unit<E>(self) -> Result<Strict, E> {
        Ok(Strict(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Strict, E> {
        Ok(Strict(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Strict, D::Error> {
        Strict::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Strict, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Strict(Value::Array(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Strict, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key {key:?} stands twice in one table")));
            }
            let Strict(value) = entries.next_value()?;
            map.insert(key, value);
        }
        let date = if map.len() == 1 { map.remove(TOML_DATE) } else { None };
        Ok(Strict(date.unwrap_or(Value::Object(map))))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_three_formats_say_the_same() {
        let expected = json!({ "a": { "b": [1, -2, 0.5, true], "c": "x" } });
        for (format, text) in [
            (Format::Toml, "[a]\nb = [1, -2, 0.5, true]\nc = 'x'"),
            (Format::Yaml, "a:\n  b: [1, -2, 0.5, true]\n  c: x"),
            (Format::Json, r#"{"a":{"b":[1,-2,0.5,true],"c":"x"}}"#),
        ] {
            assert_eq!(parse(text, format), Ok(expected.clone()), "{format:?}");
        }
    }

    #[test]
    fn an_empty_file_is_an_empty_table() {
        for (format, text) in
            [(Format::Toml, ""), (Format::Yaml, ""), (Format::Yaml, "# nothing\n"), (Format::Json, "{}")]
        {
            assert_eq!(parse(text, format), Ok(json!({})), "{format:?}");
        }
        assert!(parse("", Format::Json).is_err());
    }

    #[test]
    fn a_key_that_stands_twice_is_refused() {
        for (format, text) in [
            (Format::Toml, "a = 1\na = 2"),
            (Format::Yaml, "a: 1\na: 2"),
            (Format::Json, r#"{"a":1,"a":2}"#),
            (Format::Json, r#"{"b":[{"a":1,"a":1}]}"#),
        ] {
            let error = parse(text, format).unwrap_err();
            assert!(error.contains("duplicate") || error.contains("twice"), "{format:?}: {error}");
        }
    }

    #[test]
    fn only_true_and_false_are_truth_values_in_yaml() {
        let text = "policy: off\ncountry: no\nanswer: yes\nreal: true";
        let expected = json!({ "policy": "off", "country": "no", "answer": "yes", "real": true });
        assert_eq!(parse(text, Format::Yaml), Ok(expected));
    }

    #[test]
    fn references_need_no_quotes_in_yaml_braces() {
        let text =
            "a: { key: ${KEY}, list: [${ONE}, ${TWO:-2}], url: http://${HOST}:80/x }\nb: \"${A}\"\nc: $${D}";
        let expected = json!({
            "a": { "key": "${KEY}", "list": ["${ONE}", "${TWO:-2}"], "url": "http://${HOST}:80/x" },
            "b": "${A}",
            "c": "$${D}",
        });
        assert_eq!(parse(text, Format::Yaml), Ok(expected));
    }

    #[test]
    fn a_toml_date_is_text() {
        assert_eq!(parse("day = 2026-01-02", Format::Toml), Ok(json!({ "day": "2026-01-02" })));
    }

    #[test]
    fn errors_name_the_place_and_do_not_show_the_line() {
        for (format, text) in [
            (Format::Toml, "a = 1\nkey = \"hush-hush\nb = 2"),
            (Format::Toml, "a = 1\nkey = hush-hush"),
            (Format::Yaml, "a: 1\nkey: \"hush-hush\nb: ]"),
            (Format::Yaml, "a: 1\nb: hush-hush: c"),
            (Format::Json, "{\"a\":1,\n\"key\": hush-hush}"),
        ] {
            let error = parse(text, format).unwrap_err();
            assert!(
                error.contains("line") && !error.contains("hush") && !error.contains('\n'),
                "{format:?}: {error}"
            );
        }
    }

    #[test]
    fn numbers_that_cannot_be_kept_are_refused() {
        for (format, text) in
            [(Format::Yaml, "a: .nan"), (Format::Toml, "a = inf"), (Format::Json, r#"{"a":1e999}"#)]
        {
            assert!(parse(text, format).is_err(), "{text}");
        }
    }
}

//! Every text in a JSON document: strings, names and numbers, also in JSON that is itself a string, and in a document whose
//! end is missing.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::Value;

use super::Redact;

/// How often JSON is looked for in strings of JSON: messages hold arguments, arguments hold documents.
const DEEPEST: usize = 4;
/// Numbers with fewer digits are no secret and name nobody.
const SHORTEST_NUMBER: usize = 6;

/// Redacts every text of a document; whether anything was taken out. With `is_cut` its last text lacks its end.
pub(super) fn redact(redact: &dyn Redact, document: &mut Value, is_cut: bool) -> bool {
    Redacting { redact, depth: DEEPEST }.value("", document, is_cut)
}

/// Redacts one text, also where it is a JSON document, or has escapes as in one.
pub(super) fn text(redact: &dyn Redact, name: &str, text: &str, is_cut: bool) -> Option<String> {
    Redacting { redact, depth: DEEPEST }.text(name, text, is_cut)
}

#[derive(Clone, Copy)]
struct Redacting<'r> {
    redact: &'r dyn Redact,
    /// How often JSON may still be looked for in a string.
    depth: usize,
}

impl Redacting<'_> {
    fn value(self, name: &str, value: &mut Value, is_cut: bool) -> bool {
        match value {
            Value::Null | Value::Bool(_) => false,
            Value::Number(number) => {
                let number = number.to_string();
                let is_long = number.len() >= SHORTEST_NUMBER;
                let redacted = is_long.then(|| self.redact.redact(name, &number, false)).flatten();
                replace(value, redacted)
            }
            Value::String(text) => {
                let redacted = self.text(name, text, is_cut);
                replace(value, redacted)
            }
            Value::Array(items) => {
                let last = items.len();
                let each =
                    (1..).zip(items).map(|(place, item)| self.value(name, item, is_cut && place == last));
                each.fold(false, |any, one| any | one)
            }
            Value::Object(fields) => {
                let last = fields.len();
                let each = (1..).zip(fields.iter_mut());
                let changed = each
                    .map(|(place, (name, value))| self.value(name, value, is_cut && place == last))
                    .fold(false, |any, one| any | one);
                self.names(fields, is_cut) || changed
            }
        }
    }

    fn names(self, fields: &mut serde_json::Map<String, Value>, is_cut: bool) -> bool {
        let last = fields.len();
        let redacted = |(place, (name, value)): (usize, (&String, &Value))| {
            // The document may have ended within the name.
            let is_cut = is_cut && place == last && value.is_null();
            self.text("", name, is_cut).map(|redacted| (name.clone(), redacted))
        };
        let changed: Vec<(String, String)> = (1..).zip(fields.iter()).filter_map(redacted).collect();
        for (name, redacted) in &changed {
            if let Some(value) = fields.remove(name) {
                fields.insert(redacted.clone(), value);
            }
        }
        !changed.is_empty()
    }

    fn text(self, name: &str, text: &str, is_cut: bool) -> Option<String> {
        if let Some(redacted) = self.document(text, is_cut) {
            return Some(redacted);
        }
        if text.contains('\\') {
            let meant = unescaped(text);
            if let Some(redacted) = self.redact.redact(name, &meant, is_cut) {
                return Some(redacted);
            }
        }
        self.redact.redact(name, text, is_cut)
    }

    /// A text that is a JSON document, if there is anything to be taken out of it as one.
    fn document(self, text: &str, is_cut: bool) -> Option<String> {
        let depth = self.depth.checked_sub(1)?;
        if !text.trim_start().starts_with(['{', '[']) {
            return None;
        }
        let text = if is_cut { Cow::Owned(closed(text)) } else { Cow::Borrowed(text) };
        let mut document: Value = serde_json::from_str(&text).ok()?;
        Self { depth, ..self }.value("", &mut document, is_cut).then(|| document.to_string())
    }
}

fn replace(value: &mut Value, by: Option<String>) -> bool {
    let Some(by) = by else { return false };
    *value = Value::String(by);
    true
}

/// A document that ends anywhere, with what is needed to make it one: the end of its last string, and of all that is open.
pub(super) fn closed(text: &str) -> String {
    let mut open = Vec::new();
    let (mut in_string, mut escape_at) = (false, None);
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if in_string => {
                // An escape is two bytes, or six.
                let length = if bytes.get(at + 1) == Some(&b'u') { 6 } else { 2 };
                escape_at = (at + length > bytes.len()).then_some(at);
                at += length - 1;
            }
            b'"' => in_string = !in_string,
            b'{' if !in_string => open.push('}'),
            b'[' if !in_string => open.push(']'),
            b'}' | b']' if !in_string => _ = open.pop(),
            _ => {}
        }
        at += 1;
    }
    let mut closed = text.get(..escape_at.unwrap_or(text.len())).unwrap_or(text).to_owned();
    if in_string {
        closed.push('"');
    } else {
        // Half a number or half a word says nothing; of an element that has not begun there is nothing.
        let end =
            closed.trim_end_matches(|byte: char| byte.is_ascii_alphanumeric() || "+-. \n\t\r".contains(byte));
        closed.truncate(end.trim_end_matches(',').len());
    }
    let in_object = open.last() == Some(&'}');
    if closed.ends_with(':') {
        closed.push_str("null");
    } else if in_object && closed.ends_with('"') && lacks_value(&closed) {
        closed.push_str(":null");
    }
    closed.extend(open.iter().rev());
    closed
}

/// Whether the string at the end of an unclosed object is a name.
fn lacks_value(text: &str) -> bool {
    let mut is_escaped = false;
    let mut begin = None;
    let mut last = None;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if begin.is_some() => is_escaped = true,
            b'"' if begin.is_some() => last = begin.take(),
            b'"' => begin = Some(at),
            _ => {}
        }
    }
    let before = text.get(..last.unwrap_or(0)).unwrap_or_default().trim_end();
    before.ends_with(['{', ','])
}

/// A text with the escapes of JSON read as what they stand for. What is no escape stays.
fn unescaped(text: &str) -> String {
    let mut meant = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        meant.push_str(before);
        let (character, length) = match escape.as_bytes().get(1) {
            Some(b'n') => ('\n', 2),
            Some(b't') => ('\t', 2),
            Some(b'r') => ('\r', 2),
            Some(b'"') => ('"', 2),
            Some(b'/') => ('/', 2),
            Some(b'\\') => ('\\', 2),
            Some(b'u') => unicode(escape).map_or(('\\', 1), |character| (character, 6)),
            _ => ('\\', 1),
        };
        let _written = meant.write_char(character);
        rest = escape.get(length..).unwrap_or_default();
    }
    meant + rest
}

fn unicode(escape: &str) -> Option<char> {
    char::from_u32(u32::from_str_radix(escape.get(2..6)?, 16).ok()?)
}

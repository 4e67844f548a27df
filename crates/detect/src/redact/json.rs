//! Takes matches out of the strings of a JSON document, and leaves every other byte as it is.

use std::ops::Range;

use crate::secrets::is_secret_name;
use crate::text::TextDetector;
use crate::text::kind::Kind;

/// The document with a mark in the place of every match inside its strings, names included; none if there is no match.
///
/// Matches are found behind escapes, and a value is judged with its name before it, as in a text. Numbers stay: a mark
/// would change their type. What is not made like JSON is redacted as a text.
#[must_use]
pub fn redact_json(detector: &TextDetector, document: &str) -> Option<String> {
    let Some(strings) = strings(document) else { return detector.redact(document) };
    let mut redacted = String::new();
    let mut kept_from = 0;
    let mut name = "";
    for inside in strings {
        let text = document.get(inside.clone()).unwrap_or_default();
        let after = document.get(inside.end + 1..).unwrap_or_default().trim_start();
        let is_name = after.starts_with(':');
        for (range, kind) in matches(detector, name, text) {
            redacted.push_str(document.get(kept_from..inside.start + range.start).unwrap_or_default());
            redacted.push_str(kind.mark());
            kept_from = inside.start + range.end;
        }
        name = if is_name { text } else { "" };
    }
    (kept_from > 0).then(|| redacted + document.get(kept_from..).unwrap_or_default())
}

/// What stands between the quotes of every string; none if the document has something that no JSON has.
pub(crate) fn strings(document: &str) -> Option<Vec<Range<usize>>> {
    let bytes = document.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let end = at + 1 + string_length(bytes.get(at + 1..)?)?;
                found.push(at + 1..end);
                at = end;
            }
            b'{' | b'}' | b'[' | b']' | b':' | b',' | b' ' | b'\t' | b'\n' | b'\r' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' | b'E' => {}
            // The letters of true, false, null and of an exponent.
            b't' | b'r' | b'u' | b'e' | b'f' | b'a' | b'l' | b's' | b'n' => {}
            _ => return None,
        }
        at += 1;
    }
    Some(found)
}

/// How long the string is up to its closing quote, if it has one and no raw line end before.
fn string_length(inside: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', inside.get(at..)?)?;
        match inside.get(at)? {
            b'"' => return Some(at),
            _ => at += 2,
        }
    }
}

/// The matches in a string as it is written, by their places there.
fn matches(detector: &TextDetector, name: &str, written: &str) -> Vec<(Range<usize>, Kind)> {
    let mut found = Vec::new();
    let named = is_secret_name(name);
    if !named && !written.contains('\\') {
        detector.scan(written, |one| found.push((one.range, one.kind)));
    } else {
        let lead = if named { format!("{name}\": \"") } else { String::new() };
        let (text, places) = unescape(written);
        let text = format!("{lead}{text}{}", if named { "\"" } else { "" });
        detector.scan(&text, |one| {
            let start = places.get(one.range.start.saturating_sub(lead.len()));
            let end = one
                .range
                .end
                .checked_sub(lead.len())
                .map(|end| places.get(end).copied().unwrap_or(written.len()));
            if let (Some(start), Some(end)) = (start, end.filter(|end| *end > 0)) {
                found.push((*start..end, one.kind));
            }
        });
    }
    found.retain(|(_, kind)| *kind != Kind::Injection);
    match whole(detector, name, written) {
        // In a text a value ends at any quote; here it is known where it does.
        Some(kind) if !found.iter().any(|(range, _)| *range == (0..written.len())) => {
            vec![(0..written.len(), kind)]
        }
        _ => found,
    }
}

/// What all of a value is by its name. Of credentials only what stands behind their scheme is taken out.
fn whole(detector: &TextDetector, name: &str, written: &str) -> Option<Kind> {
    let kind = is_secret_name(name).then(|| detector.named(name, &unescape(written).0))??;
    (kind != Kind::Authorization).then_some(kind)
}

/// The text that a JSON string stands for, and for each of its bytes where the character is written that it belongs to.
pub(crate) fn unescape(written: &str) -> (String, Vec<usize>) {
    let mut text = String::with_capacity(written.len());
    let mut places = Vec::with_capacity(written.len() + 1);
    let mut rest = written;
    while let Some(first) = rest.chars().next() {
        let (character, length) = if first == '\\' { escape(rest) } else { (first, first.len_utf8()) };
        text.push(character);
        places.resize(text.len(), written.len() - rest.len());
        rest = rest.get(length..).unwrap_or_default();
    }
    places.push(written.len());
    (text, places)
}

/// The character that an escape stands for, and how long the escape is. What is no escape stands for itself.
fn escape(rest: &str) -> (char, usize) {
    match rest.as_bytes() {
        [_, b'n', ..] => ('\n', 2),
        [_, b't', ..] => ('\t', 2),
        [_, b'r', ..] => ('\r', 2),
        [_, b'b', ..] => ('\u{8}', 2),
        [_, b'f', ..] => ('\u{c}', 2),
        [_, quoted @ (b'"' | b'\\' | b'/'), ..] => (char::from(*quoted), 2),
        [_, b'u', ..] => unicode_escape(rest).unwrap_or(('\\', 1)),
        _ => ('\\', 1),
    }
}

/// `\u0041`, or the two halves of a character beyond the first plane.
fn unicode_escape(rest: &str) -> Option<(char, usize)> {
    let unit = |from: usize| {
        let digits = rest.get(from..from + 6)?.strip_prefix("\\u")?;
        u32::from_str_radix(digits, 16).ok()
    };
    let first = unit(0)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6));
    }
    let second = unit(6).filter(|second| (0xdc00..0xe000).contains(second));
    let joined =
        second.and_then(|second| char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)));
    Some(joined.map_or((char::REPLACEMENT_CHARACTER, 6), |character| (character, 12)))
}

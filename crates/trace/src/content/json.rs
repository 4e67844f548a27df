//! Every text in a JSON document: strings, names and numbers, also in JSON that is itself a string, and in a document whose
//! end is missing.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Write;

use super::Redact;
use super::transcribe::{Edit, Kind, transcribe};

/// How often JSON is looked for in strings of JSON: messages hold arguments, arguments hold documents.
const DEEPEST: usize = 4;
/// Numbers with fewer digits are no secret and name nobody.
const SHORTEST_NUMBER: usize = 6;

/// Writes a document to the end of `out`, without what may not be written down. `false` when the text is no document. With
/// `is_cut` its last text lacks its end.
pub(super) fn write(redact: Option<&dyn Redact>, text: &str, is_cut: bool, out: &mut String) -> bool {
    let text = if is_cut { Cow::Owned(closed(text)) } else { Cow::Borrowed(text) };
    match redact {
        Some(redact) => Redacting::new(redact, DEEPEST).document("", &text, is_cut, out),
        None => transcribe(&AsItIs, "", &text, out),
    }
    .is_some()
}

/// Redacts one text, also where it is a JSON document, or has escapes as in one.
pub(super) fn text(redact: &dyn Redact, text: &str, is_cut: bool) -> Option<String> {
    Redacting::new(redact, DEEPEST).text("", text, is_cut)
}

struct AsItIs;

impl Edit for AsItIs {
    fn edit(&self, _kind: Kind, _name: &str, _text: &str) -> Option<String> {
        None
    }
}

/// Counts the texts of a document.
#[derive(Default)]
struct Counting(Cell<usize>);

impl Edit for Counting {
    fn edit(&self, kind: Kind, _name: &str, _text: &str) -> Option<String> {
        self.0.set(self.0.get() + usize::from(kind != Kind::Number));
        None
    }
}

struct Redacting<'r> {
    redact: &'r dyn Redact,
    /// How often JSON may still be looked for in a string.
    depth: usize,
    /// How many texts there are up to the one that lacks its end; those to come are counted down. 0 when none does.
    up_to_cut: Cell<usize>,
}

impl<'r> Redacting<'r> {
    fn new(redact: &'r dyn Redact, depth: usize) -> Self {
        Self { redact, depth, up_to_cut: Cell::default() }
    }

    /// Writes a document without what may not be written down; says whether that was anything. Which of its texts is the
    /// last, and may lack its end, shows only when all of it was read.
    fn document(&self, name: &str, text: &str, is_cut: bool, out: &mut String) -> Option<bool> {
        if is_cut {
            let counting = Counting::default();
            transcribe(&counting, name, text, &mut String::new())?;
            self.up_to_cut.set(counting.0.get());
        }
        transcribe(self, name, text, out)
    }

    fn text(&self, name: &str, text: &str, is_cut: bool) -> Option<String> {
        if let Some(redacted) = self.inner_document(text, is_cut) {
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
    fn inner_document(&self, text: &str, is_cut: bool) -> Option<String> {
        let depth = self.depth.checked_sub(1)?;
        if !text.trim_start().starts_with(['{', '[']) {
            return None;
        }
        let text = if is_cut { Cow::Owned(closed(text)) } else { Cow::Borrowed(text) };
        let mut written = String::with_capacity(text.len());
        let is_edited = Redacting::new(self.redact, depth).document("", &text, is_cut, &mut written)?;
        is_edited.then_some(written)
    }
}

impl Edit for Redacting<'_> {
    fn edit(&self, kind: Kind, name: &str, text: &str) -> Option<String> {
        if kind == Kind::Number {
            return (text.len() >= SHORTEST_NUMBER).then(|| self.redact.redact(name, text, false)).flatten();
        }
        let left = self.up_to_cut.get();
        self.up_to_cut.set(left.saturating_sub(1));
        self.text(name, text, left == 1)
    }
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

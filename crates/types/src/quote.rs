//! Strings of JSON, written fast: what needs no escape is passed over by sixteen bytes.
//!
//! The same bytes as `serde_json` writes, which looks at each byte by itself. Reading JSON is not done here.

/// How many bytes are looked at together.
const LANES: usize = 16;

/// What the control characters are written as.
const CONTROLS: [&str; 0x20] = [
    "\\u0000", "\\u0001", "\\u0002", "\\u0003", "\\u0004", "\\u0005", "\\u0006", "\\u0007", "\\b", "\\t",
    "\\n", "\\u000b", "\\f", "\\r", "\\u000e", "\\u000f", "\\u0010", "\\u0011", "\\u0012", "\\u0013",
    "\\u0014", "\\u0015", "\\u0016", "\\u0017", "\\u0018", "\\u0019", "\\u001a", "\\u001b", "\\u001c",
    "\\u001d", "\\u001e", "\\u001f",
];

/// Writes `text` as a JSON string, quotes included, piece by piece.
pub fn quote(text: &str, mut push: impl FnMut(&str)) {
    push("\"");
    let mut rest = text;
    // What ends a plain stretch is ASCII, so no character is ever split.
    while let Some((plain, after)) = rest.split_at_checked(plain_length(rest.as_bytes())) {
        push(plain);
        let Some(special) = after.bytes().next() else { break };
        push(match special {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            control => CONTROLS.get(usize::from(control)).copied().unwrap_or_default(),
        });
        rest = after.get(1..).unwrap_or_default();
    }
    push("\"");
}

/// How many bytes at the start of `rest` are neither a quote, a backslash nor a control character.
fn plain_length(rest: &[u8]) -> usize {
    // Without leaving early inside a chunk, so that the compiler compares all of it at once.
    let is_plain = |chunk: &[u8; LANES]| !chunk.iter().fold(false, |found, byte| found | is_special(*byte));
    let (chunks, _) = rest.as_chunks::<LANES>();
    let plain = LANES * chunks.iter().take_while(|chunk| is_plain(chunk)).count();
    let behind = rest.get(plain..).unwrap_or_default();
    plain + behind.iter().position(|byte| is_special(*byte)).unwrap_or(behind.len())
}

/// Whether a byte ends a plain stretch.
const fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quoted(text: &str) -> String {
        let mut out = String::new();
        quote(text, |piece| out.push_str(piece));
        out
    }

    #[test]
    fn every_character_is_written_as_serde_writes_it() {
        for character in (0..0x3000).filter_map(char::from_u32) {
            let text = format!("a{character}b");
            assert_eq!(quoted(&text), serde_json::to_string(&text).unwrap());
        }
    }

    proptest! {
        /// Long enough for chunks, with what needs an escape in every place of one.
        #[test]
        fn texts_are_written_as_serde_writes_them(text in "([a-zé ]{0,70}[\"\\\\\n\u{0}-\u{1f}\u{7f}]?){0,8}") {
            prop_assert_eq!(quoted(&text), serde_json::to_string(&text).unwrap());
        }
    }
}

//! One layer of encoding taken off a path.

/// What a path reads as for a program that decodes once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    /// The bytes; they need not be UTF-8 (an overlong form is not).
    pub(super) bytes: Vec<u8>,
    /// Whether something was encoded that never needs it: a letter, a digit, a dot, a separator, a control character.
    pub(super) disguised: bool,
}

/// Decodes `%2e` and `%u002e`, once. `None` when there is nothing to decode.
pub(super) fn percent_decoded(text: &str) -> Option<Decoded> {
    let mut rest = text.as_bytes();
    let mut decoded = Decoded { bytes: Vec::new(), disguised: false };
    let mut found = false;
    while let Some((&first, tail)) = rest.split_first() {
        rest = match (first == b'%').then(|| escape(tail)).flatten() {
            Some((character, length)) => {
                found = true;
                decoded.push(character);
                tail.get(length..).unwrap_or_default()
            }
            None => {
                decoded.bytes.push(first);
                tail
            }
        };
    }
    found.then_some(decoded)
}

/// What an escape stands for.
#[derive(Clone, Copy)]
enum Escape {
    Byte(u8),
    Character(char),
}

impl Decoded {
    fn push(&mut self, escape: Escape) {
        match escape {
            Escape::Byte(byte) => {
                self.disguised |= needs_no_encoding(byte);
                self.bytes.push(byte);
            }
            Escape::Character(character) => {
                // No writer of today encodes like this; only old servers read it.
                self.disguised = true;
                self.bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }
}

/// RFC 3986, section 2.3 (a producer does not encode these), and what has no place inside a name.
fn needs_no_encoding(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~/\\".contains(&byte) || byte.is_ascii_control()
}

/// The escape that follows a `%`, and its length without it.
fn escape(after: &[u8]) -> Option<(Escape, usize)> {
    match after {
        [b'u' | b'U', a, b, c, d, ..] => {
            let code =
                [*a, *b, *c, *d].into_iter().try_fold(0, |sum: u32, digit| Some(sum * 16 + hex(digit)?))?;
            Some((Escape::Character(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)), 5))
        }
        [high, low, ..] => {
            let value = hex(*high)? * 16 + hex(*low)?;
            Some((Escape::Byte(u8::try_from(value).ok()?), 2))
        }
        _ => None,
    }
}

fn hex(digit: u8) -> Option<u32> {
    char::from(digit).to_digit(16)
}

/// Ways to write dots and separators that only some programs read: a name may hold them, so only what they would make of
/// the whole path counts.
const LOOSE: [(&str, &str); 15] = [
    ("0x2e", "."),
    ("0x2f", "/"),
    ("0x5c", "/"),
    ("&#46;", "."),
    ("&#47;", "/"),
    ("&#92;", "/"),
    ("&#x2e;", "."),
    ("&#x2f;", "/"),
    ("&#x5c;", "/"),
    ("&period;", "."),
    ("&sol;", "/"),
    ("&bsol;", "/"),
    ("+AC4-", "."),
    ("+AC8-", "/"),
    ("+AFw-", "/"),
];

/// The path with all loose spellings replaced. `None` when it holds none.
pub(super) fn loosely_decoded(text: &str) -> Option<String> {
    let begins_one = |pair: &[u8]| matches!(pair, [b'&' | b'+', _] | [b'0', b'x' | b'X']);
    if !text.as_bytes().windows(2).any(begins_one) {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let spelling = LOOSE.iter().find(|(spelling, _)| begins_with(rest, spelling));
        let (piece, length) = match spelling {
            Some((spelling, meaning)) => (*meaning, spelling.len()),
            None => (rest.get(..first.len_utf8()).unwrap_or_default(), first.len_utf8()),
        };
        out.push_str(piece);
        rest = rest.get(length..).unwrap_or_default();
    }
    (out != text).then_some(out)
}

fn begins_with(text: &str, start: &str) -> bool {
    text.as_bytes().get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Option<(Vec<u8>, bool)> {
        percent_decoded(text).map(|decoded| (decoded.bytes, decoded.disguised))
    }

    #[test]
    fn one_layer_is_taken_off() {
        for (text, bytes, disguised) in [
            ("%2e%2E", &b".."[..], true),
            ("%252e", b"%2e", false),
            ("a%20b", b"a b", false),
            ("100%25", b"100%", false),
            ("%c3%a9", "é".as_bytes(), false),
            ("%c0%ae", b"\xc0\xae", false),
            ("%u002e", b".", true),
            ("%u2215", "∕".as_bytes(), true),
            ("%%32%65", b"%2e", true),
            ("%41", b"A", true),
            ("%00", b"\0", true),
        ] {
            assert_eq!(decoded(text), Some((bytes.to_vec(), disguised)), "{text}");
        }
    }

    #[test]
    fn a_percent_sign_that_begins_no_escape_is_itself() {
        for text in ["100%", "50%.txt", "%", "%2", "%zz", "%u12", "a"] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }

    #[test]
    fn loose_spellings_are_read_as_some_programs_do() {
        assert_eq!(loosely_decoded("..0x2f..0X2Fetc").as_deref(), Some("../../etc"));
        assert_eq!(loosely_decoded("&#46;&#x2E;&sol;é").as_deref(), Some("../é"));
        assert_eq!(loosely_decoded("a & b + c"), None);
    }
}

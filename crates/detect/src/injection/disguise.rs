//! Takes off what orders to a model are dressed in: base64, hexadecimal digits, percent signs, escapes, letters apart. Only
//! what looks the part is looked at, and once; what comes out is judged like any text.
//!
//! What is not known: other codes (Morse, ascii85, ciphers but rot13), and what is dressed twice.

use std::ops::Range;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use memchr::memmem;

use crate::text::alphabet::Alphabet;

/// So much of a piece is undressed: an order stands at the beginning.
const LONGEST: usize = 2 * 1024;
/// Fewer characters are no order.
const SHORTEST: usize = 24;
/// So many characters tell whether it is worth going on.
const LOOK: usize = 16;
/// Of letters that stand apart these words are looked for.
const WORDS_APART: [&str; 6] =
    ["ignore", "disregard", "forgetall", "instruction", "systemprompt", "override"];
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The piece of base64 or of hexadecimal digits around `at`: where it ends, and what it says if it is a text.
pub(super) fn decoded(text: &[u8], at: usize) -> (Range<usize>, Option<String>) {
    let left = text.get(at.saturating_sub(LONGEST)..at).unwrap_or_default();
    let start = at - Alphabet::BASE64.run_back(left);
    let end = at + Alphabet::BASE64.run(text.get(at..).unwrap_or_default());
    let piece = text.get(start..end.min(start + LONGEST)).unwrap_or_default();
    let plain =
        if piece.len() < SHORTEST { None } else { from_hexadecimal(piece).or_else(|| from_base64(piece)) };
    (start..end, plain)
}

fn from_base64(piece: &[u8]) -> Option<String> {
    let look = LENIENT.decode(piece.get(..LOOK)?).ok()?;
    if !reads_well(&look) {
        return None;
    }
    let whole = piece.get(..piece.len() - piece.len() % 4)?;
    readable(LENIENT.decode(whole).ok()?)
}

fn from_hexadecimal(piece: &[u8]) -> Option<String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    let bytes = |digits: &[u8]| digits.as_chunks().0.iter().map(byte).collect::<Option<Vec<u8>>>();
    let look = bytes(piece.get(..LOOK)?)?;
    if !reads_well(&look) {
        return None;
    }
    readable(bytes(piece)?)
}

fn readable(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok().filter(|text| reads_well(text.as_bytes()) && text.contains(' '))
}

/// Whether this is what people write: letters and spaces, and little else.
fn reads_well(bytes: &[u8]) -> bool {
    let words = bytes.iter().filter(|byte| byte.is_ascii_alphabetic() || **byte == b' ').count();
    bytes.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
        && words * 10 >= bytes.len() * 8
}

/// What was written with percent signs (RFC 3986 §2.1) or with the escapes of JSON, piece by piece.
pub(super) fn unescaped(text: &str, mut each: impl FnMut(Range<usize>, String)) {
    for sign in ["%20", "\\u00"] {
        let mut from = 0;
        while let Some(at) = text.get(from..).and_then(|rest| memmem::find(rest.as_bytes(), sign.as_bytes()))
        {
            let at = from + at;
            let before = text.get(..at).unwrap_or_default();
            let begin = at
                - before.bytes().rev().take(LONGEST).take_while(|byte| !byte.is_ascii_whitespace()).count();
            let start = text.floor_char_boundary(begin.max(from));
            let rest = text.get(start..).unwrap_or_default();
            let end = start + rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len());
            let piece =
                text.get(start..text.floor_char_boundary(end.min(start + LONGEST))).unwrap_or_default();
            each(start..end, if sign == "%20" { from_percent(piece) } else { from_escapes(piece) });
            from = end.max(at + sign.len());
        }
    }
}

fn from_percent(piece: &str) -> String {
    percent(piece, '%', 2)
}

fn from_escapes(piece: &str) -> String {
    piece
        .split("\\u00")
        .enumerate()
        .map(|(index, part)| if index == 0 { part.to_owned() } else { percent(&format!("%{part}"), '%', 2) })
        .collect()
}

/// The text with each sign and the hexadecimal digits behind it replaced by the character of that number.
fn percent(piece: &str, sign: char, digits: usize) -> String {
    let mut plain = String::with_capacity(piece.len());
    let mut parts = piece.split(sign);
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let number = part.get(..digits).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match number {
            Some(number) => {
                plain.push(char::from(number));
                plain.push_str(part.get(digits..).unwrap_or_default());
            }
            None => plain.push_str(part),
        }
    }
    plain
}

/// The letters that stand apart from each other from `at` on: where they end, and whether they make a word of an order.
pub(super) fn letters_apart(text: &[u8], at: usize) -> (Range<usize>, bool) {
    let mut word = String::new();
    let mut end = at;
    while let Some([letter, rest @ ..]) = text.get(end..)
        && letter.is_ascii_alphabetic()
        && word.len() < LONGEST
        && !rest.first().is_some_and(u8::is_ascii_alphabetic)
    {
        word.push(char::from(letter.to_ascii_lowercase()));
        end += 1 + rest.iter().take(3).take_while(|byte| !byte.is_ascii_alphanumeric()).count();
    }
    let found = WORDS_APART.iter().any(|wanted| word.contains(wanted));
    (at..end.max(at + 1), found)
}

//! Sets of bytes, as the detectors need them. No Unicode: a byte of a longer character is just "not ASCII".

const LOW_DIGIT: u32 = 1;
const DIGIT_2_TO_7: u32 = 1 << 1;
const LOWER_HEX: u32 = 1 << 2;
const LOWER: u32 = 1 << 3;
const UPPER_HEX: u32 = 1 << 4;
const UPPER: u32 = 1 << 5;
const DASH: u32 = 1 << 6;
const UNDERSCORE: u32 = 1 << 7;
const DOT: u32 = 1 << 8;
const PLUS: u32 = 1 << 9;
const SLASH: u32 = 1 << 10;
const EQUALS: u32 = 1 << 11;
const PERCENT: u32 = 1 << 12;
const TILDE: u32 = 1 << 13;
const COLON: u32 = 1 << 14;
const SPACE: u32 = 1 << 15;
const LINE: u32 = 1 << 16;
const BACKSLASH: u32 = 1 << 17;
const QUOTE: u32 = 1 << 18;
/// What stands in passwords and ends no word of code: `!@$*^`.
const PASSWORD: u32 = 1 << 19;
/// What comes between values: `,;&|`.
const BETWEEN: u32 = 1 << 20;
/// Brackets and angles.
const BRACKET: u32 = 1 << 21;
const QUERY: u32 = 1 << 22;
const FOREIGN: u32 = 1 << 23;
const FRAGMENT: u32 = 1 << 24;

const DIGITS: u32 = LOW_DIGIT | DIGIT_2_TO_7;
const LETTERS: u32 = LOWER_HEX | LOWER | UPPER_HEX | UPPER;

/// A set of bytes: one bit for each of the classes that it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Alphabet(u32);

impl Alphabet {
    pub(crate) const DIGIT: Self = Self(DIGITS);
    pub(crate) const HEX: Self = Self(DIGITS | LOWER_HEX | UPPER_HEX);
    pub(crate) const LOWER_HEX: Self = Self(DIGITS | LOWER_HEX);
    pub(crate) const ALPHANUMERIC: Self = Self(DIGITS | LETTERS);
    /// RFC 4648 §6, without padding.
    pub(crate) const BASE32: Self = Self(DIGIT_2_TO_7 | UPPER_HEX | UPPER);
    pub(crate) const UPPER_ALPHANUMERIC: Self = Self(DIGITS | UPPER_HEX | UPPER);
    /// RFC 4648 §4 with padding.
    pub(crate) const BASE64: Self = Self(DIGITS | LETTERS | PLUS | SLASH | EQUALS);
    /// RFC 4648 §5, without padding.
    pub(crate) const BASE64_URL: Self = Self(DIGITS | LETTERS | DASH | UNDERSCORE);
    pub(crate) const BASE64_URL_DOTTED: Self = Self(DIGITS | LETTERS | DASH | UNDERSCORE | DOT);
    /// The credentials of HTTP (`token68`, RFC 9110 §11.2).
    pub(crate) const TOKEN68: Self =
        Self(DIGITS | LETTERS | DASH | UNDERSCORE | DOT | PLUS | SLASH | EQUALS | TILDE);
    /// The local part of an address, as people have them; RFC 5321 allows more.
    pub(crate) const LOCAL_PART: Self = Self(DIGITS | LETTERS | DOT | UNDERSCORE | PERCENT | PLUS | DASH);
    /// What may stand at the end of a text that a match begins at: the local part of an address, the sign before a
    /// telephone number, the first letters of a key.
    pub(crate) const MATCH_BEGUN: Self =
        Self(DIGITS | LETTERS | DOT | UNDERSCORE | PERCENT | PLUS | DASH | BRACKET);
    pub(crate) const DOMAIN: Self = Self(DIGITS | LETTERS | DOT | DASH);
    pub(crate) const IP_V6: Self = Self(DIGITS | LOWER_HEX | UPPER_HEX | COLON | DOT);
    pub(crate) const BLANK: Self = Self(SPACE);
    /// The label of a PEM block.
    pub(crate) const LABEL: Self = Self(DIGITS | UPPER_HEX | UPPER | SPACE);
    /// The inside of a PEM block, also where it is quoted, escaped or put together in code.
    pub(crate) const PEM_BODY: Self =
        Self(DIGITS | LETTERS | PLUS | SLASH | EQUALS | SPACE | LINE | BACKSLASH | QUOTE | BETWEEN);
    /// What may come between the header of a PEM block and its first line.
    pub(crate) const PEM_GAP: Self = Self(SPACE | LINE | QUOTE | BETWEEN | PLUS);
    /// What a line holds.
    pub(crate) const LINE_TEXT: Self = Self(!(LINE | BACKSLASH));
    /// The name and the password before the host of a URL (RFC 3986 §3.2.1), and what people fail to escape there.
    pub(crate) const USER_INFO: Self = Self(!(SLASH | QUERY | SPACE | LINE | QUOTE | BACKSLASH | BRACKET));
    pub(crate) const WEBHOOK_PATH: Self = Self(DIGITS | LETTERS | SLASH | UNDERSCORE | DASH);
    /// A value between quotes.
    pub(crate) const QUOTED: Self = Self(!(LINE | QUOTE | BACKSLASH));
    /// A value without quotes.
    pub(crate) const BARE: Self = Self(!(SPACE | LINE | QUOTE | BACKSLASH | BRACKET | BETWEEN));
    /// What a name of a value is written with.
    pub(crate) const NAME: Self = Self(DIGITS | LETTERS | DASH | UNDERSCORE | DOT | SPACE);

    /// Whether the byte is of this alphabet.
    pub(crate) fn has(self, byte: u8) -> bool {
        CLASSES.get(usize::from(byte)).is_some_and(|class| class & self.0 != 0)
    }

    /// How many bytes at the beginning are of this alphabet.
    pub(crate) fn run(self, bytes: &[u8]) -> usize {
        bytes.iter().position(|byte| !self.has(*byte)).unwrap_or(bytes.len())
    }

    /// How many bytes at the end are of this alphabet.
    pub(crate) fn run_back(self, bytes: &[u8]) -> usize {
        bytes.iter().rev().position(|byte| !self.has(*byte)).unwrap_or(bytes.len())
    }
}

const CLASSES: [u32; 256] = classes();

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "evaluated while compiling")]
const fn classes() -> [u32; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = class(byte as u8);
        byte += 1;
    }
    classes
}

const fn class(byte: u8) -> u32 {
    match byte {
        b'0' | b'1' | b'8' | b'9' => LOW_DIGIT,
        b'2'..=b'7' => DIGIT_2_TO_7,
        b'a'..=b'f' => LOWER_HEX,
        b'g'..=b'z' => LOWER,
        b'A'..=b'F' => UPPER_HEX,
        b'G'..=b'Z' => UPPER,
        b'-' => DASH,
        b'_' => UNDERSCORE,
        b'.' => DOT,
        b'+' => PLUS,
        b'/' => SLASH,
        b'=' => EQUALS,
        b'%' => PERCENT,
        b'~' => TILDE,
        b':' => COLON,
        b' ' | b'\t' => SPACE,
        b'\n' | b'\r' => LINE,
        b'\\' => BACKSLASH,
        b'"' | b'\'' | b'`' => QUOTE,
        b'!' | b'@' | b'$' | b'*' | b'^' => PASSWORD,
        b',' | b';' | b'&' | b'|' => BETWEEN,
        b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'<' | b'>' => BRACKET,
        b'?' => QUERY,
        b'#' => FRAGMENT,
        0..=0x1f | 0x7f => LINE,
        0x80..=0xff => FOREIGN,
    }
}

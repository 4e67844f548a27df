//! The forms that data can take on its way: as it is, and encoded.

use super::SHORTEST;

/// How something is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As it was read, but for case and white space.
    Plain,
    /// With `\n`, `\"`, `\u00e9`.
    Escaped,
    /// With `%20`.
    Percent,
    /// In hexadecimal digits.
    Hexadecimal,
    /// In base64, of either alphabet.
    Base64,
}

impl Form {
    pub(super) fn says(self) -> &'static str {
        match self {
            Self::Plain => "as it is",
            Self::Escaped => "with escapes",
            Self::Percent => "with percent encoding",
            Self::Hexadecimal => "in hexadecimal",
            Self::Base64 => "in base64",
        }
    }
}

/// So many layers are taken off: base64 within JSON is usual, more is not.
const LAYERS: usize = 2;

/// Calls `look` with the bytes in every form that they can be read as, until it finds something. The form is the
/// outermost one.
pub(super) fn each_form<T>(bytes: &[u8], mut look: impl FnMut(Form, &[u8]) -> Option<T>) -> Option<T> {
    look(Form::Plain, bytes).or_else(|| decoded(bytes, LAYERS, None, &mut look))
}

fn decoded<T>(
    bytes: &[u8],
    layers: usize,
    outer: Option<Form>,
    look: &mut dyn FnMut(Form, &[u8]) -> Option<T>,
) -> Option<T> {
    if layers == 0 {
        return None;
    }
    let mut try_one = |form: Form, bytes: &[u8]| {
        let form = outer.unwrap_or(form);
        look(form, bytes).or_else(|| decoded(bytes, layers - 1, Some(form), look))
    };
    let escaped = bytes.contains(&b'\\').then(|| unescaped(bytes));
    if let Some(found) = escaped.and_then(|bytes| try_one(Form::Escaped, &bytes)) {
        return Some(found);
    }
    let percent = bytes.contains(&b'%').then(|| unpercented(bytes));
    if let Some(found) = percent.and_then(|bytes| try_one(Form::Percent, &bytes)) {
        return Some(found);
    }
    hexadecimal(bytes, &mut |bytes| try_one(Form::Hexadecimal, bytes))
        .or_else(|| base64(bytes, &mut |bytes| try_one(Form::Base64, bytes)))
}

/// JSON's escapes (RFC 8259, section 7); a surrogate pair becomes what each half alone is not, nothing.
fn unescaped(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        rest = match (first, after) {
            (b'\\', [b'u', a, b, c, d, after @ ..]) => {
                let code = [*a, *b, *c, *d].iter().try_fold(0, |sum, digit| Some(sum * 16 + hex(*digit)?));
                if let Some(character) = code.and_then(char::from_u32) {
                    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                after
            }
            (b'\\', [b'b' | b'f' | b'n' | b'r' | b't', after @ ..]) => {
                out.push(b' ');
                after
            }
            (b'\\', [character, after @ ..]) => {
                out.push(*character);
                after
            }
            _ => {
                out.push(first);
                after
            }
        };
    }
    out
}

/// Percent encoding (RFC 3986, section 2.1), with `+` for a space as forms have it.
fn unpercented(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        let encoded = match (first, after) {
            (b'%', [high, low, ..]) => byte(*high, *low),
            _ => None,
        };
        out.push(encoded.unwrap_or(if first == b'+' { b' ' } else { first }));
        rest = if encoded.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    out
}

/// Every run of hexadecimal digits that is long enough, from both of its first digits on.
fn hexadecimal<T>(bytes: &[u8], look: &mut dyn FnMut(&[u8]) -> Option<T>) -> Option<T> {
    runs(bytes, |byte| byte.is_ascii_hexdigit(), SHORTEST * 2).find_map(|run| {
        (0..2).find_map(|start| {
            let pairs = run.get(start..)?.chunks_exact(2);
            let decoded: Vec<u8> = pairs
                .filter_map(|pair| match pair {
                    [high, low] => byte(*high, *low),
                    _ => None,
                })
                .collect();
            look(&decoded)
        })
    })
}

/// Every run of base64 (RFC 4648, sections 4 and 5) that is long enough, from each of its first four digits on: what is
/// cut out of a longer one may begin anywhere.
fn base64<T>(bytes: &[u8], look: &mut dyn FnMut(&[u8]) -> Option<T>) -> Option<T> {
    runs(bytes, |byte| sextet(byte).is_some(), SHORTEST * 4 / 3).find_map(|run| {
        (0..4).find_map(|start| {
            let quads = run.get(start..)?.chunks(4);
            let decoded: Vec<u8> = quads.flat_map(three_bytes).collect();
            look(&decoded)
        })
    })
}

fn three_bytes(quad: &[u8]) -> impl Iterator<Item = u8> {
    let bits = quad.iter().fold(0, |bits, digit| bits << 6 | u32::from(sextet(*digit).unwrap_or(0)));
    let bits = bits << (6 * (4 - quad.len()));
    let whole = quad.len() * 6 / 8;
    bits.to_be_bytes().into_iter().skip(1).take(whole)
}

fn sextet(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// Runs of such bytes with at least so many of them. The ends of lines don't break a run: encoders wrap.
fn runs(bytes: &[u8], belongs: impl Fn(u8) -> bool + Copy, least: usize) -> impl Iterator<Item = Vec<u8>> {
    bytes
        .split(move |byte| !belongs(*byte) && !matches!(byte, b'\r' | b'\n'))
        .filter(move |run| run.len() >= least)
        .map(move |run| run.iter().copied().filter(|byte| belongs(*byte)).collect::<Vec<u8>>())
        .filter(move |run| run.len() >= least)
}

fn byte(high: u8, low: u8) -> Option<u8> {
    u8::try_from(hex(high)? * 16 + hex(low)?).ok()
}

fn hex(digit: u8) -> Option<u32> {
    char::from(digit).to_digit(16)
}

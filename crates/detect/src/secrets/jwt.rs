//! JSON web tokens (RFC 7519): three parts or more, of which the first is JSON that names its algorithm.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use crate::text::alphabet::Alphabet;
use crate::text::kind::Kind;
use crate::text::window::{Hit, Judged, Tail, Window};

/// No part is waited for longer than this. A token that goes on past it is one already and is swallowed to its end.
const LONGEST_PART: usize = 8 * 1024;
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The token whose `eyJ` has its `J` at `at`.
pub(crate) fn judge(window: &Window<'_>, at: usize) -> Judged {
    let Some(start) = at.checked_sub(2).filter(|_| window.left(at, 2) == b"ey") else { return Ok(None) };
    if window.before(start).is_some_and(|byte| matches!(byte, b'-' | b'_')) || !window.starts_word(start) {
        return Ok(None);
    }
    let header_end = window.run(start, Alphabet::BASE64_URL, LONGEST_PART)?;
    let header = window.slice(start, header_end);
    if header.len() == LONGEST_PART {
        return Ok(names_an_algorithm(header).then_some(endless(start, header_end)));
    }
    if window.peek(header_end)? != Some(b'.') || !names_an_algorithm(header) {
        return Ok(None);
    }
    let payload = header_end + 1;
    let payload_end = window.run(payload, Alphabet::BASE64_URL, LONGEST_PART)?;
    if payload_end - payload == LONGEST_PART {
        return Ok(Some(endless(start, payload_end)));
    }
    if window.peek(payload_end)? != Some(b'.') {
        return Ok(None);
    }
    Ok(Some(endless(start, payload_end)))
}

/// Certain; the parts that follow are swallowed, also the five of an encrypted token (RFC 7516 §7.1).
const fn endless(start: usize, end: usize) -> Hit {
    Hit { start, end, kind: Kind::Jwt, tail: Tail::Parts }
}

/// Whether this is the base64 of a JSON object with a member `alg`.
fn names_an_algorithm(header: &[u8]) -> bool {
    // Whole groups of four: a header that was cut off is read as far as it goes.
    let whole = header.get(..header.len() - header.len() % 4).unwrap_or_default();
    let text = if header.len() == LONGEST_PART { LENIENT.decode(whole) } else { LENIENT.decode(header) };
    text.is_ok_and(|text| text.starts_with(b"{") && text.windows(5).any(|here| here == b"\"alg\""))
}

/// How far the parts go on from `from`: a dot belongs to them if another part follows. And whether they end there.
pub(crate) fn tail(window: &Window<'_>, from: usize) -> (usize, bool) {
    let mut end = from;
    loop {
        end += Alphabet::BASE64_URL.run(window.bytes.get(end..).unwrap_or_default());
        match (window.peek(end), window.peek(end + 1)) {
            (Ok(Some(b'.')), Ok(Some(next))) if Alphabet::BASE64_URL.has(next) => end += 1,
            (Err(_), _) | (Ok(Some(b'.')), Err(_)) => return (end, false),
            _ => return (end, true),
        }
    }
}

/// Where the letters stand that end at `at` and could be followed by the anchor.
pub(crate) fn begun(window: &Window<'_>, at: usize) -> usize {
    match window.left(at, 2) {
        b"ey" => at - 2,
        [.., b'e'] => at - 1,
        _ => at,
    }
}

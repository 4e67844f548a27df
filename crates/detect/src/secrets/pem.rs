//! Private keys in PEM (RFC 7468), OpenSSH's and PGP's armour included: the whole block, also where it is quoted,
//! escaped, or put together in code.

use crate::text::alphabet::Alphabet;
use crate::text::kind::Kind;
use crate::text::window::{Hit, Judged, Open, Tail, Window};

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
const LONGEST_LABEL: usize = 64;
/// Spaces, line ends, quotes and plus signs between the header and the first line.
const LONGEST_GAP: usize = 64;
/// `Proc-Type`, `DEK-Info`, `Version`, `Comment` … (RFC 1421 §4.6, RFC 4880 §6.2).
const MOST_HEADERS: usize = 6;
const LONGEST_HEADER: usize = 256;
/// The first line of a body has 64 characters or more; a shorter one stands in no key.
const LEAST_BODY: usize = 20;

/// The private key that begins at `at`.
///
/// It is one as soon as its body has begun. What follows is swallowed without being kept, to the line that ends the block;
/// where none comes, to the first byte that no body holds: a key that was cut off must not be shown either.
pub(crate) fn judge(window: &Window<'_>, at: usize) -> Judged {
    if !window.stands(at, BEGIN)? {
        return Ok(None);
    }
    let label = at + BEGIN.len();
    let label_end = window.run(label, Alphabet::LABEL, LONGEST_LABEL)?;
    let private = window.slice(label, label_end).windows(11).any(|here| here == b"PRIVATE KEY");
    if !private || !window.stands(label_end, DASHES)? {
        return Ok(None);
    }
    let body = body(window, label_end + DASHES.len())?;
    Ok(body.map(|end| Hit { start: at, end, kind: Kind::PrivateKey, tail: Tail::Pem }))
}

/// Where the body is known to be one, if there is any after the headers.
fn body(window: &Window<'_>, mut at: usize) -> Result<Option<usize>, Open> {
    for _ in 0..=MOST_HEADERS {
        at = gap(window, at)?;
        let end = window.run(at, Alphabet::BASE64, LEAST_BODY)?;
        if end - at == LEAST_BODY {
            return Ok(Some(end));
        }
        let name_end = window.run(at, Alphabet::BASE64_URL, LEAST_BODY)?;
        if name_end == at || !window.stands(name_end, b": ")? {
            return Ok(None);
        }
        at = window.run(name_end, Alphabet::LINE_TEXT, LONGEST_HEADER)?;
    }
    Ok(None)
}

/// Past line ends, real or escaped, quotes and what else puts strings together.
fn gap(window: &Window<'_>, from: usize) -> Result<usize, Open> {
    let mut at = from;
    while at - from < LONGEST_GAP {
        match window.peek(at)? {
            Some(b'\\') => {
                at += 1 + usize::from(window.peek(at + 1)?.is_some_and(|byte| b"nrt".contains(&byte)))
            }
            Some(byte) if Alphabet::PEM_GAP.has(byte) => at += 1,
            _ => break,
        }
    }
    Ok(at)
}

/// How far the body goes on from `from`, and whether it ends there.
pub(crate) fn tail(window: &Window<'_>, from: usize) -> (usize, bool) {
    let at = from + Alphabet::PEM_BODY.run(window.bytes.get(from..).unwrap_or_default());
    match footer(window, at) {
        Ok(end) => (end.unwrap_or(at), true),
        Err(_) => (at, false),
    }
}

/// Where the line ends that ends the block.
fn footer(window: &Window<'_>, at: usize) -> Result<Option<usize>, Open> {
    if window.peek(at)?.is_none() || !window.stands(at, END)? {
        return Ok(None);
    }
    let label_end = window.run(at + END.len(), Alphabet::LABEL, LONGEST_LABEL)?;
    Ok(window.stands(label_end, DASHES)?.then_some(label_end + DASHES.len()))
}

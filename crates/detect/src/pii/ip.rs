//! IP addresses of machines that may be somebody's: not loopback, not those of documentation, not networks (`10.0.0.0/8`),
//! not version numbers.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::numeral::ends;
use crate::text::alphabet::Alphabet;
use crate::text::kind::Kind;
use crate::text::window::{Hit, Judged, Spoken, Window};

/// The words before a version number, which has four parts as well.
static VERSION: Spoken = Spoken::new(&[b"version", b"release", b"build", b"ver."]);
const VERSION_WITHIN: usize = 12;
/// RFC 4291 §2.2 with an IPv4 tail.
const LONGEST_V6: usize = 45;
const LONGEST_GROUP: usize = 4;

/// The address whose first part stands from `at` to `first_end`.
pub(crate) fn judge_v4(window: &Window<'_>, at: usize, first_end: usize) -> Judged {
    let joined = matches!(window.before(at), Some(b'.' | b'-' | b'^' | b'~'));
    if first_end - at > 3 || joined {
        return Ok(None);
    }
    let mut end = first_end;
    for _ in 0..3 {
        if window.peek(end)? != Some(b'.') {
            return Ok(None);
        }
        let part_end = window.run(end + 1, Alphabet::DIGIT, 4)?;
        if part_end == end + 1 {
            return Ok(None);
        }
        end = part_end;
    }
    let address: Option<Ipv4Addr> =
        std::str::from_utf8(window.slice(at, end)).ok().and_then(|text| text.parse().ok());
    let found = address.is_some_and(is_somebodys_v4)
        && !window.speaks_of(&VERSION, at, VERSION_WITHIN)
        && ends(window, end)?
        && !matches!(window.peek(end)?, Some(b'-' | b'/'));
    Ok(found.then_some(Hit::whole(Kind::Ip, at, end)))
}

/// Not unspecified, loopback, documentation (RFC 5737), multicast, reserved or a mask; and not four digits, which are a
/// chapter (`§4.2.3.1`), a version, or a resolver that everybody uses, and of addresses one in 400,000.
fn is_somebodys_v4(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    address.octets().iter().any(|part| *part > 9)
        && first != 0
        && first < 224
        && !address.is_loopback()
        && !address.is_documentation()
}

/// The address whose first colon stands at `at`.
pub(crate) fn judge_v6(window: &Window<'_>, at: usize) -> Judged {
    let left = window.left(at, LONGEST_GROUP + 1);
    let group = Alphabet::HEX.run_back(left);
    let start = at - group;
    if group == 0 || group > LONGEST_GROUP || window.before(start) == Some(b':') || !window.starts_word(start)
    {
        return Ok(None);
    }
    let end = window.run(start, Alphabet::IP_V6, LONGEST_V6 + 1)?;
    let text = window.slice(start, end);
    let text = text.strip_suffix(b".").unwrap_or(text);
    let text = if text.ends_with(b"::") { text } else { text.strip_suffix(b":").unwrap_or(text) };
    let address: Option<Ipv6Addr> = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    let end = start + text.len();
    let found = address.is_some_and(is_somebodys_v6) && window.ends_word(end)?;
    Ok(found.then_some(Hit::whole(Kind::Ip, start, end)))
}

/// Global unicast, unique local or link-local (RFC 4291, RFC 4193), not documentation (RFC 3849, RFC 9637). `dead::beef`
/// in a program is a path, and none of these.
fn is_somebodys_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => {
            (0x2000..0x4000).contains(&first) || (0xfc00..0xfe00).contains(&first) || first & 0xffc0 == 0xfe80
        }
    }
}

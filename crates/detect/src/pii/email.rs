//! E-mail addresses, as people have them: RFC 5321 without quoted parts and addresses in brackets.

use crate::text::alphabet::Alphabet;
use crate::text::kind::Kind;
use crate::text::window::{Hit, Judged, Tail, Window};

/// RFC 5321 §4.5.3.1.1.
pub(crate) const LONGEST_LOCAL: usize = 64;
/// RFC 5321 §4.5.3.1.2.
const LONGEST_DOMAIN: usize = 255;
/// The longest top-level domain in use has 24 letters.
const LONGEST_TOP: usize = 24;
/// What comes after the last dot of the names of files, which `icon@2x.png` and `main@1.js` are.
const FILE_ENDINGS: [&[u8]; 16] = [
    b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp", b"js", b"mjs", b"ts", b"css", b"json", b"yaml", b"yml",
    b"toml", b"html", b"lock",
];

/// The address around the `@` at `at`.
pub(crate) fn judge(window: &Window<'_>, at: usize) -> Judged {
    let left = window.left(at, LONGEST_LOCAL.min(at - window.floor));
    let local = left.get(left.len() - Alphabet::LOCAL_PART.run_back(left)..).unwrap_or_default();
    let leading = local.iter().take_while(|byte| !byte.is_ascii_alphanumeric()).count();
    let local = local.get(leading..).unwrap_or_default();
    // `git@` is the account that every forge has for everybody.
    if local.is_empty() || local.ends_with(b".") || local == b"git" {
        return Ok(None);
    }
    let end = window.run(at + 1, Alphabet::DOMAIN, LONGEST_DOMAIN)?;
    let domain = window.slice(at + 1, end);
    let start = at - local.len();
    if domain.len() == LONGEST_DOMAIN {
        let endless = Hit { start, end, kind: Kind::Email, tail: Tail::Run(Alphabet::DOMAIN) };
        return Ok(domain.contains(&b'.').then_some(endless));
    }
    let trailing = domain.iter().rev().take_while(|byte| b".-".contains(byte)).count();
    let domain = domain.get(..domain.len() - trailing).unwrap_or_default();
    Ok(is_domain(domain).then_some(Hit::whole(Kind::Email, start, end - trailing)))
}

/// Labels of letters, digits and inner dashes, the last of letters only.
fn is_domain(domain: &[u8]) -> bool {
    let Some(dot) = domain.iter().rposition(|byte| *byte == b'.') else { return false };
    let top = domain.get(dot + 1..).unwrap_or_default();
    let letters = (2..=LONGEST_TOP).contains(&top.len()) && top.iter().all(u8::is_ascii_alphabetic);
    letters
        && !FILE_ENDINGS.iter().any(|ending| top.eq_ignore_ascii_case(ending))
        && domain.split(|byte| *byte == b'.').all(|label| !label.is_empty() && !label.starts_with(b"-"))
}

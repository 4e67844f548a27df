//! The credentials in the address of a database, a queue or a site, and the addresses that are secrets themselves.

use crate::text::alphabet::Alphabet;
use crate::text::kind::Kind;
use crate::text::window::{Hit, Judged, Open, Tail, Window};

/// No name and password are waited for longer than this; what has a colon by then is swallowed to its end.
const LONGEST_AUTHORITY: usize = 512;
const WEBHOOKS: &[u8] = b"hooks.slack.com";
const WEBHOOK_PATH: &[u8] = b"/services/";
/// `T…/B…/…`, the shortest that was ever given out.
const LEAST_WEBHOOK: usize = 30;
const LONGEST_WEBHOOK: usize = 128;

/// The credentials after the colon of `scheme://` at `at`.
pub(crate) fn judge(window: &Window<'_>, at: usize) -> Judged {
    let scheme = window.before(at).is_some_and(|byte| byte.is_ascii_alphanumeric());
    if !scheme || !window.stands(at, b"://")? {
        return Ok(None);
    }
    let start = at + 3;
    authority(window, start).map_err(|open| Open { from: Some(start), ..open })
}

fn authority(window: &Window<'_>, start: usize) -> Judged {
    let end = window.run(start, Alphabet::USER_INFO, LONGEST_AUTHORITY)?;
    let authority = window.slice(start, end);
    if authority == WEBHOOKS {
        return webhook(window, start, end);
    }
    if authority.len() == LONGEST_AUTHORITY {
        let endless = Hit { start, end, kind: Kind::Connection, tail: Tail::Run(Alphabet::USER_INFO) };
        return Ok(authority.contains(&b':').then_some(endless));
    }
    let Some(at_sign) = authority.iter().rposition(|byte| *byte == b'@') else { return Ok(None) };
    let user_info = authority.get(..at_sign).unwrap_or_default();
    let colon = user_info.iter().position(|byte| *byte == b':');
    let password = colon.and_then(|colon| user_info.get(colon + 1..)).unwrap_or_default();
    let found = !password.is_empty() && !stands_for_a_password(password);
    Ok(found.then_some(Hit::whole(Kind::Connection, start, start + at_sign)))
}

/// Variables, stars and ellipses; a word may be a password here.
fn stands_for_a_password(password: &[u8]) -> bool {
    password.starts_with(b"$")
        || password.starts_with(b"%(")
        || password.iter().all(|byte| b"*.xX-".contains(byte))
}

fn webhook(window: &Window<'_>, start: usize, host_end: usize) -> Judged {
    if !window.stands(host_end, WEBHOOK_PATH)? {
        return Ok(None);
    }
    let path = host_end + WEBHOOK_PATH.len();
    let end = window.run(path, Alphabet::WEBHOOK_PATH, LONGEST_WEBHOOK)?;
    let tail = if end - path == LONGEST_WEBHOOK { Tail::Run(Alphabet::WEBHOOK_PATH) } else { Tail::None };
    Ok((end - path >= LEAST_WEBHOOK).then_some(Hit { start, end, kind: Kind::SlackWebhook, tail }))
}

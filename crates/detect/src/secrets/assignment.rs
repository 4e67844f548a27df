//! Values that their name calls secret: `password = …`, `"api_key": "…"`, `Authorization: Bearer …`.

use smallvec::SmallVec;

use super::entropy::{is_placeholder, looks_like_a_password, looks_random};
use super::prefixed::Prefixes;
use crate::text::alphabet::Alphabet;
use crate::text::kind::Kind;
use crate::text::window::{Hit, Judged, Open, Tail, Window};

/// What a name promises of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Promise {
    /// Something that a person chose.
    Password,
    /// Something that a machine drew.
    Key,
    /// The secret key of AWS, which has 40 characters.
    AwsSecret,
    /// The key of an Azure storage account: the base64 of 64 bytes.
    AzureAccount,
    /// The value of the HTTP header.
    Authorization,
}

/// How a name ends, and what it promises.
#[derive(Debug)]
struct Name {
    ending: &'static [u8],
    promise: Promise,
    /// The last eight letters of the ending, and of eight letters those that it has: one comparison instead of a walk.
    tail: u64,
    mask: u64,
}

const fn name(ending: &'static [u8], promise: Promise) -> Name {
    let (mut tail, mut mask) = (0, 0);
    let mut rest = ending;
    while let [first, others @ ..] = rest {
        tail = tail << 8 | *first as u64;
        mask = mask << 8 | 0xff;
        rest = others;
    }
    Name { ending, promise, tail, mask }
}

impl Name {
    fn ends(&self, letters: &[u8], tail: u64) -> bool {
        tail & self.mask == self.tail && letters.ends_with(self.ending)
    }
}

/// How names end, in small letters and without separators. The first one that fits counts.
const NAMES: &[Name] = &[
    name(b"password", Promise::Password),
    name(b"passwd", Promise::Password),
    name(b"pwd", Promise::Password),
    name(b"passphrase", Promise::Password),
    name(b"passcode", Promise::Password),
    name(b"dbpass", Promise::Password),
    name(b"userpass", Promise::Password),
    name(b"rootpass", Promise::Password),
    name(b"authorization", Promise::Authorization),
    name(b"secretaccesskey", Promise::AwsSecret),
    name(b"awssecretkey", Promise::AwsSecret),
    name(b"awssecret", Promise::AwsSecret),
    name(b"accountkey", Promise::AzureAccount),
    name(b"secret", Promise::Key),
    name(b"apikey", Promise::Key),
    name(b"accesskey", Promise::Key),
    name(b"secretkey", Promise::Key),
    name(b"privatekey", Promise::Key),
    name(b"authkey", Promise::Key),
    name(b"encryptionkey", Promise::Key),
    name(b"signingkey", Promise::Key),
    name(b"masterkey", Promise::Key),
    name(b"servicekey", Promise::Key),
    name(b"sharedkey", Promise::Key),
    name(b"sharedaccesskey", Promise::Key),
    name(b"subscriptionkey", Promise::Key),
    name(b"credential", Promise::Key),
    name(b"credentials", Promise::Key),
    name(b"token", Promise::Key),
];

/// Names that end like secret ones and hold none: places in a list, not keys.
const PUBLIC_NAMES: &[Name] = &[
    name(b"pagetoken", Promise::Key),
    name(b"nexttoken", Promise::Key),
    name(b"continuationtoken", Promise::Key),
    name(b"synctoken", Promise::Key),
    name(b"cursortoken", Promise::Key),
];

/// Longer than every name, with its separators.
const LONGEST_NAME: usize = 40;
const LONGEST_VALUE: usize = 256;
const MOST_BLANKS: usize = 8;
const AZURE_KEY: usize = 88;
const AWS_SECRET: usize = 40;
/// Fewer characters are no credentials of HTTP.
const LEAST_CREDENTIALS: usize = 8;

/// Whether a value of this name is looked at more closely.
pub(crate) fn is_secret_name(name: &str) -> bool {
    promise(name.as_bytes()).is_some()
}

/// What all of a value is that stands under this name, where its name is known apart from it, so that any character may be
/// in it.
pub(crate) fn named(name: &str, value: &str) -> Option<Kind> {
    let promise = promise(name.as_bytes())?;
    let value = value.as_bytes();
    let value = value.get(..LONGEST_VALUE).unwrap_or(value);
    if promise != Promise::Authorization {
        return kind(value, promise);
    }
    let blank = value.iter().position(|byte| Alphabet::BLANK.has(*byte))?;
    let (scheme, credentials) = value.split_at_checked(blank)?;
    are_credentials(scheme, credentials.trim_ascii_start()).then_some(Kind::Authorization)
}

/// The value after the `=` or `:` at `at`.
pub(crate) fn judge(prefixes: &Prefixes, window: &Window<'_>, at: usize) -> Judged {
    let Some(promise) = promise(without_quote(window.left(at, LONGEST_NAME))) else { return Ok(None) };
    // `::`, `==` and `://` give no value; after `=` a slash begins one, of 64 keys in base64 as often as any letter.
    match (window.peek(at)?, window.peek(at + 1)?) {
        (_, Some(b':' | b'=')) | (Some(b':'), Some(b'/')) => return Ok(None),
        _ => {}
    }
    let arrow = window.peek(at)? == Some(b'=') && window.peek(at + 1)? == Some(b'>');
    let from = at + 1 + usize::from(arrow);
    let here = |open: Open| Open { from: Some(open.from.unwrap_or(from)), ..open };
    let blanks_end = window.run(from, Alphabet::BLANK, MOST_BLANKS).map_err(here)?;
    let (start, quoted) = opening_quote(window, blanks_end).map_err(here)?;
    let found = if promise == Promise::Authorization {
        credentials(window, start)
    } else {
        value(prefixes, window, start, quoted, promise)
    };
    found.map_err(|open| Open { from: Some(open.from.unwrap_or(start)), ..open })
}

/// What stands before the sign: without blanks, the quote that closes the name, and the first half of `:=`.
fn without_quote(left: &[u8]) -> &[u8] {
    let name = left.trim_ascii_end();
    let name = name.strip_suffix(b":").map_or(name, <[u8]>::trim_ascii_end);
    let name = name.strip_suffix(b"]").unwrap_or(name);
    let Some((b'"' | b'\'' | b'`', name)) = name.split_last() else { return name };
    name.strip_suffix(b"\\").unwrap_or(name)
}

fn promise(left: &[u8]) -> Option<Promise> {
    let (_, last) = left.split_last_chunk::<2>()?;
    let last = last.map(|byte| byte.to_ascii_lowercase());
    if !matches!(&last, b"rd" | b"wd" | b"se" | b"de" | b"ss" | b"on" | b"et" | b"ey" | b"en" | b"al" | b"ls")
    {
        return None;
    }
    let name = left.get(left.len() - Alphabet::NAME.run_back(left)..)?;
    let letters: SmallVec<[u8; LONGEST_NAME]> =
        name.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
    let tail = letters.iter().rev().take(8).rev().fold(0, |tail, byte| tail << 8 | u64::from(*byte));
    if PUBLIC_NAMES.iter().any(|public| public.ends(&letters, tail)) {
        return None;
    }
    NAMES.iter().find(|name| name.ends(&letters, tail)).map(|name| name.promise)
}

/// Past backslashes and a quote; whether there was one.
fn opening_quote(window: &Window<'_>, at: usize) -> Result<(usize, bool), Open> {
    let mut start = at;
    while start - at < 3 && window.peek(start)? == Some(b'\\') {
        start += 1;
    }
    let quoted = matches!(window.peek(start)?, Some(b'"' | b'\'' | b'`'));
    Ok((start + usize::from(quoted), quoted))
}

/// `Bearer …`, `Basic …`, `Token …`: what stands after the word.
fn credentials(window: &Window<'_>, start: usize) -> Judged {
    let scheme_end = window.run(start, Alphabet::ALPHANUMERIC, 8)?;
    let scheme = window.slice(start, scheme_end);
    if !is_scheme(scheme) {
        return Ok(None);
    }
    let from = window.run(scheme_end, Alphabet::BLANK, MOST_BLANKS)?;
    let end = window.run(from, Alphabet::TOKEN68, LONGEST_VALUE)?;
    let value = window.slice(from, end);
    let tail = if value.len() == LONGEST_VALUE { Tail::Run(Alphabet::TOKEN68) } else { Tail::None };
    let found = from > scheme_end && are_credentials(scheme, value);
    Ok(found.then_some(Hit { start: from, end, kind: Kind::Authorization, tail }))
}

fn is_scheme(word: &[u8]) -> bool {
    let known = [b"bearer".as_slice(), b"basic", b"token", b"apikey"];
    known.iter().any(|known| word.eq_ignore_ascii_case(known))
}

fn are_credentials(scheme: &[u8], value: &[u8]) -> bool {
    is_scheme(scheme) && value.len() >= LEAST_CREDENTIALS && !is_placeholder(value) && !is_words(value)
}

/// What people write who speak about credentials: small letters, dots and dashes.
fn is_words(value: &[u8]) -> bool {
    value.len() < 20 && value.iter().all(|byte| byte.is_ascii_lowercase() || b".-_".contains(byte))
}

fn value(prefixes: &Prefixes, window: &Window<'_>, start: usize, quoted: bool, promise: Promise) -> Judged {
    // A key that is known by its form is called by its name.
    if let Some(hit) = prefixes.judge_start(window, start)? {
        return Ok(Some(hit));
    }
    let alphabet = if quoted { Alphabet::QUOTED } else { Alphabet::BARE };
    let run_end = window.run(start, alphabet, LONGEST_VALUE)?;
    if run_end - start == LONGEST_VALUE {
        let kind = kind(window.slice(start, run_end), promise);
        return Ok(kind.map(|kind| Hit { start, end: run_end, kind, tail: Tail::Run(alphabet) }));
    }
    if !quoted && matches!(window.peek(run_end)?, Some(b'(' | b'[' | b'{' | b'<')) {
        return Ok(None);
    }
    let value = window.slice(start, run_end);
    let value = if quoted { value } else { sentence(value) };
    Ok(kind(value, promise).map(|kind| Hit::whole(kind, start, start + value.len())))
}

/// Without what ends a sentence.
fn sentence(value: &[u8]) -> &[u8] {
    let mut value = value;
    while let Some((b'.' | b':', rest)) = value.split_last() {
        value = rest;
    }
    value
}

/// What a value of such a name is, if it is a secret.
fn kind(value: &[u8], promise: Promise) -> Option<Kind> {
    let base64 = value.iter().all(|byte| Alphabet::BASE64.has(*byte));
    match promise {
        Promise::AwsSecret if value.len() == AWS_SECRET && base64 && looks_random(value) => {
            Some(Kind::AwsSecretKey)
        }
        Promise::AzureAccount if value.len() == AZURE_KEY && base64 => Some(Kind::AzureStorageKey),
        _ if is_placeholder(value) || is_place(value) => None,
        Promise::Password => looks_like_a_password(value).then_some(Kind::NamedSecret),
        _ => (looks_random(value) && !is_code(value)).then_some(Kind::NamedSecret),
    }
}

/// A path or an address, where the secret may be; not the secret.
fn is_place(value: &[u8]) -> bool {
    matches!(value, [b'/' | b'.' | b'~', ..]) || value.windows(3).any(|here| here == b"://")
}

/// An expression (`config.token_v2`, `os.environ/KEY_2`), or a text of several words.
fn is_code(value: &[u8]) -> bool {
    let parts = || value.split(|byte| b"./".contains(byte));
    value.contains(&b' ') || value.windows(2).any(|here| here == b"::") || parts().all(is_identifier)
}

/// Letters of one case and underscores, with few digits.
fn is_identifier(part: &[u8]) -> bool {
    let digits = part.iter().filter(|byte| byte.is_ascii_digit()).count();
    let of = |letter: fn(&u8) -> bool| {
        part.iter().all(|byte| letter(byte) || byte.is_ascii_digit() || *byte == b'_')
    };
    digits * 8 <= part.len() && (of(u8::is_ascii_lowercase) || of(u8::is_ascii_uppercase))
}

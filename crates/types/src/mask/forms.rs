//! The forms that credentials have.

use std::ops::Range;

/// A credential that is known by how it begins.
struct Prefix {
    text: &'static [u8],
    /// How many characters of the alphabet must follow.
    least: usize,
    alphabet: fn(u8) -> bool,
    /// Whether it must not follow upon a letter or digit, because words may end like it (`risk-`, `disk-`).
    own_word: bool,
}

const fn prefix(text: &'static str, least: usize, alphabet: fn(u8) -> bool) -> Prefix {
    Prefix { text: text.as_bytes(), least, alphabet, own_word: false }
}

const fn word(text: &'static str, least: usize, alphabet: fn(u8) -> bool) -> Prefix {
    Prefix { text: text.as_bytes(), least, alphabet, own_word: true }
}

fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn upper_or_digit(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

/// The alphabet of base64url, which most keys are written in.
fn url_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// The alphabet of HTTP credentials (`token68`, RFC 9110 §11.2).
fn token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

/// `sk-` and its like: Seawall, Anthropic, OpenAI, OpenRouter, everybody who took over the form, and Stripe.
const SECRET_KEYS: &[Prefix] = &[
    prefix("sk-sw-", 4, url_safe),
    prefix("sk-ant-", 4, url_safe),
    prefix("sk-proj-", 4, url_safe),
    prefix("sk-svcacct-", 4, url_safe),
    prefix("sk-admin-", 4, url_safe),
    prefix("sk-or-v1-", 4, url_safe),
    word("sk-", 6, url_safe),
    // A classic OpenAI key has no further dash; glued to another word it is known by its length.
    prefix("sk-", 32, alphanumeric),
    prefix("sk_live_", 8, alphanumeric),
    prefix("sk_test_", 8, alphanumeric),
];

/// Google API keys, AWS access keys (permanent and temporary), age identities.
const CLOUD: &[Prefix] = &[
    prefix("AIza", 20, url_safe),
    prefix("AKIA", 16, upper_or_digit),
    prefix("ASIA", 16, upper_or_digit),
    prefix("AGE-SECRET-KEY-1", 16, alphanumeric),
];

/// GitHub, GitLab, Groq.
const FORGES: &[Prefix] = &[
    prefix("github_pat_", 10, url_safe),
    prefix("ghp_", 10, alphanumeric),
    prefix("gho_", 10, alphanumeric),
    prefix("ghu_", 10, alphanumeric),
    prefix("ghs_", 10, alphanumeric),
    prefix("ghr_", 10, alphanumeric),
    prefix("glpat-", 10, url_safe),
    word("gsk_", 16, alphanumeric),
];

/// Slack, and xAI.
const SLACK: &[Prefix] = &[
    prefix("xoxa-", 8, url_safe),
    prefix("xoxb-", 8, url_safe),
    prefix("xoxc-", 8, url_safe),
    prefix("xoxd-", 8, url_safe),
    prefix("xoxe-", 8, url_safe),
    prefix("xoxe.", 8, token68),
    prefix("xoxo-", 8, url_safe),
    prefix("xoxp-", 8, url_safe),
    prefix("xoxr-", 8, url_safe),
    prefix("xoxs-", 8, url_safe),
    prefix("xapp-", 8, url_safe),
    word("xai-", 16, url_safe),
];

/// Google OAuth, Hugging Face, Perplexity, Replicate, NVIDIA, Stripe's restricted keys, npm.
const OTHERS: &[Prefix] = &[
    word("ya29.", 16, token68),
    word("hf_", 16, alphanumeric),
    word("pplx-", 16, url_safe),
    word("r8_", 16, alphanumeric),
    word("nvapi-", 16, url_safe),
    prefix("rk_live_", 8, alphanumeric),
    prefix("npm_", 30, alphanumeric),
];

/// The prefixes that can begin with these two bytes. Most of a line is passed over with this one look.
const fn family(first: u8, second: u8) -> &'static [Prefix] {
    match (first, second) {
        (b's', b'k') => SECRET_KEYS,
        (b'A', b'I' | b'K' | b'S' | b'G') => CLOUD,
        (b'g', b'i' | b'h' | b'l' | b's') => FORGES,
        (b'x', b'o' | b'a') => SLACK,
        (b'y', b'a') | (b'h', b'f') | (b'p', b'p') | (b'r', b'8' | b'k') | (b'n', b'v' | b'p') => OTHERS,
        _ => &[],
    }
}

/// The first credential at or after `from`.
pub(super) fn find(text: &str, from: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    (from..bytes.len()).find_map(|start| at(bytes, start))
}

/// The credential that begins exactly here.
fn at(bytes: &[u8], start: usize) -> Option<Range<usize>> {
    let rest = bytes.get(start..)?;
    let found = match rest {
        [b'-', b'-', ..] => private_key(rest).map(|length| 0..length),
        [b':', b'/', ..] => user_info(rest),
        [b'B' | b'b', b'E' | b'e' | b'A' | b'a', ..] => authorization(rest),
        [b'e', b'y', ..] => jwt(rest).map(|length| 0..length),
        [first, second, ..] => family(*first, *second)
            .iter()
            .find_map(|prefix| prefix.matches(bytes, start))
            .map(|length| 0..length),
        _ => None,
    };
    found.map(|range| start + range.start..start + range.end)
}

impl Prefix {
    /// How long the credential is that begins at `start`.
    fn matches(&self, bytes: &[u8], start: usize) -> Option<usize> {
        let body = bytes.get(start..)?.strip_prefix(self.text)?;
        let length = run(body, self.alphabet);
        let fits = length >= self.least && !(self.own_word && continues_word(bytes.get(..start)?));
        fits.then_some(self.text.len() + length)
    }
}

fn run(bytes: &[u8], alphabet: fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| alphabet(**byte)).count()
}

/// Whether what comes after `before` is the rest of a word.
///
/// A letter or digit that ends an escape (`\n`, `%3D`, `\u000a`) is the end of a sign, not of a word: keys hide
/// behind those in quoted texts and in URLs.
fn continues_word(before: &[u8]) -> bool {
    match before {
        [.., b'\\', b'n' | b'r' | b't' | b'0'] => false,
        [.., b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => false,
        [.., b'\\', b'x', _, _] | [.., b'\\', b'u', _, _, _, _] => false,
        [.., last] => last.is_ascii_alphanumeric(),
        [] => false,
    }
}

/// `eyJ….eyJ….signature`: the base64 of `{"`, at least one more segment, and whatever segments follow.
fn jwt(rest: &[u8]) -> Option<usize> {
    if !rest.starts_with(b"eyJ") {
        return None;
    }
    let header = run(rest, url_safe);
    let payload = rest.get(header..)?.strip_prefix(b".")?;
    let payload_length = run(payload, url_safe);
    let long_enough = header >= 10 && payload_length >= 4;
    long_enough
        .then(|| header + run(rest.get(header..).unwrap_or_default(), |byte| url_safe(byte) || byte == b'.'))
}

/// `Bearer …` and `Basic …` in any case: the token alone is masked, so that the line still says what it was.
fn authorization(rest: &[u8]) -> Option<Range<usize>> {
    let after = |scheme: &[u8]| {
        let (head, after) = rest.split_at_checked(scheme.len())?;
        let gap = head.eq_ignore_ascii_case(scheme).then(|| spaces(after)).filter(|gap| *gap > 0)?;
        let start = scheme.len() + gap;
        let token = rest.get(start..)?;
        Some((start, token.get(..run(token, token68))?))
    };
    let bearer = after(b"bearer").filter(|(_, token)| !token.is_empty() && !is_about_authorization(token));
    let (start, token) = bearer.or_else(|| after(b"basic").filter(|(_, token)| is_base64(token)))?;
    Some(start..start + token.len())
}

/// Whether this is more likely the base64 of a name and a password than a word after `basic`.
fn is_base64(token: &[u8]) -> bool {
    token.len() >= 8 && token.iter().any(|byte| upper_or_digit(*byte) || *byte == b'=')
}

/// White space, in itself, escaped or percent-encoded.
fn spaces(bytes: &[u8]) -> usize {
    let mut length = 0;
    while let Some(rest) = bytes.get(length..) {
        length += match rest {
            [b' ' | b'\t' | b'\n' | b'\r' | b'+', ..] => 1,
            [b'\\', b'n' | b'r' | b't', ..] => 2,
            [b'%', b'2', b'0', ..] => 3,
            _ => break,
        };
    }
    length
}

/// The words that people write after `bearer` when they speak about it.
fn is_about_authorization(word: &[u8]) -> bool {
    const WORDS: [&[u8]; 6] =
        [b"token", b"tokens", b"auth", b"authentication", b"authorization", b"credentials"];
    WORDS.contains(&word.strip_suffix(b".").unwrap_or(word))
}

/// `-----BEGIN … PRIVATE KEY-----` to the line that ends it, or to the end of the text.
fn private_key(rest: &[u8]) -> Option<usize> {
    const LONGEST_LABEL: usize = 64;
    let label = rest.strip_prefix(b"-----BEGIN ")?;
    let label = label.get(..position(label, b"-----")?.min(LONGEST_LABEL))?;
    position(label, b"PRIVATE KEY")?;
    let Some(footer) = position(rest, b"-----END ") else { return Some(rest.len()) };
    let after = footer + b"-----END ".len();
    let closing = rest.get(after..).and_then(|tail| position(tail, b"-----"));
    Some(closing.map_or(rest.len(), |closing| after + closing + b"-----".len()))
}

/// `user:password@` or `token@` after `://`.
fn user_info(rest: &[u8]) -> Option<Range<usize>> {
    let authority = rest.strip_prefix(b"://")?;
    let whole = run(authority, |byte| !byte.is_ascii_whitespace() && !b"\"'<>`\\".contains(&byte));
    let authority = authority.get(..whole)?;
    let end = run(authority, |byte| !b"/?#".contains(&byte));
    let host = authority.get(..end)?;
    // A password with an unescaped slash: what would be the port is none, so the authority has not ended here.
    let searched = if has_port_that_is_none(host) { authority } else { host };
    let at = searched.iter().rposition(|byte| *byte == b'@').filter(|at| *at > 0)?;
    Some(3..3 + at)
}

fn has_port_that_is_none(host: &[u8]) -> bool {
    if host.contains(&b'@') || host.starts_with(b"[") {
        return false;
    }
    let port = host.iter().rposition(|byte| *byte == b':').and_then(|colon| host.get(colon + 1..));
    port.is_some_and(|port| port.is_empty() || !port.iter().all(u8::is_ascii_digit))
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

//! Takes credentials out of what is kept: headers, queries and bodies.

use http::HeaderMap;
use http::header::HeaderName;
use serde_json::{Map, Value, json};

/// Stands where a credential stood.
pub(crate) const SCRUBBED: &str = "[scrubbed]";

/// Headers whose values are credentials, or name the account.
const HEADERS: [&str; 11] = [
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
    "set-cookie",
    "openai-organization",
    "openai-project",
    "anthropic-organization-id",
    "x-amz-security-token",
];

/// Query parameters whose values are credentials.
const PARAMETERS: [&str; 6] = ["key", "api_key", "api-key", "access_token", "token", "signature"];

/// How credentials begin. What follows is masked when it is long enough to be one.
const PREFIXES: [&[u8]; 17] = [
    b"sk-ant-",
    b"sk-proj-",
    b"sk-sw-",
    b"sk-",
    b"AIza",
    b"ghp_",
    b"gho_",
    b"ghs_",
    b"github_pat_",
    b"glpat-",
    b"xoxb-",
    b"xoxp-",
    b"AKIA",
    b"ASIA",
    b"hf_",
    b"gsk_",
    b"eyJ",
];
/// Fewer letters after a prefix are a word that begins like one.
const LEAST: usize = 12;

/// Headers as a JSON object of strings; several of one name are joined.
pub(crate) fn headers(headers: &HeaderMap) -> Map<String, Value> {
    let shown = |name: &HeaderName| {
        if is_credential(name) {
            return SCRUBBED.to_owned();
        }
        let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        values.collect::<Vec<_>>().join(", ")
    };
    headers.keys().map(|name| (name.as_str().to_owned(), json!(shown(name)))).collect()
}

fn is_credential(name: &HeaderName) -> bool {
    HEADERS.contains(&name.as_str())
}

/// A query without the values of credentials.
pub(crate) fn query(query: &str) -> String {
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if PARAMETERS.contains(&name.to_ascii_lowercase().as_str()) => {
            format!("{name}={SCRUBBED}")
        }
        _ => pair.to_owned(),
    };
    query.split('&').map(pair).collect::<Vec<_>>().join("&")
}

/// Overwrites what looks like a credential with asterisks. The length stays, so a body that came in chunks can be masked
/// as a whole and cut again where it was.
pub(crate) fn mask(bytes: &mut [u8]) {
    let mut at = 0;
    while at < bytes.len() {
        let is_inside_word = at > 0 && bytes.get(at - 1).copied().is_some_and(is_word);
        let length = if is_inside_word { 0 } else { credential(bytes.get(at..).unwrap_or_default()) };
        for byte in bytes.iter_mut().skip(at).take(length) {
            *byte = b'*';
        }
        at += length.max(1);
    }
}

/// How long the credential is that stands at the beginning; zero when none does.
fn credential(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"-----BEGIN ") {
        return private_key(bytes);
    }
    let Some(prefix) = PREFIXES.iter().find(|prefix| bytes.starts_with(prefix)) else { return 0 };
    let length = bytes.iter().take_while(|byte| is_word(**byte)).count();
    if length >= prefix.len() + LEAST { length } else { 0 }
}

/// To the end of the block, or of everything where it has none: rather too much than too little.
fn private_key(bytes: &[u8]) -> usize {
    const MARK: &[u8] = b"PRIVATE KEY-----";
    let mut marks =
        bytes.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK).map(|(at, _)| at);
    match (marks.next(), marks.next()) {
        (None, _) => 0,
        (Some(_), None) => bytes.len(),
        (Some(_), Some(end)) => end + MARK.len(),
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        mask(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn credentials_are_masked_wherever_they_stand() {
        let long = "0123456789abcdef";
        for prefix in PREFIXES {
            let key = format!("{}{long}", std::str::from_utf8(prefix).unwrap());
            let stars = "*".repeat(key.len());
            for (before, after) in [("", ""), ("{\"a\":\"", "\"}"), ("Bearer ", "\n")] {
                assert_eq!(masked(&format!("{before}{key}{after}")), format!("{before}{stars}{after}"));
            }
        }
        let pem = format!("x -----BEGIN {0} KEY-----\\nabc\\n-----END {0} KEY----- y", "PRIVATE");
        assert_eq!(masked(&pem), format!("x {} y", "*".repeat(pem.len() - 4)));
    }

    #[test]
    fn words_that_begin_like_a_credential_stay() {
        for text in ["sk-learn", "risk-management-and-more-of-it", "AKIA", "task-sk-", "hf_hub"] {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn a_query_keeps_all_but_credentials() {
        assert_eq!(query("alt=sse&key=abc&Key=d&x"), "alt=sse&key=[scrubbed]&Key=[scrubbed]&x");
    }

    proptest::proptest! {
        #[test]
        fn masking_keeps_the_length_and_is_done_once(
            mut bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
        ) {
            let length = bytes.len();
            mask(&mut bytes);
            proptest::prop_assert_eq!(bytes.len(), length);
            let once = bytes.clone();
            mask(&mut bytes);
            proptest::prop_assert_eq!(bytes, once);
        }
    }
}

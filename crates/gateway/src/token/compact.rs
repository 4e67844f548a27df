//! The compact form of a signed token (RFC 7515 §7.1): three parts of base64url with dots between them. Taken apart here,
//! believed nowhere.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::TokenError;

/// A token in its parts, none of which is to be believed before the signature is checked.
#[derive(Debug)]
pub(crate) struct Compact<'t> {
    /// What the signature is over.
    pub(crate) signed: &'t str,
    pub(crate) header: Header,
    pub(crate) claims: Map<String, Value>,
    pub(crate) signature: Vec<u8>,
}

/// The header, as far as it matters.
#[derive(Debug, Deserialize)]
pub(crate) struct Header {
    pub(crate) alg: String,
    pub(crate) kid: Option<String>,
    /// Extensions that a reader must understand (RFC 7515 §4.1.11). We understand none.
    crit: Option<IgnoredAny>,
}

impl<'t> Compact<'t> {
    pub(crate) fn parse(token: &'t str) -> Result<Self, TokenError> {
        let [header, claims, signature] =
            parts(token).ok_or(TokenError::Malformed("it has not three parts"))?;
        let signed = token.get(..header.len() + 1 + claims.len()).unwrap_or_default();
        let header: Header = json(header, "its header can't be read")?;
        if header.crit.is_some() {
            return Err(TokenError::Malformed("its header has extensions that are not understood"));
        }
        let claims = json(claims, "its claims can't be read")?;
        let signature = decode(signature).ok_or(TokenError::Malformed("its signature is no base64url"))?;
        Ok(Self { signed, header, claims, signature })
    }
}

/// Whether a credential is a token: three parts of base64url (the last may be empty, where nobody has signed), the first
/// of them a JSON object with `alg`.
#[must_use]
pub fn looks_like_token(text: &str) -> bool {
    let in_alphabet = |part: &&str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let Some(parts) = parts(text).filter(|parts| parts.iter().all(in_alphabet)) else { return false };
    json::<Map<String, Value>>(parts[0], "").is_ok_and(|header| header.contains_key("alg"))
}

fn parts(token: &str) -> Option<[&str; 3]> {
    let (header, rest) = token.split_once('.')?;
    let (claims, signature) = rest.split_once('.')?;
    (!signature.contains('.')).then_some([header, claims, signature])
}

fn json<T: for<'de> Deserialize<'de>>(part: &str, problem: &'static str) -> Result<T, TokenError> {
    let bytes = decode(part).ok_or(TokenError::Malformed(problem))?;
    serde_json::from_slice(&bytes).map_err(|_withheld| TokenError::Malformed(problem))
}

/// Strict: no padding, and no bits that mean nothing, so that a token can be written in one way only.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str) -> String {
        URL_SAFE_NO_PAD.encode(text)
    }

    #[test]
    fn a_token_is_told_from_other_credentials() {
        let token = |header: &str| format!("{}.e30.AAAA", encoded(header));
        for text in
            [token(r#"{"alg":"HS256"}"#), token(" {\"alg\":5}"), "eyJhbGciOiJub25lIn0.e30.".to_owned()]
        {
            assert!(looks_like_token(&text), "{text}");
        }
        for text in [
            "",
            "..",
            "sk-abc",
            "sk-ant.api03.x",
            "a.b.c",
            "eyJhbGciOiJub25lIn0.e30",
            "eyJhbGciOiJub25lIn0.e30.AA.AA",
            "eyJhbGciOiJub25lIn0.e3 0.AA",
            "eyJhbGciOiJub25lIn0=.e30.AA",
        ] {
            assert!(!looks_like_token(text), "{text}");
        }
        assert!(!looks_like_token(&token(r#"{"typ":"JWT"}"#)) && !looks_like_token(&token("[]")));
    }

    #[test]
    fn bits_that_mean_nothing_are_refused() {
        assert_eq!(decode("AA"), Some(vec![0]));
        for text in ["AB", "A", "AA==", "A A", "AA\n", "+/"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    #[test]
    fn extensions_that_must_be_understood_are_refused() {
        let token = format!("{}.e30.AA", encoded(r#"{"alg":"EdDSA","crit":["b64"],"b64":false}"#));
        assert!(matches!(Compact::parse(&token), Err(TokenError::Malformed(_))));
    }

    #[test]
    fn a_header_that_says_a_thing_twice_is_refused() {
        let token = format!("{}.e30.AA", encoded(r#"{"alg":"none","alg":"EdDSA"}"#));
        assert!(looks_like_token(&token), "it is ours to refuse");
        assert!(matches!(Compact::parse(&token), Err(TokenError::Malformed(_))));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken_apart_or_refused(text in ".*", header in "\\PC{0,40}") {
            let _refused = Compact::parse(&text);
            let _answer = looks_like_token(&text);
            let _refused = Compact::parse(&format!("{}.{}.{text}", encoded(&header), encoded(&text)));
        }
    }
}

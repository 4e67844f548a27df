//! Taking credentials out of text.
//!
//! A hand-written scanner that knows the forms of keys by their beginnings: provider and API keys, bearer tokens,
//! JWTs, private keys, and names and passwords in URLs. It errs on the safe side: a harmless word after `Bearer` is
//! taken for a token. It can't know a password that looks like any other word; what is known to be a secret belongs
//! into [`Secret`](crate::Secret), which can't be formatted at all.
//!
//! It is not the data-loss prevention of the gateway (crate `detect`), which works on streams and by policy.

mod forms;

use std::borrow::Cow;

/// What stands in the place of a credential.
pub const REDACTED: &str = "[REDACTED]";

/// The text with every credential in it replaced by [`REDACTED`]; borrowed when there is none.
///
/// Masking again changes nothing more.
#[must_use]
pub fn mask(text: &str) -> Cow<'_, str> {
    let Some(first) = forms::find(text, 0) else { return Cow::Borrowed(text) };
    let mut masked = String::with_capacity(text.len());
    let mut copied = 0;
    let mut next = Some(first);
    while let Some(secret) = next {
        masked.push_str(text.get(copied..secret.start).unwrap_or_default());
        masked.push_str(REDACTED);
        copied = secret.end;
        next = forms::find(text, copied);
    }
    masked.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(masked)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_known_form_is_masked() {
        for (text, masked) in [
            ("key sk-abc123def456!", "key [REDACTED]!"),
            ("sk-ant-api03-Ab_c-9", "[REDACTED]"),
            ("x=sk-sw-0123456789", "x=[REDACTED]"),
            ("?key=AIzaSyA1234567890123456789012345678901&b=1", "?key=[REDACTED]&b=1"),
            ("ghp_0123456789abcdefghij github_pat_11ABC_0123456789", "[REDACTED] [REDACTED]"),
            ("xoxb-123456789012-abcdef", "[REDACTED]"),
            ("AKIAIOSFODNN7EXAMPLE", "[REDACTED]"),
            ("Authorization: Bearer a.b~c/d==, then", "Authorization: Bearer [REDACTED], then"),
            ("authorization: bearer hunter", "authorization: bearer [REDACTED]"),
            ("Basic dXNlcjpwYXNz", "Basic [REDACTED]"),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "[REDACTED]"),
            ("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", "[REDACTED]"),
            ("postgres://app:p4ss@db:5432/x", "postgres://[REDACTED]@db:5432/x"),
            ("https://token@host/path", "https://[REDACTED]@host/path"),
            ("postgres://app:p/4?s#s@db/x", "postgres://[REDACTED]@db/x"),
            ("redis://:p@ss@host", "redis://[REDACTED]@host"),
            ("a -----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nb", "a [REDACTED]\nb"),
            ("-----BEGIN PRIVATE KEY-----\nMII", "[REDACTED]"),
        ] {
            assert_eq!(mask(text), masked, "{text}");
        }
    }

    #[test]
    fn keys_are_found_behind_escapes_and_encodings() {
        for (text, masked) in [
            (r"line\nsk-abcdefgh", r"line\n[REDACTED]"),
            ("q%3Dsk-abcdefgh", "q%3D[REDACTED]"),
            (r"\u000ask-abcdefgh", r"\u000a[REDACTED]"),
            ("Bearer%20abc", "Bearer%20[REDACTED]"),
            ("glued0123456789sk-abcdefghijklmnopqrstuvwxyz0123456789", "glued0123456789[REDACTED]"),
        ] {
            assert_eq!(mask(text), masked, "{text}");
        }
    }

    #[test]
    fn what_is_no_credential_is_borrowed_unchanged() {
        for text in [
            "",
            "risk-analysis-of-the-year disk-usage sk-SK sk-",
            "missing bearer token; Basic authentication, basic things. bearer",
            "https://host:8080/a@b?c=d@e http://[::1]:80/x@y",
            "mail a@b.example, 10:30, a://",
            "eyJ eyJhbGciOiJIUzI1NiJ9 eyJh.b",
            "AKIA AKIAshort AIzaTooShort ghp_short xoxz-123456789",
            "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
            "018bcfe5-6800-7000-8000-000000000000 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "größe 你好 🙂",
        ] {
            assert!(matches!(mask(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn masking_twice_is_masking_once(text in any::<String>(), glue in "(sk-|://|Bearer |eyJ|-----BEGIN PRIVATE KEY)?[a-zA-Z0-9:@/. -]{0,60}") {
            let once = mask(&text).into_owned() + &mask(&glue);
            let once = mask(&once).into_owned();
            prop_assert_eq!(mask(&once), once.as_str());
        }

        #[test]
        fn ordinary_words_are_left_alone(words in proptest::collection::vec("[a-z]{1,9}|[0-9]{1,9}|[.,;:=/_-]", 0..40)) {
            let text = words.join(" ");
            prop_assume!(!text.contains("bearer "));
            prop_assert_eq!(mask(&text), text.as_str());
        }
    }
}

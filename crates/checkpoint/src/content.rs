//! What is taken out of payloads before they reach the trace: every secret and everything personal that the detectors know.
//!
//! It is not the policy's redaction, which decides about what goes to a model or comes from one, and can be off. Here it is
//! always all kinds; that a payload was kept at all is the trace's setting.

use seawall_detect::{PiiKinds, Selection, TextDetector};
use seawall_trace::content::Redact;

/// What stands where a text was taken out as a whole.
const GONE: &str = "[REDACTED]";

/// Takes out of payloads what the detectors find.
#[derive(Debug)]
pub struct PayloadRedactor {
    detector: TextDetector,
}

impl PayloadRedactor {
    /// All secrets, all personal data.
    #[must_use]
    pub fn new() -> Self {
        let selection = Selection { secrets: true, pii: PiiKinds::all(), injection: false };
        Self { detector: TextDetector::new(selection) }
    }

    /// A text whose end is missing: what the detector still holds back at its end may be the beginning of a match, and goes.
    fn without_open_end(&self, text: &str) -> Option<String> {
        let mut kept = String::with_capacity(text.len());
        let _first = self.detector.redactor().push(&self.detector, text, &mut kept);
        (kept != text).then_some(kept)
    }
}

impl Default for PayloadRedactor {
    fn default() -> Self {
        Self::new()
    }
}

impl Redact for PayloadRedactor {
    fn redact(&self, name: &str, text: &str, is_cut: bool) -> Option<String> {
        if let Some(kind) = self.detector.named(name, text) {
            return Some(kind.mark().to_owned());
        }
        match is_cut {
            // More of it might have been a secret.
            true if self.detector.names_a_secret(name) => Some(GONE.to_owned()),
            true => self.without_open_end(text),
            false => self.detector.redact(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-abcdAA";

    fn redact(name: &str, text: &str, is_cut: bool) -> Option<String> {
        PayloadRedactor::new().redact(name, text, is_cut)
    }

    #[test]
    fn a_secret_goes_and_the_rest_stays() {
        assert_eq!(redact("", "the weather", false), None);
        assert_eq!(redact("", &format!("use {KEY} now"), false).unwrap(), "use [REDACTED:anthropic_key] now");
        assert_eq!(redact("text", "write to ann@example.com", false).unwrap(), "write to [REDACTED:email]");
    }

    #[test]
    fn a_value_is_a_secret_by_its_name() {
        assert_eq!(redact("password", "correct-horse-7", false).unwrap(), "[REDACTED:secret]");
        assert_eq!(redact("title", "correct-horse-7", false), None);
        for password in ["Tr0ub4'dor-3xyz!99", "Tr0ub4\"dor3", "Tr0ub4dor\\3xyz!99", "two\nLines-7"] {
            assert_eq!(redact("db_password", password, false).unwrap(), "[REDACTED:secret]", "{password}");
        }
        let header = redact("Authorization", "Bearer abcDEF123456ghi", false).unwrap();
        assert!(!header.contains("abcDEF"), "{header}");
    }

    #[test]
    fn of_a_text_that_was_cut_no_beginning_of_a_secret_stays() {
        let whole = format!("take {KEY}");
        for end in "take sk-a".len()..whole.len() {
            for name in ["", "text"] {
                let kept = redact(name, &whole[..end], true).unwrap_or_else(|| panic!("{}", &whole[..end]));
                assert!(kept.starts_with("take ") && !kept.contains("sk-"), "{kept}");
            }
        }
        for cut in ["correct-horse", "corr'ect-horse", "corr\"ect"] {
            let kept = redact("password", cut, true).unwrap();
            assert!(!kept.contains("ect"), "{kept}");
        }
        let named = redact("password", "correct-horse", true).unwrap();
        assert!(!named.contains("correct"), "{named}");
    }
}

//! The scan takes time linear in the text, also where the text is made against it.
//!
//! Nothing is timed here: what is quadratic takes days for these texts, and does not come back.

use seawall_detect::{Selection, TextDetector, redact_json};

/// Pieces that make validators look far ahead, over and over.
const PIECES: [&str; 28] = [
    "eyJ",
    "eyJhbGciOiJIUzI1NiJ9.",
    "eyJhbGciOiJIUzI1NiJ9.a.",
    "-----BEGIN PRIVATE KEY-----\n",
    "-----BEGIN ",
    "-----BEGIN A: b\n",
    "-",
    "sk-ant-",
    "sk-",
    "ghp_",
    "github_pat_a",
    "password=",
    "token: ",
    "token=\"",
    "a://",
    "://a:",
    "@",
    "a@a.",
    "1",
    "1 ",
    "4111-",
    "+1",
    "(",
    "DE89 ",
    "fe80:",
    "\\",
    "ignore all ",
    "![](https://a/?",
];
const BYTES: usize = 512 * 1024;

#[test]
fn a_text_made_against_the_scan_is_scanned_in_one_pass() {
    let detector = TextDetector::new(Selection::all());
    for piece in PIECES {
        let text = piece.repeat(BYTES / piece.len());
        let mut end = 0;
        detector.scan(&text, |found| end = end.max(found.range.end));
        assert!(end <= text.len());
    }
}

#[test]
fn a_document_made_against_the_redaction_is_walked_once() {
    let detector = TextDetector::new(Selection { injection: false, ..Selection::all() });
    for piece in ["\"a\",", "{\"token\":", "\"\\u0041\",", "\"password\":\"a\","] {
        let redacted = redact_json(&detector, &piece.repeat(BYTES / piece.len()));
        assert_eq!(redacted, None, "{piece}");
    }
}

#[test]
fn a_stream_of_single_bytes_made_against_the_redactor_ends() {
    let detector = TextDetector::new(Selection::all());
    for piece in PIECES {
        let text = piece.repeat(BYTES / 8 / piece.len());
        let (mut redactor, mut out, mut most) = (detector.redactor(), String::new(), 0);
        for at in 0..text.len() {
            redactor.push(&detector, &text[at..=at], &mut out);
            most = most.max(redactor.held());
        }
        redactor.finish(&detector, &mut out);
        assert!(most < 18 * 1024, "{piece}: {most} bytes held");
        assert_eq!(out, detector.redact(&text).unwrap_or(text), "{piece}");
    }
}

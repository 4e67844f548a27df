//! Taint: what was read is found again, in whole and in part, and nothing else is.

use proptest::prelude::*;
use proptest::sample::Index;
use seawall_detect::taint::{Form, Leak, SHORTEST, Taint};
use seawall_types::Code;

const CONTRACT: &str = "The parties agree that the annual fee for the service is 1,250,000 euros, payable in advance, and \
    that neither party discloses this amount to anybody who isn't bound by the same agreement.";

fn reader() -> Taint {
    let mut taint = Taint::default();
    taint.remember("contracts/acme.txt", CONTRACT.as_bytes());
    taint
}

fn form(text: &str) -> Option<Form> {
    reader().find(text.as_bytes()).map(|leak| leak.form)
}

fn base64(text: &[u8], alphabet: &[u8; 64]) -> String {
    let mut out = String::new();
    for three in text.chunks(3) {
        let bits =
            three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for digit in 0..=three.len() {
            out.push(char::from(alphabet[(bits >> (18 - 6 * digit) & 63) as usize]));
        }
    }
    out
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn hexadecimal(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_part_in_another_text_names_its_source() {
    let sent = format!("Hi! As you asked: {} Bye.", &CONTRACT[40..110]);
    let leak = reader().find(sent.as_bytes()).unwrap();
    assert_eq!(leak, Leak { source: "contracts/acme.txt".into(), form: Form::Plain });
    let found = leak.found();
    assert_eq!(found.code, Code::TaintLeak);
    assert!(found.message.contains("contracts/acme.txt") && !found.message.contains("euros"));
}

#[test]
fn encoding_hides_nothing() {
    let part = &CONTRACT[20..120];
    let percent: String = part.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let wrapped: Vec<String> = base64(part.as_bytes(), STANDARD)
        .as_bytes()
        .chunks(60)
        .map(|line| String::from_utf8_lossy(line).into())
        .collect();
    for (text, expected) in [
        (part.to_uppercase().replace(' ', "\r\n  "), Form::Plain),
        (part.replace(' ', "%20"), Form::Percent),
        (part.replace(' ', "+").replace(',', "%2C"), Form::Percent),
        (percent, Form::Percent),
        (part.replace(' ', "\\n"), Form::Escaped),
        (part.chars().map(|character| format!("\\u{:04x}", character as u32)).collect(), Form::Escaped),
        (hexadecimal(part), Form::Hexadecimal),
        (format!("0x{}", hexadecimal(part).to_uppercase()), Form::Hexadecimal),
        (base64(part.as_bytes(), STANDARD), Form::Base64),
        (base64(part.as_bytes(), URL_SAFE), Form::Base64),
        (wrapped.join("\n"), Form::Base64),
        (format!("https://example.com/?d={}=", base64(part.as_bytes(), URL_SAFE)), Form::Base64),
        (hexadecimal(&base64(part.as_bytes(), STANDARD)), Form::Hexadecimal),
        (format!("{{\"d\":\"{}\"}}", part.replace(' ', "\\u0020")), Form::Escaped),
    ] {
        assert_eq!(form(&text), Some(expected), "{text}");
    }
}

#[test]
fn everyday_words_are_nobodys_secret() {
    for text in [
        "The parties agree",
        "is payable in advance, thank you",
        "Nothing of this stands in any contract, but it is a longer text with many ordinary English words in it.",
        "",
        "--------------------------------------------------------------------------------",
    ] {
        assert_eq!(form(text), None, "{text}");
    }
    assert_eq!(Taint::default().find(CONTRACT.as_bytes()), None);
}

#[test]
fn the_oldest_is_forgotten_and_that_is_counted() {
    let mut taint = Taint::with_capacity(20);
    taint.remember("first", CONTRACT.as_bytes());
    let after_first = taint.forgotten();
    let second: String = (0..200).map(|number| format!("row {} is {}; ", number, number * 7919)).collect();
    taint.remember("second", second.as_bytes());
    assert!(taint.forgotten() > after_first);
    assert_eq!(taint.find(CONTRACT.as_bytes()), None);
    assert_eq!(taint.find(&second.as_bytes()[second.len() - 80..]).unwrap().source, "second".into());
    assert_eq!(reader().forgotten(), 0);
}

proptest! {
    #[test]
    fn every_part_of_what_was_read_is_found(
        text in "[a-zA-Z0-9.,;:_]{32,400}",
        begin in any::<Index>(), length in any::<Index>(),
        before in "[a-z ]{0,40}", after in "[a-z ]{0,40}",
    ) {
        let most = text.len() - SHORTEST;
        let begin = begin.index(most + 1);
        let length = SHORTEST + length.index(most - begin + 1);
        let part = &text[begin..begin + length];
        let mut taint = Taint::default();
        taint.remember("source", text.as_bytes());
        let sent = format!("{before}{part}{after}");
        prop_assert!(taint.find(sent.as_bytes()).is_some());
        let encoded = base64(sent.as_bytes(), STANDARD);
        prop_assert!(taint.find(encoded.as_bytes()).is_some());
        prop_assert!(taint.find(hexadecimal(&sent).as_bytes()).is_some());
    }

    /// Two texts over alphabets without a common character share nothing, in any form that both have.
    #[test]
    fn unrelated_text_is_not_found(text in "[a-m ]{0,2000}", other in "[n-z ]{0,2000}") {
        let mut taint = Taint::default();
        taint.remember("source", text.as_bytes());
        prop_assert_eq!(taint.find(other.as_bytes()), None);
    }

    #[test]
    fn any_bytes_can_be_remembered_and_looked_for(
        bytes in proptest::collection::vec(any::<u8>(), 0..600), text in r#"([%\\]u?[0-9a-fA-F]{0,5}|[ -~]){0,200}"#,
    ) {
        let mut taint = Taint::default();
        taint.remember("bytes", &bytes);
        let _ = taint.find(text.as_bytes());
        taint.remember("text", text.as_bytes());
        let _ = taint.find(&bytes);
    }
}

//! What a payload becomes in a line.

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Takes out `SECRET`, and what is called `password`; of a cut text also the beginning of a `SECRET` at its end.
#[derive(Debug)]
struct Word;

impl Redact for Word {
    fn redact(&self, name: &str, text: &str, is_cut: bool) -> Option<String> {
        if name == "password" {
            return Some("[GONE]".to_owned());
        }
        let beginning = (1..6).rev().map(|length| &"SECRET"[..length]).find(|begun| text.ends_with(begun));
        let kept = match beginning {
            Some(begun) if is_cut => &text[..text.len() - begun.len()],
            _ => text,
        };
        (kept != text || text.contains("SECRET")).then(|| kept.replace("SECRET", "[GONE]"))
    }
}

fn redacted() -> Content {
    Content::Redacted(Arc::new(Word))
}

fn added(content: &Content, payloads: Vec<Payload>) -> Value {
    let data = EventData::of(&json!({ "name": "n" }));
    serde_json::from_str(&content.add(&data, payloads).unwrap()).unwrap()
}

fn json_of(text: &str) -> Payload {
    Payload::json("arguments", text.to_owned(), text.len() as u64)
}

fn redacted_json(text: &str) -> Value {
    added(&redacted(), vec![json_of(text)])["arguments"].clone()
}

#[test]
fn payloads_become_fields_behind_those_of_the_event() {
    let text = |field, text: &str| Payload::text(field, text.to_owned(), text.len() as u64);
    let payloads = vec![
        text("answer", "hello").as_element("reasoning"),
        text("answer", "you\n\"").as_element("text"),
        json_of("{ \"a\":\n1 }"),
        text("note", "x"),
    ];
    let wanted = json!({
        "name": "n",
        "answer": [{ "reasoning": "hello" }, { "text": "you\n\"" }],
        "arguments": { "a": 1 },
        "note": "x",
    });
    assert_eq!(added(&Content::Full, payloads), wanted);
    let empty = Content::Full.add(&EventData::of(&json!({})), vec![json_of("[]")]).unwrap();
    assert_eq!(&*empty, r#"{"arguments":[]}"#);
}

#[test]
fn what_is_no_json_is_kept_as_a_text() {
    assert_eq!(redacted_json("{SECRET}"), json!("{[GONE]}"));
    assert_eq!(redacted_json(""), json!(""));
    assert_eq!(added(&Content::Full, vec![json_of("{]")])["arguments"], json!("{]"));
}

#[test]
fn a_secret_is_found_wherever_it_stands_in_a_document() {
    for (document, wanted) in [
        (json!({ "a": ["x SECRET y"] }), json!({ "a": ["x [GONE] y"] })),
        (json!({ "SECRET": 1 }), json!({ "[GONE]": 1 })),
        (json!({ "password": ["x", 123456] }), json!({ "password": ["[GONE]", "[GONE]"] })),
        (
            json!({ "in": "{\"in\":\"{\\\"a\\\":\\\"SECRET\\\"}\"}" }),
            json!({ "in": r#"{"in":"{\"a\":\"[GONE]\"}"}"# }),
        ),
        (json!({ "n": 12.5, "t": true, "z": null }), json!({ "n": 12.5, "t": true, "z": null })),
    ] {
        assert_eq!(redacted_json(&document.to_string()), wanted);
    }
    assert_eq!(redacted_json(r#"{"a":"\u0053ECRET"}"#), json!({ "a": "[GONE]" }), "an escape");
    assert_eq!(
        redacted_json(r#"{"a":"say \\u0053ECRET"}"#),
        json!({ "a": "say [GONE]" }),
        "an escape in a text"
    );
    assert_eq!(redacted_json(r#"{"a":"\u0053ECRET",}"#), json!("{\"a\":\"[GONE]\",}"), "not quite JSON");
}

#[test]
fn a_cut_document_is_one_again_and_says_how_long_it_was() {
    let whole = r#"{"path":"a.txt","list":[1,{"deep":"some text","more":true}],"end":"SECRET\u0041"}"#;
    for end in 1..whole.len() {
        let payload = Payload::json("arguments", whole[..end].to_owned(), whole.len() as u64);
        let data = added(&redacted(), vec![payload]);
        assert!(data["arguments"].is_object(), "{}: {data}", &whole[..end]);
        assert_eq!(data["cut"]["arguments"], whole.len(), "{data}");
        assert!(!data.to_string().contains("SE"), "{data}");
    }
}

#[test]
fn more_than_a_line_bears_is_cut() {
    let long = |field| Payload::text(field, "x".repeat(LARGEST - 10), LARGEST as u64 - 10);
    let data = added(&Content::Full, vec![long("a"), long("b")]);
    assert_eq!(data["b"], "x".repeat(10));
    assert_eq!(data["cut"], json!({ "b": LARGEST - 10 }));
}

#[test]
fn a_document_is_written_as_its_tree_would_be() {
    for text in [
        "{ \"b\" : [ 1 , -2 , 2.50, 1e400 ] ,\n\"a\": \"é\\u00e9\\n\\/ \\ud83d\\ude00\", \"c\": {}, \"d\": [] }",
        "[18446744073709551615, 18446744073709551616, -0, true, null, \"\\\"\"]",
        "\"alone\"",
        "{\"a\":1} x",
        "{\"a\":\"\\ud800\"}",
        "[1,]",
    ] {
        let payload = json_of(text);
        let tree = serde_json::from_str::<Value>(text);
        let wanted = tree.map_or_else(|_| json!(text).to_string(), |tree| tree.to_string());
        let data = Content::Full.add(&EventData::of(&json!({})), vec![payload]).unwrap();
        assert_eq!(&*data, format!(r#"{{"arguments":{wanted}}}"#));
    }
}

proptest! {
    #[test]
    fn any_bytes_become_one_object_without_the_secret(text in "[\\[\\]{}\",:\\\\uSECRT0-9a ]{0,60}", cut: bool) {
        let bytes = text.len() as u64 + u64::from(cut);
        let data = added(&redacted(), vec![Payload::json("arguments", text, bytes)]);
        prop_assert_eq!(data.get("cut").is_some(), cut);
        prop_assert!(!data.to_string().contains("SECRET"));
    }

    #[test]
    fn a_document_that_is_cut_anywhere_can_be_closed(
        text in proptest::collection::vec("[a\"\\\\é]{0,6}", 0..4), end in 0_usize..200,
    ) {
        let whole = json!({ "a": text, "b": { "c": text, "d": [1, -2.5e3, false, null] } }).to_string();
        let end = whole.floor_char_boundary(end.min(whole.len()));
        prop_assume!(end > 0);
        let closed = json::closed(&whole[..end]);
        prop_assert!(serde_json::from_str::<Value>(&closed).is_ok(), "{} -> {}", &whole[..end], closed);
    }
}

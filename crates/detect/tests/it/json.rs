//! Redaction inside JSON documents.

use fastrand::Rng;
use proptest::prelude::*;
use seawall_detect::{Selection, TextDetector, redact_json};
use serde_json::{Value, json};

use crate::samples::positives;

fn detector() -> TextDetector {
    TextDetector::new(Selection::all())
}

#[test]
fn matches_are_taken_out_of_values_and_names_and_nothing_else_changes() {
    for (document, wanted) in [
        (r#"{ "to" : "bob@example.com", "n": 1.50 }"#, r#"{ "to" : "[REDACTED:email]", "n": 1.50 }"#),
        (r#"{"bob@example.com":[1,2]}"#, r#"{"[REDACTED:email]":[1,2]}"#),
        (
            r#"["a\u0040example.com", "bob\u0040example.com\n"]"#,
            r#"["[REDACTED:email]", "[REDACTED:email]\n"]"#,
        ),
        (r#"{"password":"hunter2hunter"}"#, r#"{"password":"[REDACTED:secret]"}"#),
        (
            r#"{"password": "h\u0075nter2\/hunter", "x": null}"#,
            r#"{"password": "[REDACTED:secret]", "x": null}"#,
        ),
        (
            r#"{"cmd":"export API_KEY=\"f3a9c17e0b5d48261122334455667788\""}"#,
            r#"{"cmd":"export API_KEY=\"[REDACTED:secret]\""}"#,
        ),
        (
            r#"{"nested":"{\"password\":\"hunter2hunter\"}"}"#,
            r#"{"nested":"{\"password\":\"[REDACTED:secret]\"}"}"#,
        ),
        (
            r#"{"Authorization":"Bearer abcdef123456"}"#,
            r#"{"Authorization":"Bearer [REDACTED:authorization]"}"#,
        ),
    ] {
        assert_eq!(redact_json(&detector(), document).as_deref(), Some(wanted));
    }
}

#[test]
fn a_document_without_a_match_is_none() {
    for document in
        ["", "{}", r#"{"a":"b\\","c":[1e5,true,null]}"#, r#"{"password":"x"}"#, r#"{"token":{"a":"b"}}"#]
    {
        assert_eq!(redact_json(&detector(), document), None, "{document}");
    }
}

#[test]
fn what_is_no_json_is_redacted_as_text() {
    for (text, wanted) in [
        ("write to bob@example.com", "write to [REDACTED:email]"),
        ("{\"a\":\"bob@example.com", "{\"a\":\"[REDACTED:email]"),
        ("{'a': bob@example.com}", "{'a': [REDACTED:email]}"),
    ] {
        assert_eq!(redact_json(&detector(), text).as_deref(), Some(wanted));
    }
}

fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>(),
        (any::<u64>(), any::<String>()).prop_map(|(seed, more)| {
            let samples = positives(&mut Rng::with_seed(seed));
            samples[Rng::with_seed(seed).usize(..samples.len())].text() + &more
        }),
    ];
    let leaf = prop_oneof![
        text.prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!(null)),
        Just(json!(true))
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        let name = prop_oneof![Just("password".to_owned()), Just("text".to_owned()), any::<String>()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The texts of a document, redacted each by itself where no name stands before it.
fn texts(value: &Value, each: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => each(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, each)),
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            each(name);
            texts(member, each);
        }),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_output_is_json_without_matches(document in value(), pretty in any::<bool>()) {
        let written = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) }.expect("it is JSON");
        let detector = detector();
        if let Some(redacted) = redact_json(&detector, &written) {
            let again: Value = serde_json::from_str(&redacted).expect("still JSON");
            let mut left = Vec::new();
            texts(&again, &mut |text| detector.scan(text, |found| left.push((text.to_owned(), found))));
            left.retain(|(text, _)| !text.contains("[REDACTED:"));
            prop_assert!(left.is_empty(), "{left:?}");
        } else {
            texts(&document, &mut |text| assert_eq!(detector.redact(text), None));
        }
    }
}

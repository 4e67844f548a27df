//! No secret leaves through an error, a display or a debug.

use proptest::prelude::*;
use seawall_config::{self as config, Document, Environment, Sources};
use serde_json::{Value, json};
use std::path::Path;

use crate::sample::{declare, environment, read_with};

const HUSH: &str = "hush-Zq7";

fn outputs(document: &Document) -> String {
    let entries = serde_json::to_string(&config::show(document, declare)).unwrap();
    let errors = config::read(document, declare)
        .map(|_| ())
        .map_or_else(|errors| format!("{errors} {errors:?}"), |()| String::new());
    format!("{entries}\n{errors}\n{document:?}")
}

#[test]
fn show_hides_what_is_declared_secret() {
    let text = format!(
        "upstreams: [{{ name: a, mode: warn, api_key: {HUSH}, headers: {{ x-key: {HUSH} }}, labels: {{ b: '${{TOKEN}}' }} }}]\npolicy: {{ token: '${{TOKEN}}' }}"
    );
    let document = Document::from_text(Path::new("c.yaml"), &text, &environment(&[("TOKEN", HUSH)])).unwrap();
    let shown = outputs(&document);
    assert!(!shown.contains(HUSH), "{shown}");
    let entry = |key: &str| {
        config::show(&document, declare).into_iter().find(|entry| entry.key == key).unwrap().value
    };
    assert_eq!(entry("upstreams[0].api_key"), json!("[secret]"));
    assert_eq!(entry("upstreams[0].headers"), json!({ "x-key": "[secret]" }));
    assert_eq!(entry("upstreams[0].labels"), json!({ "b": "[secret]" }));
    assert_eq!(entry("policy"), json!({ "token": "[secret]" }));
}

#[test]
fn what_is_hidden_can_be_told_from_another_value_and_nothing_else_is_kept() {
    let hidden = |text: &str, token: &str| {
        let environment = environment(&[
            ("TOKEN", token),
            ("ALL", &format!(r#"[{{"name":"a","mode":"warn","api_key":"{token}"}}]"#)),
        ]);
        let document = Document::from_text(Path::new("c.yaml"), text, &environment).unwrap();
        let entries = config::show(&document, declare).into_iter();
        let told = entries.filter_map(|entry| Some((entry.key, entry.hidden?.expose().clone())));
        told.collect::<Vec<_>>()
    };
    for (text, key) in [
        ("upstreams: [{ name: a, mode: warn, api_key: '${TOKEN}' }]", "upstreams[0].api_key"),
        ("upstreams: '${ALL}'", "upstreams[0].api_key"),
        ("policy: { token: '${TOKEN}' }", "policy"),
        ("servers: { db: { url: 'postgres://app:${TOKEN}@db/x' } }", "servers.db.url"),
    ] {
        let (one, other) = (hidden(text, HUSH), hidden(text, "another-Zq7"));
        assert_eq!(one.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), [key], "{text}");
        assert_ne!(one, other, "{text}");
    }
    assert_eq!(hidden("gateway: { drain: 5s, models: [a] }", HUSH), []);
}

#[test]
fn show_masks_what_looks_like_a_key_wherever_it_stands() {
    let text = "servers: { db: { url: postgres://app:hush-Zq7@db/x } }\npolicy: [sk-ant-hush-Zq7]\ngateway: { models: [sk-hush-Zq7] }";
    let shown = outputs(&Document::from_text(Path::new("c.yaml"), text, &Environment::default()).unwrap());
    assert!(!shown.contains(HUSH), "{shown}");
}

#[test]
fn a_secret_of_the_wrong_type_is_not_quoted() {
    for value in [json!([HUSH]), json!({ "a": HUSH }), json!([[{ HUSH: 1 }]])] {
        let text =
            json!({ "upstreams": [{ "name": "a", "mode": "warn", "api_key": value, "headers": value }] });
        let document =
            Document::from_text(Path::new("c.json"), &text.to_string(), &Environment::default()).unwrap();
        assert!(config::read(&document, declare).is_err() && !outputs(&document).contains(HUSH), "{value}");
    }
}

#[test]
fn a_secret_behind_a_reference_is_not_quoted_by_the_wrong_key() {
    for key in ["listen", "mode", "in_flight", "drain", "budget", "share", "enabled", "lisen", "limits"] {
        let text = format!("gateway: {{ {key}: '${{TOKEN}}' }}");
        let errors = read_with("c.yaml", &text, &[("TOKEN", HUSH)]).unwrap_err();
        assert!(!format!("{errors} {errors:?}").contains(HUSH), "{errors}");
    }
}

#[test]
fn sources_show_names_alone() {
    let sources = Sources {
        environment: environment(&[("SEAWALL_X__KEY", HUSH)]),
        flags: vec![("upstream.key".to_owned(), Value::from(HUSH))],
        ..Sources::default()
    };
    let shown = format!("{sources:?}");
    assert!(
        shown.contains("SEAWALL_X__KEY") && shown.contains("upstream.key") && !shown.contains(HUSH),
        "{shown}"
    );
}

#[test]
fn a_file_that_cannot_be_parsed_is_not_quoted() {
    for (name, text) in [
        ("c.toml", "api_key = \"hush-Zq7\nb = 1"),
        ("c.toml", "api_key = hush-Zq7"),
        ("c.toml", "a = 1\na = \"hush-Zq7\""),
        ("c.yaml", "api_key: \"hush-Zq7\nb: ["),
        ("c.yaml", "api_key: 'hush-Zq7' x"),
        ("c.yaml", "a: !!int hush-Zq7"),
        ("c.yaml", "a: *hush-Zq7"),
        ("c.json", "{\"a\": \"hush-Zq7"),
        ("c.json", "{\"a\": hush-Zq7}"),
    ] {
        let error = Document::from_text(Path::new(name), text, &Environment::default()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(HUSH), "{name}: {error}");
    }
}

proptest! {
    /// Wherever a value from outside lands, and whatever its type should be, errors and `show` keep keys back.
    #[test]
    fn a_provider_key_never_comes_out(body in "[A-Za-z0-9]{20,40}", field in 0_usize..8, wrapped in 0_usize..4) {
        let key = format!("sk-{body}");
        let value = match wrapped {
            0 => json!(key),
            1 => json!([key]),
            2 => json!({ key.clone(): key }),
            _ => json!(format!("see {key}, https://u:{body}@host")),
        };
        let name = ["listen", "mode", "budget", "drain", "trusted_proxies", "limits", "nonsense", "enabled"][field];
        let text = json!({ "gateway": { name: value }, "policy": value, "upstreams": [{ "api_key": value, "labels": value }] });
        let document = Document::from_text(Path::new("c.json"), &text.to_string(), &Environment::default()).unwrap();
        let shown = outputs(&document);
        prop_assert!(!shown.contains(&body), "{}", shown);
    }
}

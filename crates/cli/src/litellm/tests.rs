//! Configurations as people have them, and what becomes of them.

use std::path::Path;

use seawall_config::{Document, Environment, read};

use super::*;
use crate::settings::Settings;

const EXAMPLES: [(&str, &str); 4] = [
    ("team", include_str!("examples/team.yaml")),
    ("balanced", include_str!("examples/balanced.yaml")),
    ("local", include_str!("examples/local.yaml")),
    ("everything", include_str!("examples/everything.yaml")),
];

/// The imported configuration as the program reads it, with the variables set that it asks for.
fn settings(imported: &Imported) -> Settings {
    let value = |name: &String| if name.ends_with("_BASE") { "https://acme.example" } else { "set" };
    let variables = imported.variables.iter().map(|name| (name.clone(), value(name).to_owned()));
    let environment = Environment::from_iter(variables);
    let document = Document::from_text(Path::new("imported.yaml"), &imported.yaml, &environment).unwrap();
    read(&document, Settings::declare).unwrap_or_else(|errors| panic!("{errors}\n{}", imported.yaml))
}

#[test]
fn examples_are_imported_as_they_were_reviewed() {
    for (name, text) in EXAMPLES {
        insta::assert_snapshot!(name, import(text).unwrap().yaml);
    }
}

#[test]
fn what_is_imported_can_be_used() {
    for (name, text) in EXAMPLES {
        let imported = import(text).unwrap();
        let gateway = settings(&imported).gateway;
        assert_eq!(gateway.upstreams.len(), imported.upstreams, "{name}");
        assert!(imported.upstreams > 0, "{name}");
    }
}

#[test]
fn no_secret_is_copied() {
    for (name, text) in EXAMPLES {
        let imported = import(text).unwrap();
        for secret in ["sk-house", "gsk_", "hush", "AKIA", "sk-1234", "sk-in-clear"] {
            assert!(!imported.yaml.contains(secret), "{name}: {secret}");
            assert!(!imported.not_imported.concat().contains(secret), "{name}: {secret}");
        }
    }
}

#[test]
fn a_name_cannot_leave_its_place() {
    let imported = import(include_str!("examples/everything.yaml")).unwrap();
    assert!(imported.yaml.lines().all(|line| !line.starts_with("# injected")), "{}", imported.yaml);
    let gateway = settings(&imported).gateway;
    assert_eq!(gateway.upstreams[0].settings.models[0].as_str(), "o3\n# injected: true");
}

#[test]
fn what_is_no_configuration_is_refused() {
    for text in ["- a", "text", "a: [", "a: 1\na: 2"] {
        assert!(import(text).is_err(), "{text}");
    }
    assert_eq!(import("{}").unwrap().upstreams, 0);
}

#[test]
fn a_model_goes_to_its_own_place_before_a_pattern_that_it_matches() {
    let own = r#"{ "model_name": "gpt-4o", "litellm_params": { "model": "openai/gpt-4o", "api_key": "os.environ/OWN" } }"#;
    let routes = |other: &str| {
        let text = format!(
            r#"{{ "model_list": [{own}, {{ "model_name": "{other}", "litellm_params": {{ "model": "openai/{other}" }} }}] }}"#
        );
        settings(&import(&text).unwrap()).gateway.routes
    };
    assert!(routes("o3").is_empty() && routes("claude*").is_empty(), "its name finds it");
    for pattern in ["*", "gpt-*"] {
        let routes = routes(pattern);
        assert_eq!(
            (routes.len(), &*routes[0].model, &*routes[0].to[0].upstream),
            (1, "gpt-4o", "openai"),
            "{pattern}"
        );
    }
}

/// Every key of a document, as the notes name them.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                leaves(value, &if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, found);
            }
        }
        Value::Array(items) if path == "model_list" => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, item)| leaves(item, &format!("{path}[{index}]"), found));
        }
        _ => found.push(path.to_owned()),
    }
}

#[test]
fn no_unknown_key_is_dropped_in_silence() {
    let text = r#"{ "model_list": [{ "model_name": "m", "x1": 1, "litellm_params": { "model": "openai/m", "x2": 1 },
        "model_info": { "x3": 1 } }], "router_settings": { "x4": 1 }, "litellm_settings": { "x5": 1 },
        "general_settings": { "x6": 1 }, "x7": 1 }"#;
    let mut keys = Vec::new();
    leaves(&serde_json::from_str(text).unwrap(), "", &mut keys);
    let not_imported = import(text).unwrap().not_imported;
    for key in keys.iter().filter(|key| key.contains('x')) {
        assert!(
            not_imported.iter().any(|line| line.starts_with(&format!("{key}: "))),
            "{key}: {not_imported:?}"
        );
    }
    assert_eq!(not_imported.len(), 7, "{not_imported:?}");
}

proptest::proptest! {
    #[test]
    fn any_text_is_imported_or_refused(text in ".{0,200}") {
        let _refused = import(&text);
    }

    #[test]
    fn any_model_is_usable_or_left_out(
        name in "[a-z*\\PC]{0,12}",
        model in "(openai/|azure/|claude-|acme/)?[a-z*/]{0,8}",
        base in proptest::option::of("(https?://)?[a-z.:/?@ ]{0,15}"),
        weight in proptest::option::of(proptest::num::f64::ANY),
        timeout in proptest::option::of(proptest::num::f64::POSITIVE),
    ) {
        let entry = json!({ "model_name": name, "litellm_params": { "model": model, "api_base": base, "weight": weight, "timeout": timeout } });
        let text = json!({ "model_list": [entry, entry] }).to_string();
        settings(&import(&text).unwrap());
    }
}

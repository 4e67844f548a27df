//! Bad configurations, and exactly what is said about them.

use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;
use seawall_config::{self as config, Document};
use serde_json::{Map, Value, json};

use crate::sample::{declare, folder, read_text, sources};

#[test]
fn every_fault_has_its_line() {
    let cases: &[(&str, &[&str])] = &[
        ("gateway: { lisen: x }", &["c.yaml: gateway.lisen: unknown key; did you mean gateway.listen?"]),
        (
            "colour: blue",
            &["c.yaml: colour: unknown key; known here: gateway, upstreams, servers, jwt, policy"],
        ),
        ("listen: x", &["c.yaml: listen: unknown key; did you mean gateway.listen?"]),
        ("gateway: 7", &["c.yaml: gateway: expected a table, found a number"]),
        ("gateway: [1]", &["c.yaml: gateway: expected a table, found a list"]),
        (
            "gateway: { listen: nowhere }",
            &["c.yaml: gateway.listen: \"nowhere\" can't be read: invalid socket address syntax"],
        ),
        (
            "gateway: { listen: 80 }",
            &["c.yaml: gateway.listen: expected text, found a number; put quotes around it"],
        ),
        (
            "gateway: { mode: strct }",
            &["c.yaml: gateway.mode: \"strct\" is not one of warn, strict; did you mean strict?"],
        ),
        (
            "gateway: { mode: true }",
            &["c.yaml: gateway.mode: expected one of warn, strict, found true or false"],
        ),
        ("gateway: { limits: { body: 1 } }", &["c.yaml: gateway.limits.body: out of range; give 1K to 1G"]),
        (
            "gateway: { limits: { body: 10MB } }",
            &[
                "c.yaml: gateway.limits.body: \"10MB\" is not a size: write a whole number of bytes, or one with K, M, G or T, such as 512K or 10M",
            ],
        ),
        (
            "gateway: { limits: { body: 1.5 } }",
            &[
                "c.yaml: gateway.limits.body: expected a size, found a number below zero or with a fraction; give 1K to 1G",
            ],
        ),
        ("gateway: { in_flight: 0 }", &["c.yaml: gateway.in_flight: out of range; give 1 to 100000"]),
        ("gateway: { in_flight: -5 }", &["c.yaml: gateway.in_flight: out of range; give 1 to 100000"]),
        (
            "gateway: { in_flight: 1.5 }",
            &["c.yaml: gateway.in_flight: expected an integer, found a fraction; give 1 to 100000"],
        ),
        ("gateway: { in_flight: '10' }", &["c.yaml: gateway.in_flight: expected an integer, found text"]),
        (
            "gateway: { drain: 30 }",
            &["c.yaml: gateway.drain: a duration needs a unit; write it like 250ms, 10s, 5m, 2h or 30d"],
        ),
        ("gateway: { drain: 2h }", &["c.yaml: gateway.drain: out of range; give 0s to 1h"]),
        (
            "gateway: { trusted_proxies: a }",
            &["c.yaml: gateway.trusted_proxies: expected a list of text, found text"],
        ),
        (
            "gateway: { trusted_proxies: [a, 1, [b]] }",
            &[
                "c.yaml: gateway.trusted_proxies[1]: expected text, found a number; put quotes around it",
                "c.yaml: gateway.trusted_proxies[2]: expected text, found a list",
            ],
        ),
        (
            "gateway: { budget: -1 }",
            &[
                "c.yaml: gateway.budget: \"-1\" is negative; an amount of dollars is zero or more; leave the key out for no limit, or give 0 to allow nothing",
            ],
        ),
        (
            "gateway: { budget: [1] }",
            &["c.yaml: gateway.budget: expected an amount of US dollars such as \"0.25\", found a list"],
        ),
        (
            "gateway: { budget: 0.1234567890123456 }",
            &["c.yaml: gateway.budget: this number can't be kept exactly; put quotes around it"],
        ),
        ("gateway: { share: 1.01 }", &["c.yaml: gateway.share: out of range; give 0 to 1"]),
        ("gateway: { share: half }", &["c.yaml: gateway.share: expected a number, found text"]),
        ("gateway: { enabled: yes }", &["c.yaml: gateway.enabled: expected true or false, found text"]),
        (
            "gateway: { mode: strict, enabled: false }",
            &["c.yaml: gateway.mode: strict and not enabled exclude each other; enable the gateway"],
        ),
        ("upstreams: { a: 1 }", &["c.yaml: upstreams: expected a list of tables, found a table"]),
        (
            "upstreams: [{ name: a, mode: warn }, 7, { nam: b, mode: strict }]",
            &[
                "c.yaml: upstreams[1]: expected a table, found a number",
                "c.yaml: upstreams[2].name: required and not set; expected text",
                "c.yaml: upstreams[2].nam: unknown key; did you mean upstreams[2].name?",
            ],
        ),
        (
            "upstreams: [{ name: a }]",
            &["c.yaml: upstreams[0].mode: required and not set; expected one of warn, strict"],
        ),
        (
            "upstreams: [{ name: a, mode: warn, labels: { b: [c] } }]",
            &["c.yaml: upstreams[0].labels.b: expected text, found a list"],
        ),
        (
            "servers: { web: { uri: x } }",
            &[
                "c.yaml: servers.web.url: required and not set; expected text",
                "c.yaml: servers.web.uri: unknown key; did you mean servers.web.url?",
            ],
        ),
        // The keys of a table that is none are not asked for.
        ("jwt: 7", &["c.yaml: jwt: expected a table, found a number"]),
        ("jwt: {}", &["c.yaml: jwt.issuer: required and not set; expected text"]),
        (
            "gateway: { lisen: x, in_flight: 0, drain: 5 }\nup: 1",
            &[
                "c.yaml: gateway.in_flight: out of range; give 1 to 100000",
                "c.yaml: gateway.drain: a duration needs a unit; write it like 250ms, 10s, 5m, 2h or 30d",
                "c.yaml: gateway.lisen: unknown key; did you mean gateway.listen?",
                "c.yaml: up: unknown key; known here: gateway, upstreams, servers, jwt, policy",
            ],
        ),
        ("[1]", &["c.yaml: the file must hold a table of sections"]),
    ];
    for (text, lines) in cases {
        let errors = read_text("c.yaml", text).unwrap_err().to_string();
        assert_eq!(errors.lines().collect::<Vec<_>>(), *lines, "{text}");
    }
}

#[test]
fn a_key_with_a_line_break_stays_on_one_line() {
    let errors = read_text("c.json", r#"{"gate\nway\u001b[2J": 1}"#).unwrap_err().to_string();
    assert_eq!(errors, r"c.json: gate\nway\u{1b}[2J: unknown key; did you mean gateway?");
}

#[test]
fn variables_and_flags_are_named_as_the_origin() {
    let mut sources =
        sources(&[], &[("SEAWALL_GATEWAY__LISEN", "x"), ("SEAWALL_GATEWAY__IN_FLIGHT", "many")]);
    sources.flags.push(("gateway.mode".to_owned(), json!("lax")));
    let errors = config::read(&Document::load(&sources).unwrap(), declare).unwrap_err().to_string();
    let expected = [
        "command line: gateway.mode: \"lax\" is not one of warn, strict",
        "SEAWALL_GATEWAY__IN_FLIGHT: gateway.in_flight: \"many\" is not an integer; give 1 to 100000",
        "SEAWALL_GATEWAY__LISEN: gateway.lisen: unknown key; did you mean gateway.listen?",
    ];
    assert_eq!(errors.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn every_file_that_cannot_be_taken_is_reported_at_once() {
    let folder = folder(&[
        ("twice.yaml", "a: 1\na: 2"),
        ("broken.json", "{"),
        ("list.toml.txt", ""),
        ("latin.toml", "a = 1"),
    ]);
    fs::write(folder.path().join("latin.toml"), b"a = '\xff'").unwrap();
    let paths = ["missing.toml", "twice.yaml", "broken.json", "list.toml.txt", "latin.toml"];
    let paths = paths.map(|name| folder.path().join(name));
    let errors = Document::load(&sources(&paths, &[])).unwrap_err();
    let messages: Vec<&str> = errors.0.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(messages.len(), 5, "{messages:#?}");
    assert_eq!(messages[0], "there is no such file");
    assert!(messages[1].contains("duplicate"), "{}", messages[1]);
    assert!(messages[2].contains("EOF"), "{}", messages[2]);
    assert_eq!(messages[3], "this is no configuration file");
    assert_eq!(messages[4], "the file is not UTF-8 text");
}

#[test]
fn an_environment_without_a_file_refuses_to_start() {
    let folder = folder(&[("defaults.toml", ""), ("production.yaml", "gateway: { mode: strict }")]);
    let load = |name: &str, files: &[std::path::PathBuf]| {
        Document::load(&sources(files, &[("SEAWALL_ENV", name)]))
            .map(|_| ())
            .map_err(|errors| errors.to_string())
    };
    let paths = [folder.path().to_owned()];
    assert_eq!(load("production", &paths), Ok(()));
    assert_eq!(load("", &paths), Ok(()));
    for (name, files) in [("staging", &paths[..]), ("production", &[]), ("../etc/passwd", &paths[..])] {
        let error = load(name, files).unwrap_err();
        assert!(error.starts_with("configuration: ") && error.contains("SEAWALL_ENV"), "{error}");
    }
}

#[test]
fn a_folder_without_layers_or_with_one_twice_is_refused() {
    let empty = folder(&[("other.toml", "")]);
    let error = Document::load(&sources(&[empty.path().to_owned()], &[])).unwrap_err().to_string();
    assert!(error.contains("holds no defaults."), "{error}");
    let doubled = folder(&[("defaults.toml", ""), ("defaults.json", "{}")]);
    let error = Document::load(&sources(&[doubled.path().to_owned()], &[])).unwrap_err().to_string();
    assert!(error.contains("holds the same layer"), "{error}");
}

/// Any JSON value, with the sample's own keys among its names.
fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        ".{0,12}",
        "\\$\\{[A-Z]{0,2}(:-)?.{0,3}\\}?",
        "[\\[{\"][a-z,:\"]{0,6}[\\]}]?",
        "[0-9]{1,25}[smhdKMG]?"
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    let name = prop_oneof![
        proptest::sample::select(vec![
            "gateway",
            "listen",
            "mode",
            "limits",
            "body",
            "in_flight",
            "drain",
            "trusted_proxies",
            "models",
            "budget",
            "share",
            "enabled",
            "upstreams",
            "name",
            "api_key",
            "headers",
            "labels",
            "servers",
            "jwt",
            "issuer",
            "policy",
        ])
        .prop_map(str::to_owned),
        ".{0,6}",
    ];
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(name.clone(), inner, 0..8)
                .prop_map(|map: BTreeMap<String, Value>| Value::Object(Map::from_iter(map))),
        ]
    })
}

proptest! {
    #[test]
    fn no_document_panics(value in any_json(), variable in any::<String>(), flag in any_json()) {
        let _ = read_text("c.json", &value.to_string());
        let _ = read_text("c.yaml", &variable);
        let _ = read_text("c.toml", &variable);
        let mut sources = sources(&[], &[("SEAWALL_GATEWAY__LIMITS", &variable), ("SEAWALL__UPSTREAMS", &variable)]);
        sources.flags.push(("gateway".to_owned(), flag.clone()));
        sources.flags.push((variable, flag));
        if let Ok(document) = Document::load(&sources) {
            let _ = config::read(&document, declare);
            let _ = config::show(&document, declare);
        }
    }

    #[test]
    fn what_is_read_without_error_has_no_unknown_key(value in any_json()) {
        let mut value = value;
        let read = read_text("c.json", &value.to_string()).is_ok();
        if let Some(table) = value.as_object_mut().filter(|_| read) {
            table.insert("no_such_key".to_owned(), json!(1));
            prop_assert!(read_text("c.json", &value.to_string()).is_err());
        }
    }
}

#[test]
fn what_is_faulty_has_its_default_and_the_rest_is_read_all_the_same() {
    let document = Document::from_value(&json!({ "gateway": { "mode": "strct", "listen": "127.0.0.1:9" } }));
    let (value, outcome) = config::attempt(&document, declare);
    assert_eq!(outcome.unwrap_err().0.len(), 1);
    let faultless = Document::from_value(&json!({ "gateway": { "listen": "127.0.0.1:9" } }));
    assert_eq!(format!("{value:?}"), format!("{:?}", config::read(&faultless, declare).unwrap()));
}

#[test]
fn what_this_build_does_not_do_is_refused_by_name_and_asking_for_nothing_is_not() {
    let read = |text: &str| {
        let document =
            Document::from_text(std::path::Path::new("c.yaml"), text, &crate::sample::environment(&[]))
                .unwrap();
        config::read(&document, |reader| {
            reader.absent("servers", "", "leave it out");
            reader.partial_choice("shared", "", 0, &[("none", 0)], &["redis"])
        })
        .map_err(|errors| errors.to_string())
    };
    for nothing in ["{}", "servers: null", "servers: {}", "servers: []", "shared: none"] {
        assert_eq!(read(nothing), Ok(0), "{nothing}");
    }
    let error = read("{ servers: { a: { token: hunter2 } }, shared: redis }").unwrap_err();
    assert_eq!(
        error,
        "c.yaml: servers: not in this build; leave it out\nc.yaml: shared: \"redis\" is not in this build; write none"
    );
    let error = read("shared: radis").unwrap_err();
    assert!(error.contains("\"radis\" is not one of none"), "{error}");
}

//! Which layer wins.

use seawall_config::{self as config, Document, Origin};
use seawall_types::Usd;
use serde_json::json;

use crate::sample::{Mode, declare, folder, sources};

#[test]
fn each_layer_lies_over_the_one_before() {
    let folder = folder(&[
        (
            "defaults.toml",
            "[gateway]\nin_flight = 2\nshare = 0.1\ndrain = '1s'\nmode = 'strict'\n[gateway.limits]\nbody = '2M'",
        ),
        ("production.yml", "gateway: { in_flight: 3, drain: 2s, limits: { } }"),
        ("later.json", r#"{"gateway":{"in_flight":4}}"#),
    ]);
    let mut sources = sources(
        &[folder.path().to_owned(), folder.path().join("later.json")],
        &[
            ("SEAWALL_ENV", "production"),
            ("SEAWALL_GATEWAY__IN_FLIGHT", "5"),
            ("SEAWALL_GATEWAY__SHARE", "0.9"),
        ],
    );
    sources.flags.push(("gateway.in_flight".to_owned(), json!(6)));
    let document = Document::load(&sources).unwrap();
    let sample = config::read(&document, declare).unwrap();
    assert_eq!((sample.in_flight, sample.share, sample.body, sample.mode), (6, 0.9, 2 << 20, Mode::Strict));
    assert_eq!(sample.drain.as_secs(), 2);
    assert!(sample.enabled);

    let origin = |key: &str| {
        config::show(&document, declare).into_iter().find(|entry| entry.key == key).unwrap().origin
    };
    assert_eq!(origin("gateway.in_flight"), Origin::Flag);
    assert_eq!(origin("gateway.share"), Origin::Env("SEAWALL_GATEWAY__SHARE".to_owned()));
    assert_eq!(origin("gateway.drain"), Origin::File(folder.path().join("production.yml")));
    assert_eq!(origin("gateway.mode"), Origin::File(folder.path().join("defaults.toml")));
    assert_eq!(origin("gateway.enabled"), Origin::Default);
    let names: Vec<_> =
        document.files().iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["defaults.toml", "production.yml", "later.json"]);
}

#[test]
fn a_flag_for_the_environment_wins_over_the_variable() {
    let folder = folder(&[("one.toml", "gateway.in_flight = 1"), ("two.toml", "gateway.in_flight = 2")]);
    let mut sources = sources(&[folder.path().to_owned()], &[("SEAWALL_ENV", "one")]);
    sources.env_name = Some("two".to_owned());
    let sample = config::read(&Document::load(&sources).unwrap(), declare).unwrap();
    assert_eq!(sample.in_flight, 2);
}

#[test]
fn null_takes_back_what_a_lower_layer_has_set() {
    let folder = folder(&[
        ("defaults.yaml", "gateway: { in_flight: 2, budget: 5, models: [a] }\njwt: { issuer: x }"),
        ("production.yaml", "gateway: { in_flight: null, budget: null, models: null }\njwt: null"),
    ]);
    let sources = sources(&[folder.path().to_owned()], &[("SEAWALL_ENV", "production")]);
    let sample = config::read(&Document::load(&sources).unwrap(), declare).unwrap();
    assert_eq!((sample.in_flight, sample.budget, sample.models, sample.issuer), (1000, None, None, None));
}

#[test]
fn variables_are_read_as_their_key_demands() {
    let document = Document::load(&sources(
        &[],
        &[
            ("SEAWALL_GATEWAY__LISTEN", "[::1]:9"),
            ("SEAWALL_GATEWAY__ENABLED", "false"),
            ("SEAWALL_GATEWAY__BUDGET", "$0.000000000001"),
            ("SEAWALL_GATEWAY__LIMITS__BODY", "1M"),
            ("SEAWALL_GATEWAY__TRUSTED_PROXIES", "10.0.0.0/8, ::1/128,"),
            ("SEAWALL_GATEWAY__MODELS", r#"["gpt-*","a,b"]"#),
            ("SEAWALL_SERVERS__WEB", r#"{"url":"http://x"}"#),
            ("SEAWALL__UPSTREAMS", r#"[{"name":"123","mode":"warn","labels":{"a":1},"headers":{"x":"y"}}]"#),
            ("SEAWALL__POLICY", "strict"),
            ("SEAWALL_HOME", "/elsewhere"),
            ("SEAWALL_UPSTREAM_API_KEY", "k"),
        ],
    ));
    let sample = config::read(&document.unwrap(), declare).unwrap();
    assert_eq!(sample.listen.to_string(), "[::1]:9");
    assert!(!sample.enabled);
    assert_eq!(sample.budget, Some(Usd::from_picos(1)));
    assert_eq!(sample.body, 1 << 20);
    assert_eq!(sample.trusted_proxies, ["10.0.0.0/8", "::1/128"]);
    assert_eq!(sample.models.unwrap(), ["gpt-*", "a,b"]);
    assert_eq!(sample.servers["web"], "http://x");
    assert_eq!((sample.upstreams[0].name.as_str(), sample.upstreams[0].mode), ("123", Mode::Warn));
    assert_eq!(
        (sample.upstreams[0].labels["a"].as_str(), sample.upstreams[0].headers["x"].expose().as_str()),
        ("1", "y")
    );
    assert_eq!(sample.policy, Some(json!("strict")));
}

#[test]
fn a_variable_reaches_into_an_element_of_a_list() {
    let folder = folder(&[("c.yaml", "upstreams: [{ name: a, mode: warn }, { name: b, mode: warn }]")]);
    let path = [folder.path().join("c.yaml")];
    let document = Document::load(&sources(&path, &[("SEAWALL_UPSTREAMS__1__API_KEY", "hush")])).unwrap();
    let sample = config::read(&document, declare).unwrap();
    assert!(sample.upstreams[0].api_key.is_none());
    assert_eq!(sample.upstreams[1].api_key.as_ref().unwrap().expose(), "hush");
    let error = Document::load(&sources(&path, &[("SEAWALL_UPSTREAMS__2__API_KEY", "hush")])).unwrap_err();
    let expected = "SEAWALL_UPSTREAMS__2__API_KEY: upstreams.2.api_key: there is no element 2 in this list";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn empty_and_absent_lists_differ() {
    let models = |text: &str| crate::sample::read_text("c.yaml", text).unwrap().models;
    assert_eq!(models("gateway: {}"), None);
    assert_eq!(models("gateway: { models: [] }"), Some(Vec::new()));
}

#[test]
fn money_is_exact_in_every_spelling() {
    let budget = |text: &str| {
        crate::sample::read_text("c.yaml", &format!("gateway: {{ budget: {text} }}")).unwrap().budget.unwrap()
    };
    for (text, shown) in [
        ("100", "100.000000"),
        ("\"100\"", "100.000000"),
        ("0.5", "0.500000"),
        ("0.1", "0.100000"),
        ("0.000000000001", "0.000000000001"),
        ("1e-7", "0.0000001"),
        ("18446744073709551615", "18446744073709551615.000000"),
        ("123456789.012345", "123456789.012345"),
        ("\"0.123456789012\"", "0.123456789012"),
    ] {
        assert_eq!(budget(text).to_string(), shown, "{text}");
    }
}

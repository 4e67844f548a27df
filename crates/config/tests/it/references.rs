//! `${VARIABLE}` in files.

use crate::sample::{folder, read_with, sources};
use seawall_config::{self as config, Document};

#[test]
fn a_reference_takes_the_type_of_its_key() {
    let text = "
gateway: { in_flight: ${N}, enabled: ${ON}, budget: ${USD:-0.25}, drain: ${DRAIN}, share: ${SHARE}, models: '${MODELS}', listen: '${HOST}:${PORT:-80}' }
upstreams: [{ name: ${NAME}, mode: warn, api_key: ${KEY} }]
";
    let variables = [
        ("N", "7"),
        ("ON", "false"),
        ("DRAIN", "5s"),
        ("SHARE", "0.75"),
        ("MODELS", "a,b"),
        ("HOST", "127.0.0.1"),
        ("NAME", "123"),
        ("KEY", "x: [y"),
    ];
    let sample = read_with("c.yaml", text, &variables).unwrap();
    assert_eq!((sample.in_flight, sample.enabled, sample.share), (7, false, 0.75));
    assert_eq!(sample.budget.unwrap().to_string(), "0.250000");
    assert_eq!(sample.drain.as_secs(), 5);
    assert_eq!(sample.models.unwrap(), ["a", "b"]);
    assert_eq!(sample.listen.to_string(), "127.0.0.1:80");
    assert_eq!(sample.upstreams[0].name, "123");
    assert_eq!(sample.upstreams[0].api_key.as_ref().unwrap().expose(), "x: [y");
}

#[test]
fn unresolved_references_are_reported_with_everything_else() {
    let text = "[gateway]\nlisten = '${LISTEN}'\nin_flight = 0\nmode = '${1}'\n[[upstreams]]\nname = '${NAME}'\nmode = 'warn'";
    let errors = read_with("c.toml", text, &[]).unwrap_err().to_string();
    let expected = [
        "c.toml: gateway.listen: the variable LISTEN is not set; set it, or give a default with ${LISTEN:-…}",
        "c.toml: gateway.mode: this is no reference; write ${NAME} or ${NAME:-default}, and $${ for a plain ${",
        "c.toml: upstreams[0].name: the variable NAME is not set; set it, or give a default with ${NAME:-…}",
        "c.toml: gateway.in_flight: out of range; give 1 to 100000",
    ];
    assert_eq!(errors.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_reference_that_a_higher_layer_replaced_need_not_resolve() {
    let folder = folder(&[
        ("defaults.json", r#"{"gateway":{"listen":"${LISTEN}"}}"#),
        ("test.json", r#"{"gateway":{"listen":"127.0.0.1:1"}}"#),
    ]);
    let sources = sources(&[folder.path().to_owned()], &[("SEAWALL_ENV", "test")]);
    assert_eq!(
        config::read(&Document::load(&sources).unwrap(), crate::sample::declare).unwrap().listen.port(),
        1
    );
}

#[test]
fn what_variables_hold_is_not_resolved_again() {
    let document =
        Document::load(&sources(&[], &[("SEAWALL_SERVERS__A__URL", "${HOME}"), ("HOME", "/root")])).unwrap();
    assert_eq!(config::read(&document, crate::sample::declare).unwrap().servers["a"], "${HOME}");
}

#[test]
fn an_empty_secret_counts_as_absent() {
    let text = "upstreams: [{ name: a, mode: warn, api_key: ${KEY:-} }]";
    assert!(read_with("c.yaml", text, &[]).unwrap().upstreams[0].api_key.is_none());
}

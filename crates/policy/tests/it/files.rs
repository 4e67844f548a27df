//! Policy files: what they begin with, and what is wrong with them.

use std::path::{Path, PathBuf};

use seawall_config::Environment;
use seawall_policy::load;
use seawall_policy::load::Loaded;
use serde_json::json;

use super::{Memory, findings, judged, named};

fn loaded(name: &str, files: &Memory) -> Loaded {
    load::named(name, Path::new(""), &Environment::default(), files)
}

fn errors(name: &str, files: &[(&str, &str)]) -> String {
    loaded(name, &Memory::of(files)).file.unwrap_err().to_string()
}

#[test]
fn later_ones_win_and_lists_add_up() {
    let files = Memory::of(&[
        (
            "a.yaml",
            "name: a\nlimits: { usd: 1, tokens: 5 }\nnetwork: { hosts: [one.example], private: allow }\ntools: [{ name: x, verdict: deny }]",
        ),
        ("b.yaml", "name: b\nextends: [a.yaml]\nlimits: { usd: 2 }\nnetwork: { hosts: [two.example] }"),
        ("c.yaml", "extends: [a.yaml, b.yaml]\nmodels: { allow: [m] }\ntools: [{ name: y, verdict: ask }]"),
    ]);
    let policy = named("c.yaml", Path::new("/nowhere"), &files);
    assert_eq!(policy.name, "b");
    assert_eq!(policy.limits.usd, Some("2".parse().unwrap()));
    assert_eq!(policy.limits.tokens, Some(5));
    let network = policy.network().unwrap();
    let hosts: Vec<String> = network.hosts.iter().flatten().map(ToString::to_string).collect();
    assert_eq!(hosts, ["one.example", "two.example"], "what is reached on two ways stands there once");
    for tool in ["x", "y"] {
        assert_eq!(judged(&policy, tool, &json!({})).findings.len(), 1, "{tool}");
    }
}

#[test]
fn files_are_found_from_the_file_that_names_them_and_all_are_to_be_watched() {
    let files = Memory::of(&[
        ("team/policy.yaml", "extends: [safe, ../base/one.toml]\nfiles: { root: work }"),
        ("base/one.toml", "extends = ['two.json']\n[models]\nallow = ['a']"),
        ("base/two.json", r#"{ "models": { "allow": ["b"] } }"#),
    ]);
    let policy = named("team/policy.yaml", Path::new("/srv"), &files);
    assert_eq!(policy.models.as_ref().unwrap().len(), 2);
    assert_eq!(policy.files().unwrap().root, Path::new("/srv/team/work"));
    let watched = loaded("team/policy.yaml", &files).files;
    assert_eq!(watched, ["team/policy.yaml", "base/one.toml", "base/two.json"].map(PathBuf::from));
}

#[test]
fn a_file_that_is_missing_is_still_to_be_watched() {
    let loaded = loaded("a.yaml", &Memory::of(&[("a.yaml", "extends: [b.yaml]")]));
    assert!(loaded.file.is_err());
    assert_eq!(loaded.files, ["a.yaml", "b.yaml"].map(PathBuf::from));
}

#[test]
fn cycles_are_refused() {
    let cycle = [("a.yaml", "extends: [b.yaml]"), ("b.yaml", "extends: [./a.yaml]")];
    assert_eq!(
        errors("a.yaml", &cycle),
        "b.yaml: extends: a.yaml begins with itself; take it out of one `extends`"
    );
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let files = [
        (
            "a.yaml",
            "extends: [sfae, b.yaml, gone.yaml]\nmod: strict\nsecrets: { in: denny }\ntools: [{ name: x, verdict: allow }, { verdict: ask, when: 'arg.x > 1' }]",
        ),
        (
            "b.yaml",
            "network: { hosts: ['https://x'], ports: [70000], schemes: ['ht tp'] }\npii: { kinds: [emial] }\nflow: [{ after: {}, deny: { effect: net }, ask: { effect: exec } }]",
        ),
    ];
    let errors = errors("a.yaml", &files);
    for expected in [
        "a.yaml: mod: unknown key; did you mean mode?",
        "a.yaml: secrets.in: \"denny\" is not one of allow, warn, redact, ask, deny; did you mean deny?",
        "a.yaml: tools[0].verdict: \"allow\" is not one of warn, ask, deny",
        "a.yaml: tools[1].name: required and not set",
        "at column 1: there is no \"arg\"; did you mean args?",
        "a.yaml: extends: \"sfae\" is no preset, and there is no file sfae; did you mean safe?",
        "a.yaml: extends: \"gone.yaml\" is no preset, and there is no file gone.yaml",
        "b.yaml: network.hosts[0]",
        "b.yaml: network.ports[0]: out of range; give 1 to 65535",
        "b.yaml: network.schemes[0]: \"ht tp\" is no scheme",
        "b.yaml: pii.kinds[0]: \"emial\" is no kind of personal data; did you mean email?",
        "b.yaml: flow[0].after: this says nothing; name an effect, a tool, a path or a host",
        "b.yaml: flow[0]: a flow rule needs one of deny, ask and warn",
    ] {
        assert!(errors.contains(expected), "{expected}\n— not in —\n{errors}");
    }
}

#[test]
fn a_section_that_is_absent_is_not_judged() {
    let files = Memory::of(&[("a.yaml", "name: a")]);
    let policy = named("a.yaml", Path::new("/nowhere"), &files);
    let args = json!({ "path": "/etc/passwd", "url": "http://127.0.0.1", "command": "rm -rf /" });
    assert_eq!(findings(&judged(&policy, "t", &args)), []);
}

#[test]
fn limits_of_tools_are_read() {
    let files = Memory::of(&[("a.yaml", "limits: { tool_seconds: 60, output_bytes: 1M, concurrent: 3 }")]);
    let limits = named("a.yaml", Path::new("/nowhere"), &files).limits;
    assert_eq!(limits.tool_time, Some(std::time::Duration::from_secs(60)));
    assert_eq!((limits.output_bytes, limits.concurrent), (Some(1 << 20), Some(3)));
}

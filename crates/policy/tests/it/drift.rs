//! Calls against the profile of a baseline: what is new is told, and what is not is not.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use seawall_config::Environment;
use seawall_policy::{Asked, Decision, Declared, NoveltyKind, Performer, Policy, ProfileBuilder, load};
use seawall_types::{Actor, Code, Effect, Mode, Timestamp, Verdict};
use serde_json::{Value, json};

use super::{Memory, judged, judged_with, named};

const BASELINE: &str = r#"{
    "version": 1, "runs": 1, "tools": { "read_file": 2, "fetch": 1 }, "hosts": ["api.example.com"], "paths": [".", "src"]
}"#;

const ROOT: &str = "/srv/work";

/// A policy with this baseline, and what else it says.
fn against(baseline: &str, drift: &str, more: &str) -> Policy {
    let written = format!("drift: {{ baseline: base.json{drift} }}\n{more}");
    named("p.yaml", Path::new(ROOT), &Memory::of(&[("p.yaml", &written), ("base.json", baseline)]))
}

/// Rule and place of every finding that is drift.
fn drift(decision: &Decision) -> Vec<(&str, &str)> {
    let of_drift = decision.findings.iter().filter(|finding| finding.code == Code::Drift);
    of_drift.map(|finding| (finding.rule.as_str(), finding.location.as_str())).collect()
}

#[test]
fn what_the_baseline_does_not_know_is_told_with_its_place() {
    for more in ["", "network: { hosts: [other.example] }"] {
        let policy = against(BASELINE, "", more);
        for (tool, args, expected) in [
            ("read_file", json!({ "path": "src/a.rs" }), vec![]),
            ("read_file", json!({ "path": "/srv/work/src/b.rs" }), vec![]),
            ("read_file", json!({ "path": "a.txt" }), vec![]),
            ("read_file", json!({ "n": 5, "text": "as always" }), vec![]),
            ("fetch", json!({ "url": "https://API.example.com:8443/x" }), vec![]),
            ("write_file", json!({ "path": "src/a.rs" }), vec![("drift.tool", "")]),
            ("fetch", json!({ "url": "https://evil.example/" }), vec![("drift.host", "/url")]),
            ("fetch", json!({ "host": "evil.example" }), vec![("drift.host", "/host")]),
            ("fetch", json!({ "text": "https://evil.example/" }), vec![("drift.host", "/text")]),
            ("read_file", json!({ "path": "/etc/passwd" }), vec![("drift.path", "/path")]),
            ("read_file", json!({ "path": "src/../../../etc/passwd" }), vec![("drift.path", "/path")]),
            ("read_file", json!({ "path": "lib/a.rs" }), vec![("drift.path", "/path")]),
            ("read_file", json!({ "paths": ["lib/a", "lib/b", "src/c"] }), vec![("drift.path", "/paths/0")]),
            (
                "pay",
                json!({ "to": [{ "url": "https://evil.example/" }], "path": "/etc/x" }),
                vec![("drift.tool", ""), ("drift.host", "/to/0/url"), ("drift.path", "/path")],
            ),
        ] {
            let decision = judged(&policy, tool, &args);
            assert_eq!(drift(&decision), expected, "{tool} {args} {more}");
            assert_eq!(decision.novelties.len(), expected.len(), "{tool} {args}");
        }
    }
}

#[test]
fn a_finding_names_what_is_new_and_the_baseline() {
    let decision = judged(&against(BASELINE, "", ""), "fetch", &json!({ "url": "https://evil.example/" }));
    assert_eq!(
        decision.findings[0].message,
        "the run leads to a host that the baseline does not know (base.json): evil.example"
    );
    assert!(decision.findings[0].remedy.contains("seawall trace profile"));
    assert_eq!(
        (decision.novelties[0].kind, decision.novelties[0].value.as_str()),
        (NoveltyKind::Host, "evil.example")
    );
}

#[test]
fn a_host_that_cannot_be_read_is_new_and_its_text_is_not_told() {
    let policy = against(BASELINE, "", "");
    let decision = judged(&policy, "fetch", &json!({ "url": "https://api.example.com:pass@evil.example/" }));
    assert_eq!(drift(&decision), [("drift.host", "/url")]);
    assert!(!format!("{decision:?}").contains("pass@"), "{decision:?}");
}

#[test]
fn a_url_that_is_left_empty_is_no_host_that_cannot_be_read() {
    let args = json!({ "url": "", "proxy_url": " " });
    assert_eq!(drift(&judged(&against(BASELINE, "", ""), "fetch", &args)), []);
    let written: Value = serde_json::from_str(&profile([("fetch", &args)])).unwrap();
    assert_eq!(written["hosts"], json!([]));
}

#[test]
fn the_verdict_is_the_policys_in_its_mode() {
    let args = json!({});
    for (drift, mode, verdict, would) in [
        ("", "strict", Verdict::Warn, Verdict::Warn),
        (", verdict: ask", "strict", Verdict::Ask, Verdict::Ask),
        (", verdict: deny", "strict", Verdict::Deny, Verdict::Deny),
        (", verdict: deny", "warn", Verdict::Warn, Verdict::Deny),
    ] {
        let policy = against(BASELINE, drift, &format!("mode: {mode}"));
        let decision = judged(&policy, "pay", &args);
        assert_eq!((decision.verdict, decision.would), (verdict, would), "{drift} {mode}");
        assert_eq!(policy.may_ask(), verdict == Verdict::Ask);
        assert!(policy.judges_calls());
    }
}

#[test]
fn a_rate_is_too_much_above_so_many_times_the_baselines() {
    for (drift, most) in [("", 20), (", rate: 3", 6), (", rate: 1", 2)] {
        let policy = against(BASELINE, &format!("{drift}, verdict: deny"), "");
        assert!(policy.counts_calls_of("read_file"));
        assert!(!policy.counts_calls_of("pay"), "it is new, however often");
        for (calls, rules) in [(most, vec![]), (most + 1, vec![("drift.rate", "")])] {
            let mut decision = judged(&policy, "read_file", &json!({}));
            policy.judge_pace("read_file", calls, &mut decision);
            assert_eq!(self::drift(&decision), rules, "{drift} {calls}");
            assert_eq!(decision.verdict == Verdict::Deny, calls > most);
        }
    }
}

#[test]
fn a_policy_without_a_baseline_counts_nothing() {
    let policy = super::policy("tools: [{ name: x, verdict: deny }]");
    assert!(!policy.counts_calls_of("read_file"));
    assert_eq!(policy.baseline(), None);
    let mut decision = judged(&policy, "y", &json!({ "path": "/etc/passwd", "url": "https://evil.example" }));
    policy.judge_pace("y", u64::MAX, &mut decision);
    assert_eq!(decision, Decision::default());
}

/// The text of a profile of these calls, a second apart.
fn profile<'c>(calls: impl IntoIterator<Item = (&'c str, &'c Value)>) -> String {
    let mut builder = ProfileBuilder::default();
    builder.begin_run();
    for (second, (tool, args)) in (1_u64..).zip(calls) {
        let asked = Asked {
            tool,
            args,
            effects: &Declared::Nothing,
            actor: &Actor::default(),
            run: "",
            flow: None,
            performer: Performer::Us,
        };
        builder.call(Path::new(ROOT), &asked, Timestamp::from_micros(second * 1_000_000));
    }
    serde_json::to_string(&builder.finish()).unwrap()
}

#[test]
fn a_profile_has_tools_with_their_rates_and_hosts_and_folders() {
    let read = json!({ "path": "src/policy/judge/texts/x.rs" });
    let etc = json!({ "path": "/etc/ssh/key", "url": "https://a.example/x" });
    let mut calls = vec![("read", &read); 70];
    calls.push(("fetch", &etc));
    let written: Value = serde_json::from_str(&profile(calls)).unwrap();
    assert_eq!(
        written,
        json!({
            "version": 1, "runs": 1, "tools": { "fetch": 1, "read": 60 },
            "hosts": ["a.example"], "paths": ["/etc/ssh", "src/policy/judge"],
        })
    );
}

#[test]
fn what_is_declared_of_a_tool_makes_nothing_new() {
    let args = json!({ "where": "lib/a", "path": "src/a" });
    let baseline = profile([("work", &args)]);
    let policy = against(&baseline, "", "");
    let declared = [("where".to_owned(), Some(Effect::FsRead)), ("path".to_owned(), None)];
    for effects in
        [Declared::Parameters(declared.into()), Declared::Tool(vec![Effect::Net]), Declared::Nothing]
    {
        let decision = judged_with(&policy, "work", &args, &effects, None);
        assert_eq!(drift(&decision), [], "{effects:?}");
    }
    let elsewhere = json!({ "where": "lib/a", "path": "/etc/a" });
    let decision = judged_with(&policy, "work", &elsewhere, &Declared::Tool(vec![Effect::FsRead]), None);
    assert_eq!(drift(&decision), [("drift.path", "/path")]);
}

proptest! {
    #[test]
    fn what_a_baseline_did_is_not_new(
        calls in proptest::collection::vec(("[a-z_.]{1,8}", "(/|~/|\\.\\./|file:|C:\\\\){0,3}[a-z./%]{0,16}", "(https://)?[a-z0-9:/.@?%]{0,20}"), 1..6),
        judges_network in any::<bool>(),
    ) {
        let calls: Vec<(String, Value)> = calls
            .into_iter()
            .map(|(tool, path, url)| (tool, json!({ "path": path, "url": url, "any": [path, url] })))
            .collect();
        let baseline = profile(calls.iter().map(|(tool, args)| (tool.as_str(), args)));
        let more = if judges_network { "network: { hosts: [x.example], schemes: [http] }" } else { "" };
        let policy = against(&baseline, "", more);
        for (tool, args) in &calls {
            let decision = judged(&policy, tool, args);
            prop_assert!(decision.novelties.is_empty(), "{tool} {args}: {:?}", decision.novelties);
        }
    }
}

fn loaded(name: &str, files: &[(&str, &str)]) -> load::Loaded {
    load::named(name, Path::new(""), &Environment::default(), &Memory::of(files))
}

#[test]
fn a_baseline_that_cannot_be_read_keeps_the_policy_from_loading() {
    for (baseline, fault) in [
        (None, "base.json: it can't be read"),
        (Some("tools: { read: 1 }"), "it is no profile of runs"),
        (Some("[]"), "it is no profile of runs"),
        (Some(r#"{"version":1,"runs":1,"tools":{},"hosts":[]}"#), "missing field `paths`"),
        (
            Some(r#"{"version":1,"runs":1,"tools":{},"hosts":[],"paths":[],"files":[]}"#),
            "unknown field `files`",
        ),
        (Some(r#"{"version":1,"runs":1,"tools":{"a":-1},"hosts":[],"paths":[]}"#), "invalid value"),
        (Some(r#"{"version":2,"new":"shape"}"#), "it is a profile of version 2"),
    ] {
        let mut files = vec![("p.yaml", "drift: { baseline: base.json }")];
        files.extend(baseline.map(|text| ("base.json", text)));
        let loaded = loaded("p.yaml", &files);
        let errors = loaded.file.unwrap_err().to_string();
        assert!(errors.starts_with("p.yaml: drift.baseline: base.json: "), "{errors}");
        assert!(errors.contains(fault) && errors.contains("seawall trace profile"), "{errors}");
        assert_eq!(loaded.files, ["p.yaml", "base.json"].map(PathBuf::from), "it is watched all the same");
    }
    for written in [
        "drift: {}",
        "drift: { baseline: base.json, verdict: allow }",
        "drift: { baseline: base.json, rate: 0 }",
    ] {
        assert!(loaded("p.yaml", &[("p.yaml", written), ("base.json", BASELINE)]).file.is_err(), "{written}");
    }
}

#[test]
fn a_baseline_is_found_from_the_file_that_names_it_and_a_later_one_wins() {
    let files = [
        ("team/a.yaml", "drift: { baseline: a.json, verdict: deny }"),
        ("team/a.json", r#"{"version":1,"runs":1,"tools":{"read_file":1},"hosts":[],"paths":[]}"#),
        ("b.yaml", "extends: [team/a.yaml]\ndrift: { baseline: b.json }"),
        ("b.json", r#"{"version":1,"runs":1,"tools":{"pay":1},"hosts":[],"paths":[]}"#),
        ("c.yaml", "extends: [team/a.yaml]\nname: c"),
    ];
    for (name, tool, verdict) in [
        ("b.yaml", "pay", Verdict::Allow),
        ("b.yaml", "read_file", Verdict::Warn),
        ("c.yaml", "pay", Verdict::Deny),
        ("c.yaml", "read_file", Verdict::Allow),
    ] {
        let file = loaded(name, &files).file.unwrap();
        let setting = seawall_policy::Setting { mode: Mode::Strict, folder: Path::new(ROOT), sandbox: None };
        let decision = judged(&file.compile(&setting, name), tool, &json!({}));
        assert_eq!(decision.verdict, verdict, "{name} {tool}");
    }
    assert!(loaded("c.yaml", &files).files.contains(&PathBuf::from("team/a.json")));
}

//! What a policy says about calls.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use seawall_config::{Document, read};
use seawall_policy::{Declared, Meaning, Policy, PolicyFile, Setting};
use seawall_types::{Code, Effect, Mode, Severity, Verdict};
use serde_json::{Value, json};

use super::{findings, judged, judged_with, policy, policy_in};

const ALL: &str = "
files: {}
network: { hosts: [api.example.com], ports: [443], schemes: [https] }
commands: { allow: ['git *', ls] }
";

#[test]
fn every_parameter_is_judged_whatever_its_name_and_depth() {
    let root = tempfile::tempdir().unwrap();
    let policy = policy_in(root.path(), ALL);
    let outside = |pointer: &'static str| vec![("FS_OUTSIDE_ROOT", pointer)];
    let host = |pointer: &'static str| vec![("NET_HOST_NOT_ALLOWED", pointer)];
    let command = |pointer: &'static str| vec![("CMD_NOT_ALLOWED", pointer)];
    for (args, expected) in [
        (json!({ "path": "ok.txt", "file_path": "/etc/passwd" }), outside("/file_path")),
        (json!({ "src": "/etc/passwd", "dst": "ok" }), outside("/src")),
        (json!({ "filename": "/etc/passwd" }), outside("/filename")),
        (json!({ "anything": "/etc/passwd" }), outside("/anything")),
        (json!({ "files": ["a", "/etc/passwd"] }), outside("/files/1")),
        (
            json!({ "options": { "deep": [{ "output_path": "/etc/passwd" }] } }),
            outside("/options/deep/0/output_path"),
        ),
        (json!({ "contents": { "/etc/passwd": "x" } }), outside("/contents/~1etc~1passwd")),
        (json!({ "path": "a b.txt", "content": "anything at all, even a/b or 1/2" }), vec![]),
        (json!({ "url": "https://api.example.com/v1" }), vec![]),
        (json!({ "anything": "https://evil.example/" }), host("/anything")),
        (json!({ "host": "evil.example" }), host("/host")),
        (json!({ "host": "api.example.com" }), vec![]),
        (json!({ "endpoint": "api.example.com/v1" }), vec![]),
        (json!({ "link": "https://evil.example/" }), host("/link")),
        (json!({ "source": "https://api.example.com/x" }), vec![]),
        (json!({ "command": "curl x" }), command("/command")),
        (json!({ "command": "git", "args": ["push"] }), vec![]),
        (json!({ "command": "git status" }), vec![]),
        (json!({ "argv": ["curl", "x"] }), command("/argv")),
        (json!({ "zip_code": "curl x", "message": "curl x" }), vec![]),
        (json!("https://evil.example/"), host("")),
        (json!(["/etc/passwd"]), outside("/0")),
        (json!({}), vec![]),
        (json!(null), vec![]),
    ] {
        let decision = judged(&policy, "write_thing", &args);
        assert_eq!(findings(&decision), expected, "{args}");
        let expected = if expected.is_empty() { Verdict::Allow } else { Verdict::Deny };
        assert_eq!(decision.verdict, expected, "{args}");
    }
}

#[test]
fn a_program_and_its_arguments_in_two_parameters_are_one_command() {
    let policy = policy("commands: { deny: ['git push *'] }");
    let decision = judged(&policy, "run", &json!({ "command": "git", "args": ["push", "--force"] }));
    assert_eq!(findings(&decision), [("CMD_FORBIDDEN", "/command")]);
    assert_eq!(findings(&judged(&policy, "run", &json!({ "command": "git", "args": ["pull"] }))), []);
}

#[test]
fn a_finding_names_its_rule_and_what_to_do() {
    let root = tempfile::tempdir().unwrap();
    let decision = judged(&policy_in(root.path(), ALL), "fetch", &json!({ "url": "https://evil.example" }));
    let finding = &decision.findings[0];
    assert_eq!(finding.rule, "network.hosts");
    assert!(finding.severity >= Severity::Medium);
    assert!(!finding.message.is_empty() && !finding.remedy.is_empty());
    assert_eq!(decision.targets[0].host, "evil.example");
}

#[test]
fn what_is_declared_to_be_text_is_looked_through_and_is_no_path() {
    let root = tempfile::tempdir().unwrap();
    let policy = policy_in(root.path(), "files: {}\nnetwork: {}\nsecrets: { in: deny }");
    let members =
        [("path", Meaning::Touches(Effect::FsWrite)), ("find", Meaning::Text), ("files", Meaning::Text)];
    let effects = Declared::Members(members.map(|(name, meaning)| (name.to_owned(), meaning)).into());
    let rules = |args: serde_json::Value| -> Vec<String> {
        let decision = judged_with(&policy, "fs_multi_edit", &args, &effects, None);
        decision.findings.iter().map(|finding| format!("{} {}", finding.code, finding.location)).collect()
    };
    let edit = |path: &str, find: &str| json!({ "edits": [{ "path": path, "find": find }] });
    assert_eq!(rules(edit("a", "../b")), [""; 0]);
    assert_eq!(rules(edit("a", "/etc/passwd")), [""; 0]);
    assert_eq!(
        rules(json!({ "files": { "../x": ["http://127.0.0.1/", { "path_of": "~/.ssh" }] } })),
        [""; 0]
    );
    assert_eq!(rules(edit("../b", "x")), ["FS_TRAVERSAL /edits/0/path"]);
    assert_eq!(rules(json!({ "replace": "../b" })), ["FS_TRAVERSAL /replace"]);
    let key = format!("sk-ant-api03-{}", "Ab9_".repeat(24));
    assert!(rules(edit("a", &key))[0].ends_with(" /edits/0/find"), "{:?}", rules(edit("a", &key)));
}

#[test]
fn what_was_declared_comes_before_what_is_derived() {
    let root = tempfile::tempdir().unwrap();
    let policy = policy_in(root.path(), ALL);
    let declared = |effect| Declared::Parameters(BTreeMap::from([("value".to_owned(), effect)]));
    for (effects, value, expected) in [
        (declared(Some(Effect::FsRead)), "../x", 1),
        (declared(Some(Effect::Net)), "evil.example", 1),
        (declared(Some(Effect::Exec)), "curl x", 1),
        (declared(None), "/etc/passwd", 0),
        (Declared::Nothing, "curl x", 0),
    ] {
        let decision = judged_with(&policy, "t", &json!({ "value": value }), &effects, None);
        assert_eq!(decision.findings.len(), expected, "{effects:?} {value}: {:?}", decision.findings);
    }
    let nested = json!({ "value": { "any": ["/etc/passwd"] } });
    assert_eq!(findings(&judged_with(&policy, "t", &nested, &declared(None), None)), []);
    let read_only = policy_in(root.path(), "files: { also: ['.:ro'] }");
    let (args, of_tool) = (json!({ "path": "a" }), |effect| Declared::Tool(vec![effect]));
    assert_eq!(judged_with(&read_only, "t", &args, &of_tool(Effect::FsRead), None).verdict, Verdict::Allow);
    assert_eq!(judged_with(&read_only, "t", &args, &of_tool(Effect::FsWrite), None).verdict, Verdict::Deny);
}

#[test]
fn a_tool_whose_name_does_not_say_that_it_reads_is_taken_to_write() {
    let root = tempfile::tempdir().unwrap();
    let policy = policy_in(root.path(), "files: { also: ['.:ro'] }");
    for (tool, verdict) in [
        ("read_file", Verdict::Allow),
        ("readFile", Verdict::Allow),
        ("fs.list", Verdict::Allow),
        ("write_file", Verdict::Deny),
        ("delete_file", Verdict::Deny),
        ("read_and_delete", Verdict::Deny),
        ("get_or_create", Verdict::Deny),
        ("process", Verdict::Deny),
    ] {
        assert_eq!(judged(&policy, tool, &json!({ "path": "a" })).verdict, verdict, "{tool}");
    }
}

#[test]
fn a_relative_path_is_replaced_by_where_it_leads() {
    let root = tempfile::tempdir().unwrap();
    let whole = root.path().canonicalize().unwrap();
    let policy = policy_in(&whole, "files: {}");
    let mut args =
        json!({ "path": "sub/../a.txt", "src": "b.txt", "text": "a/b", "url": "https://x.example/y" });
    let decision = judged(&policy, "write", &args);
    decision.apply(&mut args);
    let expected = |name: &str| json!(whole.join(name));
    assert_eq!(args["src"], expected("b.txt"));
    assert_eq!((&args["text"], &args["url"]), (&json!("a/b"), &json!("https://x.example/y")));
    let plain = judged(&policy, "write", &json!({ "path": "a.txt" }));
    assert_eq!(plain.replacements[0].text, whole.join("a.txt").to_str().unwrap());
}

#[test]
fn an_argument_is_a_secret_by_its_name_and_a_card_by_its_number() {
    let rules = policy("secrets: { in: redact }\npii: { in: deny }");
    let found = |arguments: &Value| judged(&rules, "send", arguments);
    for (arguments, place) in [
        (json!({ "api_key": "a8FkQ2mZx91LpTvR7cNd" }), "/api_key"),
        (json!({ "headers": { "Authorization": "Bearer abcDEF123456ghi" } }), "/headers/Authorization"),
        (json!({ "password": ["Tr0ub4'dor-3xyz!99"] }), "/password/0"),
    ] {
        let decision = found(&arguments);
        assert_eq!((decision.verdict, decision.findings[0].code), (Verdict::Redact, Code::SecretFound));
        assert_eq!(decision.findings[0].location, place);
        let mut without = arguments.clone();
        decision.apply(&mut without);
        assert!(without.pointer(place).unwrap().as_str().unwrap().starts_with("[REDACTED:"), "{without}");
    }
    let card = found(&json!({ "account": 4_111_111_111_111_111_u64 }));
    assert_eq!((card.verdict, card.findings[0].code), (Verdict::Deny, Code::PiiFound));
    let harmless =
        json!({ "at": 1_767_323_045_000_u64, "api_key": "YOUR_API_KEY", "password": "", "token": 7 });
    assert_eq!(found(&harmless).verdict, Verdict::Allow);
}

#[test]
fn secrets_in_arguments_are_refused_told_or_taken_out_as_the_policy_says() {
    let key = format!("sk-ant-api03-{}", "Ab9_".repeat(24));
    let written = json!({ "body": format!("use {key} now"), "deep": [{ "n": 1, "to": "ann@example.com" }] });
    for (rules, verdict, codes) in [
        ("secrets: { in: deny }", Verdict::Deny, vec![("SECRET_FOUND", "/body")]),
        ("secrets: { out: deny }", Verdict::Allow, vec![]),
        ("pii: { in: warn }", Verdict::Warn, vec![("PII_FOUND", "/deep/0/to")]),
        ("pii: { in: warn, kinds: [card] }", Verdict::Allow, vec![]),
        ("secrets: { in: redact }", Verdict::Redact, vec![("SECRET_FOUND", "/body")]),
    ] {
        let decision = judged(&policy(rules), "send", &written);
        assert_eq!((decision.verdict, findings(&decision)), (verdict, codes), "{rules}");
        assert!(!format!("{:?}", decision.findings).contains(&key), "a finding never shows a secret");
        let mut args = written.clone();
        decision.apply(&mut args);
        let redacted = json!("use [REDACTED:anthropic_key] now");
        assert_eq!(args["body"] == redacted, verdict == Verdict::Redact, "{args}");
    }
    let mild = judged(&policy("mode: warn\nsecrets: { in: redact }"), "send", &written);
    assert_eq!((mild.verdict, mild.would, mild.replacements.len()), (Verdict::Warn, Verdict::Redact, 0));
}

#[test]
fn rules_about_tools_take_the_gravest_and_tell_all() {
    let policy = policy(
        "tools:
          - { name: 'bash_*', verdict: ask }
          - { name: payments.refund, verdict: ask, when: 'args.amount_usd > 50' }
          - { name: payments.refund, verdict: deny, when: 'args.amount_usd > 1000', reason: call accounting }
          - { name: '*', verdict: warn, when: \"actor.key == 'ci'\" }",
    );
    for (tool, args, verdict, count) in [
        ("bash_run", json!({}), Verdict::Ask, 2),
        ("payments.refund", json!({ "amount_usd": 50 }), Verdict::Warn, 1),
        ("payments.refund", json!({ "amount_usd": 50.01 }), Verdict::Ask, 2),
        ("payments.refund", json!({ "amount_usd": 5000 }), Verdict::Deny, 3),
        ("other", json!({}), Verdict::Warn, 1),
    ] {
        let decision = judged(&policy, tool, &args);
        assert_eq!((decision.verdict, decision.findings.len()), (verdict, count), "{tool} {args}");
    }
    let decision = judged(&policy, "payments.refund", &json!({ "amount_usd": 5000 }));
    let told: Vec<&str> = decision.findings.iter().map(|finding| finding.rule.as_str()).collect();
    assert_eq!(told, ["tools[payments.refund]", "tools[payments.refund]", "tools[*]"]);
    assert!(decision.findings[1].message.ends_with(": call accounting"), "{:?}", decision.findings[1]);
}

#[test]
fn a_condition_that_cannot_be_decided_counts_as_true_and_is_told() {
    let policy = policy("tools: [{ name: pay, verdict: deny, when: 'args.amount > 50' }]");
    for args in [json!({}), json!({ "amount": "hush-4711" }), json!(null), json!([1])] {
        let decision = judged(&policy, "pay", &args);
        assert_eq!(decision.verdict, Verdict::Deny, "{args}");
        let message = &decision.findings[0].message;
        assert!(message.contains("could not be decided, which counts as true"), "{message}");
        assert!(!message.contains("hush"), "{message}");
    }
    assert_eq!(judged(&policy, "pay", &json!({ "amount": 50 })).verdict, Verdict::Allow);
}

#[test]
fn warn_mode_refuses_nothing_and_tells_what_strict_would() {
    let text = format!("mode: warn\n{ALL}\ntools: [{{ name: ask_me, verdict: ask }}]");
    let policy = policy(&text);
    let decision = judged(&policy, "t", &json!({ "path": "/etc/passwd" }));
    assert_eq!((decision.verdict, decision.would), (Verdict::Warn, Verdict::Deny));
    let decision = judged(&policy, "ask_me", &json!({}));
    assert_eq!((decision.verdict, decision.would), (Verdict::Warn, Verdict::Ask));
    let decision = judged(&policy, "t", &json!({ "n": 1 }));
    assert_eq!((decision.verdict, decision.would), (Verdict::Allow, Verdict::Allow));
}

#[test]
fn what_nests_too_deep_to_be_judged_is_refused() {
    let mut args = json!("/etc/passwd");
    for _ in 0..100 {
        args = json!({ "inner": args });
    }
    let decision = judged(&policy(ALL), "t", &args);
    assert_eq!(decision.verdict, Verdict::Deny);
    assert_eq!(decision.findings[0].code.as_str(), "TOOL_CONTRACT");
}

#[test]
fn a_policy_is_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + std::fmt::Debug>() {}
    shared::<Policy>();
}

fn any_args() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,30}".prop_map(Value::from),
        "(\\.\\./|/|https?://|file:|~|git |rm -rf |C:\\\\)?[a-z0-9./:@%$(){};|&'\" -]{0,30}"
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let name = prop_oneof![
            Just("path".to_owned()),
            Just("url".to_owned()),
            Just("command".to_owned()),
            Just("args".to_owned()),
            Just("src".to_owned()),
            Just("host".to_owned()),
            "\\PC{0,12}"
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((name, inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn judging_is_total_and_deterministic_and_every_place_exists(args in any_args(), tool in "[a-z_]{0,12}") {
        let text = format!("{ALL}\ntools: [{{ name: '*', verdict: warn, when: \"has(args.x) && args.x == 1\" }}]");
        let policy = policy(&text);
        let decision = judged(&policy, &tool, &args);
        prop_assert_eq!(&judged(&policy, &tool, &args), &decision);
        prop_assert_eq!(decision.verdict, decision.would);
        for replacement in &decision.replacements {
            prop_assert!(args.pointer(&replacement.location).is_some_and(Value::is_string));
        }
        if decision.verdict == Verdict::Allow {
            prop_assert!(decision.findings.is_empty());
        }
        let document = Document::from_value(&json!({ "mode": "warn" }));
        let off = read(&document, PolicyFile::declare).unwrap();
        let off = off.compile(&Setting { mode: Mode::Strict, folder: Path::new("/"), sandbox: None }, "off");
        prop_assert_eq!(judged(&off, &tool, &args).findings.len(), 0);
    }
}

//! What a tool gave: looked through before it goes on.

use std::sync::Arc;

use seawall_checkpoint::PayloadRedactor;
use seawall_checkpoint::tool::{Observed, Settled, ToolEnd};
use seawall_trace::content::Content;
use seawall_types::{Code, Effect, Mode, Verdict};
use serde_json::{Value, json};

use crate::stage::Stage;

const KEY: &str = "AKIAIOSFODNN7EXAMPLQ";
const MAIL: &str = "jane.doe@corp-mail.com";

fn settled(stage: &Stage, rules: &Value, mode: Mode, value: &mut Value) -> Result<Settled, Code> {
    let policy = stage.policy(rules, mode);
    let permit = stage.admit(&policy, "read", &json!({})).unwrap();
    permit.settle(ToolEnd::Returned(value), None).map_err(|denial| denial.code)
}

#[test]
fn what_is_to_be_taken_out_is_taken_out_wherever_it_stands() {
    let stage = Stage::new();
    let mut value = json!({ "rows": [{ "mail": format!("to {MAIL} now"), MAIL: 1 }, 7, null] });
    let settled = settled(&stage, &json!({ "pii": { "out": "redact" } }), Mode::Strict, &mut value).unwrap();
    assert_eq!(
        value,
        json!({ "rows": [{ "mail": "to [REDACTED:email] now", "[REDACTED:email]": 1 }, 7, null] })
    );
    assert!(settled.redacted);
    assert_eq!(settled.findings[0].location, "/rows/0/mail");
    let line = &stage.data("action.settled")[0];
    assert_eq!((&line["verdict"], &line["findings"][0]["code"]), (&json!("redact"), &json!("PII_FOUND")));
}

#[test]
fn a_value_is_a_secret_by_the_name_of_its_member_and_a_card_by_its_number() {
    let stage = Stage::new();
    let mut value = json!({
        "password": "Tr0ub4'dor-3xyz!99",
        "headers": { "Authorization": "Bearer abcDEF123456ghi" },
        "keys": { "api_key": ["a8FkQ2mZx91LpTvR7cNd", "b8FkQ2mZx91LpTvR7cNd"] },
        "card": 4_111_111_111_111_111_u64,
        "at": 1_767_323_045_000_u64,
        "title": "Tr0ub4'dor-3xyz!99",
    });
    let rules = json!({ "secrets": { "out": "redact" }, "pii": { "out": "redact" } });
    settled(&stage, &rules, Mode::Strict, &mut value).unwrap();
    let secret = "[REDACTED:secret]";
    assert_eq!(
        value,
        json!({
            "password": secret,
            "headers": { "Authorization": "[REDACTED:authorization]" },
            "keys": { "api_key": [secret, secret] },
            "card": "[REDACTED:card]",
            "at": 1_767_323_045_000_u64,
            "title": "Tr0ub4'dor-3xyz!99",
        })
    );
}

#[test]
fn what_is_refused_does_not_go_on_and_is_recorded() {
    let stage = Stage::new();
    for verdict in ["deny", "ask"] {
        let mut value = json!([format!("key {KEY}")]);
        let rules = json!({ "secrets": { "out": verdict } });
        assert_eq!(settled(&stage, &rules, Mode::Strict, &mut value), Err(Code::SecretFound), "{verdict}");
        assert_eq!(value, Value::Null);
    }
    for line in stage.data("action.settled") {
        assert_eq!((&line["verdict"], &line["status"]), (&json!("deny"), &json!(403)));
        assert!(!line.to_string().contains(KEY));
    }
}

#[test]
fn where_findings_do_not_refuse_nothing_is_changed() {
    let stage = Stage::new();
    let mut value = json!(format!("{KEY} {MAIL}"));
    let before = value.clone();
    let rules = json!({ "secrets": { "out": "deny" }, "pii": { "out": "redact" } });
    let settled = settled(&stage, &rules, Mode::Warn, &mut value).unwrap();
    assert_eq!((value, settled.redacted, settled.findings.len()), (before, false, 2));
    assert_eq!(stage.data("action.settled")[0]["verdict"], "warn");
}

#[test]
fn a_result_that_is_too_large_is_refused_in_any_mode() {
    let stage = Stage::new();
    let rules = json!({ "limits": { "output_bytes": 10 } });
    for mode in [Mode::Warn, Mode::Strict] {
        for (mut value, fits) in
            [(json!("0123456789"), true), (json!("0123456789a"), false), (json!([1, 2, 3, 4, 5]), false)]
        {
            let result = settled(&stage, &rules, mode, &mut value);
            assert_eq!(result.err(), (!fits).then_some(Code::OutputTooLarge), "{value}");
        }
        let permit = stage.admit(&stage.policy(&rules, mode), "read", &json!({})).unwrap();
        assert_eq!(permit.settle(ToolEnd::ReturnedBytes(11), None).unwrap_err().code, Code::OutputTooLarge);
    }
}

#[test]
fn a_tool_that_fails_is_recorded_with_what_it_said_but_no_credentials() {
    let stage = Stage::new();
    let policy = stage.strict(&json!({}));
    let said = format!("cannot log in with {KEY}: {}", "x".repeat(5_000));
    stage.admit(&policy, "login", &json!({})).unwrap().settle(ToolEnd::Failed(&said), None).unwrap();
    stage.admit(&policy, "wait", &json!({})).unwrap().settle(ToolEnd::TimedOut, None).unwrap();
    let [failed, late] = &stage.data("action.settled")[..] else { panic!() };
    let error = failed["error"].as_str().unwrap();
    assert!(error.starts_with("cannot log in with [REDACTED]: x") && error.len() == 1_000, "{error}");
    assert_eq!((&failed["ended"], &failed["status"]), (&json!("failed"), &json!(500)));
    assert_eq!((&late["ended"], &late["status"]), (&json!("timeout"), &json!(504)));
    assert_eq!(failed["kind"], "tool_call");
}

#[test]
fn a_permit_that_is_dropped_is_abandoned() {
    let stage = Stage::new();
    let permit = stage.admit(&stage.strict(&json!({})), "read", &json!({})).unwrap();
    assert_eq!(permit.verdict(), Verdict::Allow);
    let action = permit.action();
    drop(permit);
    let lines = stage.lines();
    let kinds: Vec<_> = lines
        .iter()
        .filter(|line| line["action"] == json!(action))
        .map(|line| line["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["action.admitted", "action.abandoned"]);
}

#[test]
fn a_finding_that_does_not_refuse_says_what_strict_mode_would() {
    let stage = Stage::new();
    let policy = stage.policy(&json!({ "files": {} }), Mode::Warn);
    drop(stage.admit(&policy, "read", &json!({ "path": "/etc/passwd" })).unwrap());
    let line = &stage.data("action.admitted")[0];
    assert_eq!((&line["verdict"], &line["would"]), (&json!("warn"), &json!("deny")));
}

#[test]
fn what_a_tool_was_given_and_gave_is_written_down_where_payloads_are_kept() {
    let stage = Stage::new();
    let policy =
        stage.strict(&json!({ "tools": [{ "name": "rm", "verdict": "deny" }], "pii": { "out": "redact" } }));
    let read = |stage: &Stage| {
        let permit =
            stage.admit(&policy, "read", &json!({ "path": "mail", "password": "correct-horse-7" })).unwrap();
        assert!(permit.keeps_result() == stage.checkpoint.trace().keeps_payloads());
        permit.settle(ToolEnd::Returned(&mut json!({ "from": MAIL, "key": KEY })), None).unwrap();
        assert!(stage.admit(&policy, "rm", &json!({ "path": "mail" })).is_err());
    };
    read(&stage);
    assert!(stage.data("action.admitted")[0].get("arguments").is_none());
    stage.checkpoint.trace().set_content(Content::Redacted(Arc::new(PayloadRedactor::new())));
    read(&stage);
    let admitted = &stage.data("action.admitted")[1];
    assert_eq!(admitted["arguments"], json!({ "path": "mail", "password": "[REDACTED:secret]" }));
    let settled = &stage.data("action.settled")[1];
    assert_eq!(
        settled["output"],
        json!({ "from": "[REDACTED:email]", "key": "[REDACTED:aws_access_key]" }),
        "{settled}"
    );
    assert_eq!(stage.data("action.denied")[1]["arguments"], json!({ "path": "mail" }));
    stage.checkpoint.trace().set_content(Content::Full);
    read(&stage);
    assert_eq!(stage.data("action.admitted")[2]["arguments"]["password"], "correct-horse-7");
    // What the policy took out did not come to anybody, so it is not in the trace either.
    let settled = &stage.data("action.settled")[2];
    assert_eq!(settled["output"], json!({ "from": "[REDACTED:email]", "key": KEY }), "{settled}");
}

#[test]
fn a_secret_in_a_refused_path_reaches_no_disk() {
    let stage = Stage::new();
    let key = "sk-proj-".to_owned() + &"a1B2c3D4e5F6g7H8".repeat(3);
    let rules = json!({ "files": { "root": "." } });
    let arguments = json!({ "path": format!("/etc/{key}"), key.clone(): "../x" });
    let denial = stage.admit(&stage.strict(&rules), "read", &arguments).unwrap_err();
    assert!(denial.message.contains(&key), "who made the call is told what it is about");
    // The same of what a tool is seen to do, refused and let pass.
    let path = format!("/etc/{key}");
    for (mode, passes) in [(Mode::Strict, false), (Mode::Warn, true)] {
        let permit = stage.admit(&stage.policy(&rules, mode), "read", &json!({})).unwrap();
        let seen = Observed::Path { effect: Effect::FsRead, path: &path };
        assert_eq!(permit.observe(seen, &stage.names).is_ok(), passes);
    }
    let written = serde_json::to_string(&stage.lines()).unwrap();
    assert_eq!(written.matches("/etc/[REDACTED:openai_key]\\\" is outside").count(), 3, "{written}");
    assert!(!written.contains("a1B2c3D4"), "{written}");
}

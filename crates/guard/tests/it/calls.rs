//! Calls: admitted, performed, settled.

use seawall_guard::{Call, CallError, Code, Error, ToolEnd};
use serde_json::{Value, json};

use crate::stage::{Stage, kinds, lines};

#[test]
fn a_refused_call_is_not_performed() {
    let stage = Stage::new();
    let run = stage.run("fs_safe");
    let refused = run.call(Call::new("read", json!({ "path": "../secret" })), |_| -> Result<Value, String> {
        panic!("performed")
    });
    let Err(CallError::Refused(Error::PolicyDenied(denied))) = refused else { panic!("{refused:?}") };
    assert_eq!(denied.code, Code::FsTraversal);
    let said = denied.to_string();
    assert!(said.starts_with("[FS_TRAVERSAL] ") && said.ends_with(&denied.remedy), "{said}");
    run.finish();
    let lines = lines(run.trace_path().unwrap());
    let line = lines.iter().find(|line| line["kind"] == "action.denied").unwrap();
    assert_eq!((&line["action"], &line["data"]["name"]), (&json!(denied.action), &json!("read")));
}

#[test]
fn a_tool_s_own_error_passes_unchanged() {
    let stage = Stage::new();
    let run = stage.run("safe");
    let failed = run.call(Call::new("read", json!({})), |_| Err::<Value, _>("no such row".to_owned()));
    assert!(matches!(failed, Err(CallError::Tool(error)) if error == "no such row"));
    assert_eq!(kinds(&run), ["action.admitted", "action.settled", "run.finished"]);
}

#[test]
fn what_a_tool_gives_is_looked_into() {
    let stage = Stage::new();
    let run = stage.run("strict");
    let gave = run.call(Call::new("read_mail", json!({})), |_| {
        Ok::<_, String>(json!({ "from": "jane.doe@corp-mail.com" }))
    });
    assert_eq!(gave.unwrap(), json!({ "from": "[REDACTED:email]" }));
}

#[test]
fn where_findings_do_not_refuse_no_call_is_stopped_by_one() {
    let stage = Stage::new();
    let run = seawall_guard::Run::begin(stage.options("safe").strict(false), None).unwrap();
    for arguments in [
        json!({ "path": "/etc/passwd" }),
        json!({ "url": "http://127.0.0.1/" }),
        json!({ "cmd": "rm -rf /" }),
    ] {
        let admitted = run.admit(Call::new("do", arguments)).unwrap();
        assert!(!admitted.findings().is_empty());
        admitted.settle(ToolEnd::ReturnedBytes(0), None).unwrap();
    }
}

#[test]
fn a_call_that_took_too_long_is_an_error_that_says_how_long() {
    let stage = Stage::new();
    let run = stage.run("limits: { tool_seconds: 3 }");
    let admitted = run.admit(Call::new("crawl", json!({}))).unwrap();
    assert_eq!(admitted.time_limit().unwrap().as_secs(), 3);
    let error = admitted.settle(ToolEnd::TimedOut, None).unwrap_err();
    assert!(
        matches!(&error, Error::ToolTimeout { tool, limit } if tool == "crawl" && limit.as_secs() == 3),
        "{error}"
    );
}

#[test]
fn a_call_that_nobody_settles_is_abandoned_and_stays_charged() {
    let stage = Stage::new();
    let run = stage.run("safe");
    drop(run.admit(Call { cost_usd: "0.5".parse().unwrap(), ..Call::new("buy", json!({})) }).unwrap());
    assert_eq!(run.spent_usd(), "0.5".parse().unwrap());
    assert_eq!(kinds(&run), ["action.admitted", "action.abandoned", "run.finished"]);
}

#[test]
fn values_that_are_no_texts_pass_as_they_are() {
    let stage = Stage::new();
    let run = stage.run("safe");
    let arguments = json!({ "n": 1.5, "big": u64::MAX, "list": [null, true, { "a": [] }] });
    let gave = run.call(Call::new("sum", arguments.clone()), |arguments| Ok::<_, String>(arguments.clone()));
    assert_eq!(gave.unwrap(), arguments);
}

//! `seawall trace profile`, and what a policy says of runs that differ from it.

use seawall_guard::{Call, Error, Run, RunOptions, ToolEnd};
use serde_json::{Value, json};

use crate::mcp;
use crate::support::eventually;
use crate::support::format::Format;
use crate::support::program::{Program, Setup};
use crate::support::raw;

/// A run of this process in the data directory of the binary, under a policy of this text.
fn run(setup: &Setup, policy: &str) -> Run {
    let file = setup.write("policy.yaml", policy);
    Run::begin(RunOptions::policy(file.to_str().unwrap()).data_dir(setup.data_dir()), None).unwrap()
}

fn call(run: &Run, tool: &str, arguments: Value) -> Result<(), Error> {
    run.admit(Call::new(tool, arguments))?.settle(ToolEnd::Returned(&mut json!("done")), None).map(drop)
}

#[test]
fn a_profile_of_a_recorded_run_finds_what_is_new_in_the_next() {
    let setup = Setup::new("trace");
    let usual = |run: &Run| {
        let inside = run.sandbox().join("notes/b.txt");
        call(run, "read", json!({ "path": "notes/a.txt" })).unwrap();
        call(run, "read", json!({ "path": inside.to_str().unwrap() })).unwrap();
        call(run, "fetch", json!({ "url": "https://api.example.com/v1" })).unwrap();
    };
    let first = run(&setup, "version: 1\n");
    usual(&first);
    first.finish();
    let id = first.id().to_string();
    assert_eq!(
        setup.cli_json(&["trace", "profile", &id]),
        json!({
            "version": 1, "runs": 1, "tools": { "fetch": 1, "read": 2 },
            "hosts": ["api.example.com"], "paths": ["notes"],
        })
    );
    let written = setup.cli(&["trace", "profile", &id, &id, "--out", "baseline.json"]);
    assert!(written.status.success(), "{written:?}");

    let policy = "version: 1\nmode: strict\ndrift: { baseline: baseline.json, verdict: deny }\n";
    let next = run(&setup, policy);
    usual(&next);
    for (tool, arguments, new) in [
        ("pay", json!({ "amount": 5 }), "pay"),
        ("fetch", json!({ "url": "https://evil.example/" }), "evil.example"),
        ("read", json!({ "path": "/etc/passwd" }), "/etc"),
    ] {
        let refused = call(&next, tool, arguments).unwrap_err().to_string();
        assert!(refused.contains("DRIFT") && refused.contains(new), "{refused}");
    }
    next.finish();
    let events = setup.events();
    let told: Vec<&Value> =
        events.iter().filter(|event| event["kind"] == "drift").map(|event| &event["data"]["value"]).collect();
    assert_eq!(told, ["pay", "evil.example", "/etc"]);
    assert_eq!(setup.cli_json(&["trace", "verify", &next.id().to_string()])["ok"], true);
}

#[tokio::test]
async fn a_call_in_a_models_answer_is_compared_with_the_baseline_as_it_is_on_the_disk() {
    let knows = |tool: &str| {
        json!({ "version": 1, "runs": 1, "tools": { tool: 1 }, "hosts": [], "paths": [] }).to_string()
    };
    let setup = Setup::simulated("policy: policy.yaml\ngateway: { mode: strict }\n");
    setup.write("policy.yaml", "drift: { baseline: baseline.json, verdict: deny }");
    setup.write("baseline.json", &knows("look"));
    let server = setup.start();
    let refused = async |tool: &str, format: Format, stream: bool| {
        let said = format!("sim:tool {tool} {{\"n\":1}}");
        let answer = server.ask(format.request(&said, stream)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.text().contains("[seawall] denied DRIFT")
    };
    for format in Format::ALL {
        for stream in [false, true] {
            assert!(!refused("look", format, stream).await);
            assert!(refused("pay", format, stream).await);
        }
    }
    setup.replace("baseline.json", &knows("pay"));
    eventually("the changed baseline holds", async || {
        if refused("pay", Format::Chat, false).await { Err("it is refused still") } else { Ok(()) }
    })
    .await;
    assert!(refused("look", Format::Chat, false).await);
}

/// One call of a tool of the server `here`; what it is refused for, if it is.
async fn call_through_mcp(server: &Program, session: &str, tool: &str, arguments: &Value) -> Option<String> {
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": tool, "arguments": arguments } });
    let headers = [mcp::ANY, ("mcp-session-id", session)];
    let answer = server.ask(raw::request("POST", "/mcp/here", &headers, call.to_string())).await;
    let result = answer.json()["result"].clone();
    let told = || result["content"][0]["text"].as_str().unwrap().to_owned();
    (result["isError"] == true).then(told)
}

#[tokio::test]
async fn calls_through_mcp_are_compared_with_a_profile_of_those_of_another_run() {
    let usual = [
        ("read", json!({ "path": "notes/a.txt" })),
        ("fetch", json!({ "url": "https://api.example.com/v1" })),
    ];
    let setup =
        mcp::with_servers(mcp::SERVER, &json!({}), "policy: policy.yaml\ngateway: { mode: strict }\n");
    setup.write("policy.yaml", "version: 1");
    let server = setup.start();
    let session = mcp::begin(&server, &[]).await;
    for (tool, arguments) in &usual {
        assert_eq!(call_through_mcp(&server, &session, tool, arguments).await, None);
    }
    let run = server.run();
    assert!(server.stop().success());
    let written = setup.cli(&["trace", "profile", &run, "--out", "baseline.json"]);
    assert!(written.status.success(), "{written:?}");
    let profile: Value =
        serde_json::from_str(&std::fs::read_to_string(setup.path("baseline.json")).unwrap()).unwrap();
    assert_eq!(profile["tools"], json!({ "here.fetch": 1, "here.read": 1 }));
    assert_eq!((&profile["hosts"], &profile["paths"]), (&json!(["api.example.com"]), &json!(["notes"])));

    setup.write("policy.yaml", "drift: { baseline: baseline.json, verdict: deny, rate: 2 }");
    let server = setup.start();
    let (session, other) = (mcp::begin(&server, &[]).await, mcp::begin(&server, &[]).await);
    for (tool, arguments) in usual.iter().chain(&usual) {
        assert_eq!(call_through_mcp(&server, &session, tool, arguments).await, None, "{tool}");
    }
    let (read, fetch) = (&usual[0].1, &usual[1].1);
    for (tool, arguments, words) in [
        ("pay", json!({ "amount": 5 }), "here.pay"),
        ("fetch", json!({ "url": "https://evil.example/" }), "evil.example"),
        ("read", json!({ "path": "/etc/passwd" }), "/etc"),
        ("read", read.clone(), "here.read"),
    ] {
        let refused = call_through_mcp(&server, &session, tool, &arguments).await.unwrap();
        assert!(refused.contains("denied DRIFT") && refused.contains(words), "{refused}");
    }
    assert_eq!(
        call_through_mcp(&server, &other, "fetch", fetch).await,
        None,
        "each session has its own pace"
    );
    let run = server.run();
    assert!(server.stop().success());
    let events = setup.events();
    let told: Vec<&Value> =
        events.iter().filter(|event| event["kind"] == "drift").map(|event| &event["data"]["new"]).collect();
    assert_eq!(told, ["tool", "host", "rate", "path", "rate"], "each once a session");
    assert_eq!(setup.cli_json(&["trace", "verify", &run])["ok"], true);
}

#[test]
fn a_bad_baseline_is_named_by_the_check() {
    let setup = Setup::new("policy");
    setup.write("policy.yaml", "drift: { baseline: baseline.json }");
    for (text, fault) in [("{}", "missing field"), (r#"{"version":7}"#, "version 7")] {
        setup.write("baseline.json", text);
        let checked = setup.cli(&["policy", "check", "policy.yaml"]);
        let said = String::from_utf8(checked.stderr).unwrap();
        assert_eq!(checked.status.code(), Some(2), "{said}");
        assert!(said.contains("drift.baseline") && said.contains(fault), "{said}");
    }
}

#[test]
fn a_profile_of_nothing_and_one_that_cannot_be_written_are_told() {
    let setup = Setup::new("trace");
    let idle = run(&setup, "version: 1\n");
    idle.finish();
    let id = idle.id().to_string();
    let profiled = setup.cli(&["trace", "profile", &id]);
    let said = String::from_utf8(profiled.stderr).unwrap();
    assert!(profiled.status.success() && said.contains("everything is new"), "{said}");
    let failed = setup.cli(&["trace", "profile", &id, "--out", "no/such/folder/baseline.json"]);
    let said = String::from_utf8(failed.stderr).unwrap();
    assert!(failed.status.code() == Some(1) && said.contains("no/such/folder/baseline.json"), "{said}");
}

#[test]
fn a_replay_against_a_baseline_tells_what_would_change_and_why() {
    let setup = Setup::new("trace");
    let recorded = run(&setup, "version: 1\ntools: [{ name: pay, verdict: warn }]\n");
    (0..4).for_each(|n| call(&recorded, "read", json!({ "n": n })).unwrap());
    call(&recorded, "pay", json!({ "amount": 5 })).unwrap();
    recorded.finish();
    let id = recorded.id().to_string();
    let profile =
        json!({ "version": 1, "runs": 1, "tools": { "read": 1, "pay": 1 }, "hosts": [], "paths": [] });
    setup.write("baseline.json", &profile.to_string());
    let policy = setup.write("strict.yaml", "drift: { baseline: baseline.json, verdict: ask, rate: 3 }");
    let replay = ["policy", "replay", "--trace", &id, "--policy", policy.to_str().unwrap()];
    let replayed = setup.cli_json(&replay);
    let changed: Vec<_> = replayed["changed"].as_array().unwrap().iter().collect();
    assert_eq!(changed.len(), 2, "{replayed}");
    assert_eq!((&changed[0]["name"], &changed[0]["to"]), (&json!("read"), &json!("ask")));
    assert_eq!(changed[0]["findings"][0]["rule"], "drift.rate");
    let shown = setup.cli(&replay);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("DRIFT: the run calls a tool far more often")
            && shown.contains("no rule is against it"),
        "{shown}"
    );
}

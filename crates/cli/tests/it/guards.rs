//! Guarded programs and the binary on one data directory. The guarded program is this test; the binary runs beside it.

use std::time::Duration;

use seawall_guard::{Call, Error, Run, RunOptions, ToolEnd};
use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::program::Setup;

/// A run of this process in the data directory of the binary.
fn guarded(setup: &Setup, options: impl FnOnce(RunOptions) -> RunOptions) -> Run {
    let file = setup.write("policy.yaml", "version: 1\ntools: [{ name: pay, verdict: ask }]\n");
    let options = options(RunOptions::policy(file.to_str().unwrap()).data_dir(setup.data_dir()));
    Run::begin(options, None).unwrap()
}

fn call(run: &Run, tool: &str, arguments: Value, mut output: Value) -> Result<(), Error> {
    run.admit(Call::new(tool, arguments))?.settle(ToolEnd::Returned(&mut output), None).map(drop)
}

fn pay(run: &Run, amount: u32) -> Result<(), Error> {
    call(run, "pay", json!({ "amount": amount }), json!("paid"))
}

fn asked(paid: Result<(), Error>) -> String {
    match paid {
        Err(Error::ApprovalRequired(required)) => required.approval_id.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_command_line_decides_for_a_guarded_program_with_a_server_and_without() {
    let setup = Setup::simulated("");
    let run = guarded(&setup, |options| options);
    let mut server = None;
    for amount in [5, 6] {
        let id = asked(pay(&run, amount));
        let row = setup.cli_json(&["approvals", "show", &id]);
        assert_eq!((&row["run"], &row["arguments"]), (&json!(run.id()), &json!({ "amount": amount })));
        setup.cli_well(&["approvals", "allow", &id]);
        assert_ne!(asked(pay(&run, amount + 10)), id, "a changed argument is another question");
        pay(&run, amount).unwrap();
        assert_ne!(asked(pay(&run, amount)), id, "it is used up");
        server = server.or_else(|| Some(setup.start()));
    }
    let denied = asked(pay(&run, 7));
    setup.cli_well(&["approvals", "deny", &denied, "--note", "too much"]);
    assert!(pay(&run, 7).unwrap_err().to_string().contains("too much"));
    run.finish();
    drop(server);

    let events = setup.events();
    let of_run = |kind: &str| {
        let id = json!(run.id());
        events.iter().filter(|event| event["run"] == id && event["kind"] == kind).count()
    };
    assert_eq!(of_run("approval.decided"), 3, "each in the trace of the run that asked");
    assert_eq!(setup.cli_json(&["trace", "verify", &run.id().to_string()])["ok"], true);
}

#[test]
fn a_guarded_call_waits_for_the_command_line() {
    let setup = Setup::simulated("");
    let run = guarded(&setup, |options| options.wait_for_approval(Duration::from_secs(60)));
    std::thread::scope(|scope| {
        let paid = scope.spawn(|| pay(&run, 5));
        let id = loop {
            let listed = setup.cli_json(&["approvals", "list"]);
            if let Some(id) = listed["approvals"][0]["id"].as_str() {
                break id.to_owned();
            }
        };
        setup.cli_well(&["approvals", "allow", &id]);
        paid.join().unwrap().unwrap();
    });
}

#[tokio::test]
async fn the_server_writes_down_what_was_decided_for_a_run_that_has_ended() {
    let setup = Setup::simulated("");
    let run = guarded(&setup, |options| options);
    let id = asked(pay(&run, 5));
    run.finish();
    let server = setup.start();
    setup.cli_well(&["approvals", "allow", &id]);
    eventually("the decision is written down", async || {
        let events = setup.events();
        let is_decision =
            |event: &&Value| event["kind"] == "approval.decided" && event["run"] == server.run();
        let decided = events.iter().find(is_decision).cloned();
        match decided {
            Some(decided) if decided["data"]["of_run"] == json!(run.id()) => Ok(()),
            other => Err(other),
        }
    })
    .await;
    let again = guarded(&setup, |options| options.approvals([id.parse().unwrap()]));
    pay(&again, 5).unwrap();
    assert!(pay(&again, 5).is_err());
}

#[test]
fn a_server_leaves_the_run_of_a_living_process_alone() {
    let setup = Setup::simulated("");
    let run = guarded(&setup, |options| options);
    call(&run, "read", json!({ "n": 1 }), json!("one")).unwrap();
    let under_way = run.admit(Call::new("read", json!({ "n": 2 }))).unwrap();
    // Its first line is on the disk, and the store knows of it.
    run.report(seawall_guard::ReportFormat::Json).unwrap();
    for _ in 0..2 {
        let server = setup.start();
        assert!(server.stop().success());
    }
    let path = run.trace_path().unwrap();
    let written = || std::fs::read_to_string(path).unwrap();
    assert!(!written().contains("run.finished") && !written().contains("abandoned"), "{}", written());
    let listed = setup.cli_json(&["trace", "list"]);
    let id = run.id().to_string();
    let row = listed["runs"].as_array().unwrap().iter().find(|row| row["run"] == id.as_str()).unwrap();
    assert!(row["finished_at"].is_null(), "{row}");

    under_way.settle(ToolEnd::ReturnedBytes(0), None).unwrap();
    call(&run, "read", json!({ "n": 3 }), json!("three")).unwrap();
    run.finish();
    let finished = written();
    assert!(finished.lines().last().unwrap().contains("\"reason\":\"finished\""), "{finished}");
    assert_eq!(setup.cli_json(&["trace", "verify", &id])["ok"], true);
}

#[test]
fn a_recorded_run_is_compared_and_judged_by_what_its_tools_were_given_and_gave() {
    let setup = Setup::simulated("");
    let course = |reads: &[(&str, Value)]| {
        let run = guarded(&setup, |options| options);
        for (name, output) in reads {
            call(&run, "read", json!({ "path": name }), output.clone()).unwrap();
        }
        run.finish();
        run.id().to_string()
    };
    let key = "sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-abcdAA";
    let recorded = course(&[("a", json!({ "rows": 3 })), ("b", json!([key, "ann@corp-mail.com"]))]);
    let same = course(&[("a", json!({ "rows": 3 })), ("b", json!([key, "ann@corp-mail.com"]))]);
    let other_output = course(&[("a", json!({ "rows": 4 })), ("b", json!([key]))]);
    let other_arguments = course(&[("a", json!({ "rows": 3 })), ("c", json!([key]))]);

    let steps = setup.cli_json(&["trace", "replay", &recorded]);
    assert_eq!(steps["steps"][0]["outcome"]["output"], json!({ "rows": 3 }), "{steps}");
    assert!(!setup.events().iter().any(|event| event.to_string().contains("sk-ant")), "no secret is kept");
    assert_eq!(setup.cli_json(&["trace", "replay", &recorded, "--against", &same])["same"], true);
    for (other, said) in
        [(other_output, "step 1: another output"), (other_arguments, "step 2: other arguments")]
    {
        let output = setup.cli(&["trace", "replay", &recorded, "--against", &other]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.code() == Some(1) && text.starts_with(said), "{text}");
    }
    let policy =
        setup.write("other.yaml", "version: 1\nmode: strict\npii: { out: redact }\nsecrets: { out: deny }\n");
    let judged =
        setup.cli_json(&["policy", "replay", "--trace", &recorded, "--policy", policy.to_str().unwrap()]);
    assert_eq!((&judged["actions"], &judged["changed"][0]["to"]), (&json!(2), &json!("deny")), "{judged}");
    assert_eq!(judged["not_held"]["arguments"], 0, "{judged}");
}

#[test]
fn ten_thousand_recorded_actions_are_judged_alike_each_time_by_a_stricter_policy() {
    const CALLS: u32 = 10_000;
    let setup = Setup::simulated("");
    let run = guarded(&setup, |options| options);
    for number in 0..CALLS {
        let program = if number.is_multiple_of(4) { "rm" } else { "ls" };
        call(&run, "bash", json!({ "command": format!("{program} {number}") }), json!("done")).unwrap();
        if number.is_multiple_of(1_000) {
            // Everything is written for it: of calls that come faster than they are written down, payloads are cut.
            run.report(seawall_guard::ReportFormat::Json).unwrap();
        }
    }
    run.finish();
    let policy = setup.write("stricter.yaml", "version: 1\nmode: strict\ncommands: { deny: ['rm *'] }\n");
    let id = run.id().to_string();
    let replay =
        || setup.cli_json(&["policy", "replay", "--trace", &id, "--policy", policy.to_str().unwrap()]);
    let replayed = replay();
    assert_eq!((&replayed["actions"], &replayed["not_held"]["cut"]), (&json!(CALLS), &json!(0)));
    let changed = replayed["changed"].as_array().unwrap();
    assert_eq!(changed.len(), 2_500);
    let is_denied = |change: &Value| {
        (&change["from"], &change["to"], &change["findings"][0]["code"])
            == (&json!("allow"), &json!("deny"), &json!("CMD_FORBIDDEN"))
    };
    assert!(changed.iter().all(is_denied), "{}", changed[0]);
    assert_eq!(replay(), replayed);
}

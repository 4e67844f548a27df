//! Traces for other programs: tables and spans of a run that has ended, and spans of one that goes on.

use serde_json::{Value, json};

use crate::support::client::{self, Call};
use crate::support::format::Format;
use crate::support::program::{Program, Setup, files_named};
use crate::support::upstream::{Deaf, Reply, Upstream};

const CALLS: usize = 3;

async fn call(proxy: &Program) {
    let answer = client::send(proxy.address, Call::say(Format::ALL[0], "hi", false)).await;
    assert_eq!(answer.status, 200);
}

/// A run with some calls that has ended.
async fn ended_run() -> Setup {
    let setup = Setup::simulated("");
    let proxy = setup.start();
    for _ in 0..CALLS {
        call(&proxy).await;
    }
    assert!(proxy.stop().success());
    setup
}

fn spans(request: &str) -> Vec<Value> {
    let request: Value = serde_json::from_str(request).unwrap();
    request["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone()
}

fn attribute<'a>(span: &'a Value, key: &str) -> &'a Value {
    let attributes = span["attributes"].as_array().unwrap();
    attributes.iter().find(|one| one["key"] == key).map_or(&Value::Null, |one| &one["value"])
}

fn printed(setup: &Setup, args: &[&str]) -> String {
    let output = setup.cli(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_run_is_exported_as_tables_and_as_it_is() {
    let setup = ended_run().await;
    let events = setup.events().len();
    let actions = printed(&setup, &["trace", "export"]);
    assert_eq!(actions.lines().count(), 1 + CALLS);
    assert!(actions.starts_with("run,action,parent,started_at,"), "{actions}");
    assert_eq!(printed(&setup, &["trace", "export", "last", "last", "--csv"]).lines().count(), 1 + 2 * CALLS);
    assert_eq!(printed(&setup, &["trace", "export", "--events"]).matches("\r\n").count(), 1 + events);
    assert_eq!(printed(&setup, &["trace", "export", "--jsonl"]).lines().count(), events);

    printed(&setup, &["trace", "export", "--parquet", "--out", "actions.parquet"]);
    let file = std::fs::read(setup.path("actions.parquet")).unwrap();
    assert!(file.starts_with(b"PAR1") && file.ends_with(b"PAR1"));
}

#[tokio::test]
async fn a_trace_that_can_not_be_written_is_an_error_and_one_that_nobody_reads_is_none() {
    let setup = ended_run().await;
    for args in [
        &["show", "last"][..],
        &["tail", "last", "--no-follow"],
        &["export", "--jsonl"],
        &["export", "--csv"],
        &["export", "--parquet"],
        &["export", "--otlp"],
    ] {
        let args = [&["trace"], args].concat();
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = setup.cli_into(&args, full);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("stdout can't be written: No space left"), "{args:?}: {said}");

        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = setup.cli_into(&args, writer);
        assert!(output.status.success() && output.stderr.is_empty(), "{args:?}: {output:?}");
    }

    let runs = setup.data_dir().join("runs");
    let trace = files_named(&runs, "trace.jsonl").remove(0);
    let text = std::fs::read_to_string(&trace).unwrap();
    std::fs::write(&trace, format!("{text}no line of a trace\n")).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = setup.cli_into(&["trace", "export", "--jsonl"], writer);
    assert!(
        !output.status.success() && !output.stderr.is_empty(),
        "damage is told to whom reads nothing: {output:?}"
    );
}

#[tokio::test]
async fn spans_are_printed_or_sent_to_a_collector_which_is_asked_again_when_it_is_busy() {
    let setup = ended_run().await;
    let printed = printed(&setup, &["trace", "export", "--otlp"]);
    assert_eq!(spans(&printed).len(), CALLS);

    let busy = Reply::whole(503, &[("retry-after", "0")], "");
    let collector = Upstream::in_turn(vec![busy, Reply::json("{}")]);
    let answer = setup.cli_json(&["trace", "export", "last", "--otlp", &collector.url()]);
    assert_eq!(answer["rejected"], 0);
    let seen = collector.seen();
    assert_eq!(seen.len(), 2);
    for request in &seen {
        assert!(request.line().starts_with("POST /v1/traces "), "{}", request.line());
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.text(), printed.trim_end());
    }
}

#[tokio::test]
async fn what_a_collector_does_not_take_is_told_by_the_exit_code() {
    let setup = ended_run().await;
    let rejecting = Upstream::always(Reply::json(r#"{"partialSuccess":{"rejectedSpans":"1"}}"#));
    assert_eq!(setup.cli(&["trace", "export", "last", "--otlp", &rejecting.url()]).status.code(), Some(1));
    let refusing = Upstream::always(Reply::whole(400, &[], ""));
    let output = setup.cli(&["trace", "export", "last", "--otlp", &refusing.url()]);
    assert_eq!((output.status.code(), refusing.seen().len()), (Some(1), 1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("it answered 400"));
    assert_eq!(setup.cli(&["trace", "export", "--otlp", "last"]).status.code(), Some(2));
}

#[tokio::test]
async fn every_call_is_a_span_at_the_collector_while_the_server_runs() {
    let busy = Reply::whole(503, &[("retry-after", "0")], "");
    let collector = Upstream::in_turn(vec![busy, Reply::json("{}")]);
    let setup = Setup::simulated(&format!("otlp: {{ endpoint: \"{}\" }}", collector.url()));
    let proxy = setup.start();
    for _ in 0..CALLS {
        call(&proxy).await;
    }
    proxy.wait_for_metric("seawall_otlp_sent_total", &[], CALLS as f64).await;
    assert_eq!(proxy.metrics().await.sum("seawall_otlp_dropped_total", &[]), 0.0);
    assert!(proxy.stop().success());
    let seen = collector.seen();
    assert_eq!(seen[0].body, seen[1].body, "what was not taken is sent again");
    let sent: Vec<Value> = seen[1..].iter().flat_map(|request| spans(request.text())).collect();
    assert_eq!(sent.len(), CALLS);
    for span in &sent {
        assert_eq!(attribute(span, "gen_ai.operation.name"), &json!({ "stringValue": "chat" }));
        assert_eq!(attribute(span, "seawall.end"), &json!({ "stringValue": "settled" }));
    }
}

#[tokio::test]
async fn what_a_collector_refuses_is_counted_and_told_and_sent_once() {
    let collector = Upstream::always(Reply::whole(400, &[], ""));
    let proxy = Setup::simulated(&format!("otlp: {{ endpoint: \"{}\" }}", collector.url())).start();
    call(&proxy).await;
    proxy.wait_for_metric("seawall_otlp_dropped_total", &[], 1.0).await;
    assert_eq!(collector.seen().len(), 1);
    assert!(proxy.stop().success());
    let log = proxy.stderr.all();
    assert!(log.contains("it answered 400") && log.contains("were dropped"), "{log}");
}

#[tokio::test]
async fn a_collector_that_hangs_keeps_no_call_and_no_end_waiting() {
    let collector = Deaf::start();
    let setup = Setup::simulated(&format!("otlp: {{ endpoint: \"{}\" }}", collector.url()));
    let proxy = setup.start();
    for _ in 0..CALLS {
        call(&proxy).await;
    }
    assert!(proxy.stop().success());
    assert!(proxy.stderr.all().contains("did not take them before the end"), "{}", proxy.stderr.all());
    assert_eq!(setup.cli_json(&["trace", "verify"])["ok"], true);
}

#[test]
fn an_endpoint_that_is_none_keeps_the_server_from_starting() {
    let output = Setup::simulated("otlp: { endpoint: \"localhost:4317\" }").run();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("otlp.endpoint"));
}

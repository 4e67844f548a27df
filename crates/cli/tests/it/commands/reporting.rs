//! A run as a page: what it says is what the trace says, and nothing that a model or a caller said takes effect in it.

use seawall_types::Usd;
use serde_json::{Value, json};

use super::{call, ended_runs, refusal, trace_file};
use crate::support::client::{self, Call};
use crate::support::format::Format;
use crate::support::program::Setup;
use crate::support::trace::Trace;

const SCRIPT: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>";
const TOOL: &str = "<b>tool</b>";

/// How many calls of [`told_run`] were admitted; one more was refused.
const ADMITTED: usize = 2 * Format::ALL.len() + 2;

/// A run that has ended with answers, a failure, a refusal and a call of a tool, all with markup in their words.
async fn told_run() -> (Setup, Trace) {
    let setup = Setup::simulated("");
    let server = setup.start();
    for format in Format::ALL {
        for stream in [false, true] {
            let say = Call::say(format, &format!("sim:text {SCRIPT}"), stream);
            assert_eq!(client::send(server.address, say).await.status, 200);
        }
    }
    let tool = format!("sim:tool {TOOL} {{\"a\":\"</code>{SCRIPT}\"}}");
    assert_eq!(client::send(server.address, Call::say(Format::Chat, &tool, false)).await.status, 200);
    let odd = json!({ "model": format!("m-{SCRIPT}"), "messages": [{ "role": "user", "content": "sim:error 500" }] });
    let odd = Call::post("/v1/chat/completions", odd.to_string());
    assert_eq!(client::send(server.address, odd).await.status, 500);
    let unknown = Call::say(Format::Chat, "hi", false).with_key("sk-sw-nobody");
    assert_eq!(client::send(server.address, unknown).await.status, 401);
    assert!(server.stop().success());
    let trace = Trace::of(&setup);
    assert_eq!(trace.assert_complete(), (ADMITTED, 1));
    (setup, trace)
}

/// The sum of a number over all settled calls.
fn total(trace: &Trace, pointer: &str) -> u64 {
    trace.of_kind("action.settled").map(|event| event.data.pointer(pointer).unwrap().as_u64().unwrap()).sum()
}

fn cost(trace: &Trace) -> Usd {
    trace.of_kind("action.settled").map(|event| event.usd("cost_usd")).sum()
}

/// The words of a page without its tags.
fn words_of(page: &str) -> String {
    let mut words = String::new();
    let body = page.split_once("<body>").unwrap().1;
    for part in body.split('<') {
        words.push_str(part.split_once('>').map_or("", |(_tag, text)| text));
        words.push(' ');
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn the_json_report_adds_up_to_the_trace() {
    let (setup, trace) = told_run().await;
    let report = setup.cli_json(&["report", "last", "--format", "json"]);
    assert_eq!(report, setup.cli_json(&["trace", "report"]));
    assert_eq!((&report["run"], &report["kind"]), (&trace.0[0].run.as_str().into(), &"proxy".into()));
    assert_eq!((&report["events"], &report["unreadable"]), (&trace.0.len().into(), &0.into()));
    assert_eq!(report["chain"]["ok"], true);
    assert_eq!(report["cost_usd"], cost(&trace).to_string());
    let tokens = &report["tokens"];
    assert_eq!(tokens["input"], total(&trace, "/usage/input_tokens"));
    assert_eq!(tokens["output"], total(&trace, "/usage/output_tokens"));
    let verdicts = &report["verdicts"];
    let counts =
        ["allow", "settled", "deny", "abandoned", "failed"].map(|name| verdicts[name].as_u64().unwrap());
    let admitted = ADMITTED as u64;
    assert_eq!(counts, [admitted, admitted, 1, 0, 1], "{verdicts}");
    assert_eq!(report["latency"]["count"], admitted);
    let rows = report["timeline"]["first"].as_array().unwrap();
    let told: Vec<&str> = rows.iter().map(|row| row["action"].as_str().unwrap()).collect();
    let ended =
        trace.0.iter().filter(|event| ["action.settled", "action.denied"].contains(&event.kind.as_str()));
    let ended: Vec<&str> = ended.map(|event| event.action.as_deref().unwrap()).collect();
    assert_eq!(told, ended, "each call is told once, in the order of the trace");
    for name in ["sim-c", "sim-m", "sim-g"] {
        let calls = trace.of_kind("action.settled").filter(|event| event.data["name"] == name).count();
        assert!(calls > 1 && report["by_name"][name]["calls"] == calls, "{name}");
    }
    assert_eq!(report["refusals"][0]["reasons"][0]["code"], "UNAUTHENTICATED");
}

#[tokio::test]
async fn page_and_markdown_say_the_same_figures() {
    let (setup, trace) = told_run().await;
    let (cost, events) = (cost(&trace), trace.0.len());
    let (input, output) = (total(&trace, "/usage/input_tokens"), total(&trace, "/usage/output_tokens"));
    let run = &trace.0[0].run;

    setup.cli_well(&["report", "--out", "page.html"]);
    let words = words_of(&std::fs::read_to_string(setup.path("page.html")).unwrap());
    for figure in [
        format!("Run {run}"),
        format!("{events} lines"),
        format!("{} actions 1 refused", ADMITTED + 1),
        "1 failed".to_owned(),
        format!("${cost} cost {input} tokens read {output} tokens written"),
        "UNAUTHENTICATED".to_owned(),
    ] {
        assert!(words.contains(&figure), "{figure}: {words}");
    }
    assert!(words.contains("Verified"), "{words}");

    let text = setup.cli_well(&["report", "--format", "md"]);
    for figure in [
        format!("# Run {run}"),
        format!("- lines: {events}"),
        format!("- actions: {} ({ADMITTED} admitted, 1 refused, 1 failed", ADMITTED + 1),
        format!("- cost: ${cost}"),
        format!("- tokens: {input} read (0 cached), {output} written"),
        "UNAUTHENTICATED".to_owned(),
    ] {
        assert!(text.replace('\\', "").contains(&figure), "{figure}: {text}");
    }
}

#[tokio::test]
async fn nothing_that_a_model_or_a_caller_says_takes_effect() {
    let (setup, _trace) = told_run().await;
    setup.cli_well(&["report", "--out", "page.html"]);
    let page = std::fs::read_to_string(setup.path("page.html")).unwrap();
    for text in [page, setup.cli_well(&["report", "--format", "md"])] {
        for tag in ["<script", "<img", "<b>tool", "</code>&lt;"] {
            assert!(!text.contains(tag), "{tag}: {text}");
        }
        let plain = text.replace('\\', "");
        let shown = plain.matches("&lt;script&gt;alert(1)&lt;/script&gt;").count();
        assert!(shown >= 8, "prompts, answers, arguments and a model's name are shown as they were: {plain}");
        assert!(plain.contains("&lt;b&gt;tool&lt;/b&gt;"), "{plain}");
    }
}

#[tokio::test]
async fn each_form_goes_where_it_says() {
    let (setup, runs) = ended_runs(&[1]).await;
    let run = &runs[0];
    let page = format!("report-{run}.html");

    let output = setup.cli(&["report"]);
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("wrote {page}\n"));
    let written = std::fs::read_to_string(setup.path(&page)).unwrap();
    assert!(written.starts_with("<!doctype html>") && written.ends_with("</html>\n"), "{written}");

    let output = setup.cli(&["report", run, "--quiet", "--out", "other.html"]);
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    assert_eq!(std::fs::read_to_string(setup.path("other.html")).unwrap(), written);

    let markdown = setup.cli_well(&["report", "--format", "md"]);
    setup.cli_well(&["trace", "report", &run[..13], "--format", "md", "-o", "run.md"]);
    assert_eq!(std::fs::read_to_string(setup.path("run.md")).unwrap().trim_end(), markdown.trim_end());
    let answer = setup.cli_well(&["report", "--json"]);
    assert_eq!(answer, setup.cli_well(&["report", "--format", "json"]), "one document");
    let failed = refusal(&setup, &["report", "--out", "no/such/folder.html"], 1);
    assert!(failed.contains("no/such/folder.html can't be written"), "{failed}");
}

#[tokio::test]
async fn a_run_that_goes_on_and_a_loose_file_have_reports_too() {
    let (setup, runs) = ended_runs(&[1]).await;
    let server = setup.start();
    call(&server).await;
    let now = setup.cli_json(&["report"]);
    assert_eq!(
        (now["run"].as_str(), &now["finished_at"]),
        (Some(server.run().as_str()), &Value::Null),
        "{now}"
    );
    assert!(setup.cli_well(&["report", "--format", "md"]).contains("- finished: not yet"));

    let file = trace_file(&setup, &runs[0]);
    let loose = setup.cli_json(&["report", file.to_str().unwrap()]);
    assert_eq!(
        (loose["run"].as_str(), &loose["chain"]["ok"]),
        (Some(runs[0].as_str()), &true.into()),
        "{loose}"
    );
    assert_eq!(loose["chain"]["head"], "unknown", "that nothing is missing at its end can't be known");
}

#[tokio::test]
async fn a_report_of_a_changed_trace_says_so_before_anything_else() {
    let (setup, runs) = ended_runs(&[1]).await;
    let file = trace_file(&setup, &runs[0]);
    let changed = std::fs::read_to_string(&file).unwrap().replace("0.000006", "0.000001");
    std::fs::write(&file, changed).unwrap();
    let chain = setup.cli_json(&["report"])["chain"].clone();
    assert_eq!(chain["ok"], false);
    assert!(chain["problem"].as_str().unwrap().starts_with("line "), "{chain}");
    assert!(setup.cli_well(&["report", "--format", "md"]).contains("- chain: BROKEN: line "));
    setup.cli_well(&["report", "--out", "page.html"]);
    let words = words_of(&std::fs::read_to_string(setup.path("page.html")).unwrap());
    let (warned, figures) = (words.find("The trace is not what was written"), words.find("$0.000001"));
    assert!(warned.is_some() && warned < figures, "{words}");
}

#[tokio::test]
async fn a_run_that_is_not_there_is_the_callers_mistake() {
    let (setup, _runs) = ended_runs(&[1]).await;
    let said = refusal(&setup, &["report", "0000"], 2);
    assert!(said.contains("there is no run \"0000\"") && said.contains("`seawall trace list`"), "{said}");
    let said = refusal(&Setup::new("report"), &["report"], 2);
    assert!(said.contains("there is no trace"), "{said}");
    assert!(refusal(&setup, &["report", "--format", "pdf"], 2).contains("html, md, json"));
}

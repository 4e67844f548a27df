//! Reports of made-up runs.

use std::sync::Arc;

use seawall_types::{ActionId, Actor, Event, EventKind, RunId, Timestamp};
use serde_json::{Value, json};

use super::*;
use crate::read::Line;
use crate::totals::Tip;
use crate::verify;
use crate::{Error, line};

const EVIL: &str = "<script>alert('x')</script> | [a](b) \u{202e}*";

/// Lines of a run with these events.
fn lines(events: &[(EventKind, Value)]) -> Vec<Result<Line, Error>> {
    let run = RunId::from_parts(1_700_000_000_000, &[1; 10]);
    let mut tip = Tip::START;
    let mut made = Vec::new();
    for (index, (kind, data)) in events.iter().enumerate() {
        let at = Timestamp::from_micros(1_700_000_000_000_000 + index as u64 * 1_000);
        let actor = Actor { key: Some(EVIL.into()), ..Actor::default() };
        let action = ActionId::from_parts(index as u64, &[2; 10]);
        let event = Event::new(at, run, *kind, data).about(action, Arc::new(actor));
        let mut raw = Vec::new();
        line::encode(&mut raw, &mut tip, &event);
        raw.pop();
        let parsed = serde_json::from_slice(&raw).unwrap();
        made.push(Ok(Line { number: index as u64 + 1, raw, parsed }));
    }
    made
}

fn finding(code: &str) -> Value {
    json!({ "rule": "r", "code": code, "severity": "high", "message": EVIL, "where": "/m", "remedy": "ask for less" })
}

fn settled(name: &str, cost: &str, micros: u64) -> Value {
    json!({
        "kind": "model_call", "name": name, "verdict": "allow", "cost_usd": cost, "status": 200, "duration_us": micros,
        "usage": { "input_tokens": 10, "output_tokens": 5, "estimated": true }, "findings": [],
        "attempts": [
            { "upstream": "one", "model": name, "error": "connection refused", "cost_usd": "0.000000" },
            { "upstream": "two", "model": name, "status": 200, "cost_usd": cost },
        ],
    })
}

fn run() -> Summary {
    let mut all = lines(&[
        (EventKind::RunStarted, json!({ "kind": "proxy" })),
        (EventKind::ActionAdmitted, json!({ "name": "gpt-4o", "verdict": "allow" })),
        (EventKind::ActionSettled, settled("gpt-4o", "0.250000", 2_000)),
        (EventKind::ActionAdmitted, json!({ "name": "gpt-4o", "verdict": "warn" })),
        (EventKind::ActionSettled, settled("gpt-4o", "0.250000", 4_000)),
        (EventKind::ActionAdmitted, json!({ "name": "claude", "verdict": "allow" })),
        (EventKind::ActionAbandoned, json!({ "name": "claude", "cost_usd": "1.000000" })),
        (
            EventKind::ActionDenied,
            json!({ "name": EVIL, "status": 402, "findings": [finding("BUDGET_EXCEEDED")] }),
        ),
        (EventKind::ToolCalled, json!({ "name": "shell" })),
        (EventKind::ToolReturned, json!({ "name": "shell", "is_error": true })),
        (EventKind::Note, json!({ "note": EVIL, "dropped": 3 })),
        (EventKind::RunFinished, json!({ "reason": "stopped" })),
    ]);
    let path = std::path::PathBuf::from("x");
    all.push(Err(Error::Malformed { path, line: 13, reason: "it is no JSON".to_owned() }));
    summarise(all)
}

#[test]
fn a_summary_counts_what_the_lines_say() {
    let summary = run();
    assert_eq!((summary.kind.as_str(), summary.events, summary.unreadable), ("proxy", 12, 1));
    let expected =
        VerdictCount { allow: 2, warn: 1, deny: 1, settled: 2, abandoned: 1, ..VerdictCount::default() };
    assert_eq!(summary.verdicts, expected);
    assert_eq!((expected.actions(), expected.in_flight()), (4, 0));
    assert_eq!(summary.cost_usd.to_string(), "1.500000");
    assert_eq!((summary.tokens.input, summary.tokens.output, summary.tokens.estimated_calls), (20, 10, 2));
    let model = &summary.by_name["gpt-4o"];
    assert_eq!(
        (model.calls, model.cost_usd.to_string().as_str(), model.latency.max_us),
        (2, "0.500000", 4_000)
    );
    assert_eq!((summary.by_upstream["one"].failed, summary.by_upstream["two"].failed), (2, 0));
    assert_eq!((summary.tools["shell"].called, summary.tools["shell"].failed), (1, 1));
    assert_eq!((summary.refusals.len(), summary.findings["BUDGET_EXCEEDED r"].count), (1, 1));
    assert_eq!((summary.dropped, summary.ended.as_deref()), (3, Some("stopped")));
}

#[test]
fn nothing_foreign_takes_effect_in_the_page() {
    let page = html(&run());
    assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
    assert!(!page.contains("<script") && !page.contains('\u{202e}'));
    for external in ["http://", "https://", " src=", "url(", "@import"] {
        assert!(!page.contains(external), "{external}");
    }
}

#[test]
fn nothing_foreign_takes_effect_in_markdown() {
    let page = markdown(&run());
    assert!(!page.contains("<script") && !page.contains("[a](b)"));
    for row in page.lines().filter(|line| line.starts_with("| ") && line.contains("script")) {
        let cells = row.replace("\\|", "").matches('|').count();
        assert!([5, 8, 4].contains(&cells), "{row}");
    }
}

#[test]
fn each_form_names_the_refusal_with_its_reason_and_remedy() {
    let summary = run();
    for page in [html(&summary), markdown(&summary).replace('\\', ""), json(&summary)] {
        for part in ["BUDGET_EXCEEDED", "ask for less", "402", "gpt-4o", "1.500000", "shell"] {
            assert!(page.contains(part), "{part} is missing in {page}");
        }
    }
    serde_json::from_str::<Value>(&json(&summary)).unwrap();
}

#[test]
fn a_broken_chain_is_said_first_and_a_good_one_too() {
    let mut report =
        verify::Report { ok: true, checked: 12, head: verify::HeadState::Matches, first_bad: None };
    assert!(html(&run().with_chain(&report)).contains("Verified: 12 lines"));
    let (file, reason) = (std::path::PathBuf::from("x"), "it was changed".to_owned());
    report.ok = false;
    report.first_bad = Some(verify::Bad { run: None, seq: 3, line: 4, file, reason });
    assert!(
        html(&run().with_chain(&report))
            .contains("The trace is not what was written: line 4: it was changed")
    );
    assert!(markdown(&run().with_chain(&report)).contains("BROKEN: line 4"));
}

#[test]
fn a_report_of_a_large_run_stays_small() {
    let mut events = Vec::new();
    for number in 0..3_000 {
        let name = format!("model-{number}-{}", "x".repeat(5_000));
        events.push((
            EventKind::ActionDenied,
            json!({ "name": name, "findings": [finding(&format!("C{number}"))] }),
        ));
        events.push((EventKind::ActionSettled, settled(&name, "0.000001", number)));
    }
    let summary = summarise(lines(&events));
    assert_eq!((summary.refusals.len(), summary.more_refusals), (500, 2_500));
    assert_eq!(
        (summary.timeline.first.len(), summary.timeline.last.len(), summary.timeline.omitted),
        (100, 100, 5_800)
    );
    assert!(summary.by_name.len() <= 201 && summary.findings.len() <= 201);
    assert_eq!(summary.by_name.values().map(|row| row.calls).sum::<u64>(), 3_000);
    assert_eq!(summary.cost_usd.to_string(), "0.003000");
    assert!(html(&summary).len() < 4 << 20);
}

#[test]
fn an_empty_run_makes_a_report_too() {
    let summary = summarise([]);
    assert!(html(&summary).ends_with("</html>\n") && markdown(&summary).starts_with("# Run unknown"));
}

#[test]
fn durations_are_written_as_people_write_them() {
    let written = [850, 12_340, 4_567_000, 200_000_000, 18_720_000_000].map(duration);
    assert_eq!(written, ["850 µs", "12.3 ms", "4.56 s", "3 min 20 s", "5 h 12 min"]);
}

#[test]
fn what_was_said_is_shown_where_the_trace_holds_it() {
    let said = lines(&[
        (EventKind::ActionAdmitted, json!({ "name": "gpt-4o", "prompt": [{ "content": EVIL }] })),
        (EventKind::ToolCalled, json!({ "name": "ls", "arguments": { "path": "a.txt" } })),
        (EventKind::ActionSettled, json!({ "name": "gpt-4o", "answer": [{ "text": "done".repeat(1_000) }] })),
        (EventKind::ToolReturned, json!({ "name": "ls", "output": "two files" })),
    ]);
    let summary = summarise(said);
    let kinds: Vec<&str> = summary.payloads.iter().map(|payload| payload.kind).collect();
    assert_eq!(kinds, ["prompt", "arguments", "answer", "output"]);
    assert!(summary.payloads[2].text.len() < 2_100, "it is no copy of the trace");
    for page in [html(&summary), markdown(&summary)] {
        assert!(page.contains("What was said") && page.contains("two files"), "{page}");
        assert!(!page.contains("<script>"), "{page}");
    }
    assert!(!html(&summarise(lines(&[]))).contains("What was said"));
}

//! Replays: the same course is the same, and the first departure from it is named.

use seawall_trace::read;
use seawall_trace::replay::{Difference, Divergence, Fingerprint, Replayer, compare};
use seawall_types::EventKind;
use serde_json::{Value, json};

use crate::stage::{Stage, action, run, stage};

/// A call of a tool: its name, its arguments, and what came of it.
type Call = (&'static str, Value, Value);

fn calls() -> Vec<Call> {
    vec![
        ("search", json!({ "q": "a", "n": 1 }), json!({ "hits": [1, 2] })),
        ("fetch", json!({ "url": "http://x" }), json!("text")),
        ("search", json!({ "q": "b" }), json!({ "hits": [] })),
    ]
}

fn replayer(calls: &[Call]) -> Replayer {
    let stage = stage();
    let (writer, handle) = stage.start(1 << 30);
    handle.start_run(run(1), "agent", &());
    for (number, (name, arguments, output)) in (1..).zip(calls) {
        let record = |kind, data: Value| {
            handle.record(stage.event(run(1), kind, &data).about(action(number), std::sync::Arc::default()));
        };
        record(
            EventKind::ActionAdmitted,
            json!({ "kind": "tool_call", "name": name, "arguments": arguments }),
        );
        record(
            EventKind::ActionSettled,
            json!({
                "kind": "tool_call", "name": name, "output": output, "status": 200, "duration_us": number,
            }),
        );
    }
    writer.stop();
    load(&stage)
}

fn load(stage: &Stage) -> Replayer {
    Replayer::load(read::lines(&stage.path(run(1))).unwrap()).unwrap()
}

fn difference(recorded: &[Call], other: &[Call]) -> Option<Divergence> {
    compare(&mut replayer(recorded), &replayer(other))
}

#[test]
fn the_same_course_has_no_divergence_whatever_the_order_of_keys() {
    let mut other = calls();
    other[0].1 = json!({ "n": 1, "q": "a" });
    assert_eq!(difference(&calls(), &other), None);
}

#[test]
fn a_changed_tool_output_is_named_as_the_first_divergence() {
    let mut other = calls();
    other[1].2 = json!("another text");
    other[2].1 = json!({ "q": "what the other text led to" });
    let divergence = difference(&calls(), &other).unwrap();
    assert_eq!((divergence.step, divergence.what), (2, Difference::Output));
    assert_eq!(divergence.recorded.as_ref().unwrap().outcome.output, Some(json!("text")));
    assert_eq!(divergence.outcome.as_ref().unwrap().output, Some(json!("another text")));
    let said = divergence.to_string();
    assert!(said.starts_with("step 2: another output; recorded (line 4): tool_call \"fetch\""), "{said}");
}

#[test]
fn changed_missing_and_additional_steps_are_told_apart() {
    let all = calls();
    let mut arguments = calls();
    arguments[0].1 = json!({ "q": "z" });
    let mut additional = calls();
    additional.insert(1, ("delete", json!({}), json!(null)));
    let missing: Vec<Call> = [&all[..1], &all[2..]].concat();
    let longer = [&all[..], &all[..1]].concat();
    for (other, step, what) in [
        (&arguments[..], 1, Difference::Arguments),
        (&additional[..], 2, Difference::Additional),
        (&missing[..], 2, Difference::Missing),
        (&all[..2], 3, Difference::Missing),
        (&longer[..], 4, Difference::Additional),
    ] {
        let divergence = difference(&all, other).unwrap();
        assert_eq!((divergence.step, divergence.what), (step, what));
    }
}

#[test]
fn recorded_outcomes_are_handed_out_in_order_and_a_wrong_question_moves_nothing() {
    let mut replayer = replayer(&calls());
    let ask = |name, arguments: &Value| Fingerprint::new("tool_call", name, Some(arguments));
    let first = replayer.next(&ask("search", &json!({ "n": 1, "q": "a" }))).unwrap();
    assert_eq!(first.outcome.output, Some(json!({ "hits": [1, 2] })));
    let wrong = replayer.next(&ask("fetch", &json!({}))).unwrap_err();
    assert_eq!((wrong.step, wrong.what), (2, Difference::Arguments));
    assert!(replayer.next(&ask("fetch", &json!({ "url": "http://x" }))).is_ok());
    assert_eq!(replayer.finish().unwrap_err().what, Difference::Missing);
    assert!(replayer.next(&ask("search", &json!({ "q": "b" }))).is_ok());
    assert_eq!(replayer.finish(), Ok(()));
}

#[test]
fn what_a_model_asks_for_and_is_told_belongs_to_the_course() {
    let course = |tool: &str, is_error: bool| {
        let stage = stage();
        let (writer, handle) = stage.start(1 << 30);
        handle.start_run(run(1), "proxy", &());
        let record = |number, kind, data: Value| {
            handle.record(stage.event(run(1), kind, &data).about(action(number), std::sync::Arc::default()));
        };
        let call = json!({ "kind": "model_call", "name": "m", "verdict": "allow", "status": 200 });
        record(1, EventKind::ActionAdmitted, call.clone());
        record(1, EventKind::ToolCalled, json!({ "name": tool, "call_id": tool.len() }));
        record(1, EventKind::ActionSettled, call.clone());
        record(2, EventKind::ActionAdmitted, call.clone());
        record(2, EventKind::ToolReturned, json!({ "name": tool, "is_error": is_error }));
        record(2, EventKind::ActionSettled, call);
        writer.stop();
        load(&stage)
    };
    let recorded = || course("search", false);
    assert_eq!(recorded().steps().len(), 3);
    assert_eq!(compare(&mut recorded(), &recorded()), None);
    let step = |other: &Replayer| compare(&mut recorded(), other).map(|found| (found.step, found.what));
    assert_eq!(step(&course("fetch", false)), Some((1, Difference::Output)));
    assert_eq!(step(&course("search", true)), Some((3, Difference::Output)));
}

#[test]
fn a_divergence_in_the_verdict_alone_can_be_seen() {
    let course = |verdict: &str| {
        let stage = stage();
        let (writer, handle) = stage.start(1 << 30);
        handle.start_run(run(1), "proxy", &());
        for kind in [EventKind::ActionAdmitted, EventKind::ActionSettled] {
            let data = json!({ "kind": "model_call", "name": "m", "verdict": verdict, "status": 200 });
            handle.record(stage.event(run(1), kind, &data).about(action(1), std::sync::Arc::default()));
        }
        writer.stop();
        load(&stage)
    };
    let told = compare(&mut course("allow"), &course("ask")).unwrap().to_string();
    assert!(told.contains("settled 200") && told.contains("settled with the verdict \"ask\" 200"), "{told}");
}

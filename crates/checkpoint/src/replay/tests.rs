//! Claims about replays of recorded actions through another policy.

use std::path::Path;

use proptest::prelude::*;
use seawall_config::{Document, Environment, read};
use seawall_policy::{PolicyFile, Setting, load};
use seawall_types::Mode;
use serde_json::{Value, json};

use super::*;

fn run() -> RunId {
    RunId::from_parts(1_700_000_000_000, &[1; 10])
}

fn policy(text: &str) -> Policy {
    let document = Document::from_text(Path::new("policy.yaml"), text, &Environment::default()).unwrap();
    let file = read(&document, PolicyFile::declare).unwrap();
    file.compile(&Setting { mode: Mode::Strict, folder: Path::new("/nowhere"), sandbox: None }, "policy.yaml")
}

fn action(number: u8) -> ActionId {
    ActionId::from_parts(1_700_000_000_000, &[number; 10])
}

/// An event with this number.
fn line((seq, event): (u64, &(&str, u8, Value))) -> Result<Line, Error> {
    let (kind, number, data) = event;
    let parsed = json!({
        "seq": seq, "ts": "2026-01-01T00:00:00.000000Z", "run": run(), "kind": kind, "action": action(*number),
        "parent": null, "actor": {}, "data": data,
    });
    Ok(Line { number: seq + 1, raw: Vec::new(), parsed: serde_json::from_str(&parsed.to_string()).unwrap() })
}

fn replayed(policy: &str, events: &[(&str, u8, Value)]) -> Replayed {
    let policy = self::policy(policy);
    let mut replay = PolicyReplay::new(&policy);
    replay.run((0..).zip(events).map(line)).unwrap();
    replay.finish()
}

/// Name, then the verdicts then and now, of every change.
fn changes(replayed: &Replayed) -> Vec<(&str, &str, &str)> {
    replayed
        .changed
        .iter()
        .map(|change| (change.name.as_str(), change.from.as_str(), change.to.as_str()))
        .collect()
}

fn call(number: u8, model: &str, cost: &str) -> [(&'static str, u8, Value); 2] {
    [
        (
            "action.admitted",
            number,
            json!({ "kind": "model_call", "name": model, "verdict": "allow", "prompt": "hi" }),
        ),
        (
            "action.settled",
            number,
            json!({ "kind": "model_call", "name": model, "verdict": "allow", "cost_usd": cost }),
        ),
    ]
}

fn tool(name: &str, arguments: &Value) -> (&'static str, u8, Value) {
    ("tool.called", 9, json!({ "name": name, "arguments": arguments }))
}

/// A guarded call of a tool.
fn guarded(number: u8, arguments: &Value, output: &Value) -> [(&'static str, u8, Value); 2] {
    let of = |kind, field: &str, value: &Value| {
        (kind, number, json!({ "kind": "tool_call", "name": "mail", "verdict": "allow", field: value }))
    };
    [of("action.admitted", "arguments", arguments), of("action.settled", "output", output)]
}

#[test]
fn what_a_guarded_tool_was_given_and_gave_is_judged() {
    let events = [
        guarded(1, &json!({ "path": "/etc/passwd" }), &json!("fine")),
        guarded(2, &json!({ "box": "in" }), &json!({ "from": "ann@corp-mail.com" })),
        guarded(3, &json!({ "box": "in" }), &json!(["to [REDACTED:email]"])),
        guarded(4, &json!({ "box": "in" }), &json!("nothing new")),
    ]
    .concat();
    let replayed = replayed("{ files: { root: . }, pii: { out: redact } }", &events);
    let expected = vec![("mail", "allow", "deny"), ("mail", "allow", "redact"), ("mail", "allow", "redact")];
    assert_eq!((replayed.actions, changes(&replayed)), (4, expected));
    assert_eq!(replayed.changed[1].findings[0].location, "/output");
    assert!(replayed.changed[2].redacted && replayed.not_held.arguments == 0, "{replayed:?}");
}

/// A model call that asks for a tool, as the gateway writes it down.
fn asking(
    number: u8,
    verdict: &str,
    arguments: &Value,
    place: Option<&str>,
) -> [(&'static str, u8, Value); 3] {
    let findings: Vec<Value> =
        place.iter().map(|place| json!({ "code": "FS_OUTSIDE_ROOT", "where": place })).collect();
    let call =
        |verdict: &str| json!({ "kind": "model_call", "name": "gpt-4o", "verdict": verdict, "prompt": "hi" });
    let mut settled = call(verdict);
    settled["findings"] = json!(findings);
    [
        ("action.admitted", number, call("allow")),
        ("tool.called", number, json!({ "name": "read", "arguments": arguments })),
        ("action.settled", number, settled),
    ]
}

#[test]
fn a_tool_of_a_model_call_is_compared_with_what_was_decided_then() {
    let outside = json!({ "path": "/etc/passwd" });
    let events = [
        asking(1, "deny", &outside, Some("/tool_calls/read/path")),
        asking(2, "allow", &json!({ "lines": 3 }), None),
        asking(3, "deny", &outside, Some("/tool_calls/reader/path")),
    ];
    let same = replayed("{ files: { root: . } }", &events[..2].concat());
    assert_eq!((same.actions, changes(&same)), (4, vec![]));
    let off = replayed("{}", &events[..1].concat());
    assert_eq!(changes(&off), [("gpt-4o", "deny", "allow"), ("read", "deny", "allow")]);
    let other = replayed("{ files: { root: . } }", &events[2..].concat());
    assert_eq!(changes(&other), [("read", "allow", "deny")], "what was found was found in another tool");
}

#[test]
fn a_model_that_is_not_allowed_any_more_is_not_paid_for() {
    let events = [call(1, "gpt-4o", "0.250000"), call(2, "claude-x", "0.5")].concat();
    let replayed = replayed("models: { allow: ['claude-*'] }", &events);
    assert_eq!((replayed.actions, changes(&replayed)), (2, vec![("gpt-4o", "allow", "deny")]));
    assert_eq!(replayed.cost_delta_usd, "-0.250000");
    assert_eq!(replayed.changed[0].findings[0].code.as_str(), "MODEL_NOT_ALLOWED");
    assert_eq!(replayed.not_held, NotHeld::default());
}

#[test]
fn under_the_same_rules_nothing_changes() {
    let replayed =
        replayed("{}", &[call(1, "gpt-4o", "0.25").to_vec(), vec![tool("ls", &json!({}))]].concat());
    assert_eq!(
        (replayed.actions, changes(&replayed), replayed.cost_delta_usd.as_str()),
        (2, vec![], "0.000000")
    );
}

#[test]
fn tool_calls_are_judged_by_their_arguments() {
    let rules = "tools: [{ name: pay, verdict: ask, when: 'args.usd > 50' }]\ncommands: { deny: ['rm *'] }";
    let events = [
        tool("pay", &json!({ "usd": 80 })),
        tool("pay", &json!({ "usd": 8 })),
        tool("bash", &json!({ "command": "rm -r x" })),
    ];
    let replayed = replayed(rules, &events);
    assert_eq!(changes(&replayed), [("pay", "allow", "ask"), ("bash", "allow", "deny")]);
}

#[test]
fn without_arguments_only_the_name_is_judged_and_that_is_said() {
    let rules =
        "tools: [{ name: pay, verdict: deny, when: 'args.usd > 50' }, { name: 'bash', verdict: deny }]";
    let without = |name: &str| ("tool.called", 9, json!({ "name": name }));
    let replayed = replayed(rules, &[without("pay"), without("bash")]);
    assert_eq!(changes(&replayed), [("bash", "allow", "deny")], "whether pay would be refused is not known");
    assert_eq!(replayed.not_held.arguments, 2);
}

#[test]
fn flow_rules_follow_the_order_of_the_run() {
    let rules = "flow: [{ after: { tool: read_mail }, deny: { tool: send } }]";
    let (mail, send) = (tool("read_mail", &json!({})), tool("send", &json!({})));
    let replayed_in = |events: &[(&'static str, u8, Value)]| replayed(rules, events);
    assert_eq!(changes(&replayed_in(&[send.clone(), mail.clone()])), []);
    let after = replayed_in(&[send.clone(), mail.clone(), send.clone()]);
    assert_eq!((changes(&after), after.changed[0].seq), (vec![("send", "allow", "deny")], 2));
    let refused = "tools: [{ name: read_mail, verdict: deny }]\nflow: [{ after: { tool: read_mail }, deny: { tool: send } }]";
    let never_read = replayed(refused, &[mail, send]);
    assert_eq!(changes(&never_read), [("read_mail", "allow", "deny")], "what is refused has not happened");
}

#[test]
fn what_budgets_refused_stays_refused_and_what_a_policy_refused_may_not() {
    let denied = |number, code: &str| {
        (
            "action.denied",
            number,
            json!({ "kind": "model_call", "name": code, "verdict": "deny", "findings": [{ "code": code }] }),
        )
    };
    let replayed = replayed(
        "{}",
        &[denied(1, "BUDGET_EXCEEDED"), denied(2, "MODEL_NOT_ALLOWED"), denied(3, "NO_SUCH_CODE")],
    );
    assert_eq!(changes(&replayed), [("MODEL_NOT_ALLOWED", "deny", "allow")]);
    assert_eq!((replayed.not_held.costs, replayed.cost_delta_usd.as_str()), (1, "0.000000"));
}

#[test]
fn what_was_taken_out_of_a_text_counts_as_what_it_was() {
    let events = [
        (
            "action.admitted",
            1,
            json!({ "kind": "model_call", "name": "a", "verdict": "allow", "prompt": [{ "content": "use [REDACTED:openai_key]" }] }),
        ),
        (
            "action.admitted",
            2,
            json!({ "kind": "model_call", "name": "b", "verdict": "allow", "prompt": "mail [REDACTED:email]" }),
        ),
        tool("post", &json!({ "body": "[REDACTED:github_token]" })),
    ];
    let replayed = replayed("secrets: { in: deny }\npii: { in: redact, kinds: [phone] }", &events);
    assert_eq!(
        changes(&replayed),
        [("a", "allow", "deny"), ("post", "allow", "deny")],
        "an email is not looked for"
    );
    assert_eq!(replayed.not_held.redacted, 3);
    assert!(replayed.changed.iter().all(|change| change.redacted));
}

#[test]
fn an_answer_that_is_refused_has_been_paid_for() {
    let events = [
        (
            "action.admitted",
            1,
            json!({ "kind": "model_call", "name": "a", "verdict": "allow", "prompt": "hi" }),
        ),
        (
            "action.settled",
            1,
            json!({ "kind": "model_call", "cost_usd": "0.1", "answer": [{ "text": "[REDACTED:jwt]" }] }),
        ),
    ];
    let replayed = replayed("secrets: { out: deny }", &events);
    assert_eq!(
        (changes(&replayed), replayed.cost_delta_usd.as_str()),
        (vec![("a", "allow", "deny")], "0.000000")
    );
}

#[test]
fn a_policy_that_only_warns_refuses_nothing() {
    let events = call(1, "gpt-4o", "0.25");
    let replayed = replayed("mode: warn\nmodels: { allow: [] }", &events);
    assert_eq!(
        (changes(&replayed), replayed.cost_delta_usd.as_str()),
        (vec![("gpt-4o", "allow", "warn")], "0.000000")
    );
}

#[test]
fn a_line_that_cannot_be_read_ends_the_replay() {
    let policy = policy("{}");
    let missing = Err(Error::NoSuchRun("x".to_owned()));
    assert!(PolicyReplay::new(&policy).run([missing]).is_err());
}

proptest! {
    #[test]
    fn each_action_counts_once_and_a_second_replay_says_the_same(tools in proptest::collection::vec(0_u8..4, 0..40)) {
        let names = ["read_mail", "send", "ls", "pay"];
        let events: Vec<_> = tools.iter().map(|tool| self::tool(names[usize::from(*tool)], &json!({}))).collect();
        let rules = "tools: [{ name: pay, verdict: ask }]\nflow: [{ after: { tool: read_mail }, deny: { tool: send } }]";
        let first = replayed(rules, &events);
        prop_assert_eq!(first.actions, events.len() as u64);
        prop_assert!(first.changed.is_sorted_by_key(|change| (change.run, change.seq)));
        prop_assert_eq!(replayed(rules, &events), first);
    }
}

fn profiled(root: Option<&Path>, events: &[(&str, u8, Value)]) -> (Value, u64, u64) {
    let mut profiling = Profiling::new(root.map(Path::to_owned), "/elsewhere".into());
    profiling.run((0..).zip(events).map(line)).unwrap();
    let Profiled { profile, calls, without_arguments } = profiling.finish();
    (serde_json::to_value(profile).unwrap(), calls, without_arguments)
}

#[test]
fn a_profile_is_made_of_the_calls_that_were_let_through_below_the_sandbox_of_their_run() {
    let call = |kind: &str, name: &str, path: &str| json!({ "kind": kind, "name": name, "arguments": { "path": path, "url": "https://a.example" } });
    let events = [
        ("run.started", 0, json!({ "kind": "guard", "sandbox": "/srv/work" })),
        ("action.admitted", 1, call("tool_call", "read", "/srv/work/src/a")),
        ("action.admitted", 2, call("tool_call", "read", "/etc/a")),
        ("action.denied", 3, call("tool_call", "pay", "/secret/a")),
        ("action.admitted", 4, call("model_call", "gpt-4o", "/model/a")),
        ("tool.called", 4, json!({ "name": "read", "arguments": { "path": "lib/a" } })),
        ("tool.called", 4, json!({ "name": "list" })),
    ];
    let (profile, calls, without_arguments) = profiled(None, &events);
    assert_eq!(
        profile,
        json!({
            "version": 1, "runs": 1, "tools": { "list": 1, "read": 2 },
            "hosts": ["a.example"], "paths": ["/etc", "lib", "src"],
        })
    );
    assert_eq!((calls, without_arguments), (4, 1));
    let (profile, ..) = profiled(Some(Path::new("/srv")), &events);
    assert_eq!(profile["paths"], json!(["/etc", "lib", "work/src"]));
    assert_eq!(
        profiled(None, &events[1..2]).0["paths"],
        json!(["/srv/work/src"]),
        "nobody said where it ran"
    );
}

#[test]
fn what_was_refused_to_a_model_is_no_part_of_a_profile() {
    let events = [
        asking(1, "deny", &json!({ "path": "/etc/passwd" }), Some("/tool_calls/read/path")),
        asking(2, "ask", &json!({ "path": "/srv/pay" }), Some("/tool_calls/read/path")),
        asking(3, "warn", &json!({ "path": "/srv/work/a" }), Some("/tool_calls/read/path")),
        asking(4, "deny", &json!({ "path": "/srv/lib/a" }), Some("/tool_calls/other/path")),
    ];
    let (profile, calls, _) = profiled(None, &events.concat());
    assert_eq!((&profile["paths"], calls), (&json!(["/srv/lib", "/srv/work"]), 2));
}

/// The one file that there is: a baseline in which a caller reads twice a minute.
struct Baseline;

impl load::Files for Baseline {
    fn read(&self, _: &Path) -> std::io::Result<String> {
        Ok(json!({ "version": 1, "runs": 1, "tools": { "read": 2 }, "hosts": [], "paths": [] }).to_string())
    }
}

/// Seconds, caller, event and data of each event, through a policy that refuses more than twice the rate of the baseline.
fn replayed_against_baseline(rules: &Value, events: &[(u64, &str, &str, Value)]) -> Replayed {
    let mut written = json!({ "drift": { "baseline": "base.json", "verdict": "deny", "rate": 2 } });
    written.as_object_mut().unwrap().extend(rules.as_object().unwrap().clone());
    let file = load::inline(&written, Path::new(""), &Environment::default(), &Baseline).file.unwrap();
    let setting = Setting { mode: Mode::Strict, folder: Path::new("/nowhere"), sandbox: None };
    let policy = file.compile(&setting, "policy.yaml");
    let line = |(seq, (seconds, key, kind, data)): (u64, &(u64, &str, &str, Value))| {
        let ts = seawall_types::Timestamp::from_micros(1_700_000_000_000_000 + seconds * 1_000_000);
        let parsed = json!({
            "seq": seq, "ts": ts, "run": run(), "kind": kind, "action": action(u8::try_from(seq).unwrap()),
            "parent": null, "actor": { "key": key }, "data": data,
        });
        Ok(Line {
            number: seq + 1,
            raw: Vec::new(),
            parsed: serde_json::from_str(&parsed.to_string()).unwrap(),
        })
    };
    let mut replay = PolicyReplay::new(&policy);
    replay.run((0..).zip(events).map(line)).unwrap();
    replay.finish()
}

fn read_call(verdict: &str) -> Value {
    json!({ "kind": "tool_call", "name": "read", "verdict": verdict, "arguments": { "n": 1 } })
}

#[test]
fn rates_are_counted_by_the_times_in_the_trace() {
    let at = |seconds| (seconds, "ann", "action.admitted", read_call("allow"));
    let within: Vec<_> = [0, 10, 20, 30, 60, 61, 62, 63].map(at).to_vec();
    assert_eq!(changes(&replayed_against_baseline(&json!({}), &within)), []);
    let more: Vec<_> = [0, 10, 20, 30, 59, 60, 61].map(at).to_vec();
    let replayed = replayed_against_baseline(&json!({}), &more);
    assert_eq!((changes(&replayed), replayed.changed[0].seq), (vec![("read", "allow", "deny")], 4));
    assert_eq!(replayed.changed[0].findings[0].rule, "drift.rate");
    assert_eq!(replayed_against_baseline(&json!({}), &more), replayed);
}

#[test]
fn callers_are_counted_apart_and_what_a_model_only_asked_for_is_not() {
    let of = |key, kind| (0, key, kind, read_call("allow"));
    let wished = (0, "ann", "tool.called", json!({ "name": "read", "arguments": {} }));
    let mut events = vec![of("ann", "action.admitted"); 4];
    events.extend(vec![of("bob", "action.admitted"); 4]);
    events.extend(vec![wished; 9]);
    assert_eq!(changes(&replayed_against_baseline(&json!({}), &events)), []);
    // One that was refused was made all the same.
    events.push((
        0,
        "bob",
        "action.denied",
        json!({ "kind": "tool_call", "name": "read", "verdict": "deny", "findings": [{ "code": "DRIFT" }] }),
    ));
    assert_eq!(changes(&replayed_against_baseline(&json!({}), &events)), [], "it is refused as it was");
    events.push(of("ann", "action.admitted"));
    assert_eq!(changes(&replayed_against_baseline(&json!({}), &events)), [("read", "allow", "deny")]);
}

#[test]
fn what_is_refused_for_its_rate_has_not_happened() {
    let rules = json!({ "flow": [{ "after": { "tool": "read" }, "deny": { "tool": "send" } }] });
    let call = |key: &'static str, kind: &'static str, name: &str| {
        let data = json!({ "kind": "tool_call", "name": name, "verdict": "allow", "arguments": {} });
        (0, key, kind, data)
    };
    // Ann has made four calls that were refused by a budget, so that her only read is one too many.
    let refused = json!({ "kind": "tool_call", "name": "read", "verdict": "deny", "findings": [{ "code": "BUDGET_EXCEEDED" }] });
    let mut events = vec![(0, "ann", "action.denied", refused); 4];
    events.extend([call("ann", "action.admitted", "read"), call("ann", "action.admitted", "send")]);
    events.extend([call("bob", "action.admitted", "read"), call("bob", "action.admitted", "send")]);
    let replayed = replayed_against_baseline(&rules, &events);
    let sends = replayed.changed.iter().filter(|change| change.name == "send");
    let by_flow = |change: &Change| change.findings.iter().any(|found| found.code.as_str() != "DRIFT");
    assert_eq!(sends.map(by_flow).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn a_tool_that_a_baseline_does_not_know_is_told_by_its_name_alone() {
    let events =
        [(0, "ann", "action.admitted", json!({ "kind": "tool_call", "name": "pay", "verdict": "allow" }))];
    let replayed = replayed_against_baseline(&json!({}), &events);
    assert_eq!((changes(&replayed), replayed.not_held.arguments), (vec![("pay", "allow", "deny")], 1));
    assert_eq!(replayed.changed[0].findings[0].rule, "drift.tool");
}

#[test]
fn a_call_that_a_person_did_not_let_through_was_one_that_a_person_is_asked_about() {
    let rules =
        "tools: [{ name: pay, verdict: ask }]\nflow: [{ after: { tool: pay }, deny: { tool: send } }]";
    for code in ["APPROVAL_REQUIRED", "APPROVAL_DENIED", "APPROVAL_EXPIRED"] {
        let held = json!({
            "kind": "tool_call", "name": "pay", "verdict": "deny", "code": code, "arguments": {},
            "findings": [{ "code": "APPROVAL_REQUIRED" }],
        });
        let sent = json!({ "kind": "tool_call", "name": "send", "verdict": "allow", "arguments": {} });
        let events = [("action.denied", 1, held), ("action.admitted", 2, sent)];
        assert_eq!(changes(&replayed(rules, &events)), [], "{code}: it was asked about, and never made");
        let off = replayed("{}", &events);
        assert_eq!((changes(&off), off.not_held.costs), (vec![("pay", "ask", "allow")], 1));
        let refused = replayed("tools: [{ name: pay, verdict: deny }]", &events);
        assert_eq!(changes(&refused), [("pay", "ask", "deny")]);
    }
}

#[test]
fn what_refused_a_call_goes_before_what_was_found_in_it() {
    let denied = json!({
        "kind": "model_call", "name": "a", "verdict": "deny", "code": "BUDGET_EXCEEDED", "findings": [{ "code": "PII_FOUND" }],
    });
    assert_eq!(changes(&replayed("{}", &[("action.denied", 1, denied)])), []);
}

#[test]
fn what_was_refused_for_arguments_that_are_not_held_stays_refused() {
    let denied = |number, name: &str, code: &str| {
        let findings = json!([{ "code": code, "where": "/path" }]);
        let data = json!({ "kind": "tool_call", "name": name, "verdict": "deny", "code": code, "findings": findings });
        ("action.denied", number, data)
    };
    let events = [
        denied(1, "read", "FS_OUTSIDE_ROOT"),
        denied(2, "read: open", "FS_OUTSIDE_ROOT"),
        denied(3, "pay", "TOOL_NOT_ALLOWED"),
    ];
    let replayed = replayed("{ files: { root: . } }", &events);
    assert_eq!(changes(&replayed), [("pay", "deny", "allow")], "only that one was refused for its name");
    assert_eq!(replayed.not_held.arguments, 3);
}

//! Logs that were written once and are read for ever: one folder for each version of the log.
//!
//! A test that fails here means that agents of earlier releases would not be what they were. A change that is meant gets a
//! new version and new files beside these (`cargo nextest run -p seawall-engine --run-ignored only`), never other ones.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use seawall_engine::{
    Agent, Archive, Block, Compress, Compressed, Config, Context, Decide, Event, Fact, FailureClass, Found,
    Interrupt, Judged, Judgement, Mend, MessageId, MessageKind, ModelFailed, ModelFailure, NewFork,
    OnInDoubt, Plan, Reconciled, Repair, Resolution, Resolve, Retry, Reviewed, Ruling, SetSchedule,
    TakeSnapshot, ToolFinished, ToolResult, Trigger, Unschedule, VERSION, Wake, fork, project,
};
use seawall_types::{Amount, Code, Usd};
use serde_json::{Value, json};

use crate::faces::everything;
use crate::shrinking::compression;
use crate::stage::{START, Stage, answered, call, config, gave, judged, run, said, send, text, wish};

/// Makes a log.
type Life = fn() -> Vec<Event>;

/// The lives that are kept, by name.
const LIVES: [(&str, Life); 7] = [
    ("everything", everything),
    ("parked", parked),
    ("refused", refused),
    ("forked", forked),
    ("repaired", repaired),
    ("spent", spent),
    ("room", crate::rooms::life),
];

fn folder(version: u16) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/v{version}"))
}

fn lines(values: impl IntoIterator<Item = Value>) -> String {
    values.into_iter().fold(String::new(), |mut lines, value| {
        writeln!(lines, "{value}").unwrap();
        lines
    })
}

fn written(log: &[Event]) -> String {
    lines(log.iter().map(|event| serde_json::to_value(event).unwrap()))
}

fn told(log: &[Event]) -> String {
    lines(log.iter().flat_map(project).map(|face| serde_json::to_value(face).unwrap()))
}

fn state(log: &[Event]) -> String {
    serde_json::to_string_pretty(&Agent::fold(log).unwrap()).unwrap() + "\n"
}

fn read(version: u16, name: &str, what: &str) -> String {
    fs::read_to_string(folder(version).join(format!("{name}.{what}"))).unwrap()
}

fn log(version: u16, name: &str) -> Vec<Event> {
    read(version, name, "jsonl").lines().map(|line| Event::read(line.as_bytes()).unwrap()).collect()
}

#[test]
fn logs_of_every_version_make_the_agents_that_they_made() {
    for version in 1..=VERSION {
        for (name, _) in LIVES {
            let log = log(version, name);
            assert_eq!(state(&log), read(version, name, "state.json"), "v{version} {name}");
            let kept: Agent = serde_json::from_str(&read(version, name, "state.json")).unwrap();
            assert_eq!(kept, Agent::fold(&log).unwrap(), "v{version} {name}");
        }
    }
}

#[test]
fn clients_are_told_of_logs_of_every_version_what_they_were_told() {
    for version in 1..=VERSION {
        for (name, _) in LIVES {
            assert_eq!(told(&log(version, name)), read(version, name, "client.jsonl"), "v{version} {name}");
        }
    }
}

#[test]
fn the_log_that_is_written_today_is_the_current_version() {
    for (name, life) in LIVES {
        assert_eq!(written(&life()), read(VERSION, name, "jsonl"), "{name}");
    }
}

#[test]
fn the_kept_logs_have_every_kind_of_fact() {
    let kinds: BTreeSet<_> =
        LIVES.iter().flat_map(|(name, _)| log(VERSION, name)).map(|event| event.fact.kind()).collect();
    assert_eq!(kinds, Fact::KINDS.iter().copied().collect());
}

#[test]
#[ignore = "writes the kept logs of a new version; those of a version that was released stay as they are"]
fn write_the_logs_of_the_current_version() {
    let folder = folder(VERSION);
    fs::create_dir_all(&folder).unwrap();
    for (name, life) in LIVES {
        let log = life();
        for (what, text) in
            [("jsonl", written(&log)), ("state.json", state(&log)), ("client.jsonl", told(&log))]
        {
            fs::write(folder.join(format!("{name}.{what}")), text).unwrap();
        }
    }
}

/// Crashes, calls in doubt, and people who find out.
fn parked() -> Vec<Event> {
    let parking = Config { on_in_doubt: OnInDoubt::Park, ..config() };
    let mut stage = Stage::running(parking, &["unsafe", "reconcilable", "keyed"]);
    stage.claim();
    let found = |call, attempt, found| Reconciled { call, attempt, found };
    stage.give(found(call(1, 2), 1, Found::NotDone));
    stage.claim();
    stage.give(found(call(1, 2), 2, Found::Done { result: ToolResult::error("it was refused") }));
    stage.give(gave(call(1, 3), 3, "kept"));
    let resolve = |resolution| Resolve {
        call: call(1, 1),
        resolution,
        by: "ann".into(),
        note: "asked the bank".into(),
    };
    stage.give(resolve(Resolution::NotDone));
    stage.give(judged(call(1, 1), Judgement::Proceed));
    stage.claim();
    let result = ToolResult { content: [Block::text("paid")].into(), is_error: false };
    stage.give(resolve(Resolution::Done { result }));
    let busy = ModelFailure { class: FailureClass::RateLimit, message: "busy".into() };
    let not_before = START.saturating_add(Duration::from_secs(2));
    stage.give(Retry { step: 2, attempt: 1, failure: busy, not_before, spent: None });
    stage.give(answered(2, 2, vec![wish("unsafe")]));
    stage.give(judged(call(2, 1), Judgement::Ask { summary: "pays".into() }));
    let arguments = Some(Arc::new(json!({"n": 2})));
    stage.give(Decide { arguments, note: Some("less".into()), ..said(call(2, 1), Ruling::Allow) });
    stage.give(judged(call(2, 1), Judgement::Ask { summary: "pays".into() }));
    stage.log
}

/// Everything that can go otherwise than was wished.
fn refused() -> Vec<Event> {
    let mut limited = Config { context: Context { compress_at: None, keep: 1 }, ..config() };
    let mut tools = (*limited.tools).clone();
    tools.values_mut().for_each(|tool| tool.post_hook = true);
    limited.tools = Arc::new(tools);
    limited.limits.steps = Some(2);
    let mut stage = Stage::wanting(limited, &["pure", "pure", "keyed", "invented"]);
    let deny = Judgement::Deny { code: Code::FsOutsideRoot, message: "stay inside".into() };
    stage.give(judged(call(1, 1), deny));
    let cached = ToolResult { content: [Block::text("cached")].into(), is_error: false };
    stage.give(judged(call(1, 2), Judgement::Answer { result: cached }));
    stage.give(judged(call(1, 3), Judgement::Proceed));
    stage.give(gave(call(1, 3), 1, "secret"));
    let clean = ToolResult { content: [Block::text("[REDACTED]")].into(), is_error: false };
    stage.give(Reviewed { call: call(1, 3), result: Some(clean) });
    stage.give(answered(2, 1, vec![wish("unsafe")]));
    let expires_at = Some(stage.now.saturating_add(Duration::from_secs(5)));
    stage.give(Judged { expires_at, ..judged(call(2, 1), Judgement::Ask { summary: "why".into() }) });
    stage.now = stage.now.saturating_add(Duration::from_secs(60));
    stage.give(Wake);
    stage.give(send("m2", "go on"));
    let failure = ModelFailure { class: FailureClass::Quota, message: "nothing left".into() };
    stage.give(ModelFailed { step: 3, attempt: 1, failure, spent: None });
    stage.give(Compress);
    let id = stage.log.last().unwrap().seq;
    stage.give(Compressed { id, summary: Err("no model".into()), spent: None });
    stage.give(TakeSnapshot { id: "s1".into(), label: Some("before cron".into()) });
    let trigger = Trigger::Cron { spec: "0 9 * * 1".into() };
    stage.give(SetSchedule { id: "monday".into(), trigger, text: "report".into() });
    let next = Some(stage.now.saturating_add(Duration::from_secs(3_600)));
    stage.give(Plan { id: "monday".into(), next });
    stage.give(Unschedule { id: "monday".into() });
    stage.give(Interrupt { by: "ann".into(), note: None });
    stage.give(Archive { by: "ann".into() });
    stage.log
}

/// What operators mend by hand.
fn repaired() -> Vec<Event> {
    let mut stage = Stage::running(config(), &["unsafe", "unsafe"]);
    let by_hand = |mend| Repair { mend, by: "ann".into(), note: Some("it hangs".into()) };
    let result = ToolResult { content: [Block::text("paid")].into(), is_error: false };
    stage.give(by_hand(Mend::AnswerCall { call: call(1, 1), result }));
    stage.give(by_hand(Mend::SkipStep));
    let failure = ModelFailure { class: FailureClass::Quota, message: "nothing left".into() };
    stage.give(ModelFailed { step: 2, attempt: 1, failure, spent: None });
    stage.give(Repair { note: None, ..by_hand(Mend::Resume) });
    let (id, content) = (MessageId("m9".into()), [Block::text("be brief")].into());
    stage.give(by_hand(Mend::InjectMessage { id, kind: MessageKind::Reminder, content }));
    let data = Some(Arc::new(json!({"ticket": 7})));
    stage.give(by_hand(Mend::InjectEvent { event: "looked_at".into(), data }));
    stage.give(answered(3, 1, vec![text("done")]));
    stage.log
}

/// What costs without an answer: a try that is made again, failures, and summaries.
fn spent() -> Vec<Event> {
    let amount = |tokens| Some(Amount { usd: Usd::from_picos(3_000_000), tokens });
    let failure = |class| ModelFailure { class, message: "it broke off".into() };
    let mut stage = Stage::new(Config { context: Context { compress_at: None, keep: 1 }, ..config() });
    stage.give(send("m1", "go"));
    let not_before = START.saturating_add(Duration::from_secs(2));
    let broken = failure(FailureClass::Unavailable);
    stage.give(Retry { step: 1, attempt: 1, failure: broken.clone(), not_before, spent: amount(1) });
    stage.give(answered(1, 2, vec![text("done")]));
    stage.give(send("m2", "buy it"));
    stage.give(answered(2, 1, vec![wish("pure")]));
    stage.give(judged(call(2, 1), Judgement::Proceed));
    stage.give(ToolFinished { spent: amount(2), ..gave(call(2, 1), 1, "bought") });
    let long = failure(FailureClass::ContextLength);
    stage.give(ModelFailed { step: 3, attempt: 1, failure: long, spent: amount(4) });
    stage.give(Compressed { id: compression(&stage), summary: Ok("it was long".into()), spent: amount(8) });
    stage.give(ModelFailed { step: 4, attempt: 1, failure: broken, spent: amount(16) });
    stage.give(send("m3", "and then?"));
    stage.give(answered(5, 1, vec![text("nothing")]));
    stage.give(Compress);
    stage.give(Compressed { id: compression(&stage), summary: Err("no model".into()), spent: amount(32) });
    stage.log
}

/// The life of a fork.
fn forked() -> Vec<Event> {
    let mut parent = Stage::running(config(), &["pure"]);
    parent.give(gave(call(1, 1), 1, "r"));
    parent.give(answered(2, 1, vec![text("done")]));
    let new = NewFork { id: "b".parse().unwrap(), run: run(), config: None };
    let log = fork(&parent.agent, new, START).unwrap().events;
    let mut child = Stage { agent: Agent::fold(&log).unwrap(), log, epoch: 0, now: START };
    child.claim();
    child.give(send("m1", "and now"));
    child.give(answered(3, 1, vec![wish("pure")]));
    child.log
}

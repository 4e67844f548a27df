//! A run against the profile of a baseline: what is new is refused or told, and written down once.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use seawall_checkpoint::tool::{RunState, ToolCall};
use seawall_config::Environment;
use seawall_policy::load::{self, Files};
use seawall_policy::{Policy, Setting};
use seawall_types::{Clock, Code, Mode, Usd};
use serde_json::{Value, json};

use crate::stage::Stage;

/// The one file that there is.
struct Baseline;

impl Files for Baseline {
    fn read(&self, _: &Path) -> std::io::Result<String> {
        let profile = json!({
            "version": 1, "runs": 1, "tools": { "read_file": 2, "fetch": 1 }, "hosts": ["api.example.com"], "paths": ["."],
        });
        Ok(profile.to_string())
    }
}

fn policy(stage: &Stage, verdict: &str, mode: Mode) -> Arc<Policy> {
    let written = json!({ "drift": { "baseline": "base.json", "verdict": verdict, "rate": 2 } });
    let file = load::inline(&written, Path::new(""), &Environment::default(), &Baseline).file.unwrap();
    Arc::new(file.compile(&Setting { mode, folder: stage.root(), sandbox: None }, "test"))
}

#[test]
fn a_run_like_its_baseline_has_no_drift() {
    let stage = Stage::new();
    let policy = policy(&stage, "deny", Mode::Strict);
    for _ in 0..4 {
        drop(stage.admit(&policy, "read_file", &json!({ "path": "notes.txt" })).unwrap());
    }
    drop(stage.admit(&policy, "fetch", &json!({ "url": "https://api.example.com/x" })).unwrap());
    assert_eq!(stage.data("drift"), Vec::<Value>::new());
}

#[test]
fn what_is_new_is_refused_and_written_down_once_a_run() {
    let stage = Stage::new();
    let policy = policy(&stage, "deny", Mode::Strict);
    for _ in 0..3 {
        for (tool, arguments, rule) in [
            ("pay", json!({}), "drift.tool"),
            ("fetch", json!({ "url": "https://evil.example/" }), "drift.host"),
            ("read_file", json!({ "path": "/etc/passwd" }), "drift.path"),
        ] {
            stage.clock.advance(Duration::from_secs(60));
            let denial = stage.admit(&policy, tool, &arguments).unwrap_err();
            assert_eq!((denial.code, denial.findings[0].rule.as_str()), (Code::Drift, rule));
        }
    }
    let told = |name: &str, new: &str, value: &str| json!({ "name": name, "new": new, "value": value, "baseline": "base.json", "verdict": "deny" });
    assert_eq!(
        stage.data("drift"),
        [
            told("pay", "tool", "pay"),
            told("fetch", "host", "evil.example"),
            told("read_file", "path", "/etc"),
        ]
    );
    assert_eq!(stage.data("action.denied").len(), 9, "each call is refused for it");
}

#[test]
fn a_tool_that_is_called_far_more_often_is_drift_until_the_minute_is_over() {
    let stage = Stage::new();
    let policy = policy(&stage, "deny", Mode::Strict);
    let read = |expected: bool| {
        let admitted = stage.admit(&policy, "read_file", &json!({ "path": "a" }));
        assert_eq!(admitted.is_ok(), expected);
        admitted.err().map(|denial| denial.findings[0].rule.clone())
    };
    (0..4).for_each(|_| drop(read(true)));
    assert_eq!(read(false).as_deref(), Some("drift.rate"));
    drop(read(false));
    assert_eq!(stage.data("drift").len(), 1);
    stage.clock.advance(Duration::from_secs(60));
    drop(read(true));
}

#[test]
fn runs_are_counted_apart() {
    let stage = Stage::new();
    let policy = policy(&stage, "deny", Mode::Strict);
    let arguments = json!({ "path": "a" });
    for state in [Arc::<RunState>::default(), Arc::default(), Arc::default()] {
        for _ in 0..4 {
            let call = stage.call(&policy, "read_file", &arguments, None, Usd::ZERO);
            drop(stage.admit_call(&ToolCall { state: &state, ..call }).unwrap());
        }
    }
}

#[test]
fn neither_warn_mode_nor_the_verdict_warn_refuses_anything() {
    for (verdict, mode) in [("deny", Mode::Warn), ("warn", Mode::Strict)] {
        let stage = Stage::new();
        let policy = policy(&stage, verdict, mode);
        drop(stage.admit(&policy, "pay", &json!({ "url": "https://evil.example/" })).unwrap());
        (0..5).for_each(|_| drop(stage.admit(&policy, "read_file", &json!({})).unwrap()));
        let new: Vec<Value> = stage.data("drift").into_iter().map(|mut data| data["new"].take()).collect();
        assert_eq!(new, ["tool", "host", "rate"], "{verdict}");
        assert_eq!(stage.data("action.admitted")[0]["findings"][0]["code"], "DRIFT");
    }
}

#[test]
fn a_call_that_is_refused_for_its_rate_does_not_count_for_the_order_of_actions() {
    let stage = Stage::new();
    let written = json!({
        "drift": { "baseline": "base.json", "verdict": "deny", "rate": 1 },
        "flow": [{ "after": { "path": "secret.txt" }, "deny": { "tool": "fetch" } }],
    });
    let file = load::inline(&written, Path::new(""), &Environment::default(), &Baseline).file.unwrap();
    let setting = Setting { mode: Mode::Strict, folder: stage.root(), sandbox: None };
    let policy = Arc::new(file.compile(&setting, "test"));
    let read = |path: &str| stage.admit(&policy, "read_file", &json!({ "path": path })).is_ok();
    assert!(read("a") && read("b") && !read("secret.txt"), "twice a minute");
    drop(stage.admit(&policy, "fetch", &json!({})).unwrap());
    stage.clock.advance(Duration::from_secs(60));
    assert!(read("secret.txt"));
    stage.admit(&policy, "fetch", &json!({})).unwrap_err();
}

#[test]
fn whether_a_call_would_be_asked_about_for_its_rate_is_known_before_it_is_made() {
    let stage = Stage::new();
    let policy = policy(&stage, "ask", Mode::Strict);
    let arguments = json!({ "path": "a" });
    let asks = || stage.call(&policy, "read_file", &arguments, None, Usd::ZERO).asks(stage.clock.now());
    for _ in 0..4 {
        assert!(!asks());
        drop(stage.admit(&policy, "read_file", &arguments).unwrap());
    }
    assert!(asks() && asks());
    stage.clock.advance(Duration::from_secs(60));
    assert!(!asks(), "the minute is over");
}

#[test]
fn a_long_name_is_told_by_its_beginning() {
    let stage = Stage::new();
    let policy = policy(&stage, "deny", Mode::Strict);
    let long = "ü".repeat(100_000);
    stage.admit(&policy, "read_file", &json!({ "path": format!("{long}/a") })).unwrap_err();
    let told = stage.data("drift");
    assert_eq!(told[0]["value"], json!(format!("{}…", "ü".repeat(128))));
    let findings = &stage.data("action.denied")[0]["findings"];
    assert!(findings[0]["message"].as_str().unwrap().len() < 1_000);
}

//! Logs: the form of a line, and what never gets into one.

use std::error::Error;
use std::fmt;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use seawall_base::tasks::Group;
use seawall_base::telemetry::{self, Format, Options, TelemetryError, TelemetryHandle};
use seawall_types::{ManualClock, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

const TS: &str = "2023-11-14T22:13:20.123456Z";

/// Logging into a file, for as long as `run` runs on this thread.
fn logged(format: Format, run: impl FnOnce(&TelemetryHandle)) -> String {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log");
    let clock = ManualClock::new(Timestamp::from_micros(1_700_000_000_123_456));
    let options = Options {
        format,
        stderr: false,
        file: Some(path.clone()),
        clock: Arc::new(clock),
        ..Options::default()
    };
    let (subscriber, handle) = telemetry::subscriber(options).unwrap();
    tracing::subscriber::with_default(subscriber, || run(&handle));
    fs::read_to_string(path).unwrap()
}

fn json_lines(run: impl FnOnce(&TelemetryHandle)) -> Vec<Value> {
    logged(Format::Json, run).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_line_is_one_json_object_with_its_fields_in_order() {
    let text = logged(Format::Json, |_| {
        tracing::info!(target: "gate", count = 3_u64, ok = true, ratio = 0.5, name = "a b", "request {}", "done");
    });
    let expected = format!(
        r#"{{"ts":"{TS}","level":"info","target":"gate","message":"request done","count":3,"ok":true,"ratio":0.5,"name":"a b"}}"#
    );
    assert_eq!(text, expected + "\n");
}

#[test]
fn a_line_for_people_is_short() {
    let text = logged(Format::Text, |_| {
        let _span = tracing::info_span!("request", run = "r1").entered();
        tracing::warn!(target: "gate", path = %"/v1/x", why = "too large", "refused\nthis");
    });
    assert_eq!(text, format!("{TS} warn gate: refused\\nthis path=/v1/x why=\"too large\" run=r1\n"));
}

#[test]
fn fields_of_spans_are_in_every_line_and_the_innermost_wins() {
    let lines = json_lines(|_| {
        let outer =
            tracing::info_span!("run", run = "r1", request = "outer", cost = tracing::field::Empty).entered();
        outer.record("cost", 7);
        let _inner = tracing::info_span!("request", request = "inner").entered();
        tracing::info!("plain");
        tracing::info!(request = "own", "with its own");
    });
    assert_eq!(
        (&lines[0]["run"], &lines[0]["request"], &lines[0]["cost"]),
        (&json!("r1"), &json!("inner"), &json!(7))
    );
    assert_eq!(lines[1]["request"], json!("own"));
}

#[test]
fn a_task_logs_with_the_fields_of_the_span_it_was_started_in() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let lines = json_lines(|_| {
        runtime.block_on(async {
            let group = Group::new();
            tracing::info_span!("request", request = "r1").in_scope(|| {
                group.spawn("sound", async { tracing::info!("at work") });
                group.spawn("faulty", async { panic!("on purpose") });
            });
            assert!(group.drain(Duration::from_secs(60)).await);
        });
    });
    let line = |message: &str| lines.iter().find(|line| line["message"] == message).unwrap();
    assert_eq!(line("at work")["request"], json!("r1"));
    let panic = line("task panicked");
    assert_eq!(
        (&panic["task"], &panic["reason"], &panic["request"]),
        (&json!("faulty"), &json!("on purpose"), &json!("r1"))
    );
}

#[test]
fn nothing_can_end_a_line_early_or_command_a_terminal() {
    let evil = "a\nb\r\"c\\\u{1b}[31m\u{2028}\u{85}\0";
    for format in [Format::Json, Format::Text] {
        let text = logged(format, |_| tracing::info!(field = evil, debug = ?evil, "{evil}"));
        assert_eq!(text.chars().filter(|c| c.is_control() || *c == '\u{2028}').collect::<String>(), "\n");
    }
    let line = &json_lines(|_| tracing::info!(field = evil, "{evil}"))[0];
    assert_eq!((&line["message"], &line["field"]), (&json!(evil), &json!(evil)));
}

#[test]
fn names_that_every_line_has_are_not_taken() {
    let line = &json_lines(|_| tracing::info!(level = "mine", ts = 1, target = 2, "real"))[0];
    assert_eq!((&line["level"], &line["level_"], &line["ts_"]), (&json!("info"), &json!("mine"), &json!(1)));
}

#[test]
fn numbers_that_json_has_not_are_texts() {
    let line = &json_lines(|_| tracing::info!(nan = f64::NAN, wide = u128::MAX, "x"))[0];
    assert_eq!((&line["nan"], &line["wide"]), (&json!("NaN"), &json!(u128::MAX.to_string())));
}

#[test]
fn an_error_is_logged_with_its_causes() {
    let error = TelemetryError::File { path: "/x".into(), source: std::io::Error::other("disk on fire") };
    let line = &json_lines(|_| tracing::error!(error = &error as &(dyn Error + 'static), "failed"))[0];
    assert_eq!(
        line["error"],
        json!("the log file /x can't be opened: check its folder and permissions: disk on fire")
    );
}

#[test]
fn the_level_changes_while_running() {
    let lines = json_lines(|handle| {
        tracing::debug!("too fine");
        handle.set_level("debug,noisy=error").unwrap();
        tracing::debug!("kept");
        tracing::warn!(target: "noisy", "dropped");
        assert!(handle.set_level("inof").is_err());
        tracing::debug!("still kept");
        handle.set_level("off").unwrap();
        tracing::error!("dropped");
    });
    let messages: Vec<&Value> = lines.iter().map(|line| &line["message"]).collect();
    assert_eq!(messages, ["kept", "still kept"]);
}

#[test]
fn a_level_that_is_none_is_refused() {
    for level in ["inof", "info,hyper", "hyper=loud", "info debug"] {
        let options = Options { level: level.to_owned(), stderr: false, ..Options::default() };
        assert!(matches!(telemetry::subscriber(options), Err(TelemetryError::Level(_))), "{level}");
    }
}

/// A value that logs while it is formatted.
struct Talkative;

impl fmt::Display for Talkative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tracing::info!("inner");
        f.write_str("shown")
    }
}

/// The only test that sets up the logging of the process, which can be done once.
#[test]
fn the_process_logs_panics_and_lines_within_lines() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log");
    let options = Options { stderr: false, file: Some(path.clone()), ..Options::default() };
    telemetry::init(options.clone()).unwrap();
    assert!(matches!(telemetry::init(options), Err(TelemetryError::AlreadySet)));

    let faulty = std::thread::Builder::new().name("faulty".to_owned());
    assert!(faulty.spawn(|| panic!("with sk-ant-0123456789")).unwrap().join().is_err());
    tracing::info!(value = %Talkative, "outer");

    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let panic = lines.iter().find(|line| line["thread"] == "faulty").unwrap();
    assert_eq!((&panic["level"], &panic["message"]), (&json!("error"), &json!("panicked: with [REDACTED]")));
    assert!(lines.iter().any(|line| line["message"] == "inner"));
    assert!(lines.iter().any(|line| line["message"] == "outer" && line["value"] == "shown"));
}

/// A credential, with the part of it that must not come out.
fn credential() -> impl Strategy<Value = (String, String)> {
    let whole = |pattern: &'static str| pattern.prop_map(|text: String| (text.clone(), text)).boxed();
    let after = |head: &'static str, pattern: &'static str, tail: &'static str| {
        pattern.prop_map(move |body: String| (format!("{head}{body}{tail}"), body)).boxed()
    };
    prop_oneof![
        whole("sk-[A-Za-z0-9]{20,48}"),
        whole("sk-ant-api03-[A-Za-z0-9_-]{20,90}"),
        whole("sk-sw-[a-z0-9]{16,40}"),
        whole("sk-proj-[A-Za-z0-9_-]{20,90}"),
        whole("AIza[A-Za-z0-9_-]{35}"),
        whole("gh[pousr]_[A-Za-z0-9]{36}"),
        whole("github_pat_[A-Za-z0-9_]{40,82}"),
        whole("xox[abeoprs]-[0-9]{10,12}-[A-Za-z0-9]{12,24}"),
        whole("AKIA[A-Z0-9]{16}"),
        whole("eyJ[A-Za-z0-9_-]{10,30}\\.eyJ[A-Za-z0-9_-]{10,40}\\.[A-Za-z0-9_-]{20,43}"),
        after("Bearer ", "[A-Za-z0-9._~+/-]{12,60}=?", ""),
        after("https://user:", "[A-Za-z0-9!$&*+,;=._~-]{8,20}", "@host.example/path"),
        after("postgres://app:", "[A-Za-z/?#][A-Za-z0-9/?#]{8,20}x", "@db/name"),
        after(
            "-----BEGIN RSA PRIVATE KEY-----\n",
            "([A-Za-z0-9+/]{16}\n){1,4}",
            "-----END RSA PRIVATE KEY-----"
        ),
    ]
}

/// A pair of texts around it that leave it its own word.
fn surroundings() -> impl Strategy<Value = (String, String)> {
    let before = prop_oneof![Just(String::new()), "[a-z]{0,8}[ =:\"'(,\n\t]", ".{0,10}[ =\n]"];
    let after = prop_oneof![Just(String::new()), "[ \"'),\n].{0,10}"];
    (before, after)
}

proptest! {
    #[test]
    fn no_credential_survives_anywhere((text, body) in credential(), (before, after) in surroundings()) {
        let value = format!("{before}{text}{after}");
        for format in [Format::Json, Format::Text] {
            let log = logged(format, |_| {
                let span = tracing::info_span!("s", a = value, b = ?value, later = tracing::field::Empty).entered();
                span.record("later", &value);
                let error = std::io::Error::other(value.clone());
                tracing::info!(field = value, display = %value, debug = ?Some(&value), "{value}");
                tracing::error!(error = &error as &(dyn Error + 'static), "{:?}", value);
            });
            for line in body.lines() {
                prop_assert!(!log.contains(line), "{} in {}", line, log);
            }
        }
    }

    #[test]
    fn every_line_is_json_and_keeps_what_is_no_secret(message in "[^-:bBesAgxhprny]{0,60}", field in any::<i64>()) {
        let lines = json_lines(|_| tracing::info!(field, text = message, "{message}"));
        prop_assert_eq!(&lines[0]["message"], &json!(message));
        prop_assert_eq!(&lines[0]["text"], &json!(message));
        prop_assert_eq!(&lines[0]["field"], &json!(field));
    }
}

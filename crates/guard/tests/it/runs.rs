//! How runs begin, nest and end.

use seawall_guard::{
    Call, Code, Error, PolicyChoice, PolicySource, Run, RunOptions, ToolEnd, TraceChoice, current, run,
};
use serde_json::json;

use crate::stage::{Stage, kinds, lines};

fn refused(options: RunOptions) -> String {
    match Run::begin(options, None) {
        Err(Error::Config(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_policy_that_nobody_knows_keeps_the_run_from_beginning() {
    let stage = Stage::new();
    let message = refused(RunOptions { policy: PolicyChoice::named("fs_save"), ..stage.options("safe") });
    assert!(message.contains("did you mean fs_safe?"), "{message}");
    let message = refused(stage.options("filez: { root: . }"));
    assert!(message.starts_with("policy: ") && message.contains("filez"), "{message}");
}

#[test]
fn the_sandbox_lies_in_the_working_folder_unless_that_is_said() {
    let stage = Stage::new();
    let message = refused(RunOptions { allow_outside_root: false, ..stage.options("safe") });
    assert!(message.contains("allow_outside_root"), "{message}");
    assert!(!stage.sandbox().exists(), "nothing is made before it is clear that it may be");
    let message =
        refused(RunOptions { allow_outside_root: false, ..stage.options("safe") }.sandbox("a/../../../b"));
    assert!(message.contains("sandbox"), "{message}");
}

#[test]
fn without_a_sandbox_a_run_has_a_folder_of_its_own() {
    let stage = Stage::new();
    let begin = || Run::begin(RunOptions { sandbox: None, ..stage.options("fs_safe") }, None).unwrap();
    let (empty, used) = (begin(), begin());
    assert!(empty.sandbox().starts_with(stage.data_dir()) && empty.sandbox().is_dir());
    assert_ne!(empty.sandbox(), used.sandbox());
    std::fs::write(used.sandbox().join("kept"), "").unwrap();
    empty.finish();
    used.finish();
    assert!(!empty.sandbox().exists() && used.sandbox().join("kept").exists());
}

#[test]
fn a_policy_s_own_root_is_the_sandbox_where_the_run_names_none() {
    let stage = Stage::new();
    let options = RunOptions { sandbox: None, ..stage.options("files: { root: work }") };
    let run = Run::begin(options, None).unwrap();
    assert_eq!(run.sandbox(), stage.folder().join("work"));
}

#[test]
fn a_policy_that_was_loaded_once_serves_any_number_of_runs() {
    let stage = Stage::new();
    let source = PolicySource::load("fs_safe", &seawall_config::Environment::default()).unwrap();
    let source = std::sync::Arc::new(source.in_sandbox(stage.sandbox()));
    let options = || RunOptions {
        policy: PolicyChoice::Loaded(std::sync::Arc::clone(&source)),
        sandbox: None,
        ..stage.options("safe")
    };
    for _ in 0..2 {
        assert_eq!(Run::begin(options(), None).unwrap().sandbox(), stage.sandbox());
    }
}

#[test]
fn an_identifier_is_used_once() {
    let stage = Stage::new();
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let options = || RunOptions { run_id: Some(id.to_owned()), ..stage.options("safe") };
    let run = Run::begin(options(), None).unwrap();
    assert_eq!(run.id().to_string(), id);
    run.finish();
    assert!(refused(options()).contains("already"));
    assert!(
        refused(RunOptions { run_id: Some("nightly".to_owned()), ..stage.options("safe") }).contains("tags")
    );
}

#[test]
fn a_run_that_has_ended_admits_nothing_and_its_last_call_may_still_end() {
    let stage = Stage::new();
    let run = stage.run("safe");
    let admitted = run.admit(Call::new("read", json!({}))).unwrap();
    run.finish();
    assert!(
        matches!(run.admit(Call::new("read", json!({}))), Err(Error::Config(message)) if message.contains("has ended"))
    );
    admitted.settle(ToolEnd::ReturnedBytes(0), None).unwrap();
    run.finish();
    stage.run("safe").finish();
    assert_eq!(kinds(&run), ["action.admitted", "action.settled", "run.finished"]);
}

#[test]
fn dropping_the_last_handle_ends_the_run() {
    let stage = Stage::new();
    let run = stage.run("safe");
    let path = run.trace_path().unwrap().to_owned();
    drop(run.clone());
    run.admit(Call::new("read", json!({}))).unwrap().settle(ToolEnd::ReturnedBytes(0), None).unwrap();
    drop(run);
    let lines = lines(&path);
    assert_eq!(lines.last().unwrap()["kind"], "run.finished");
    assert_eq!(lines[0]["data"]["kind"], "guard");
    assert_eq!(lines[0]["data"]["sandbox"], json!(stage.sandbox()));
}

#[test]
fn the_current_run_is_the_innermost_that_has_not_ended() {
    let stage = Stage::new();
    assert!(current().is_none());
    let outer = run(stage.options("safe")).unwrap();
    let inner = run(stage.options("safe")).unwrap();
    let id = || current().map(|run| run.id());
    assert_eq!(id(), Some(inner.id()));
    assert!(std::thread::scope(|scope| scope.spawn(|| current().is_none()).join().unwrap()));
    {
        let _back = outer.enter();
        assert_eq!(id(), Some(outer.id()));
    }
    inner.finish();
    assert_eq!(id(), Some(outer.id()));
    let path = inner.trace_path().unwrap().to_owned();
    drop((inner, outer));
    assert_eq!(id(), None);
    assert!(lines(&path)[0]["data"]["inside"].is_string());
}

#[test]
fn a_run_that_is_not_written_down_is_guarded_all_the_same() {
    let stage = Stage::new();
    let options = RunOptions { trace: TraceChoice::Off, ..stage.options("fs_safe") };
    let run = Run::begin(options.max_tokens(10), None).unwrap();
    assert!(run.trace_path().is_none());
    let error = run.admit(Call::new("read", json!({ "path": "/etc/passwd" }))).unwrap_err();
    assert_eq!(error.code(), Some(Code::FsOutsideRoot));
    run.record_usage("sim-a", 10, 1, None).unwrap();
    assert!(matches!(run.admit(Call::new("read", json!({}))), Err(Error::BudgetExceeded(_))));
    assert!(run.report(seawall_guard::ReportFormat::Json).is_err());
    run.finish();
    assert!(!stage.data_dir().join("runs").exists());
}

#[test]
fn a_report_tells_what_was_refused() {
    let stage = Stage::new();
    let run = stage.run("fs_safe");
    drop(run.admit(Call::new("read_secret", json!({ "path": "../secret" }))));
    for format in ["html", "md", "json"] {
        // Markdown escapes what would be a mark.
        let report = run.report(format.parse().unwrap()).unwrap().replace('\\', "");
        assert!(report.contains("read_secret") && report.contains("FS_TRAVERSAL"), "{report}");
    }
    assert!("pdf".parse::<seawall_guard::ReportFormat>().is_err());
}

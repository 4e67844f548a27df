//! Calls that a person has to allow: asked about in one process, decided in another, let through once.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use seawall_base::clock::SystemClock;
use seawall_guard::{
    ApprovalId, ApprovalRequired, Binding, Call, Code, Error, Patience, Run, RunOptions, ToolEnd, TraceChoice,
};
use seawall_store::{ApprovalDecision, ApprovalScope, ApprovalState, Approvals};
use seawall_store_sqlite::SqliteStore;
use seawall_types::Clock;
use serde_json::{Value, json};

use crate::stage::{Stage, lines};

const POLICY: &str = "tools: [{ name: pay, verdict: ask }]";

/// The store as another process has it open.
fn store(stage: &Stage) -> SqliteStore {
    SqliteStore::open(&stage.data_dir().join("seawall.db")).unwrap()
}

fn decide(stage: &Stage, id: ApprovalId, allow: bool, scope: ApprovalScope) {
    let note = Some("so be it".to_owned());
    let decision = ApprovalDecision { allow, scope: Some(scope), by: "anna".to_owned(), note };
    store(stage).decide(id, &decision, SystemClock::new().now()).unwrap();
}

fn five() -> Value {
    json!({ "amount": 5, "to": "x" })
}

fn pay(run: &Run, arguments: Value) -> Result<(), Error> {
    run.admit(Call::new("pay", arguments))?.settle(ToolEnd::ReturnedBytes(0), None).map(drop)
}

fn required(paid: Result<(), Error>) -> ApprovalRequired {
    match paid {
        Err(Error::ApprovalRequired(required)) => *required,
        other => panic!("{other:?}"),
    }
}

fn code(paid: Result<(), Error>) -> Option<Code> {
    paid.err().and_then(|error| error.code())
}

#[test]
fn what_is_allowed_once_lets_the_same_call_through_once() {
    let stage = Stage::new();
    let run = stage.run(POLICY);
    let asked = required(pay(&run, five()));
    assert!(asked.to_string().contains(&asked.approval_id.to_string()), "{asked}");
    assert!(asked.expires_at > SystemClock::new().now());
    assert_eq!(required(pay(&run, five())).approval_id, asked.approval_id, "the same question");

    decide(&stage, asked.approval_id, true, ApprovalScope::Once);
    let changed = required(pay(&run, json!({ "amount": 6, "to": "x" })));
    assert_ne!(changed.approval_id, asked.approval_id, "a changed argument is another question");
    pay(&run, json!({ "to": "x", "amount": 5 })).unwrap();
    assert_ne!(required(pay(&run, five())).approval_id, asked.approval_id, "it is used up");

    decide(&stage, changed.approval_id, true, ApprovalScope::Run);
    for amount in 6..9 {
        pay(&run, json!({ "amount": amount, "to": "x" })).unwrap();
    }
}

#[test]
fn a_refusal_and_one_by_silence_are_errors_of_their_own() {
    let stage = Stage::new();
    let run = stage.run(POLICY);
    let asked = required(pay(&run, five()));
    decide(&stage, asked.approval_id, false, ApprovalScope::Once);
    for _ in 0..2 {
        let refused = pay(&run, five()).unwrap_err();
        assert_eq!(refused.code(), Some(Code::ApprovalDenied));
        assert!(refused.to_string().contains("so be it"), "{refused}");
    }
    let options = RunOptions { approvals_expire_after: Duration::ZERO, ..stage.options(POLICY) };
    let hasty = Run::begin(options, None).unwrap();
    let first = required(pay(&hasty, five()));
    assert_eq!(code(pay(&hasty, five())), Some(Code::ApprovalExpired));
    assert_ne!(required(pay(&hasty, five())).approval_id, first.approval_id, "who asks again asks anew");
}

#[test]
fn in_another_run_an_approval_is_good_for_who_names_it() {
    let stage = Stage::new();
    let first = stage.run(POLICY);
    let asked = required(pay(&first, five()));
    first.finish();
    decide(&stage, asked.approval_id, true, ApprovalScope::Once);

    let stranger = stage.run(POLICY);
    let anew = required(pay(&stranger, five())).approval_id;
    assert_ne!(anew, asked.approval_id, "it was allowed for another run");
    let named = || Call { approval: Some(asked.approval_id), ..Call::new("pay", json!({ "amount": 6 })) };
    assert!(matches!(stranger.admit(named()), Err(Error::ApprovalRequired(_))), "and for this call alone");

    let again = Run::begin(stage.options(POLICY).approvals([anew, asked.approval_id]), None).unwrap();
    // Of two that are named, nobody has decided on the one.
    decide(&stage, anew, true, ApprovalScope::Once);
    pay(&again, five()).unwrap();
    pay(&again, five()).unwrap();
    assert!(pay(&again, five()).is_err(), "both are used up");
}

#[test]
fn a_call_may_wait_for_the_person() {
    let stage = Stage::new();
    let waiting = Run::begin(stage.options(POLICY).wait_for_approval(Duration::from_secs(60)), None).unwrap();
    let asked = std::thread::scope(|scope| {
        let paid = scope.spawn(|| pay(&waiting, five()));
        let asked = loop {
            let pending = store(&stage).approvals(Some(ApprovalState::Pending), 1).unwrap();
            match pending.first() {
                Some(row) => break row.id,
                None => std::thread::yield_now(),
            }
        };
        decide(&stage, asked, true, ApprovalScope::Once);
        paid.join().unwrap().unwrap();
        asked
    });
    waiting.finish();
    let lines = lines(waiting.trace_path().unwrap());
    let count = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).count();
    let counts = ["approval.asked", "approval.decided", "action.admitted", "action.denied"].map(count);
    assert_eq!(counts, [1, 1, 1, 0], "one action, which waited");
    assert!(store(&stage).approval(asked).unwrap().unwrap().used_at.is_some());
}

#[test]
fn a_wait_ends_when_its_time_is_up_or_nobody_wants_it_any_more() {
    let stage = Stage::new();
    let soon = Run::begin(stage.options(POLICY).wait_for_approval(Duration::from_millis(20)), None).unwrap();
    let asked = required(pay(&soon, five()));
    assert_eq!(store(&stage).approval(asked.approval_id).unwrap().unwrap().state, ApprovalState::Pending);
    let looks = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&looks);
    let patience = Patience::new(move || counted.fetch_add(1, Ordering::Relaxed) < 1);
    let options = stage.options(POLICY).wait_for_approval(Duration::from_secs(3_600));
    let interrupted = Run::begin(RunOptions { patience, ..options }, None).unwrap();
    required(pay(&interrupted, five()));
    assert_eq!(looks.load(Ordering::Relaxed), 2);
}

#[test]
fn who_has_gone_takes_no_approval_along() {
    let stage = Stage::new();
    let waiting =
        Run::begin(stage.options(POLICY).wait_for_approval(Duration::from_secs(3_600)), None).unwrap();
    let (store, looks) = (store(&stage), AtomicUsize::new(0));
    // Somebody allows it while the caller waits, and then the caller goes.
    let patience = Patience::new(move || {
        for row in store.approvals(Some(ApprovalState::Pending), 1).unwrap() {
            let decision = ApprovalDecision { allow: true, scope: None, by: "anna".to_owned(), note: None };
            store.decide(row.id, &decision, SystemClock::new().now()).unwrap();
        }
        looks.fetch_add(1, Ordering::Relaxed) == 0
    });
    let impatient = Call { patience: Some(patience), ..Call::new("pay", five()) };
    let asked = required(waiting.admit(impatient).map(drop));
    let row = self::store(&stage).approval(asked.approval_id).unwrap().unwrap();
    assert_eq!((row.state, row.used_at), (ApprovalState::Allowed, None));
    pay(&waiting, five()).unwrap();
}

#[test]
fn a_call_may_choose_not_to_wait() {
    let stage = Stage::new();
    let waiting =
        Run::begin(stage.options(POLICY).wait_for_approval(Duration::from_secs(3_600)), None).unwrap();
    let call = |tool| Call { patience: Some(Patience::none()), ..Call::new(tool, five()) };
    assert!(waiting.asks(&call("pay")) && !waiting.asks(&call("read")));
    let asked = required(waiting.admit(call("pay")).map(drop));
    decide(&stage, asked.approval_id, true, ApprovalScope::Once);
    drop(waiting.admit(call("pay")).unwrap());
}

#[test]
fn an_approval_is_bound_to_what_the_arguments_describe() {
    let stage = Stage::new();
    let run = stage.run(POLICY);
    let paid = |binding| run.admit(Call { binding, ..Call::new("pay", five()) }).map(drop);
    let asked = required(paid(Binding::Original([1; 32])));
    decide(&stage, asked.approval_id, true, ApprovalScope::Arguments);
    paid(Binding::Original([1; 32])).unwrap();
    for other in [Binding::Original([2; 32]), Binding::Arguments] {
        assert_ne!(required(paid(other)).approval_id, asked.approval_id);
    }
    let count = store(&stage).approvals(None, 10).unwrap().len();
    let refused = paid(Binding::Impossible { kind: "Client".to_owned() }).unwrap_err();
    assert_eq!(refused.code(), Some(Code::ApprovalDenied));
    assert!(refused.to_string().contains("Client"), "{refused}");
    assert_eq!(store(&stage).approvals(None, 10).unwrap().len(), count, "nobody is asked");
}

#[test]
fn no_secret_is_kept_of_what_was_asked() {
    const KEY: &str = "sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-abcdAA";
    let stage = Stage::new();
    let run = stage.run(POLICY);
    let asked = required(pay(&run, json!({ "key": KEY, "password": "correct-horse-7" })));
    run.finish();
    let row = store(&stage).approval(asked.approval_id).unwrap().unwrap();
    assert_eq!(row.arguments["key"], "[REDACTED:anthropic_key]");
    let mut files = vec![stage.data_dir()];
    let mut looked_at = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        looked_at += 1;
        for secret in [KEY.as_bytes(), b"correct-horse"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{}", path.display());
        }
    }
    assert!(looked_at >= 2, "the store and the trace");
}

#[test]
fn a_run_that_is_not_written_down_asks_all_the_same() {
    let stage = Stage::new();
    let run = Run::begin(RunOptions { trace: TraceChoice::Off, ..stage.options(POLICY) }, None).unwrap();
    assert!(!stage.data_dir().join("seawall.db").exists(), "no store is opened before somebody is asked");
    let asked = required(pay(&run, five()));
    decide(&stage, asked.approval_id, true, ApprovalScope::Once);
    pay(&run, five()).unwrap();
    assert!(pay(&run, five()).is_err());
}

#[test]
fn a_decision_that_nobody_came_back_for_stands_in_the_trace_of_its_run() {
    let stage = Stage::new();
    let run = stage.run(POLICY);
    let asked = required(pay(&run, five()));
    decide(&stage, asked.approval_id, true, ApprovalScope::Once);
    run.finish();
    let lines = lines(run.trace_path().unwrap());
    let decided = lines.iter().find(|line| line["kind"] == "approval.decided").unwrap();
    assert_eq!(decided["data"]["by"], "anna");
    assert_eq!(lines.last().unwrap()["kind"], "run.finished");
}

#[test]
#[ignore = "started by another test, as another process"]
fn a_process_that_asks_and_lingers() {
    let policy = std::env::current_dir().unwrap().join("policy.yaml");
    std::fs::write(&policy, format!("version: 1\n{POLICY}\n")).unwrap();
    let run = seawall_guard::run(RunOptions::policy(policy.to_str().unwrap()).data_dir("data")).unwrap();
    let asked = required(pay(&run, five()));
    println!("\napproval={}", asked.approval_id);
    std::io::stdout().flush().unwrap();
    std::thread::park();
}

#[test]
fn a_question_outlives_the_process_that_asked_it() {
    let stage = Stage::new();
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "approvals::a_process_that_asks_and_lingers", "--ignored", "--nocapture"])
        .current_dir(stage.folder())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let told = BufReader::new(other.stdout.take().unwrap()).lines().map(Result::unwrap);
    let id: ApprovalId =
        told.filter_map(|line| line.strip_prefix("approval=").map(|id| id.parse().unwrap())).next().unwrap();
    other.kill().unwrap();
    other.wait().unwrap();

    decide(&stage, id, true, ApprovalScope::Once);
    let options = || RunOptions { sandbox: None, ..stage.options(POLICY) };
    let again = Run::begin(options().approvals([id]), None).unwrap();
    pay(&again, five()).unwrap();
    assert!(pay(&again, five()).is_err());
    let closed: Vec<PathBuf> =
        store(&stage).unrecorded().unwrap().iter().map(|row| PathBuf::from(row.run.to_string())).collect();
    assert_eq!(closed.len(), 1, "a server will write down what was decided for the run that was killed");
}

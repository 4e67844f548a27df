//! What asking, deciding and waiting promise, over a store in memory.

use std::thread;

use seawall_store::ApprovalScope;
use seawall_store::memory::MemoryStore;
use seawall_trace::{Observer, Options, Writer};
use seawall_types::{ActionId, Event, EventKind, ManualClock};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

/// A process that asks: its trace, its run, and a store that others may have open too.
struct Process {
    approvals: Arc<Approvals>,
    clock: Arc<ManualClock>,
    store: Arc<MemoryStore>,
    run: RunId,
    trace: Handle,
    events: Arc<Mutex<Vec<Event>>>,
    _writer: Writer,
    _folder: TempDir,
}

#[derive(Debug)]
struct Tap(Arc<Mutex<Vec<Event>>>);

impl Observer for Tap {
    fn event(&mut self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Process {
    fn start(store: &Arc<MemoryStore>, number: u8) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000)));
        let (folder, events) = (tempfile::tempdir().unwrap(), Arc::default());
        let (writer, trace) = Writer::start_observed(
            Options::new(folder.path().to_owned()),
            Arc::<MemoryStore>::clone(store),
            Arc::<ManualClock>::clone(&clock),
            Some(Box::new(Tap(Arc::clone(&events)))),
        )
        .unwrap();
        let run = RunId::from_bytes([number; 16]);
        trace.start_run(run, "test", &json!({}));
        trace.flush().unwrap();
        let kept = Arc::<MemoryStore>::clone(store);
        let approvals =
            Arc::new(Approvals::new(kept, trace.clone(), Arc::<ManualClock>::clone(&clock), Some(run), HOUR));
        let store = Arc::clone(store);
        Self { approvals, clock, store, run, trace, events, _writer: writer, _folder: folder }
    }

    fn alone() -> Self {
        Self::start(&Arc::default(), 1)
    }

    fn ask_in(&self, run: RunId, arguments: &Value) -> Answer {
        self.approvals.ask(&ApprovalRequest {
            run,
            action: Some(ActionId::from_bytes([7; 16])),
            actor: &Arc::new(Actor { agent: Some("clerk".into()), ..Actor::default() }),
            tool: "pay",
            call_id: Some("call_1"),
            arguments,
            binding: &Binding::Arguments,
            findings: &[],
            known: &[],
        })
    }

    fn ask(&self, arguments: &Value) -> Answer {
        self.ask_in(self.run, arguments)
    }

    fn ask_anew(&self, arguments: &Value) -> ApprovalId {
        pending(&self.ask(arguments))
    }

    fn end_of(&self, by: Duration) -> Timestamp {
        self.clock.now().saturating_add(by)
    }

    /// The events of this kind: of which run, and what they say.
    fn events(&self, kind: EventKind) -> Vec<(RunId, Value)> {
        self.trace.flush().unwrap();
        let events = self.events.lock().unwrap();
        let told = events.iter().filter(|event| event.kind == kind);
        told.map(|event| (event.run, serde_json::from_str(&event.data).unwrap())).collect()
    }
}

fn pending(answer: &Answer) -> ApprovalId {
    match answer {
        Answer::Pending { id, .. } => *id,
        other => panic!("{other:?}"),
    }
}

fn decision(allow: bool, scope: ApprovalScope) -> ApprovalDecision {
    ApprovalDecision { allow, scope: Some(scope), by: "anna".to_owned(), note: Some("so be it".to_owned()) }
}

fn five() -> Value {
    json!({ "amount": 5, "to": "x" })
}

#[test]
fn what_is_allowed_once_lets_one_call_with_these_arguments_through() {
    let process = Process::alone();
    let id = process.ask_anew(&five());
    process.approvals.decide(id, &decision(true, ApprovalScope::Once)).unwrap();
    let changed = process.ask_anew(&json!({ "amount": 6, "to": "x" }));
    assert_ne!(changed, id);
    assert_eq!(process.ask(&json!({ "to": "x", "amount": 5 })), Answer::Allowed);
    assert_ne!(process.ask_anew(&five()), id);
}

#[test]
fn who_is_refused_is_told_what_the_person_said() {
    let process = Process::alone();
    let id = process.ask_anew(&five());
    process.approvals.decide(id, &decision(false, ApprovalScope::Once)).unwrap();
    for _ in 0..2 {
        assert_eq!(process.ask(&five()), Answer::Denied { note: Some("so be it".to_owned()) });
    }
}

#[test]
fn the_exact_arguments_are_not_kept() {
    let process = Process::alone();
    let id = process.ask_anew(&json!({ "password": "correct-horse-7" }));
    let kept = process.approvals.show(id).unwrap().unwrap();
    assert_eq!(kept.arguments, json!({ "password": "[REDACTED:secret]" }));
    assert_eq!(kept.summary, "pay {\"password\":\"[REDACTED:secret]\"}");
    assert!(!serde_json::to_string(&kept).unwrap().contains("correct-horse"));
    assert_eq!(kept.agent.as_deref(), Some("clerk"));
}

#[test]
fn nobody_deciding_in_time_is_a_denial_and_who_asks_again_asks_anew() {
    let process = Process::alone();
    let id = process.ask_anew(&five());
    process.clock.advance(HOUR);
    assert_eq!(process.approvals.wait_blocking(id, process.end_of(HOUR)), Answer::Expired);
    let late = process.approvals.decide(id, &decision(true, ApprovalScope::Once));
    assert!(matches!(late, Err(StoreError::Decided { state: ApprovalState::Expired, .. })), "{late:?}");
    assert_eq!(process.ask(&five()), Answer::Expired);
    assert_ne!(process.ask_anew(&five()), id);
}

#[test]
fn waiting_ends_when_the_caller_wants_it_to() {
    let process = Process::alone();
    let id = process.ask_anew(&five());
    assert_eq!(pending(&process.approvals.wait_blocking(id, process.clock.now())), id);
}

#[test]
fn a_thread_that_waits_hears_of_a_decision_and_uses_nothing_up() {
    let process = Process::alone();
    let id = process.ask_anew(&five());
    let end = process.end_of(HOUR);
    let answer = thread::scope(|scope| {
        let waiting = scope.spawn(|| process.approvals.wait_blocking(id, end));
        process.approvals.decide(id, &decision(true, ApprovalScope::Once)).unwrap();
        waiting.join().unwrap()
    });
    assert_eq!(answer, Answer::Allowed);
    assert_eq!(process.ask(&five()), Answer::Allowed);
}

#[tokio::test]
async fn a_task_that_waits_hears_of_a_decision_of_another_process() {
    let process = Process::alone();
    let other = Process::start(&process.store, 2);
    let id = process.ask_anew(&five());
    let end = process.end_of(HOUR);
    let decide = async { other.approvals.decide(id, &decision(false, ApprovalScope::Run)).unwrap() };
    let (answer, _decided) = tokio::join!(process.approvals.wait(id, end), decide);
    assert_eq!(answer, Answer::Denied { note: Some("so be it".to_owned()) });
}

#[tokio::test]
async fn a_task_may_give_up_waiting() {
    let process = Process::alone();
    let id = process.ask_anew(&five());
    assert_eq!(pending(&process.approvals.wait(id, process.clock.now()).await), id);
    let unknown = process.approvals.wait(ApprovalId::from_bytes([0; 16]), process.end_of(HOUR)).await;
    assert!(
        matches!(&unknown, Answer::Unavailable { reason } if reason.contains("does not exist")),
        "{unknown:?}"
    );
}

#[test]
fn a_store_that_is_away_allows_nothing() {
    let error = StoreError::Unavailable { reason: "disk full".to_owned() };
    assert!(matches!(Answer::from(error), Answer::Unavailable { reason } if reason.contains("disk full")));
}

#[test]
fn the_trace_of_the_run_that_asked_has_question_and_decision_once() {
    let process = Process::alone();
    let id = process.ask_anew(&five());
    process.ask_anew(&five());
    process.approvals.decide(id, &decision(true, ApprovalScope::Arguments)).unwrap();
    process.ask(&five());
    process.approvals.tend().unwrap();

    let asked = process.events(EventKind::ApprovalAsked);
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!((asked[0].0, &asked[0].1["approval"]), (process.run, &json!(id)));
    assert_eq!(asked[0].1["arguments_hash"].as_str().unwrap().len(), 64);
    let decided = process.events(EventKind::ApprovalDecided);
    assert_eq!(decided.len(), 1, "{decided:?}");
    let (run, data) = &decided[0];
    assert_eq!((*run, &data["decision"], &data["by"]), (process.run, &json!("allowed"), &json!("anna")));
    assert!(data.get("of_run").is_none(), "{data}");
    assert_eq!(process.approvals.counts().allowed.load(Ordering::Relaxed), 1);
}

#[test]
fn a_decision_is_written_down_by_the_process_that_asked_and_by_another_when_that_has_ended() {
    let process = Process::alone();
    let other = Process::start(&process.store, 2);
    let (first, second) = (process.ask_anew(&five()), process.ask_anew(&json!({})));
    let allowed = decision(true, ApprovalScope::Once);
    seawall_store::Approvals::decide(&*process.store, first, &allowed, process.clock.now()).unwrap();
    other.approvals.tend().unwrap();
    assert!(other.events(EventKind::ApprovalDecided).is_empty(), "the run that asked goes on elsewhere");
    assert_eq!(other.approvals.bell.rings(), 0, "and nobody here waits for it");
    process.approvals.tend().unwrap();
    assert_eq!(process.approvals.bell.rings(), 1, "whoever waits there hears of it");
    assert_eq!(process.events(EventKind::ApprovalDecided).len(), 1);

    process.trace.finish_run(process.run, &json!({}));
    process.trace.flush().unwrap();
    other.approvals.decide(second, &decision(false, ApprovalScope::Once)).unwrap();
    let decided = other.events(EventKind::ApprovalDecided);
    assert_eq!(decided.len(), 1, "{decided:?}");
    assert_eq!((decided[0].0, &decided[0].1["of_run"]), (other.run, &json!(process.run)));
}

#[test]
fn tending_gives_what_waits_and_makes_the_rest_expire() {
    let process = Process::alone();
    let id = process.ask_anew(&five());
    let waiting: Vec<_> = process.approvals.tend().unwrap().iter().map(|row| row.id).collect();
    assert_eq!(waiting, [id]);
    assert_eq!(process.approvals.counts().pending.load(Ordering::Relaxed), 1);
    process.clock.advance(HOUR);
    process.approvals.tend().unwrap();
    assert_eq!(process.approvals.tend().unwrap(), []);
    let counts = process.approvals.counts();
    assert_eq!((counts.pending.load(Ordering::Relaxed), counts.expired.load(Ordering::Relaxed)), (0, 1));
}

#[test]
fn a_process_that_was_started_again_knows_what_it_was_told_before() {
    let store = Arc::default();
    let first = Process::start(&store, 1);
    let id = first.ask_anew(&five());
    let guard = Process::start(&store, 3);
    first.trace.finish_run(first.run, &json!({}));
    first.trace.flush().unwrap();
    let again = Process::start(&store, 2);
    assert_eq!(again.ask_anew(&five()), id);
    again.approvals.decide(id, &decision(true, ApprovalScope::Once)).unwrap();
    // A run that is not the process's own is nobody's successor.
    assert_ne!(pending(&again.ask_in(guard.run, &five())), id);
    assert_eq!(again.ask(&five()), Answer::Allowed);
    assert_ne!(again.ask_anew(&five()), id, "what was allowed once is used up");
}

const MONTH: Duration = Duration::from_secs(30 * 86_400);

#[test]
fn what_was_decided_is_kept_for_a_month_and_stands_in_the_trace() {
    let process = Process::alone();
    let decided = process.ask_anew(&five());
    process.approvals.decide(decided, &decision(false, ApprovalScope::Once)).unwrap();
    process.clock.advance(HOUR);
    let expired = process.ask_anew(&json!({ "amount": 6 }));
    process.approvals.tend().unwrap();
    process.clock.advance(MONTH);
    let waiting = process.ask_anew(&json!({ "amount": 7 }));
    process.approvals.tend().unwrap();
    let known = |id| process.approvals.show(id).unwrap().is_some();
    assert!(known(decided) && known(expired), "nobody's time was up more than a month ago");
    process.clock.advance(HOUR);
    process.approvals.tend().unwrap();
    assert_eq!([decided, expired, waiting].map(known), [false, true, true]);
    assert_eq!(process.events(EventKind::ApprovalDecided).len(), 3);
    assert_ne!(process.ask_anew(&five()), decided, "a person is asked anew");
}

#[test]
fn without_a_server_a_later_run_writes_down_what_it_forgets() {
    let store = Arc::default();
    let guard = |number| {
        let process = Process::start(&store, number);
        let (kept, clock) = (Arc::<MemoryStore>::clone(&store), Arc::<ManualClock>::clone(&process.clock));
        let approvals = Arc::new(Approvals::new(kept, process.trace.clone(), clock, None, HOUR));
        Process { approvals, ..process }
    };
    let first = guard(1);
    let id = first.ask_anew(&five());
    first.trace.finish_run(first.run, &json!({}));
    first.trace.flush().unwrap();

    let later = guard(2);
    later.clock.advance(MONTH);
    later.ask_anew(&json!({}));
    later.approvals.tend().unwrap();
    assert_eq!(later.events(EventKind::ApprovalDecided).len(), 0, "a server may still come");
    later.clock.advance(HOUR * 2);
    later.approvals.tend().unwrap();
    let decided = later.events(EventKind::ApprovalDecided);
    let of_first: Vec<_> = decided.iter().filter(|(_, data)| data["approval"] == json!(id)).collect();
    assert_eq!(of_first.len(), 1, "{decided:?}");
    assert_eq!((of_first[0].0, &of_first[0].1["of_run"]), (later.run, &json!(first.run)));
    assert!(later.approvals.show(id).unwrap().is_none());
}

#[test]
fn a_password_with_quotes_in_it_is_not_kept() {
    let process = Process::alone();
    for password in ["Tr0ub4'dor-3xyz!99", "Tr0ub4\"dor3-xyz", "Tr0ub4dor\\3xyz!99"] {
        let id = process.ask_anew(&json!({ "password": password }));
        let kept = process.approvals.show(id).unwrap().unwrap();
        assert_eq!(kept.arguments, json!({ "password": "[REDACTED:secret]" }), "{password}");
        assert!(!kept.summary.contains("Tr0ub4"), "{}", kept.summary);
    }
}

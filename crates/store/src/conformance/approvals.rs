//! Claims about approvals.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use seawall_trace::{Head, RunRow};
use seawall_types::{ActionId, Actor, ApprovalId, Code, Finding, RunId, Severity, Usd};
use serde_json::json;

use super::{Pair, at};
use crate::{ApprovalDecision, ApprovalRow, ApprovalScope, ApprovalState, Store, StoreError};

/// A question of the run 1 about the tool `pay` with the arguments 1, asked at `number` and good until 1000.
fn question(number: u8) -> ApprovalRow {
    ApprovalRow {
        id: ApprovalId::from_bytes([number; 16]),
        run: RunId::from_bytes([1; 16]),
        agent: None,
        action: None,
        actor: Actor::default(),
        tool: "pay".to_owned(),
        call_id: None,
        arguments: json!({ "amount": 5 }),
        arguments_hash: [1; 32],
        summary: String::new(),
        findings: Vec::new(),
        asked_at: at(u64::from(number)),
        expires_at: at(1000),
        state: ApprovalState::Pending,
        scope: None,
        decided_by: None,
        decided_at: None,
        note: None,
        used_at: None,
        recorded: false,
    }
}

fn full_question(number: u8) -> ApprovalRow {
    let finding = Finding {
        rule: "tools[pay]".to_owned(),
        code: Code::ApprovalRequired,
        severity: Severity::Medium,
        message: "a \"person\" must approve".to_owned(),
        location: "/amount".to_owned(),
        remedy: String::new(),
    };
    ApprovalRow {
        agent: Some("clerk".to_owned()),
        action: Some(ActionId::from_bytes([9; 16])),
        actor: Actor { key: Some("ci".into()), tenant: Some("Ümläut".into()), agent: Some("clerk".into()) },
        call_id: Some("call_1".to_owned()),
        arguments: json!({ "z": [1, 2.5, null], "a": { "text": "\u{1f512}" } }),
        summary: "pay 5 to nobody".to_owned(),
        findings: vec![finding],
        ..question(number)
    }
}

fn decision(allow: bool, scope: impl Into<Option<ApprovalScope>>) -> ApprovalDecision {
    ApprovalDecision { allow, scope: scope.into(), by: "anna".to_owned(), note: None }
}

fn ask(store: &Arc<dyn Store>, wanted: &ApprovalRow) -> ApprovalRow {
    store.ask(wanted, None).unwrap().row
}

/// Asks the question 1 and decides on it at 5.
fn decided(store: &Arc<dyn Store>, decision: &ApprovalDecision) -> ApprovalRow {
    let row = ask(store, &question(1));
    store.decide(row.id, decision, at(5)).unwrap()
}

/// Every field is kept, when it is asked and when it is decided.
pub fn an_approval_is_read_back_as_it_was_kept((store, other): &Pair) {
    for wanted in [question(1), full_question(2)] {
        let asked = store.ask(&wanted, None).unwrap();
        assert!(asked.is_new);
        assert_eq!(asked.row, wanted);
        assert_eq!(other.approval(wanted.id).unwrap(), Some(wanted.clone()));
        let note = Some("on \"my\" word".to_owned());
        let decision = ApprovalDecision { note: note.clone(), ..decision(true, ApprovalScope::Run) };
        let expected = ApprovalRow {
            state: ApprovalState::Allowed,
            scope: Some(ApprovalScope::Run),
            decided_by: Some("anna".to_owned()),
            decided_at: Some(at(7)),
            note,
            ..wanted
        };
        assert_eq!(other.decide(expected.id, &decision, at(7)).unwrap(), expected);
        assert_eq!(store.approval(expected.id).unwrap(), Some(expected));
    }
    assert_eq!(store.approval(question(9).id).unwrap(), None);
}

/// Who asks again while nobody has decided is told to wait for the same approval.
pub fn the_same_question_is_asked_once((store, other): &Pair) {
    ask(store, &question(1));
    let again = other.ask(&question(2), None).unwrap();
    assert_eq!((again.row, again.is_new), (question(1), false));
    assert_eq!(store.approvals(None, 10).unwrap(), [question(1)]);
}

/// Whatever is another one gets another approval, also after the first was allowed.
pub fn an_approval_is_bound_to_run_actor_tool_and_arguments((store, other): &Pair) {
    decided(store, &decision(true, ApprovalScope::Arguments));
    let others = [
        ApprovalRow { run: RunId::from_bytes([2; 16]), ..question(2) },
        ApprovalRow { actor: Actor { key: Some("eve".into()), ..Actor::default() }, ..question(3) },
        ApprovalRow { tool: "refund".to_owned(), ..question(4) },
        ApprovalRow { arguments_hash: [2; 32], ..question(5) },
    ];
    for wanted in others {
        let asked = other.ask(&wanted, None).unwrap();
        assert_eq!((asked.row, asked.is_new), (wanted.clone(), true), "{wanted:?}");
    }
    assert_eq!(ask(other, &question(6)).id, question(1).id);
}

/// Of callers in several processes that ask at the same time one is let through; the others ask a person anew.
pub fn what_is_allowed_once_is_used_up_by_one_of_many((store, other): &Pair) {
    decided(store, &decision(true, ApprovalScope::Once));
    let barrier = std::sync::Barrier::new(8);
    let asked: Vec<_> = thread::scope(|scope| {
        let ask = |number: u8| {
            let store = if number.is_multiple_of(2) { store } else { other };
            barrier.wait();
            ask(store, &question(10 + number))
        };
        let threads: Vec<_> = (0..8).map(|number| scope.spawn(move || ask(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (through, pending): (Vec<_>, Vec<_>) =
        asked.into_iter().partition(|row| row.state == ApprovalState::Allowed);
    assert_eq!(through.len(), 1, "{through:?}");
    assert!(through.iter().all(|row| row.id == question(1).id && row.used_at.is_some()));
    let anew = pending.first().unwrap().id;
    assert!(pending.iter().all(|row| row.id == anew && row.state == ApprovalState::Pending), "{pending:?}");
}

/// Nothing uses these up.
pub fn what_is_allowed_for_arguments_or_the_run_lasts((store, other): &Pair) {
    decided(store, &decision(true, ApprovalScope::Arguments));
    for number in 2..5 {
        assert_eq!(ask(other, &question(number)).state, ApprovalState::Allowed);
    }
    let changed = |number| ApprovalRow { arguments_hash: [number; 32], ..question(number) };
    let row = ask(store, &changed(10));
    store.decide(row.id, &decision(true, ApprovalScope::Run), at(11)).unwrap();
    for number in 12..15 {
        assert_eq!(ask(other, &changed(number)).id, row.id);
    }
    let elsewhere = ApprovalRow { run: RunId::from_bytes([2; 16]), ..changed(20) };
    assert_eq!(ask(store, &elsewhere).state, ApprovalState::Pending);
}

/// A caller that was refused is refused again, without anybody being asked.
pub fn a_denial_stands_and_goes_before_what_allows((store, other): &Pair) {
    let denial = ApprovalDecision { note: Some("not on a Friday".to_owned()), ..decision(false, None) };
    decided(store, &denial);
    let changed = ApprovalRow { arguments_hash: [2; 32], ..question(2) };
    let other_call = ask(store, &changed);
    store.decide(other_call.id, &decision(true, ApprovalScope::Run), at(6)).unwrap();
    for number in 10..13 {
        let row = ask(other, &question(number));
        assert_eq!((row.state, row.note.as_deref()), (ApprovalState::Denied, Some("not on a Friday")));
    }
    assert_eq!(ask(other, &changed).state, ApprovalState::Allowed);
}

/// Who asks after that asks anew.
pub fn nobody_deciding_is_a_denial_that_is_told_once((store, other): &Pair) {
    ask(store, &question(1));
    let late = |number| ApprovalRow { asked_at: at(1000), expires_at: at(2000), ..question(number) };
    let refused = other.decide(question(1).id, &decision(true, None), at(1000));
    assert!(matches!(refused, Err(StoreError::Decided { state: ApprovalState::Expired, .. })), "{refused:?}");
    let told = ask(store, &late(2));
    assert_eq!((told.id, told.state), (question(1).id, ApprovalState::Expired));
    assert_eq!(told.decided_at, Some(at(1000)));
    assert_eq!(ask(other, &late(3)), late(3));

    other.expire(at(1999)).unwrap();
    assert_eq!(store.approval(late(3).id).unwrap().unwrap().state, ApprovalState::Pending);
    other.expire(at(2000)).unwrap();
    assert_eq!(store.approval(late(3).id).unwrap().unwrap().state, ApprovalState::Expired);
}

/// The same again changes nothing, another one is refused.
pub fn the_first_decision_stands((store, other): &Pair) {
    let first = decided(store, &decision(true, ApprovalScope::Arguments));
    for same in [decision(true, None), decision(true, ApprovalScope::Arguments)] {
        let again = ApprovalDecision { by: "berta".to_owned(), note: Some("late".to_owned()), ..same };
        assert_eq!(other.decide(first.id, &again, at(9)).unwrap(), first);
    }
    for different in [decision(false, None), decision(true, ApprovalScope::Run)] {
        let refused = other.decide(first.id, &different, at(9));
        assert!(
            matches!(refused, Err(StoreError::Decided { state: ApprovalState::Allowed, .. })),
            "{refused:?}"
        );
    }
    let unknown = other.decide(question(9).id, &decision(true, None), at(9));
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })));
    assert_eq!(store.approval(first.id).unwrap(), Some(first));
}

/// A caller that was started again comes with the approval it was given; it is good for the same call only.
pub fn an_approval_that_is_shown_answers_in_another_run((store, other): &Pair) {
    let first = decided(store, &decision(true, None));
    let elsewhere = |number| ApprovalRow { run: RunId::from_bytes([2; 16]), ..question(number) };
    let changed = ApprovalRow { arguments_hash: [2; 32], ..elsewhere(2) };
    let asked = other.ask(&changed, Some(first.id)).unwrap();
    assert_eq!((asked.row, asked.is_new), (changed, true));
    let stranger =
        ApprovalRow { actor: Actor { key: Some("eve".into()), ..Actor::default() }, ..elsewhere(3) };
    assert!(other.ask(&stranger, Some(first.id)).unwrap().is_new);

    let through = other.ask(&elsewhere(4), Some(first.id)).unwrap().row;
    assert_eq!((through.id, through.state), (first.id, ApprovalState::Allowed));
    assert!(other.ask(&elsewhere(5), Some(first.id)).unwrap().is_new, "it is used up");

    // What is good for many calls of its run lets one of another run through, and that not for ever.
    for (number, scope) in [(20, ApprovalScope::Arguments), (30, ApprovalScope::Run)] {
        let of = |run: u8, number| ApprovalRow {
            run: RunId::from_bytes([run; 16]),
            arguments_hash: [number / 10 + 5; 32],
            ..question(number)
        };
        let row = ask(store, &of(1, number));
        store.decide(row.id, &decision(true, scope), at(40)).unwrap();
        assert_eq!(ask(store, &of(1, number + 1)).id, row.id, "{scope}: it lasts in its run");
        let late = ApprovalRow { asked_at: row.expires_at, expires_at: at(2000), ..of(3, number + 2) };
        assert!(other.ask(&late, Some(row.id)).unwrap().is_new, "{scope}: its time is up");
        let through = other.ask(&of(2, number + 3), Some(row.id)).unwrap().row;
        assert_eq!((through.id, through.state), (row.id, ApprovalState::Allowed), "{scope}");
        assert!(other.ask(&of(2, number + 4), Some(row.id)).unwrap().is_new, "{scope}: it is used up");
    }
}

/// Only for the same call, of a run of the same kind that has ended, and for as long as it was to be decided.
pub fn what_was_asked_before_a_new_start_is_found_by_the_same_caller((store, other): &Pair) {
    let run = |number: u8, kind: &str| {
        let (run, kind) = (RunId::from_bytes([number; 16]), kind.to_owned());
        RunRow { run, kind, started_at: at(0), finished_at: None, path: PathBuf::from(format!("{number}")) }
    };
    for row in [run(1, "proxy"), run(2, "proxy"), run(3, "guard")] {
        store.started(&row).unwrap();
    }
    let row = ask(store, &question(1));
    let anew = |number| ApprovalRow { run: RunId::from_bytes([number; 16]), ..question(10) };
    assert_eq!(other.asked_before(&anew(2)).unwrap(), None, "the run that asked goes on");

    let head = Head {
        run: row.run,
        seq: 1,
        hash: [1; 32],
        first_seq: 0,
        events: 2,
        actions: 0,
        denied: 0,
        cost_usd: Usd::ZERO,
        signature: None,
    };
    store.finished(row.run, at(8), &head).unwrap();
    assert_eq!(other.asked_before(&anew(2)).unwrap(), Some(row.id));
    let actor = Actor { key: Some("eve".into()), ..Actor::default() };
    for stranger in [
        anew(3),
        anew(4),
        ApprovalRow { arguments_hash: [2; 32], ..anew(2) },
        ApprovalRow { tool: "refund".to_owned(), ..anew(2) },
        ApprovalRow { actor, ..anew(2) },
        ApprovalRow { asked_at: row.expires_at, ..anew(2) },
    ] {
        assert_eq!(other.asked_before(&stranger).unwrap(), None, "{stranger:?}");
    }
    store.decide(row.id, &decision(true, None), at(9)).unwrap();
    assert_eq!(other.ask(&anew(2), Some(row.id)).unwrap().row.state, ApprovalState::Allowed);
    assert_eq!(other.asked_before(&anew(2)).unwrap(), None, "it is used up");
}

/// And those of one state.
pub fn the_newest_approvals_are_listed_oldest_first((store, other): &Pair) {
    let wanted = |number| ApprovalRow { arguments_hash: [number; 32], ..question(number) };
    for number in [3, 1, 2, 4] {
        ask(store, &wanted(number));
    }
    store.decide(wanted(3).id, &decision(false, None), at(9)).unwrap();
    let listed = |state, most| -> Vec<ApprovalId> {
        other.approvals(state, most).unwrap().into_iter().map(|row| row.id).collect()
    };
    let ids = |numbers: &[u8]| -> Vec<_> { numbers.iter().map(|number| question(*number).id).collect() };
    assert_eq!(listed(None, 10), ids(&[1, 2, 3, 4]));
    assert_eq!(listed(None, 2), ids(&[3, 4]));
    assert_eq!(listed(Some(ApprovalState::Pending), 2), ids(&[2, 4]));
    assert_eq!(listed(Some(ApprovalState::Denied), 2), ids(&[3]));
    assert_eq!(listed(Some(ApprovalState::Expired), 2), []);
}

/// So that it stands in one trace, once.
pub fn a_decision_is_recorded_by_one((store, other): &Pair) {
    ask(store, &question(1));
    assert_eq!(store.unrecorded().unwrap(), []);
    assert!(!store.claim_record(question(1).id).unwrap(), "nothing is decided");
    let row = store.decide(question(1).id, &decision(true, None), at(5)).unwrap();
    assert_eq!(other.unrecorded().unwrap(), [row]);
    assert!(other.claim_record(question(1).id).unwrap());
    assert!(!store.claim_record(question(1).id).unwrap());
    assert_eq!(store.unrecorded().unwrap(), []);
    assert!(store.approval(question(1).id).unwrap().unwrap().recorded);
}

/// It does not make a server read its keys again.
pub fn asking_is_no_change_of_keys((store, _): &Pair) {
    let before = store.changes().unwrap();
    decided(store, &decision(true, None));
    assert_eq!(store.changes().unwrap(), before);
}

/// What still waits, and what no trace has yet, stays however old it is.
pub fn only_what_is_over_and_written_down_is_forgotten((store, other): &Pair) {
    let wanted = |number: u8| ApprovalRow { arguments_hash: [number; 32], ..question(number) };
    for number in 1..=5 {
        let expires_at = if number == 4 { at(3000) } else { at(1000) };
        ask(store, &ApprovalRow { expires_at, ..wanted(number) });
    }
    let record = |number| assert!(store.claim_record(wanted(number).id).unwrap());
    store.decide(wanted(1).id, &decision(false, None), at(9)).unwrap();
    record(1);
    store.decide(wanted(4).id, &decision(true, None), at(9)).unwrap();
    record(4);
    store.decide(wanted(5).id, &decision(true, None), at(9)).unwrap();
    assert_eq!(other.forget_decided(at(2000)).unwrap(), 1, "nobody has decided on 2 and 3");
    store.expire(at(1000)).unwrap();
    record(2);
    assert_eq!(other.forget_decided(at(1000)).unwrap(), 0, "their time was not up before that");
    assert_eq!(other.forget_decided(at(2000)).unwrap(), 1);
    let left: Vec<ApprovalId> = store.approvals(None, 10).unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(
        left,
        [3, 4, 5].map(|number| wanted(number).id),
        "not written down, still good, not written down"
    );
    assert!(store.ask(&wanted(11), None).unwrap().is_new);
    assert!(
        store.ask(&ApprovalRow { id: wanted(12).id, ..wanted(1) }, None).unwrap().is_new,
        "1 is forgotten"
    );
}

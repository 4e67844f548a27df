//! Calls that a person has to approve.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use seawall_checkpoint::tool::{ToolCall, ToolEnd};
use seawall_checkpoint::{Answer, ApprovalRequest, Approver};
use seawall_types::{ApprovalId, Clock, Code, Timestamp, Usd};
use serde_json::{Value, json};

use crate::stage::Stage;

/// Answers the same to everybody until somebody waits, and remembers what was asked.
#[derive(Debug)]
struct Person {
    answer: Mutex<Answer>,
    /// What is said once somebody has waited.
    after_all: Option<Answer>,
    asked: Mutex<Vec<Value>>,
}

impl Person {
    fn who_says(answer: Answer) -> Self {
        Self { answer: Mutex::new(answer), after_all: None, asked: Mutex::default() }
    }

    /// Somebody who takes some time.
    fn who_says_at_last(answer: Answer) -> Self {
        let expires_at = Timestamp::from_micros(u64::MAX);
        Self { after_all: Some(answer), ..Self::who_says(Answer::Pending { id: APPROVAL, expires_at }) }
    }

    fn times_asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

const APPROVAL: ApprovalId = ApprovalId::from_bytes([3; 16]);

impl Approver for Person {
    fn ask(&self, request: &ApprovalRequest<'_>) -> Answer {
        self.asked.lock().unwrap().push(request.arguments.clone());
        self.answer.lock().unwrap().clone()
    }

    fn wait(&self, id: ApprovalId, _until: Timestamp) -> Answer {
        assert_eq!(id, APPROVAL);
        let mut answer = self.answer.lock().unwrap();
        *answer = self.after_all.clone().unwrap_or_else(|| answer.clone());
        answer.clone()
    }
}

#[test]
fn the_answer_decides() {
    let stage = Stage::new();
    let policy = stage.strict(&json!({ "tools": [{ "name": "refund", "verdict": "ask" }] }));
    let expires_at = Timestamp::from_micros(9);
    for (answer, code) in [
        (Answer::Denied { note: Some("not today".to_owned()) }, Code::ApprovalDenied),
        (Answer::Expired, Code::ApprovalExpired),
        (Answer::Unavailable { reason: "the store is gone".to_owned() }, Code::ApprovalDenied),
        (Answer::Pending { id: APPROVAL, expires_at }, Code::ApprovalRequired),
    ] {
        let person = Person::who_says(answer);
        let denial = stage.admit_asking(&policy, "refund", &json!({}), Some(&person), Usd::ZERO).unwrap_err();
        assert_eq!(denial.code, code);
        let pending = denial.approval.map(|approval| (approval.id, approval.expires_at));
        assert_eq!(pending, (code == Code::ApprovalRequired).then_some((APPROVAL, expires_at)));
        assert!(
            code != Code::ApprovalDenied
                || ["not today", "store is gone"].iter().any(|note| denial.message.contains(note))
        );
    }
    let denial = stage.admit(&policy, "refund", &json!({})).unwrap_err();
    assert_eq!(denial.code, Code::ApprovalDenied, "nobody is there to be asked");
    let person = Person::who_says(Answer::Allowed);
    drop(stage.admit_asking(&policy, "refund", &json!({}), Some(&person), Usd::ZERO).unwrap());
    drop(stage.admit(&policy, "read", &json!({})).unwrap());
}

#[test]
fn a_person_sees_the_arguments_that_the_tool_will_get() {
    let stage = Stage::new();
    let policy = stage.strict(&json!({ "files": {}, "tools": [{ "name": "write", "verdict": "ask" }] }));
    let person = Person::who_says(Answer::Allowed);
    let permit = stage.admit_asking(&policy, "write", &json!({ "path": "a/../b" }), Some(&person), Usd::ZERO);
    drop(permit.err());
    let permit =
        stage.admit_asking(&policy, "write", &json!({ "path": "b" }), Some(&person), Usd::ZERO).unwrap();
    let asked = person.asked.lock().unwrap();
    let resolved = stage.root().canonicalize().unwrap().join("b");
    assert_eq!(asked.last().unwrap(), &json!({ "path": resolved }));
    drop(permit);
}

#[test]
fn who_waits_is_let_through_once_the_person_has_decided() {
    let stage = Stage::new();
    let policy = stage.strict(&json!({ "tools": [{ "name": "refund", "verdict": "ask" }] }));
    let arguments = json!({ "amount": 5 });
    let admit = |person: &Person, seconds| {
        let call = stage.call(&policy, "refund", &arguments, Some(person), Usd::ZERO);
        stage.admit_call(&ToolCall { wait_for_approval: Duration::from_secs(seconds), ..call })
    };
    let allowing = Person::who_says_at_last(Answer::Allowed);
    assert_eq!(admit(&allowing, 0).unwrap_err().code, Code::ApprovalRequired);
    drop(admit(&allowing, 60).unwrap());
    assert_eq!(allowing.times_asked(), 3, "once more after the wait, which uses the approval up");
    let denying = Person::who_says_at_last(Answer::Denied { note: None });
    assert_eq!(admit(&denying, 60).unwrap_err().code, Code::ApprovalDenied);
    let silent = Person::who_says_at_last(Answer::Pending { id: APPROVAL, expires_at: stage.clock.now() });
    assert_eq!(admit(&silent, 60).unwrap_err().code, Code::ApprovalRequired);
    assert_eq!(silent.times_asked(), 1);
}

#[test]
fn nobody_is_asked_about_a_call_that_cant_be_paid_for() {
    let stage = Stage::with_budget(Some("1"));
    let policy = stage.strict(&json!({ "tools": [{ "name": "buy", "verdict": "ask" }] }));
    let person = Person::who_says(Answer::Allowed);
    let dear = stage.admit_asking(&policy, "buy", &json!({}), Some(&person), "2".parse().unwrap());
    assert_eq!(dear.unwrap_err().code, Code::BudgetExceeded);
    assert_eq!(person.times_asked(), 0);
    let denying = Person::who_says(Answer::Denied { note: None });
    for _ in 0..3 {
        let refused = stage.admit_asking(&policy, "buy", &json!({}), Some(&denying), "1".parse().unwrap());
        assert_eq!(refused.unwrap_err().code, Code::ApprovalDenied, "what was held for it is given back");
    }
}

#[test]
fn what_a_person_has_yet_to_allow_has_not_happened() {
    let stage = Stage::new();
    let policy = stage.strict(&json!({
        "tools": [{ "name": "wipe", "verdict": "ask" }],
        "flow": [{ "after": { "tool": "wipe" }, "deny": { "tool": "send" } }, { "after": { "tool": "send" }, "deny": { "tool": "wipe" } }],
    }));
    let denying = Person::who_says(Answer::Denied { note: None });
    assert!(stage.admit_asking(&policy, "wipe", &json!({}), Some(&denying), Usd::ZERO).is_err());
    let send = stage.admit(&policy, "send", &json!({})).unwrap();
    send.settle(ToolEnd::Returned(&mut json!(null)), None).unwrap();
    let allowing = Person::who_says(Answer::Allowed);
    let late = stage.admit_asking(&policy, "wipe", &json!({}), Some(&allowing), Usd::ZERO);
    assert_eq!((late.unwrap_err().code, allowing.times_asked()), (Code::ToolNotAllowed, 0));
}

/// Says yes, and takes its time: as long as another call needs to come in between, if it can.
#[derive(Debug)]
struct Slow {
    is_asked: Sender<()>,
    other_is_done: Mutex<Receiver<()>>,
}

impl Approver for Slow {
    fn ask(&self, _request: &ApprovalRequest<'_>) -> Answer {
        self.is_asked.send(()).unwrap();
        let _done_or_held_up = self.other_is_done.lock().unwrap().recv_timeout(Duration::from_millis(100));
        Answer::Allowed
    }

    fn wait(&self, _id: ApprovalId, _until: Timestamp) -> Answer {
        Answer::Allowed
    }
}

#[test]
fn no_other_call_comes_between_a_yes_and_its_call() {
    let stage = Stage::new();
    let policy = stage.strict(&json!({
        "tools": [{ "name": "wipe", "verdict": "ask" }],
        "flow": [{ "after": { "tool": "wipe" }, "deny": { "tool": "send" } }, { "after": { "tool": "send" }, "deny": { "tool": "wipe" } }],
    }));
    let ((is_asked, asked), (done, other_is_done)) = (channel(), channel());
    let slow = Slow { is_asked, other_is_done: Mutex::new(other_is_done) };
    let sent = std::thread::scope(|scope| {
        let (stage, policy) = (&stage, &policy);
        let send = scope.spawn(move || {
            asked.recv_timeout(Duration::from_secs(60)).unwrap();
            let sent = stage.admit(policy, "send", &json!({})).map(drop);
            let _gone = done.send(());
            sent
        });
        drop(stage.admit_asking(policy, "wipe", &json!({}), Some(&slow), Usd::ZERO).unwrap());
        send.join().unwrap()
    });
    assert_eq!(sent.unwrap_err().code, Code::ToolNotAllowed);
}

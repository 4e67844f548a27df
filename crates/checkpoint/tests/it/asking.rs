//! Calls that a person has to approve.

use std::sync::Mutex;

use seawall_checkpoint::tool::{Answer, ApprovalRequest, Approver};
use seawall_types::{Code, Timestamp, Usd};
use serde_json::{Value, json};

use crate::stage::Stage;

/// Answers the same to everybody, and remembers what was asked.
#[derive(Debug)]
struct Person {
    answer: Answer,
    asked: Mutex<Vec<Value>>,
}

impl Person {
    fn who_says(answer: Answer) -> Self {
        Self { answer, asked: Mutex::default() }
    }
}

impl Approver for Person {
    fn ask(&self, request: &ApprovalRequest<'_>) -> Answer {
        self.asked.lock().unwrap().push(request.arguments.clone());
        self.answer.clone()
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
        (Answer::Pending { id: "apr-1".to_owned(), expires_at }, Code::ApprovalRequired),
    ] {
        let person = Person::who_says(answer);
        let denial = stage.admit_asking(&policy, "refund", &json!({}), Some(&person), Usd::ZERO).unwrap_err();
        assert_eq!(denial.code, code);
        let pending = denial.approval.map(|approval| (approval.id, approval.expires_at));
        assert_eq!(pending, (code == Code::ApprovalRequired).then(|| ("apr-1".to_owned(), expires_at)));
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

//! What people are asked, and say.

use serde_json::{Value, json};

use super::stage::{Stage, within};

const ASKED: &str = "sim:tool work {\"n\": 1}\nsim:turn 1 sim:text thanks";

/// An agent that waits for a person; the approval.
async fn asking(stage: &Stage, id: &str) -> String {
    stage.agent(id, json!({"permission": {"mode": "approval"}})).await;
    let paused = stage.complete(id, ASKED).await;
    assert_eq!(paused["status"], "paused", "{paused}");
    paused["approvals"][0].as_str().unwrap().to_owned()
}

/// Waits until the agent has said it.
async fn said(stage: &Stage, id: &str, text: &str) -> Value {
    within(async {
        loop {
            let listed = stage.get(&format!("/api/agents/{id}/messages")).await.ok(200);
            let messages = listed["messages"].as_array().unwrap();
            if messages.last().unwrap()["content"][0]["text"] == text {
                return listed;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn a_decision_is_good_once_and_another_one_is_refused() {
    let stage = Stage::new();
    let approval = asking(&stage, "a").await;
    let decide = |decision: &str| json!({"approval_id": approval, "decision": decision, "note": "go ahead"});
    assert_eq!(stage.tool.begun(), 0);
    stage.post("/api/agents/a/decide", &decide("allow")).await.ok(200);
    said(&stage, "a", "thanks").await;
    assert_eq!(stage.tool.begun(), 1);
    // The step is over, and the ledger still knows.
    stage.post("/api/agents/a/decide", &decide("allow")).await.ok(200);
    stage.post("/api/agents/a/decide", &decide("deny")).await.problem(409, "CONFLICT");
    let calls = stage.get("/api/agents/a/tool-calls").await.ok(200);
    let decided = &calls["tool_calls"][0]["approval"]["decided"];
    assert_eq!((&decided["by"], &decided["note"]), (&json!("operator"), &json!("go ahead")), "{calls}");
}

#[tokio::test]
async fn a_call_runs_with_the_arguments_that_a_person_put_there() {
    let stage = Stage::new();
    asking(&stage, "a").await;
    let calls = stage.get("/api/agents/a/tool-calls?state=approval_required").await.ok(200);
    let decision =
        json!({"call_id": calls["tool_calls"][0]["id"], "decision": "allow", "arguments": {"n": 5}});
    stage.post("/api/agents/a/decide", &decision).await.ok(200);
    let listed = said(&stage, "a", "thanks").await;
    assert!(listed.to_string().contains("done 5"), "{listed}");
}

#[tokio::test]
async fn questions_of_agents_are_among_all_approvals() {
    let stage = Stage::new();
    let approval = asking(&stage, "a").await;
    let listed = stage.get("/api/approvals?state=pending").await.ok(200);
    let question = &listed["approvals"][0];
    assert_eq!((&question["id"], &question["agent"]), (&json!(approval), &json!("a")), "{listed}");
    for member in ["run", "call_id", "tool", "arguments", "summary", "asked_at", "state"] {
        assert!(question.get(member).is_some_and(|value| !value.is_null()), "{member}: {question}");
    }
    assert_eq!(stage.get("/api/approvals?state=denied").await.ok(200)["approvals"], json!([]));
    let path = format!("/api/approvals/{approval}");
    assert_eq!(stage.get(&path).await.ok(200)["state"], "pending");
    let decide = format!("{path}/decide");
    let denied = stage.post(&decide, &json!({"decision": "deny", "note": "no"})).await.ok(200);
    assert_eq!((&denied["state"], &denied["decided_by"]), (&json!("denied"), &json!("operator")), "{denied}");
    said(&stage, "a", "thanks").await;
    assert_eq!(stage.tool.begun(), 0);
    assert_eq!(stage.get(&path).await.ok(200)["state"], "denied");
    stage.post(&decide, &json!({"decision": "deny"})).await.ok(200);
    stage.post(&decide, &json!({"decision": "allow"})).await.problem(409, "CONFLICT");
    assert_eq!(stage.get("/api/approvals?state=pending").await.ok(200)["approvals"], json!([]));
}

#[tokio::test]
async fn a_call_that_nobody_answers_is_answered_by_hand() {
    let stage = Stage::new();
    asking(&stage, "a").await;
    let call = stage.get("/api/agents/a/tool-calls").await.ok(200)["tool_calls"][0]["id"].clone();
    let mut repair = json!({"repair": "answer_call", "call_id": call, "result": {"n": 7}, "note": " "});
    stage.post("/api/agents/a/repair", &repair).await.problem(400, "BAD_REQUEST");
    repair["note"] = json!("seen elsewhere");
    stage.post("/api/agents/a/repair", &repair).await.ok(200);
    let listed = said(&stage, "a", "thanks").await;
    assert!(listed.to_string().contains("{\\\"n\\\":7}"), "{listed}");
    assert_eq!(stage.tool.begun(), 0, "the tool never ran");
    let calls = stage.get("/api/agents/a/tool-calls").await.ok(200);
    let audit = calls["tool_calls"][0]["audit"].to_string();
    assert!(audit.contains("operator: seen elsewhere"), "{audit}");
    stage.post("/api/agents/a/repair", &repair).await.problem(404, "NOT_FOUND");
    stage.post("/api/agents/a/resume", &json!({})).await.problem(409, "AGENT_BUSY");
}

#[tokio::test]
async fn a_step_is_skipped_and_the_next_one_is_told_so() {
    let stage = Stage::new();
    asking(&stage, "a").await;
    let skip = json!({"repair": "skip_step", "note": "it hangs"});
    stage.post("/api/agents/a/repair", &skip).await.ok(200);
    let listed = said(&stage, "a", "thanks").await;
    assert!(listed.to_string().contains("not run"), "{listed}");
    stage.post("/api/agents/a/repair", &skip).await.problem(409, "AGENT_BUSY");
    let wrong = json!({"repair": "make_coffee", "note": "tired"});
    stage.post("/api/agents/a/repair", &wrong).await.problem(400, "BAD_REQUEST");
}

//! Approvals from outside: a process that asks, and others that decide, with a server or without, over a `kill -9`.

use std::sync::Arc;
use std::time::Duration;

use seawall_base::clock::SystemClock;
use seawall_base::id;
use seawall_checkpoint::{Answer, ApprovalRequest, Approvals};
use seawall_store_sqlite::SqliteStore;
use seawall_trace::{NoHeads, Options, Writer};
use seawall_types::{Actor, ApprovalId, Clock, RunId};
use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::program::{Program, Setup};
use crate::support::raw::{self, Answer as HttpAnswer};
use crate::support::trace::Trace;
use crate::support::upstream::{Reply, Upstream};

const HOUR: Duration = Duration::from_secs(3_600);

/// This process, which asks: with a trace of its own, over the store of the server.
struct Asker {
    approvals: Arc<Approvals>,
    clock: Arc<dyn Clock>,
    run: RunId,
    _writer: Writer,
}

impl Asker {
    fn start(setup: &Setup, expires_after: Duration) -> Self {
        std::fs::create_dir_all(setup.data_dir()).unwrap();
        let store = Arc::new(SqliteStore::open(&setup.data_dir().join("seawall.db")).unwrap());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let options = Options::new(setup.path("asker"));
        let (writer, trace) = Writer::start(options, Arc::new(NoHeads), Arc::clone(&clock)).unwrap();
        let run = id::new_run(&*clock);
        let approvals = Approvals::new(store, trace, Arc::clone(&clock), Some(run), expires_after);
        Self { approvals: Arc::new(approvals), clock, run, _writer: writer }
    }

    fn ask(&self, arguments: &Value) -> Answer {
        self.approvals.ask(&ApprovalRequest {
            run: self.run,
            action: None,
            actor: &Arc::new(Actor { agent: Some("clerk".into()), ..Actor::default() }),
            tool: "pay",
            call_id: Some("call_1"),
            arguments,
            binding: &seawall_checkpoint::Binding::Arguments,
            findings: &[],
            known: &[],
        })
    }

    fn ask_anew(&self, arguments: &Value) -> ApprovalId {
        match self.ask(arguments) {
            Answer::Pending { id, .. } => id,
            other => panic!("{other:?}"),
        }
    }

    async fn wait(&self, approval: ApprovalId) -> Answer {
        self.approvals.wait(approval, self.clock.now().saturating_add(Duration::from_secs(20))).await
    }
}

fn five() -> Value {
    json!({ "amount": 5, "to": "x" })
}

async fn decide(server: &Program, id: ApprovalId, key: Option<&str>, body: &Value) -> HttpAnswer {
    let bearer = key.map(|key| format!("Bearer {key}"));
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
    server.ask(raw::request("POST", &format!("/api/approvals/{id}/decide"), &headers, body.to_string())).await
}

async fn list(server: &Program, state: &str) -> Vec<String> {
    let listed = server.get(&format!("/api/approvals?state={state}")).await.json();
    let ids = listed["approvals"].as_array().unwrap().iter();
    ids.map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_question_outlives_the_server_and_another_process_hears_the_answer_once() {
    let setup = Setup::simulated("");
    let server = setup.start();
    let asker = Asker::start(&setup, HOUR);
    let id = asker.ask_anew(&five());
    assert_eq!(list(&server, "pending").await, [id.to_string()]);
    server.kill();

    let listed = setup.cli_json(&["approvals", "list"]);
    let row = &listed["approvals"][0];
    assert_eq!((&row["id"], &row["tool"], &row["agent"]), (&json!(id), &json!("pay"), &json!("clerk")));
    assert_eq!(row["arguments"], five());

    let server = setup.start();
    assert_eq!(list(&server, "pending").await, [id.to_string()]);
    let row = setup.cli_json(&["approvals", "allow", &id.to_string(), "--note", "fine"]);
    assert_eq!(
        (&row["state"], &row["scope"], &row["note"]),
        (&"allowed".into(), &"once".into(), &"fine".into())
    );
    assert_eq!(row["decided_by"], "operator");
    assert_eq!(asker.wait(id).await, Answer::Allowed);

    let changed = asker.ask_anew(&json!({ "amount": 6, "to": "x" }));
    assert_ne!(changed, id, "a changed argument is another question");
    assert_eq!(asker.ask(&five()), Answer::Allowed);
    assert_ne!(asker.ask_anew(&five()), id, "what was allowed once is used up");
    server.wait_for_metric("seawall_approvals_pending", &[], 2.0).await;
}

#[tokio::test]
async fn what_was_decided_for_a_run_that_has_ended_stands_in_the_trace_of_the_server() {
    let setup = Setup::simulated("");
    let asker = Asker::start(&setup, HOUR);
    let (id, run) = (asker.ask_anew(&five()), asker.run);
    drop(asker);
    setup.cli_well(&["approvals", "deny", &id.to_string(), "--for", "run"]);

    let server = setup.start();
    server.wait_for_metric("seawall_approvals_decided_total", &[("decision", "denied")], 1.0).await;
    let event = eventually("the decision is in the trace", async || {
        let trace = Trace::of(&setup);
        let decided = trace.of_kind("approval.decided").next().cloned();
        decided.ok_or(trace)
    })
    .await;
    assert_eq!(event.run, server.run());
    assert_eq!((&event.data["approval"], &event.data["of_run"]), (&json!(id), &json!(run)), "{event:?}");
    assert_eq!(
        (&event.data["decision"], &event.data["scope"]),
        (&"denied".into(), &"run".into()),
        "{event:?}"
    );
}

#[tokio::test]
async fn the_first_decision_stands_and_the_same_again_is_fine() {
    let setup = Setup::simulated("");
    let server = setup.start();
    let asker = Asker::start(&setup, HOUR);
    let id = asker.ask_anew(&five());
    let allow = json!({ "decision": "allow", "scope": "arguments", "note": "go" });
    let first = decide(&server, id, None, &allow).await;
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!((&first.json()["state"], &first.json()["scope"]), (&"allowed".into(), &"arguments".into()));
    for again in [allow, json!({ "decision": "allow" })] {
        let answer = decide(&server, id, None, &again).await;
        assert_eq!((answer.status, answer.json()), (200, first.json()));
    }
    for other in [json!({ "decision": "deny" }), json!({ "decision": "allow", "scope": "run" })] {
        let answer = decide(&server, id, None, &other).await;
        assert_eq!((answer.status, &answer.json()["code"]), (409, &"CONFLICT".into()), "{answer:?}");
    }
    let shown = server.get(&format!("/api/approvals/{id}")).await;
    assert_eq!((shown.status, shown.json()), (200, first.json()));
    assert_eq!(asker.ask(&five()), Answer::Allowed);
    assert_eq!(asker.ask(&five()), Answer::Allowed);
}

#[tokio::test]
async fn what_is_no_decision_is_refused() {
    let setup = Setup::simulated("");
    let server = setup.start();
    let id = Asker::start(&setup, HOUR).ask_anew(&five());
    for body in
        [json!({}), json!({ "decision": "maybe" }), json!({ "decision": "allow", "for": "ever" }), json!([])]
    {
        let answer = decide(&server, id, None, &body).await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (400, &"BAD_REQUEST".into()),
            "{body}: {answer:?}"
        );
    }
    let unknown =
        decide(&server, ApprovalId::from_bytes([1; 16]), None, &json!({ "decision": "allow" })).await;
    assert_eq!((unknown.status, &unknown.json()["code"]), (404, &"NOT_FOUND".into()), "{unknown:?}");
    for (path, status) in [("/api/approvals?state=old", 400), ("/api/approvals/x", 400)] {
        assert_eq!(server.get(path).await.status, status, "{path}");
    }
    assert_eq!(list(&server, "pending").await, [id.to_string()]);
}

#[tokio::test]
async fn an_operator_decides_and_a_viewer_looks() {
    let setup = Setup::simulated("");
    let viewer = setup.key(&["--name", "vera", "--role", "viewer"]);
    let operator = setup.key(&["--name", "otto", "--role", "operator"]);
    let server = setup.start();
    let id = Asker::start(&setup, HOUR).ask_anew(&five());
    let allow = json!({ "decision": "allow" });
    for (key, status) in [(None, 401), (Some(viewer.as_str()), 403), (Some(operator.as_str()), 200)] {
        let answer = decide(&server, id, key, &allow).await;
        assert_eq!(answer.status, status, "{key:?}: {answer:?}");
    }
    assert_eq!(server.get("/api/approvals").await.status, 401);
    let bearer = format!("Bearer {viewer}");
    let shown = server.ask(raw::request("GET", "/api/approvals", &[("authorization", &bearer)], "")).await;
    assert_eq!(shown.json()["approvals"][0]["decided_by"], "key:otto", "{shown:?}");
}

#[tokio::test]
async fn nobody_deciding_in_time_is_a_denial() {
    let setup = Setup::simulated("");
    let server = setup.start();
    let asker = Asker::start(&setup, Duration::ZERO);
    let id = asker.ask_anew(&five());
    assert_eq!(list(&server, "expired").await, [id.to_string()]);
    let late = decide(&server, id, None, &json!({ "decision": "allow" })).await;
    assert_eq!((late.status, &late.json()["code"]), (409, &"CONFLICT".into()), "{late:?}");
    assert_eq!(asker.ask(&five()), Answer::Expired);
    assert_ne!(asker.ask_anew(&five()), id);
}

#[tokio::test]
async fn a_webhook_hears_of_a_question_and_its_answer_is_the_decision() {
    let hook =
        Upstream::start(|_, _| Reply::json(r#"{"decision":"deny","note":"not by night","scope":"run"}"#));
    let setup = Setup::simulated(&format!("approvals: {{ webhook: \"{}/ask\" }}", hook.url()));
    let _server = setup.start();
    let asker = Asker::start(&setup, HOUR);
    let id = asker.ask_anew(&five());
    assert_eq!(asker.wait(id).await, Answer::Denied { note: Some("not by night".to_owned()) });
    let posted = hook.seen();
    assert_eq!(posted.len(), 1, "{posted:?}");
    assert_eq!(posted[0].line(), "POST /ask HTTP/1.1");
    let record: Value = serde_json::from_slice(&posted[0].body).unwrap();
    assert_eq!(
        (&record["id"], &record["arguments"], &record["state"]),
        (&json!(id), &five(), &"pending".into())
    );
    let shown = setup.cli_json(&["approvals", "show", &id.to_string()]);
    assert_eq!((&shown["decided_by"], &shown["scope"]), (&"webhook".into(), &"run".into()));
}

#[tokio::test]
async fn a_webhook_that_fails_neither_allows_nor_blocks() {
    let hook = Upstream::start(|_, number| match number {
        0 => Reply::whole(500, &[], r#"{"decision":"allow"}"#),
        1 => Reply::whole(400, &[], r#"{"decision":"allow"}"#),
        _ => Reply::json(r#"{"decision":"perhaps"}"#),
    });
    let setup = Setup::simulated(&format!("approvals: {{ webhook: \"{}\" }}", hook.url()));
    let server = setup.start();
    let asker = Asker::start(&setup, HOUR);
    let (first, second) = (asker.ask_anew(&five()), asker.ask_anew(&json!({})));
    eventually(
        "everything was posted",
        async || if hook.seen().len() >= 3 { Ok(()) } else { Err(hook.seen().len()) },
    )
    .await;
    assert_eq!(list(&server, "pending").await, [first.to_string(), second.to_string()]);
    assert_eq!(decide(&server, first, None, &json!({ "decision": "allow" })).await.status, 200);
    assert_eq!(asker.wait(first).await, Answer::Allowed);
}

#[test]
fn without_a_server_the_command_line_decides_in_the_store() {
    let setup = Setup::simulated("");
    let asker = Asker::start(&setup, HOUR);
    let disguised = json!({ "amount": 7, "to": "x\u{202e}" });
    let (first, second) = (asker.ask_anew(&five()), asker.ask_anew(&disguised));
    let shown = setup.cli_well(&["approvals", "show", &first.to_string()]);
    assert!(shown.contains("\"amount\": 5") && shown.contains("clerk"), "{shown}");
    let shown = setup.cli_well(&["approvals", "show", &second.to_string()]);
    assert!(!shown.contains('\u{202e}') && shown.matches("x\\u{202e}").count() == 2, "{shown}");

    setup.cli_well(&["approvals", "allow", &first.to_string(), "--for", "arguments"]);
    setup.cli_well(&["approvals", "deny", &second.to_string(), "--note", "too much"]);
    assert_eq!(asker.ask(&five()), Answer::Allowed);
    assert_eq!(asker.ask(&disguised), Answer::Denied { note: Some("too much".to_owned()) });
    assert_eq!(setup.cli_json(&["approvals", "list"]), json!({ "approvals": [] }));
    let all = setup.cli_well(&["approvals", "list", "--state", "all"]);
    assert!(all.contains(&first.to_string()) && all.contains(&second.to_string()), "{all}");

    let code = |args: &[&str]| setup.cli(&[&["approvals"], args].concat()).status.code();
    assert_eq!(code(&["allow", &first.to_string()]), Some(0), "the same again");
    assert_eq!(code(&["deny", &first.to_string()]), Some(1), "another decision stands");
    assert_eq!(code(&["allow", &ApprovalId::from_bytes([1; 16]).to_string()]), Some(1), "there is none");
    assert_eq!(code(&["allow", "zzz"]), Some(2));
    assert_eq!(code(&["allow", &first.to_string(), "--for", "ever"]), Some(2));
    assert_eq!(code(&["list", "--state", "old"]), Some(2));
}

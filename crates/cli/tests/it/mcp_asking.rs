//! Calls of servers of tools that a person has to allow first: asked about through MCP, decided by the command line and over
//! HTTP, performed once it is allowed.

use serde_json::{Value, json};

use crate::mcp::{ANY, SERVER, begin, with_servers};
use crate::support::eventually;
use crate::support::program::{Program, Setup};
use crate::support::raw::{self, Answer};
use crate::support::trace::Trace;
use crate::support::upstream::{Reply, Upstream};

const POLICY: &str = "policy: { tools: [{ name: \"*.pay\", verdict: ask }] }\ngateway: { mode: strict }\n";

/// Both kinds of servers.
const BOTH: [&str; 2] = ["here", "web"];

/// A server that is started and one elsewhere; whether a call was performed is told by what it gave.
struct Desk {
    setup: Setup,
    server: Program,
    elsewhere: Upstream,
    session: String,
}

impl Desk {
    async fn open() -> Self {
        let done = json!({ "jsonrpc": "2.0", "id": 1, "result": { "content": [{ "type": "text", "text": "paid" }] } });
        let elsewhere = Upstream::always(Reply::json(done.to_string()));
        let web = json!({ "web": { "url": elsewhere.url() } });
        let setup = with_servers(&SERVER.replace("$$", "paid"), &web, POLICY);
        let server = setup.start();
        let session = begin(&server, &[]).await;
        Self { setup, server, elsewhere, session }
    }

    /// The result of a call as an agent gets it.
    async fn pay(&self, name: &str, amount: u32) -> Value {
        let session = (name == "here").then_some(("mcp-session-id", self.session.as_str()));
        self.pay_as(name, amount, session).await
    }

    async fn pay_as(&self, name: &str, amount: u32, header: Option<(&str, &str)>) -> Value {
        let answer = self.ask(name, amount, header).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["result"].clone()
    }

    async fn ask(&self, name: &str, amount: u32, header: Option<(&str, &str)>) -> Answer {
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": "pay", "arguments": { "amount": amount, "to": "x" } } });
        let headers: Vec<(&str, &str)> = [ANY].into_iter().chain(header).collect();
        let request = raw::request("POST", &format!("/mcp/{name}"), &headers, call.to_string());
        self.server.ask(request).await
    }

    /// The approvals that wait.
    fn pending(&self) -> Vec<Value> {
        self.setup.cli_json(&["approvals", "list"])["approvals"].as_array().unwrap().clone()
    }

    fn allow(&self, id: &str) {
        self.setup.cli_well(&["approvals", "allow", id]);
    }
}

/// The approval that the caller is told to wait for.
fn waits_for(result: &Value) -> String {
    let told = result["content"][0]["text"].as_str().unwrap();
    let approval = result["_meta"]["seawall"]["approval"]["id"].as_str().unwrap().to_owned();
    assert_eq!(result["isError"], true, "{result}");
    assert!(told.starts_with("[seawall] denied APPROVAL_REQUIRED: "), "{told}");
    assert!(told.contains(&approval) && told.contains("make the same call again"), "{told}");
    approval
}

fn assert_paid(result: &Value) {
    assert_eq!(result["content"][0]["text"], "paid", "{result}");
}

fn assert_denied(result: &Value, words: &[&str]) {
    let told = result["content"][0]["text"].as_str().unwrap();
    assert_eq!(result["isError"], true, "{result}");
    assert!(words.iter().all(|word| told.contains(word)), "{words:?}: {told}");
}

#[tokio::test]
async fn a_call_waits_for_a_person_and_goes_through_once_as_it_was_asked() {
    let desk = Desk::open().await;
    for name in BOTH {
        let asked = waits_for(&desk.pay(name, 5).await);
        let row = desk.pending().remove(0);
        assert_eq!((&row["id"], &row["tool"]), (&json!(asked), &json!(format!("{name}.pay"))));
        assert_eq!(
            (&row["arguments"], &row["run"]),
            (&json!({ "amount": 5, "to": "x" }), &json!(desk.server.run()))
        );
        assert_eq!(waits_for(&desk.pay(name, 5).await), asked, "the same call is the same question");
        desk.allow(&asked);
        let changed = waits_for(&desk.pay(name, 6).await);
        assert_ne!(changed, asked, "nobody was asked about these arguments");
        assert_paid(&desk.pay(name, 5).await);
        let anew = waits_for(&desk.pay(name, 5).await);
        assert_ne!(anew, asked, "it is used up");
        for id in [&changed, &anew] {
            desk.setup.cli_well(&["approvals", "deny", id, "--note", "not on a Friday"]);
        }
        assert_denied(&desk.pay(name, 6).await, &["denied APPROVAL_DENIED", "not on a Friday"]);
    }
    assert_eq!(desk.elsewhere.seen().len(), 1, "the server saw the call that was allowed");
    let denied = [("decision", "denied")];
    desk.server.wait_for_metric("seawall_approvals_decided_total", &denied, 4.0).await;
    assert!(desk.server.stop().success());
    let trace = Trace::of(&desk.setup);
    assert_eq!((trace.count("approval.asked"), trace.count("approval.decided")), (6, 6));
    let (admitted, denied) = trace.assert_complete();
    assert_eq!((admitted, denied), (2, 10));
}

#[tokio::test]
async fn a_decision_over_http_lets_the_call_through_for_whoever_asked() {
    let desk = Desk::open().await;
    let asked = waits_for(&desk.pay("web", 5).await);
    let path = format!("/api/approvals/{asked}/decide");
    let decision = json!({ "decision": "allow", "scope": "arguments" }).to_string();
    let json = [("content-type", "application/json")];
    let decided = desk.server.ask(raw::request("POST", &path, &json, decision)).await;
    assert_eq!((decided.status, &decided.json()["state"]), (200, &json!("allowed")), "{decided:?}");
    for _ in 0..2 {
        assert_paid(&desk.pay("web", 5).await);
    }
    waits_for(&desk.pay("here", 5).await);
    waits_for(&desk.pay("web", 50).await);
}

#[tokio::test]
async fn what_one_key_was_allowed_lets_no_other_key_through() {
    let desk = Desk::open().await;
    let keys = ["one", "two"].map(|name| format!("Bearer {}", desk.setup.key(&["--name", name])));
    let [one, two] = [0, 1].map(|index| Some(("authorization", keys[index].as_str())));
    // Keys are noticed a moment after they were made.
    let asked = eventually("the key is known", async || {
        let answer = desk.ask("web", 5, one).await;
        if answer.status == 200 { Ok(waits_for(&answer.json()["result"])) } else { Err(answer) }
    })
    .await;
    desk.allow(&asked);
    assert_ne!(waits_for(&desk.pay_as("web", 5, two).await), asked);
    assert_paid(&desk.pay_as("web", 5, one).await);
}

#[tokio::test]
async fn a_question_outlives_a_server_that_is_killed() {
    let mut desk = Desk::open().await;
    let asked = waits_for(&desk.pay("web", 5).await);
    desk.server.kill();
    desk.allow(&asked);
    desk.server = desk.setup.start();
    assert_ne!(waits_for(&desk.pay("web", 6).await), asked);
    assert_paid(&desk.pay("web", 5).await);
    waits_for(&desk.pay("web", 5).await);
}

//! Calls of tools in answers of models that a person has to allow first: asked about over the wire, decided by the command
//! line, let through as it was said.

use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::format::Format;
use crate::support::program::{Program, Setup, one_upstream};
use crate::support::raw::Answer;
use crate::support::trace::Trace;
use crate::support::upstream::{Reply, Upstream};

const POLICY: &str = "policy: { tools: [{ name: pay, verdict: ask }] }\ngateway: { mode: strict }\n";

struct Desk {
    setup: Setup,
    proxy: Program,
}

impl Desk {
    fn with(more: &str) -> Self {
        let setup = Setup::simulated(&format!("{POLICY}{more}"));
        let proxy = setup.start();
        Self { setup, proxy }
    }

    /// The model is made to ask for a payment of so much.
    async fn pay(&self, format: Format, amount: u32, stream: bool) -> Answer {
        let said = format!("sim:tool pay {{\"amount\":{amount},\"to\":\"x\"}}");
        self.proxy.ask(format.request(&said, stream)).await
    }

    /// The approvals that wait.
    fn pending(&self) -> Vec<Value> {
        self.setup.cli_json(&["approvals", "list"])["approvals"].as_array().unwrap().clone()
    }

    /// The one approval that waits.
    fn only(&self) -> String {
        let pending = self.pending();
        assert_eq!(pending.len(), 1, "{pending:?}");
        pending[0]["id"].as_str().unwrap().to_owned()
    }

    async fn wait_for_question(&self) -> String {
        eventually("somebody is asked", async || {
            let pending = self.pending();
            if pending.is_empty() { Err(()) } else { Ok(()) }
        })
        .await;
        self.only()
    }

    fn allow(&self, id: &str, scope: &str) {
        self.setup.cli_well(&["approvals", "allow", id, "--for", scope]);
    }
}

/// The call has come through as the model wrote it.
fn assert_paid(answer: &Answer) {
    let text = answer.text();
    let calls = ["tool_calls", "\"tool_use\"", "functionCall"];
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(text.contains("pay") && calls.iter().any(|call| text.contains(call)), "{answer:?}");
    assert!(!text.contains("[seawall]"), "{answer:?}");
}

/// Words stand in the place of the call.
fn assert_words(answer: &Answer, words: &[&str]) {
    let text = answer.text();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(words.iter().all(|word| text.contains(word)), "{words:?}: {answer:?}");
    for call in ["tool_calls\":[{", "\"tool_use\"", "functionCall"] {
        assert!(!text.contains(call), "{answer:?}");
    }
}

#[tokio::test]
async fn what_was_allowed_once_lets_the_call_through_once() {
    let desk = Desk::with("");
    for format in Format::ALL {
        for stream in [false, true] {
            let asked = desk.pay(format, 5, stream).await;
            let id = desk.only();
            assert_words(&asked, &["[seawall] denied APPROVAL_REQUIRED", &id, "make the same call again"]);
            if !stream {
                assert_eq!(asked.header("x-seawall-verdict"), Some("ask"));
            }
            assert_words(&desk.pay(format, 5, stream).await, &[&id]);
            desk.allow(&id, "once");
            assert_paid(&desk.pay(format, 5, stream).await);
            let anew = desk.pay(format, 5, stream).await;
            let other = desk.only();
            assert_ne!(other, id, "it is used up");
            assert_words(&anew, &[&other]);
            desk.allow(&other, "once");
            assert_paid(&desk.pay(format, 5, stream).await);
        }
    }
    assert!(desk.proxy.stop().success());
    let trace = Trace::of(&desk.setup);
    let asked: Vec<_> = trace.of_kind("approval.asked").collect();
    assert_eq!((asked.len(), trace.count("approval.decided")), (16, 16));
    for event in asked {
        let action = event.action.as_deref().unwrap();
        assert!(trace.about(action, "action.settled").is_some(), "{event:?}");
        assert_eq!(event.run, desk.proxy.run());
    }
    trace.assert_complete();
}

#[tokio::test]
async fn people_see_what_the_call_is_and_who_wants_it() {
    let desk = Desk::with("");
    let said = r#"sim:tool pay {"amount":5,"password":"correct-horse-7"}"#;
    desk.proxy.ask(Format::Chat.request(said, false)).await;
    let row = &desk.pending()[0];
    assert_eq!(row["arguments"], json!({ "amount": 5, "password": "[REDACTED:secret]" }));
    assert_eq!((&row["tool"], &row["run"]), (&json!("pay"), &json!(desk.proxy.run())));
    assert!(row["call_id"].is_string() && row["findings"][0]["code"] == "APPROVAL_REQUIRED", "{row}");
    assert!(row["summary"].as_str().unwrap().starts_with("pay {"), "{row}");
}

#[tokio::test]
async fn a_decision_holds_for_what_it_says() {
    let desk = Desk::with("");
    desk.pay(Format::Chat, 5, true).await;
    desk.allow(&desk.only(), "arguments");
    for _ in 0..2 {
        assert_paid(&desk.pay(Format::Chat, 5, true).await);
    }
    assert_words(&desk.pay(Format::Chat, 6, false).await, &["APPROVAL_REQUIRED"]);
    desk.allow(&desk.only(), "run");
    for amount in 6..9 {
        assert_paid(&desk.pay(Format::Messages, amount, true).await);
    }
    let other = Desk::with("");
    other.pay(Format::Chat, 7, false).await;
    other.setup.cli_well(&["approvals", "deny", &other.only(), "--note", "not on a Friday"]);
    for stream in [false, true] {
        let denied = other.pay(Format::Chat, 7, stream).await;
        assert_words(&denied, &["[seawall] denied APPROVAL_DENIED", "not on a Friday"]);
        assert!(stream || denied.header("x-seawall-verdict") == Some("deny"), "{denied:?}");
    }
}

#[tokio::test]
async fn a_question_outlives_a_server_that_is_killed() {
    let mut desk = Desk::with("");
    for stream in [false, true] {
        desk.pay(Format::Chat, 5, stream).await;
        let id = desk.only();
        desk.proxy.kill();
        desk.allow(&id, "once");
        desk.proxy = desk.setup.start();
        assert_words(&desk.pay(Format::Chat, 6, stream).await, &["APPROVAL_REQUIRED"]);
        let changed = desk.only();
        assert_ne!(changed, id, "a changed argument is another question");
        assert_paid(&desk.pay(Format::Chat, 5, stream).await);
        assert_words(&desk.pay(Format::Chat, 5, stream).await, &["APPROVAL_REQUIRED"]);
        for row in desk.pending() {
            desk.setup.cli_well(&["approvals", "allow", row["id"].as_str().unwrap()]);
        }
        assert_paid(&desk.pay(Format::Chat, 5, stream).await);
        assert_paid(&desk.pay(Format::Chat, 6, stream).await);
    }
}

#[tokio::test]
async fn nobody_deciding_in_time_is_told_once_and_asked_anew() {
    let desk = Desk::with("approvals: { expires_after: 1s }");
    let first = desk.pay(Format::Chat, 5, false).await;
    assert_words(&first, &["APPROVAL_REQUIRED"]);
    eventually("the time is up", async || {
        let answer = desk.pay(Format::Chat, 5, true).await;
        if answer.text().contains("APPROVAL_EXPIRED") { Ok(()) } else { Err(answer) }
    })
    .await;
    assert_words(&desk.pay(Format::Chat, 5, false).await, &["APPROVAL_REQUIRED"]);
}

#[tokio::test]
async fn a_call_may_wait_for_the_person() {
    let desk = Desk::with("approvals: { wait: 1m }");
    let mut amounts = 1..;
    for format in Format::ALL {
        for stream in [false, true] {
            for word in ["allow", "deny"] {
                let decide = async {
                    let id = desk.wait_for_question().await;
                    desk.setup.cli_well(&["approvals", word, &id]);
                };
                let (answer, ()) = tokio::join!(desk.pay(format, amounts.next().unwrap(), stream), decide);
                if word == "allow" {
                    assert_paid(&answer);
                } else {
                    assert_words(&answer, &["[seawall] denied APPROVAL_DENIED"]);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_wait_that_is_over_tells_the_model_to_come_back() {
    let desk = Desk::with("approvals: { wait: 100ms }");
    for (amount, stream) in [(5, false), (6, true)] {
        let answer = desk.pay(Format::Messages, amount, stream).await;
        assert_words(&answer, &["[seawall] denied APPROVAL_REQUIRED"]);
    }
    assert_eq!(desk.pending().len(), 2);
}

/// A chunk of a choice.
fn chunk(index: u64, delta: &Value, finish: Option<&str>) -> String {
    let choice = json!([{ "index": index, "delta": delta, "finish_reason": finish }]);
    format!(
        "data: {}\n\n",
        json!({ "id": "c", "object": "chat.completion.chunk", "model": "sim-c", "choices": choice })
    )
}

#[tokio::test]
async fn while_a_call_waits_the_other_text_goes_on() {
    let call = json!([{ "index": 0, "id": "c1", "type": "function", "function": { "name": "pay", "arguments": "{\"amount\":5}" } }]);
    let upstream = Upstream::always(
        Reply::begin_events([
            chunk(0, &json!({ "content": "so " }), None),
            chunk(0, &json!({ "tool_calls": call }), None),
            chunk(0, &json!({}), Some("tool_calls")),
            chunk(1, &json!({ "content": "meanwhile" }), None),
            chunk(1, &json!({}), Some("stop")),
            "data: [DONE]\n\n".to_owned(),
        ])
        .end(),
    );
    let more = "approvals: { wait: 1m }\n";
    let setup = Setup::proxy(&format!("{POLICY}{more}{}", one_upstream(&upstream.url())));
    let desk = Desk { proxy: setup.start(), setup };
    let mut client = desk.proxy.connect().await;
    client.send(Format::Chat.request("hi", true)).await;
    let before = client.read_until("meanwhile").await;
    assert!(before.contains("so ") && !before.contains("tool_calls"), "{before}");
    let id = desk.wait_for_question().await;
    desk.allow(&id, "once");
    let after = client.read_until("[DONE]").await;
    assert!(after.contains("tool_calls") && after.contains("amount"), "{after}");
}

#[tokio::test]
async fn who_hangs_up_while_a_call_waits_leaves_a_question_that_can_be_decided() {
    let desk = Desk::with("approvals: { wait: 1m }");
    let mut client = desk.proxy.connect().await;
    client.send(Format::Chat.request(r#"sim:tool pay {"amount":5,"to":"x"}"#, true)).await;
    let id = desk.wait_for_question().await;
    drop(client);
    eventually("the call is settled", async || {
        let trace = Trace::of(&desk.setup);
        if trace.count("action.settled") == 1 { Ok(()) } else { Err(trace) }
    })
    .await;
    desk.allow(&id, "once");
    assert_paid(&desk.pay(Format::Chat, 5, true).await);
}

#[tokio::test]
async fn where_denied_calls_end_the_answer_so_do_those_that_wait_for_a_person() {
    let setup = Setup::simulated(&POLICY.replace("strict }", "strict, tool_denied: error }"));
    let desk = Desk { proxy: setup.start(), setup };
    for format in Format::ALL {
        let whole = desk.pay(format, 5, false).await;
        let error = format.error(&whole);
        assert_eq!((whole.status, &error["code"]), (403, &json!("APPROVAL_REQUIRED")), "{whole:?}");
        assert_eq!(error["approval"]["id"], desk.only(), "{error}");
        let stream = desk.pay(format, 5, true).await;
        let error = if stream.status == 200 { format.stream_error(&stream) } else { format.error(&stream) };
        assert_eq!(error["code"], "APPROVAL_REQUIRED", "{stream:?}");
    }
    desk.allow(&desk.only(), "once");
    assert_paid(&desk.pay(Format::Chat, 5, true).await);
}

#[tokio::test]
async fn what_was_asked_about_is_not_answered_from_the_cache() {
    let desk = Desk::with("cache: { enabled: true }");
    for stream in [false, true] {
        for _ in 0..2 {
            let asked = desk.pay(Format::Chat, 5, stream).await;
            assert_words(&asked, &["APPROVAL_REQUIRED"]);
            desk.allow(&desk.only(), "once");
            assert_paid(&desk.pay(Format::Chat, 5, stream).await);
        }
    }
}

#[tokio::test]
async fn in_warn_mode_nobody_is_asked() {
    let setup = Setup::simulated(&POLICY.replace("strict", "warn"));
    let desk = Desk { proxy: setup.start(), setup };
    for stream in [false, true] {
        assert_paid(&desk.pay(Format::Chat, 5, stream).await);
    }
    assert_eq!(desk.pending().len(), 0);
}

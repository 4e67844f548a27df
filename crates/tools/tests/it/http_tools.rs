//! Tools that are declared as URLs.

use std::sync::Arc;
use std::time::Duration;

use seawall_config::Document;
use seawall_engine::{Block, EffectClass, Found, ToolResult};
use seawall_llm_client::Requester;
use seawall_tools::{HttpTool, HttpToolError, HttpToolSettings, RESULT_BYTES};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Agent, Attempt, words};

fn requester() -> Requester {
    Requester::new(&seawall_llm_client::client_config().unwrap(), Duration::from_secs(5))
}

fn settings(url: &str, effect: EffectClass) -> HttpToolSettings {
    HttpToolSettings {
        name: "refund".into(),
        description: "Pays back.".into(),
        parameters: Arc::new(json!({ "type": "object", "required": ["amount"] })),
        url: url.to_owned(),
        effect,
        reconcile_url: Some(url.to_owned()),
        timeout: Some(Duration::from_secs(20)),
    }
}

/// A server that an agent has a tool of.
struct Server {
    listener: TcpListener,
    agent: Agent,
}

impl Server {
    async fn with(effect: EffectClass) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/call", listener.local_addr().unwrap());
        let tool = HttpTool::new(settings(&url, effect), requester()).unwrap();
        Self { listener, agent: Agent::with(vec![Arc::new(tool)], |_| {}) }
    }

    /// The next request, whole, and its connection.
    async fn request(&self) -> (String, Value, TcpStream) {
        let (mut stream, _) = self.listener.accept().await.unwrap();
        let mut read = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&read);
            if let Some((head, body)) = text.split_once("\r\n\r\n")
                && let Ok(body) = serde_json::from_str(body)
            {
                return (head.to_lowercase(), body, stream);
            }
            assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "{}", String::from_utf8_lossy(&read));
        }
    }

    /// What the tool gives when it is answered so.
    async fn answered(&self, answer: &str) -> (bool, String) {
        let calling = self.agent.outcome("refund", json!({ "amount": 5 }), Attempt::FIRST);
        let serving = async {
            let (_, _, mut stream) = self.request().await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        };
        let (outcome, ()) = tokio::join!(calling, serving);
        (outcome.result.is_error, words(&outcome))
    }

    async fn found(&self, answer: &str) -> (Found, Value) {
        let asking = self.agent.reconcile("refund", json!({ "amount": 5 }), Attempt::FIRST);
        let serving = async {
            let (_, body, mut stream) = self.request().await;
            stream.write_all(answer.as_bytes()).await.unwrap();
            body
        };
        tokio::join!(asking, serving)
    }
}

fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn a_call_is_a_post_with_its_key_and_epoch() {
    let server = Server::with(EffectClass::Keyed).await;
    let calling = server.agent.outcome("refund", json!({ "amount": 5 }), Attempt::FIRST.again());
    let serving = async {
        let (head, body, mut stream) = server.request().await;
        stream.write_all(http("200 OK", "{ \"paid\": 5 }\n").as_bytes()).await.unwrap();
        (head, body)
    };
    let (outcome, (head, body)) = tokio::join!(calling, serving);
    assert!(head.starts_with("post /call http/1.1\r\n"), "{head}");
    for header in ["idempotency-key: run/1/1", "x-seawall-epoch: 3", "content-type: application/json"] {
        assert!(head.contains(header), "{head}");
    }
    assert_eq!(
        (&body["arguments"], &body["tool"], &body["attempt"]),
        (&json!({ "amount": 5 }), &json!("refund"), &json!(2))
    );
    assert_eq!((words(&outcome), outcome.result.is_error), ("{ \"paid\": 5 }".to_owned(), false));
}

#[tokio::test]
async fn what_is_answered_is_the_result_or_an_error() {
    let server = Server::with(EffectClass::Unsafe).await;
    for (answer, expected) in [
        (http("200 OK", "\"paid\\nin full\""), (false, "paid\nin full")),
        (http("201 Created", "plain words"), (false, "plain words")),
        (http("204 No Content", ""), (false, "")),
        (http("404 Not Found", "no such order"), (true, "refund answered 404 Not Found: no such order")),
        (
            http("500 Internal Server Error", "{\"a\":1}"),
            (true, "refund answered 500 Internal Server Error: {\"a\":1}"),
        ),
        (http("302 Found", ""), (true, "refund answered 302 Found: ")),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_owned(), (true, "it may have taken effect")),
        ("nonsense".to_owned(), (true, "it may have taken effect")),
    ] {
        let (is_error, words) = server.answered(&answer).await;
        assert!(is_error == expected.0 && words.contains(expected.1), "{answer:?}: {words}");
    }
}

#[tokio::test]
async fn nothing_sent_is_told_from_nothing_answered() {
    let tool = HttpTool::new(settings("http://127.0.0.1:1/x", EffectClass::Unsafe), requester()).unwrap();
    let agent = Agent::with(vec![Arc::new(tool)], |_| {});
    let said = agent.error("refund", json!({ "amount": 5 })).await;
    assert!(said.contains("nothing was sent"), "{said}");
    let said = agent.error("refund", json!({})).await;
    assert!(said.contains("\"amount\" is a required property"), "{said}");
}

#[tokio::test]
async fn an_answer_is_bounded() {
    let server = Server::with(EffectClass::Pure).await;
    let long = "x".repeat(10_000_000);
    let (is_error, words) = server.answered(&http("200 OK", &long)).await;
    assert!(!is_error && words.len() <= RESULT_BYTES && words.contains("the whole is in "));
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 17000000\r\n\r\n";
    let (is_error, words) = server.answered(&format!("{head}{}", "x".repeat(16_900_000))).await;
    assert!(is_error && words.contains("more than 16777216 bytes"), "{words}");
}

#[tokio::test]
async fn cancelling_closes_the_connection() {
    let server = Server::with(EffectClass::Unsafe).await;
    let calling = server.agent.outcome("refund", json!({ "amount": 5 }), Attempt::FIRST);
    let serving = async {
        let (_, _, mut stream) = server.request().await;
        server.agent.cancel.cancel();
        stream.read(&mut [0; 16]).await
    };
    let (outcome, closed) = tokio::join!(calling, serving);
    assert!(words(&outcome).contains("it may have taken effect"), "{}", words(&outcome));
    assert_eq!(closed.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_reconcilable_tool_is_asked() {
    let server = Server::with(EffectClass::Reconcilable).await;
    let done = |text: &str| Found::Done {
        result: ToolResult { content: [Block::text(text)].into(), is_error: false },
    };
    for (answer, expected) in [
        (http("200 OK", "{\"outcome\":\"done\",\"result\":{\"paid\":5}}"), done("{\"paid\":5}")),
        (http("200 OK", "{\"outcome\":\"done\",\"result\":\"paid\"}"), done("paid")),
        (http("200 OK", "{\"outcome\":\"not_done\"}"), Found::NotDone),
        (http("200 OK", "{\"outcome\":\"unknown\"}"), Found::Unknown),
        (http("200 OK", "{\"outcome\":\"perhaps\"}"), Found::Unknown),
        (http("500 Oops", "{\"outcome\":\"not_done\"}"), Found::Unknown),
        ("nonsense".to_owned(), Found::Unknown),
    ] {
        let (found, asked) = server.found(&answer).await;
        assert_eq!(found, expected, "{answer}");
        assert_eq!(
            asked,
            json!({ "idempotency_key": "run/1/1", "tool": "refund", "arguments": { "amount": 5 } })
        );
    }
}

#[test]
fn a_template_declares_tools() {
    let read = |written: Value| {
        let document = Document::from_value(&json!({ "http_tools": [written] }));
        seawall_config::read(&document, |reader| {
            reader.list("http_tools", "Tools.", HttpToolSettings::declare)
        })
    };
    let schema = json!({ "type": "object", "properties": { "order": { "enum": ["7", "8"] } } });
    let whole = json!({
        "name": "refund", "description": "Pays back.", "parameters": schema, "url": "http://127.0.0.1:1/call",
        "effect": "reconcilable", "reconcile_url": "http://127.0.0.1:1/asked", "timeout": "30s",
    });
    let expected = HttpToolSettings {
        parameters: Arc::new(schema),
        reconcile_url: Some("http://127.0.0.1:1/asked".to_owned()),
        timeout: Some(Duration::from_secs(30)),
        ..settings("http://127.0.0.1:1/call", EffectClass::Reconcilable)
    };
    assert_eq!(read(whole).unwrap(), [expected]);
    let least = read(json!({ "name": "a", "description": "Does.", "url": "http://a/b" })).unwrap();
    assert_eq!((least[0].effect, least[0].timeout), (EffectClass::Unsafe, None));
    let said = read(json!({ "name": "a", "effect": "save" })).unwrap_err().to_string();
    assert!(["description", "url", "effect"].iter().all(|key| said.contains(key)), "{said}");
}

#[test]
fn a_declaration_that_can_not_be_meant_is_refused() {
    for url in ["", "/call", "ftp://a/b", "http://", "example.com/x"] {
        let refused = HttpTool::new(settings(url, EffectClass::Pure), requester());
        assert!(matches!(refused, Err(HttpToolError::Url { .. })), "{url}");
    }
    let nobody =
        HttpToolSettings { reconcile_url: None, ..settings("http://a/b", EffectClass::Reconcilable) };
    assert!(matches!(HttpTool::new(nobody, requester()), Err(HttpToolError::NobodyToAsk(_))));
}

//! Agents over websockets: followed as by server-sent events, and talked to.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::program::{Program, Setup, one_upstream};
use crate::support::raw;

const TEMPLATE: &str = "id: helper\nmodel: { provider: openai, name: sim-small }\n";

/// A server with an agent.
async fn with_agent(setup: &Setup, key: Option<&str>) -> Program {
    let server = setup.start();
    let credential = format!("Bearer {}", key.unwrap_or_default());
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(key.map(|_| ("authorization", credential.as_str())));
    let body = r#"{"id":"a","template":"helper"}"#;
    let made = server.ask(raw::request("POST", "/api/agents", &headers, body)).await;
    assert_eq!(made.status, 201, "{made:?}");
    server
}

fn setup() -> Setup {
    let setup = Setup::new("up").config(&one_upstream("sim:")).args(["--listen", "127.0.0.1:0"]);
    std::fs::create_dir(setup.path("templates")).unwrap();
    setup.write("templates/helper.yaml", TEMPLATE);
    setup
}

struct Client(WebSocketStream<TcpStream>);

impl Client {
    async fn connect(server: &Program, query: &str, headers: &[(&'static str, &str)]) -> Result<Self, Error> {
        let url = format!("ws://{}/api/agents/a/events{query}", server.address);
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(server.address).await.unwrap();
        client_async(request, stream).await.map(|(socket, _)| Self(socket))
    }

    async fn say(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next text.
    async fn hear(&mut self) -> Value {
        loop {
            let next = tokio::time::timeout(std::time::Duration::from_secs(20), self.0.next());
            match next.await.expect("something is said").unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// What is said up to an event of this type, or up to a reply.
    async fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut heard = Vec::new();
        loop {
            let next = self.hear().await;
            let is_it = next["event"]["type"] == kind || kind == "reply" && next["reply"].is_object();
            heard.push(next);
            if is_it {
                return heard;
            }
        }
    }
}

#[tokio::test]
async fn an_agent_is_followed_and_talked_to_on_one_connection() {
    let setup = setup();
    let server = with_agent(&setup, None).await;
    let mut client = Client::connect(&server, "?channels=progress", &[]).await.unwrap();
    client.say(&json!({"type": "message", "content": "sim:text hello", "key": "k1", "ref": 1})).await;
    let heard = client.until("done").await;
    let replies: Vec<_> = heard.iter().filter(|heard| heard["reply"].is_object()).collect();
    assert!(replies.len() == 1 && replies[0]["reply"]["ref"] == 1, "{heard:?}");
    assert!(replies[0]["reply"]["bookmark"]["seq"].is_u64(), "{heard:?}");
    let numbers: Vec<_> = heard.iter().filter_map(|heard| heard["cursor"].as_u64()).collect();
    assert!(numbers.is_sorted() && !numbers.is_empty(), "{numbers:?}");
    let whole = heard.iter().find(|heard| heard["event"]["type"] == "text_chunk_end").unwrap();
    assert_eq!(whole["event"]["text"], "hello");

    // Who comes back with the last number is told nothing twice.
    let last = numbers.last().unwrap();
    let mut again = Client::connect(&server, &format!("?channels=progress&since={last}"), &[]).await.unwrap();
    again.say(&json!({"type": "message", "content": "sim:text hello", "key": "k1"})).await;
    again.say(&json!({"type": "message", "content": "sim:text more"})).await;
    let heard = again.until("done").await;
    assert!(
        heard.iter().filter_map(|heard| heard["cursor"].as_u64()).all(|number| number > *last),
        "{heard:?}"
    );
    let texts: Vec<_> = heard.iter().filter(|heard| heard["event"]["type"] == "text_chunk_end").collect();
    assert!(
        texts.len() == 1 && texts[0]["event"]["text"] == "more",
        "the same key is one message: {heard:?}"
    );
}

#[tokio::test]
async fn what_makes_no_sense_is_answered_and_the_connection_stays() {
    let setup = setup();
    let server = with_agent(&setup, None).await;
    let mut client = Client::connect(&server, "", &[]).await.unwrap();
    for (said, code) in [
        (json!("hello"), "BAD_REQUEST"),
        (json!({"type": "message", "content": ""}), "BAD_REQUEST"),
        (json!({"type": "decide", "decision": {"call_id": "call_9_9", "decision": "allow"}}), "NOT_FOUND"),
    ] {
        client.say(&said).await;
        let reply = client.until("reply").await.pop().unwrap();
        assert_eq!(reply["reply"]["error"]["code"], code, "{said}: {reply}");
        assert!(reply["reply"]["error"]["remedy"].is_string());
    }
    client.0.send(Message::Ping(b"there?".as_slice().into())).await.unwrap();
    let pong = loop {
        match client.0.next().await.unwrap().unwrap() {
            Message::Pong(payload) => break payload,
            Message::Text(_) | Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(&pong[..], b"there?");
    client.say(&json!({"type": "interrupt", "note": "enough"})).await;
    assert!(client.until("reply").await.pop().unwrap()["reply"]["bookmark"].is_object());
}

#[tokio::test]
async fn who_may_only_look_only_looks() {
    let setup = setup();
    let operator = setup.key(&["--name", "op", "--role", "operator"]);
    let viewer = setup.key(&["--name", "eyes", "--role", "viewer"]);
    let server = with_agent(&setup, Some(&operator)).await;
    let Err(Error::Http(refused)) = Client::connect(&server, "", &[]).await.map(|_| ()) else {
        panic!("nobody in particular is let in")
    };
    assert_eq!(refused.status(), 401);
    let credential = format!("Bearer {viewer}");
    let mut client = Client::connect(&server, "", &[("authorization", &credential)]).await.unwrap();
    client.say(&json!({"type": "message", "content": "sim:text hello"})).await;
    let reply = client.until("reply").await.pop().unwrap();
    assert_eq!(reply["reply"]["error"]["code"], "FORBIDDEN", "{reply}");
}

#[tokio::test]
async fn pages_of_other_sites_get_no_websocket() {
    let setup = setup();
    let server = with_agent(&setup, None).await;
    let evil = [("origin", "https://evil.example")];
    assert!(matches!(Client::connect(&server, "", &evil).await.map(|_| ()), Err(Error::Http(_))));
}

#[tokio::test]
async fn a_server_that_stops_says_so_and_ends_the_connection() {
    let setup = setup();
    let server = with_agent(&setup, None).await;
    let mut client = Client::connect(&server, "", &[]).await.unwrap();
    client.hear().await;
    let stopping = std::thread::spawn(move || server.stop());
    let closed = loop {
        match client.0.next().await {
            Some(Ok(Message::Close(Some(frame)))) => break frame,
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(closed.code, CloseCode::Away, "{closed:?}");
    drop(client);
    assert!(stopping.join().unwrap().success());
}

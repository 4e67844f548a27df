//! Fetching documents, from the addresses that were judged and no others.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use seawall_detect::network::{NetworkRules, Private};
use seawall_tools::{HttpFetch, Resolver, built_in};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{Agent, Attempt, words};

/// Leads every name that begins so to an address, and counts.
#[derive(Debug, Default)]
struct Names {
    asked: AtomicUsize,
}

impl Resolver for Names {
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match host {
            "here.example" | "private.example" => Ok(vec!["127.0.0.1".parse().unwrap()]),
            "mixed.example" => Ok(vec!["93.184.215.14".parse().unwrap(), "10.0.0.1".parse().unwrap()]),
            "metadata.example" => Ok(vec!["169.254.169.254".parse().unwrap()]),
            _ => Err(io::Error::other("unknown")),
        }
    }
}

fn agent(rules: Option<NetworkRules>) -> (Agent, Arc<Names>) {
    let names = Arc::new(Names::default());
    let tls = seawall_llm_client::client_config().unwrap();
    let fetch = HttpFetch::new(tls, Arc::clone(&names) as Arc<dyn Resolver>);
    let mut tools = built_in();
    tools.push(Arc::new(fetch));
    (Agent::with(tools, |settings| settings.network = rules), names)
}

/// Rules under which this machine may be talked to.
fn open() -> Option<NetworkRules> {
    Some(NetworkRules { private: Private::Allow, ..NetworkRules::default() })
}

/// A server that gives these answers, one after the other, to the requests that it gets while `client` runs.
async fn served<T>(
    answers: &[Vec<u8>],
    listener: TcpListener,
    client: impl Future<Output = T>,
) -> (T, Vec<String>) {
    let mut seen = Vec::new();
    let serving = async {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
            }
            seen.push(String::from_utf8(request).unwrap().to_lowercase());
            // A client that has read enough hangs up.
            let _hung_up = stream.write_all(answer).await;
        }
        std::future::pending().await
    };
    let done = tokio::select! {
        done = client => done,
        () = serving => unreachable!("it never ends"),
    };
    (done, seen)
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn http(head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn a_document_comes_from_the_address_that_was_judged() {
    let (agent, names) = agent(open());
    let (listener, port) = listener().await;
    let answers = [http("200 OK\r\ncontent-type: text/plain", "grüße".as_bytes())];
    let wish = json!({ "url": format!("http://here.example:{port}/a?b=c#d") });
    let (told, requests) = served(&answers, listener, agent.ok("http_fetch", wish)).await;
    let expected = json!({
        "url": format!("http://here.example:{port}/a?b=c"), "status": 200, "content_type": "text/plain", "bytes": 7,
        "truncated": false, "body": "grüße",
    });
    assert_eq!(told, expected);
    assert!(requests[0].starts_with("get /a?b=c http/1.1\r\n"), "{requests:?}");
    assert!(requests[0].contains(&format!("\r\nhost: here.example:{port}\r\n")), "{requests:?}");
    assert_eq!(names.asked.load(Ordering::Relaxed), 1, "one look-up, so that there is no second answer");
}

#[tokio::test]
async fn addresses_that_are_not_the_internets_are_refused_whatever_leads_there() {
    let (agent, _) = agent(Some(NetworkRules::default()));
    for (url, code) in [
        ("http://127.0.0.1:1/", "NET_PRIVATE_ADDRESS"),
        ("http://[::1]:1/", "NET_PRIVATE_ADDRESS"),
        ("http://private.example/", "NET_PRIVATE_ADDRESS"),
        ("http://mixed.example/", "NET_PRIVATE_ADDRESS"),
        ("http://metadata.example/latest", "NET_METADATA_SERVICE"),
        ("http://unknown.example/", "NET_UNRESOLVED"),
        ("http://2130706433/", "NET_"),
        ("http://user@here.example/", "NET_"),
        ("file:///etc/passwd", "NET_"),
        ("ftp://mixed.example/", "NET_SCHEME"),
    ] {
        let said = agent.error("http_fetch", json!({ "url": url })).await;
        assert!(said.contains(&format!("[seawall] denied {code}")), "{url}: {said}");
    }
}

#[tokio::test]
async fn where_a_redirect_leads_is_judged_anew() {
    let (listener, port) = listener().await;
    let rules = NetworkRules {
        hosts: Some(vec!["here.example".parse().unwrap()]),
        private: Private::Allow,
        ..NetworkRules::default()
    };
    let (agent, _) = agent(Some(rules));
    let answers = [
        http("301 Moved\r\nlocation: /next", b""),
        http(&format!("302 Found\r\nlocation: http://private.example:{port}/"), b""),
    ];
    let wish = json!({ "url": format!("http://here.example:{port}/") });
    let (said, requests) = served(&answers, listener, agent.error("http_fetch", wish)).await;
    assert!(said.contains("[seawall] denied NET_HOST_NOT_ALLOWED"), "{said}");
    assert!(requests[1].starts_with("get /next "), "{requests:?}");
}

#[tokio::test]
async fn redirects_end() {
    let (agent, _) = agent(open());
    let (listener, port) = listener().await;
    let answers = vec![http("302 Found\r\nlocation: /again", b""); 6];
    let wish = json!({ "url": format!("http://here.example:{port}/") });
    let (said, _) = served(&answers, listener, agent.error("http_fetch", wish)).await;
    assert!(said.contains("more than 5 redirects"), "{said}");
}

#[tokio::test]
async fn an_error_is_one_and_shows_what_it_says() {
    let (agent, _) = agent(open());
    let (listener, port) = listener().await;
    let wish = json!({ "url": format!("http://127.0.0.1:{port}/") });
    let answers = [http("404 Not Found", b"gone")];
    let (said, _) = served(&answers, listener, agent.error("http_fetch", wish)).await;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["status"], &said["body"]), (&json!(404), &json!("gone")));
}

#[tokio::test]
async fn a_long_document_is_cut_and_kept_and_what_is_no_text_is_only_kept() {
    let (agent, _) = agent(open());
    let (listener, port) = listener().await;
    let long = "line\n".repeat(2_000_000);
    let wish =
        |path: &str| json!({ "url": format!("http://127.0.0.1:{port}/{path}"), "max_bytes": 10_000_000 });
    let answers = [http("200 OK", long.as_bytes())];
    let (told, _) = served(&answers, listener, agent.ok("http_fetch", wish("long"))).await;
    assert_eq!((&told["bytes"], &told["truncated"]), (&json!(10_000_000), &json!(false)));
    let page = agent.ok("fs_read", json!({ "path": told["file"], "offset": 1_999_999 })).await;
    assert_eq!(page["content"], "line\nline\n");

    let (listener, port) = self::listener().await;
    let answers = [http("200 OK\r\ncontent-type: image/png", b"\x89PNG\0\0")];
    let wish = json!({ "url": format!("http://127.0.0.1:{port}/image") });
    let (told, _) = served(&answers, listener, agent.ok("http_fetch", wish)).await;
    assert_eq!(told["body"], Value::Null);
    assert_eq!(std::fs::read(told["file"].as_str().unwrap()).unwrap(), b"\x89PNG\0\0");

    let (listener, port) = self::listener().await;
    let answers = [http("200 OK", b"0123456789")];
    let wish = json!({ "url": format!("http://127.0.0.1:{port}/"), "max_bytes": 4 });
    let (told, _) = served(&answers, listener, agent.ok("http_fetch", wish)).await;
    assert_eq!((&told["body"], &told["truncated"]), (&json!("0123"), &json!(true)));
}

#[tokio::test]
async fn a_place_without_network_fetches_nothing() {
    let (agent, names) = agent(None);
    let said = agent.error("http_fetch", json!({ "url": "http://here.example/" })).await;
    assert!(said.contains("no network"), "{said}");
    assert_eq!(names.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn cancelling_closes_the_connection() {
    let (agent, _) = agent(open());
    let (listener, port) = listener().await;
    let wish = json!({ "url": format!("http://127.0.0.1:{port}/") });
    let fetching = agent.outcome("http_fetch", wish, Attempt::FIRST);
    let serving = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            stream.read_buf(&mut request).await.unwrap();
        }
        agent.cancel.cancel();
        stream.read(&mut [0; 16]).await
    };
    let (outcome, closed) = tokio::join!(fetching, serving);
    assert_eq!((words(&outcome).as_str(), closed.unwrap_or(0)), ("interrupted", 0));
}

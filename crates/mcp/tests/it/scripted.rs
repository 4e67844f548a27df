//! A server that answers by a script, over plain sockets: what it sends, and when, is for the test to say.

use std::sync::{Arc, Mutex};

use http::HeaderMap;
use seawall_base::tasks::Group;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn rpc_method(&self) -> String {
        let method = serde_json::from_str(&self.body)
            .ok()
            .and_then(|body: Value| body["method"].as_str().map(str::to_owned));
        method.unwrap_or_default()
    }
}

/// What it does with one.
pub(crate) enum Reply {
    /// A status, lines of headers, and a body.
    Whole(u16, &'static str, String),
    /// A stream of events, as they come out of the channel; dropping its sender ends it.
    Events(mpsc::UnboundedReceiver<String>),
    /// What comes out of the channel, in JSON.
    Later(mpsc::UnboundedReceiver<String>),
    /// Nothing, for as long as the client waits.
    Silence,
}

impl Reply {
    pub(crate) fn json(body: impl Into<String>) -> Self {
        Self::Whole(200, "content-type: application/json\r\n", body.into())
    }

    pub(crate) fn events(events: &[&str]) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        events.iter().for_each(|event| sender.send((*event).to_owned()).unwrap());
        Self::Events(receiver)
    }
}

pub(crate) struct Scripted {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Something of a request or its end was seen.
    changed: Arc<tokio::sync::Notify>,
    hung_up: Arc<Mutex<usize>>,
}

impl Scripted {
    pub(crate) async fn start(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let server = Self { url, seen: Arc::default(), changed: Arc::default(), hung_up: Arc::default() };
        let (seen, changed, hung_up) =
            (Arc::clone(&server.seen), Arc::clone(&server.changed), Arc::clone(&server.hung_up));
        let script = Arc::new(script);
        let group = Group::new();
        let connections = group.clone();
        group.spawn("scripted server", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, seen, changed, hung_up) =
                    (Arc::clone(&script), Arc::clone(&seen), Arc::clone(&changed), Arc::clone(&hung_up));
                connections.spawn("connection", async move {
                    let mut stream = BufReader::new(stream);
                    let Some(request) = read(&mut stream).await else { return };
                    seen.lock().unwrap().push(request.clone());
                    changed.notify_waiters();
                    if !answer(&mut stream, script(&request)).await {
                        *hung_up.lock().unwrap() += 1;
                        changed.notify_waiters();
                    }
                });
            }
        });
        server
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen[0].clone()
    }

    /// Waits for a request like this.
    pub(crate) async fn sees(&self, what: impl Fn(&Seen) -> bool) -> Seen {
        loop {
            let changed = self.changed.notified();
            if let Some(seen) = self.seen().into_iter().find(&what) {
                return seen;
            }
            changed.await;
        }
    }

    /// Waits until a client has left an answer before its end.
    pub(crate) async fn is_left(&self) {
        loop {
            let changed = self.changed.notified();
            if *self.hung_up.lock().unwrap() > 0 {
                return;
            }
            changed.await;
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let method = line.split(' ').next()?.to_owned();
    let mut headers = HeaderMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.append(name.parse::<http::HeaderName>().ok()?, value.parse().ok()?);
    }
    let length = headers.get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(Seen { method, headers, body: String::from_utf8(body).ok()? })
}

/// Whether the client has stayed until the end.
async fn answer(stream: &mut BufReader<TcpStream>, reply: Reply) -> bool {
    match reply {
        Reply::Whole(status, headers, body) => whole(stream, status, headers, &body).await,
        Reply::Later(mut answer) => match answer.recv().await {
            Some(body) => whole(stream, 200, "content-type: application/json\r\n", &body).await,
            None => false,
        },
        Reply::Events(mut events) => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nmcp-session-id: s1\r\nconnection: close\r\n\r\n";
            if stream.write_all(head.as_bytes()).await.is_err() {
                return false;
            }
            loop {
                let mut nothing = [0];
                tokio::select! {
                    event = events.recv() => match event {
                        Some(event) => if stream.write_all(event.as_bytes()).await.is_err() { return false },
                        None => return true,
                    },
                    _closed = stream.read(&mut nothing) => return false,
                }
            }
        }
        Reply::Silence => {
            let mut nothing = [0];
            let _closed = stream.read(&mut nothing).await;
            false
        }
    }
}

async fn whole(stream: &mut BufReader<TcpStream>, status: u16, headers: &str, body: &str) -> bool {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n");
    stream.write_all(format!("{head}{body}").as_bytes()).await.is_ok()
}

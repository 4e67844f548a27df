//! Websockets pass through byte for byte, and are admitted, counted and settled like every other call.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::process::Signal;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::eventually;
use crate::support::format::Format;
use crate::support::program::{Program, Setup, one_upstream};
use crate::support::raw;
use crate::support::trace::Trace;
use crate::support::upstream::{Reply, Upstream};

const PATIENCE: Duration = Duration::from_secs(20);
/// The example of RFC 6455 §1.3: this key has that answer.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const REALTIME: &str = "/v1/realtime?model=gpt-realtime";

/// A peer that takes every handshake and sends back what it is sent. It has a thread of its own.
struct Echo {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<(String, HeaderMap)>>>,
    ended: watch::Receiver<usize>,
    _stop: watch::Sender<()>,
}

impl Echo {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (told, ended) = watch::channel(0);
        let (stop, stopped) = watch::channel(());
        let peer = EchoPeer { seen: Arc::clone(&seen), ended: Arc::new(told) };
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(peer.serve(listener, stopped));
        });
        Self { address, seen, ended, _stop: stop }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Path and headers of the only handshake that came.
    fn only(&self) -> (String, HeaderMap) {
        let seen = self.seen.lock().unwrap();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen[0].clone()
    }

    /// Waits until so many connections have ended.
    async fn wait_for_ends(&self, count: usize) {
        let mut ended = self.ended.clone();
        tokio::time::timeout(PATIENCE, ended.wait_for(|ended| *ended >= count))
            .await
            .expect("an end")
            .unwrap();
    }
}

#[derive(Clone)]
struct EchoPeer {
    seen: Arc<Mutex<Vec<(String, HeaderMap)>>>,
    ended: Arc<watch::Sender<usize>>,
}

impl EchoPeer {
    async fn serve(self, listener: TcpListener, mut stopped: watch::Receiver<()>) {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                _ = stopped.changed() => return,
                accepted = listener.accept() => {
                    connections.spawn(self.clone().converse(accepted.unwrap().0));
                }
            }
        }
    }

    async fn converse(self, stream: TcpStream) {
        let begun = Mutex::new(None);
        let service = service_fn(async |mut request: Request<Incoming>| {
            let path = request.uri().path_and_query().unwrap().to_string();
            self.seen.lock().unwrap().push((path, request.headers().clone()));
            *begun.lock().unwrap() = Some(hyper::upgrade::on(&mut request));
            let response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
            let response = response.header("connection", "Upgrade").header("upgrade", "websocket");
            response.header("sec-websocket-accept", ACCEPT).body(Empty::<Bytes>::new())
        });
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        connection.with_upgrades().await.unwrap();
        let upgrade = begun.lock().unwrap().take();
        if let Some(upgrade) = upgrade {
            let (mut from, mut to) = tokio::io::split(TokioIo::new(upgrade.await.unwrap()));
            let _broken_off = tokio::io::copy(&mut from, &mut to).await;
            let _gone = to.shutdown().await;
        }
        self.ended.send_modify(|ended| *ended += 1);
    }
}

/// A websocket of a client, with the head that it was answered.
struct Socket {
    stream: TcpStream,
    head: String,
}

impl Socket {
    /// Asks for one; with these further header lines, and these bytes right behind them.
    async fn ask(server: &Program, path: &str, headers: &[(&str, &str)], early: &[u8]) -> Self {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let shake = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", KEY),
        ];
        let mut request = raw::request("GET", path, &[&shake, headers].concat(), "");
        request.extend_from_slice(early);
        stream.write_all(&request).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(patiently(stream.read_u8()).await.expect("a whole head"));
        }
        Self { stream, head: String::from_utf8(head).unwrap() }
    }

    /// Opens one.
    async fn open(server: &Program, path: &str) -> Self {
        Self::open_with(server, path, &[]).await
    }

    async fn open_with(server: &Program, path: &str, headers: &[(&str, &str)]) -> Self {
        let socket = Self::ask(server, path, headers, b"").await;
        assert!(socket.head.starts_with("HTTP/1.1 101 "), "{}", socket.head);
        socket
    }

    fn header(&self, name: &str) -> Option<&str> {
        raw::fields(&self.head).find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Says something and hears it again.
    async fn echo(&mut self, bytes: &[u8]) {
        let (mut from, mut to) = self.stream.split();
        let mut heard = vec![0; bytes.len()];
        let (said, read) = tokio::join!(to.write_all(bytes), patiently(from.read_exact(&mut heard)));
        said.unwrap();
        read.unwrap();
        assert!(heard == bytes);
    }

    /// Waits until the other side ends it.
    async fn wait_for_end(&mut self) {
        let mut rest = Vec::new();
        let _reset = patiently(self.stream.read_to_end(&mut rest)).await;
        assert!(rest.is_empty(), "{rest:?}");
    }
}

async fn patiently<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("something in time")
}

fn proxy(echo: &Echo, more: &str) -> Program {
    Setup::proxy(&format!("{}{more}", one_upstream(&echo.url()))).start()
}

/// The settled events, once there are as many.
async fn settled(server: &Program, count: usize) -> Vec<Value> {
    eventually("settled actions", async || {
        let trace = Trace::of(&server.setup);
        let settled: Vec<Value> = trace.of_kind("action.settled").map(|event| event.data.clone()).collect();
        if settled.len() >= count { Ok(settled) } else { Err(settled) }
    })
    .await
}

/// Our part of the refusal of a handshake.
async fn refused(server: &Program, path: &str, headers: &[(&str, &str)], status: u16) -> Value {
    let shake = [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-key", KEY)];
    let answer = server.ask(raw::request("GET", path, &[&shake, headers].concat(), "")).await;
    assert_eq!(answer.status, status, "{answer:?}");
    Format::Chat.error(&answer)
}

#[tokio::test]
async fn every_byte_passes_in_both_directions_and_is_counted() {
    let echo = Echo::start();
    let server = proxy(&echo, "");
    let mut socket = Socket::open(&server, REALTIME).await;
    assert_eq!(socket.header("sec-websocket-accept"), Some(ACCEPT));
    assert_eq!(socket.header("x-seawall-upstream"), Some("main"));
    assert!(socket.header("x-seawall-action").is_some() && socket.header("x-seawall-run").is_some());
    assert!(server.metrics().await.sum("seawall_in_flight", &[]) >= 1.0);
    socket.echo(b"one word").await;
    let much: Vec<u8> = (0..1_000_000_u32).map(|number| (number % 253) as u8).collect();
    socket.echo(&much).await;
    drop(socket);

    let settled = settled(&server, 1).await;
    let bytes = 1_000_008;
    assert_eq!(settled[0]["websocket"], serde_json::json!({ "bytes_in": bytes, "bytes_out": bytes }));
    assert_eq!((&settled[0]["status"], &settled[0]["name"]), (&101.into(), &"gpt-realtime".into()));
    assert_eq!(
        (&settled[0]["cost_usd"], settled[0].get("ended")),
        (&"0.000000".into(), None),
        "{}",
        settled[0]
    );
    assert!(settled[0]["duration_us"].as_u64().unwrap() > 0);
    let trace = Trace::of(&server.setup);
    let admitted: Vec<_> = trace.of_kind("action.admitted").map(|event| &event.data).collect();
    assert_eq!((&admitted[0]["wire"], &admitted[0]["kind"]), (&"websocket".into(), &"model_call".into()));
    assert_eq!(trace.assert_complete(), (1, 0));
    let metrics = server.metrics().await;
    for direction in ["in", "out"] {
        let labels = [("upstream", "main"), ("direction", direction)];
        assert_eq!(metrics.sum("seawall_websocket_bytes_total", &labels), f64::from(bytes));
    }
}

#[tokio::test]
async fn on_the_path_of_a_wire_format_too_nothing_is_reserved_and_nothing_charged() {
    for more in
        ["", "prices: { unknown: zero }\nbudgets: [ { scope: global, window: total, tokens: 1000 } ]\n"]
    {
        let echo = Echo::start();
        let server = proxy(&echo, more);
        let mut socket = Socket::open(&server, "/v1/responses").await;
        socket.echo(b"hi").await;
        drop(socket);
        let settled = settled(&server, 1).await;
        assert_eq!(
            (&settled[0]["cost_usd"], settled[0].get("usage")),
            (&"0.000000".into(), None),
            "{settled:?}"
        );
        let trace = Trace::of(&server.setup);
        let admitted = &trace.of_kind("action.admitted").next().unwrap().data;
        let reserved = (&admitted["reserved_usd"], &admitted["reserved_tokens"]);
        assert_eq!(reserved, (&"0.000000".into(), &0.into()), "{admitted}");
    }
}

#[tokio::test]
async fn what_comes_right_behind_the_handshake_is_not_lost() {
    let echo = Echo::start();
    let server = proxy(&echo, "");
    let mut socket = Socket::ask(&server, REALTIME, &[], b"impatient").await;
    let mut heard = [0; 9];
    patiently(socket.stream.read_exact(&mut heard)).await.unwrap();
    assert_eq!(&heard, b"impatient");
}

#[tokio::test]
async fn a_refused_handshake_is_passed_on_and_the_connection_goes_on() {
    let upstream = Upstream::in_turn(vec![
        Reply::whole(426, &[("content-type", "text/plain"), ("upgrade", "websocket")], "use HTTP"),
        Reply::json(Format::Chat.answer()),
    ]);
    let server = Setup::proxy(&one_upstream(&upstream.url())).start();
    let mut connection = server.connect().await;
    let shake = [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-key", KEY)];
    connection.send(raw::request("GET", "/v1/responses", &shake, "")).await;
    let answer = connection.answer_to("GET").await.unwrap();
    assert_eq!((answer.status, answer.text()), (426, "use HTTP"));
    assert_eq!(upstream.only().header("sec-websocket-key"), Some(KEY));
    connection.send(Format::Chat.request("hi", false)).await;
    assert_eq!(connection.answer().await.status, 200);
    assert_eq!(settled(&server, 2).await[0]["status"], 426);
}

#[tokio::test]
async fn the_simulated_provider_answers_a_handshake_with_plain_http() {
    let server = Setup::simulated("").start();
    for path in ["/v1/responses", REALTIME] {
        let shake = [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-key", KEY)];
        let answer = server.ask(raw::request("GET", path, &shake, "")).await;
        assert!(answer.status == 426 && answer.complete, "{answer:?}");
        assert_eq!(answer.header("x-seawall-upstream"), Some("main"), "{answer:?}");
    }
}

#[tokio::test]
async fn an_upstream_that_switches_unasked_is_broken() {
    let switched = Reply::nothing()
        .send("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n");
    let upstream = Upstream::always(switched.hang());
    let server = Setup::proxy(&one_upstream(&upstream.url())).start();
    let answer = server.ask(Format::Chat.request("hi", false)).await;
    assert_eq!((answer.status, &Format::Chat.error(&answer)["code"]), (502, &"UPSTREAM_BROKEN".into()));
}

#[tokio::test]
async fn switched_off_they_are_refused_with_a_remedy() {
    let echo = Echo::start();
    let server = proxy(&echo, "gateway: { websockets: false }\n");
    for path in [REALTIME, "/v1/responses", "/openai/v1/realtime"] {
        let error = refused(&server, path, &[], 426).await;
        assert_eq!(error["code"], "WEBSOCKET_REFUSED");
        assert!(error["remedy"].as_str().unwrap().contains("gateway.websockets"), "{error}");
    }
    assert!(echo.seen.lock().unwrap().is_empty());
    assert!(server.stop().success());
    assert_eq!(Trace::of(&server.setup).assert_complete(), (0, 3));
}

#[tokio::test]
async fn credentials_go_where_they_belong() {
    let bearer = ("authorization", "Bearer sk-theirs");
    let protocols = ("sec-websocket-protocol", "realtime, openai-insecure-api-key.sk-theirs");

    let echo = Echo::start();
    let server = proxy(&echo, "    auth: passthrough\n");
    Socket::open_with(&server, REALTIME, &[bearer, protocols]).await;
    let (_, headers) = echo.only();
    assert_eq!(headers["authorization"], bearer.1);
    assert_eq!(headers["sec-websocket-protocol"], protocols.1);

    let echo = Echo::start();
    let server = proxy(&echo, "    api_key: sk-configured\n");
    Socket::open_with(&server, REALTIME, &[bearer, protocols]).await;
    let (_, headers) = echo.only();
    assert_eq!(headers["authorization"], "Bearer sk-configured");
    assert_eq!(headers["sec-websocket-protocol"], "realtime");
}

#[tokio::test]
async fn a_key_of_ours_is_checked_and_never_goes_upstream() {
    let echo = Echo::start();
    let config = format!("auth: {{ mode: required }}\n{}    auth: passthrough\n", one_upstream(&echo.url()));
    let setup = Setup::proxy(&config);
    let key = setup.key(&["--name", "ci", "--tenant", "acme"]);
    let server = setup.start();
    assert_eq!(refused(&server, REALTIME, &[], 401).await["code"], "UNAUTHENTICATED");
    let wrong = "openai-insecure-api-key.sk-sw-wrong";
    assert_eq!(
        refused(&server, REALTIME, &[("sec-websocket-protocol", wrong)], 401).await["code"],
        "UNAUTHENTICATED"
    );
    let ours = format!("openai-insecure-api-key.{key}, realtime");
    Socket::open_with(&server, REALTIME, &[("sec-websocket-protocol", &ours)]).await;
    Socket::open_with(&server, REALTIME, &[("authorization", &format!("Bearer {key}"))]).await;
    let seen = format!("{:?}", echo.seen.lock().unwrap());
    assert!(seen.contains("realtime") && !seen.contains("sk-sw"), "{seen}");
    assert_eq!(settled(&server, 2).await.len(), 2);
    let trace = Trace::of(&server.setup);
    assert!(trace.of_kind("action.settled").all(|event| event.actor["tenant"] == "acme"));
}

#[tokio::test]
async fn a_page_of_any_site_opens_none_without_a_key_of_ours() {
    let echo = Echo::start();
    let setup = Setup::proxy(&one_upstream(&echo.url()));
    let key = setup.key(&["--name", "page"]);
    let server = setup.start();
    let origin = ("origin", "https://elsewhere.example");
    let theirs = ("sec-websocket-protocol", "openai-insecure-api-key.sk-any");
    assert_eq!(refused(&server, REALTIME, &[origin], 403).await["code"], "FORBIDDEN");
    assert_eq!(refused(&server, REALTIME, &[origin, theirs], 403).await["code"], "FORBIDDEN");
    let ours = format!("openai-insecure-api-key.{key}");
    Socket::open_with(&server, REALTIME, &[origin, ("sec-websocket-protocol", &ours)]).await;
}

#[tokio::test]
async fn where_a_budget_would_pay_they_are_refused_unless_unknown_prices_count_nothing() {
    let echo = Echo::start();
    let server = proxy(&echo, "budgets: [ { scope: global, window: total, usd: \"5\" } ]\n");
    assert_eq!(refused(&server, REALTIME, &[], 426).await["code"], "WEBSOCKET_REFUSED");
    let server = proxy(&echo, "budgets: [ { scope: \"key:other\", window: total, usd: \"5\" } ]\n");
    Socket::open(&server, REALTIME).await.echo(b"x").await;
    let zero = "budgets: [ { scope: global, window: total, usd: \"5\" } ]\nprices: { unknown: zero }\n";
    let server = proxy(&echo, zero);
    Socket::open(&server, REALTIME).await.echo(b"x").await;
    let server = proxy(&echo, &format!("{zero}gateway: {{ mode: strict }}\n"));
    assert_eq!(refused(&server, REALTIME, &[], 426).await["code"], "WEBSOCKET_REFUSED");
    let server = proxy(&echo, "prices: { unknown: deny }\n");
    assert_eq!(refused(&server, REALTIME, &[], 426).await["code"], "WEBSOCKET_REFUSED");
}

#[tokio::test]
async fn lists_of_models_hold_and_a_path_whose_messages_name_them_is_no_way_around() {
    let echo = Echo::start();
    let setup = Setup::proxy(&one_upstream(&echo.url()));
    let key = setup.key(&["--name", "few", "--models", "gpt-realtime"]);
    let server = setup.start();
    let bearer = format!("Bearer {key}");
    let ours = [("authorization", bearer.as_str())];
    Socket::open_with(&server, REALTIME, &ours).await.echo(b"x").await;
    assert_eq!(refused(&server, "/v1/realtime?model=gpt-5", &ours, 403).await["code"], "FORBIDDEN");
    for path in ["/v1/realtime", "/v1/responses?model=gpt-realtime", "/v1/responses"] {
        assert_eq!(refused(&server, path, &ours, 426).await["code"], "WEBSOCKET_REFUSED", "{path}");
    }
    let twice = "/v1/realtime?model=gpt-realtime&mod%65l=gpt-5";
    assert_eq!(refused(&server, twice, &ours, 400).await["code"], "BAD_REQUEST");
}

#[tokio::test]
async fn a_policys_list_of_models_holds_in_strict_mode() {
    let echo = Echo::start();
    let server =
        proxy(&echo, "gateway: { mode: strict }\npolicy: { models: { allow: [\"gpt-realtime*\"] } }\n");
    Socket::open(&server, REALTIME).await.echo(b"x").await;
    assert_eq!(refused(&server, "/v1/realtime?model=gpt-5", &[], 403).await["code"], "MODEL_NOT_ALLOWED");
    assert_eq!(refused(&server, "/v1/responses", &[], 426).await["code"], "WEBSOCKET_REFUSED");
}

#[tokio::test]
async fn a_route_names_the_model_in_the_query() {
    let echo = Echo::start();
    let route = "routes: [ { model: voice, to: [ { upstream: main, model: gpt-realtime-mini } ] } ]\n";
    let server = proxy(&echo, route);
    Socket::open(&server, "/v1/realtime?model=voice&key=sk-none&x=1").await;
    assert_eq!(echo.only().0, "/v1/realtime?model=gpt-realtime-mini&key=sk-none&x=1");
    assert_eq!(settled(&server, 1).await[0]["name"], "voice");
}

#[tokio::test]
async fn a_client_that_is_killed_ends_the_call_upstream_and_is_settled_once() {
    let echo = Echo::start();
    let server = proxy(&echo, "");
    for reset in [false, true] {
        let mut socket = Socket::open(&server, REALTIME).await;
        socket.echo(b"hello").await;
        if reset {
            socket2::SockRef::from(&socket.stream).set_linger(Some(Duration::ZERO)).unwrap();
        }
        drop(socket);
    }
    echo.wait_for_ends(2).await;
    for settled in settled(&server, 2).await {
        assert_eq!(settled["websocket"]["bytes_in"], 5, "{settled}");
    }
    assert!(server.stop().success());
    assert_eq!(Trace::of(&server.setup).assert_complete(), (2, 0));
}

#[tokio::test]
async fn an_upstream_that_ends_it_ends_it_for_the_client() {
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {ACCEPT}\r\n\r\nbye"
    );
    let upstream = Upstream::always(Reply::nothing().send(head).close());
    let server = Setup::proxy(&one_upstream(&upstream.url())).start();
    let mut socket = Socket::open(&server, REALTIME).await;
    let mut heard = String::new();
    patiently(socket.stream.read_to_string(&mut heard)).await.unwrap();
    assert_eq!(heard, "bye");
    let settled = settled(&server, 1).await;
    assert_eq!(
        (&settled[0]["websocket"]["bytes_out"], settled[0].get("ended")),
        (&3.into(), None),
        "{}",
        settled[0]
    );
}

#[tokio::test]
async fn silence_and_the_total_time_end_it() {
    for timeouts in ["idle: 300ms", "total: 300ms"] {
        let echo = Echo::start();
        let server = proxy(&echo, &format!("    timeouts: {{ {timeouts} }}\n"));
        let mut socket = Socket::open(&server, REALTIME).await;
        socket.echo(b"hello").await;
        socket.wait_for_end().await;
        echo.wait_for_ends(1).await;
        assert_eq!(settled(&server, 1).await[0]["ended"], "timeout");
    }
}

#[tokio::test]
async fn it_takes_its_place_among_the_calls_until_it_ends() {
    let echo = Echo::start();
    let server = proxy(&echo, "    max_in_flight: 1\n");
    let mut socket = Socket::open(&server, REALTIME).await;
    assert_eq!(refused(&server, REALTIME, &[], 503).await["code"], "OVERLOADED");
    socket.echo(b"still there").await;
    drop(socket);
    echo.wait_for_ends(1).await;
    settled(&server, 2).await;
    Socket::open(&server, REALTIME).await.echo(b"x").await;
}

#[tokio::test]
async fn a_server_that_stops_waits_for_it() {
    let echo = Echo::start();
    let server = proxy(&echo, "");
    let mut socket = Socket::open(&server, REALTIME).await;
    server.signal(Signal::TERM);
    eventually("/ready says that it drains", async || match server.get("/ready").await.status {
        503 => Ok(()),
        other => Err(other),
    })
    .await;
    assert_eq!(refused(&server, REALTIME, &[], 503).await["code"], "DRAINING");
    socket.echo(b"last words").await;
    assert!(!server.has_ended());
    drop(socket);
    assert!(server.wait().success());
    let trace = Trace::of(&server.setup);
    assert_eq!(trace.assert_complete(), (1, 1));
    assert_eq!(trace.of_kind("action.settled").next().unwrap().data["websocket"]["bytes_out"], 10);
}

#[tokio::test]
async fn past_the_drain_time_it_is_cut_off_and_settled() {
    let echo = Echo::start();
    let server = proxy(&echo, "gateway: { timeouts: { drain: 200ms } }\n");
    let mut socket = Socket::open(&server, REALTIME).await;
    socket.echo(b"hello").await;
    server.signal(Signal::TERM);
    server.wait();
    socket.wait_for_end().await;
    let trace = Trace::of(&server.setup);
    assert_eq!(trace.assert_complete(), (1, 0));
    let settled = &trace.of_kind("action.settled").next().unwrap().data;
    assert_eq!(
        (&settled["ended"], &settled["websocket"]["bytes_in"]),
        (&"cancelled".into(), &5.into()),
        "{settled}"
    );
}

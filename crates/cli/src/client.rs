//! Asking the server that works on a data directory, when one runs.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use seawall_server::ServerState;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(10);

/// The server that works on `data_dir`, if it answers.
pub(crate) fn running(data_dir: &Path) -> Option<ServerState> {
    let state = ServerState::read(data_dir)?;
    let address = state.url.strip_prefix("http://")?.parse().ok()?;
    std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
    Some(state)
}

/// Sends one request to it and gives its answer.
///
/// # Errors
/// When it does not answer, or answers with an error, in its words.
pub(crate) fn ask(
    server: &ServerState,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> anyhow::Result<Value> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, call(server, method, path, body))
            .await
            .context("the server did not answer in 10s")?
    })
}

async fn call(
    server: &ServerState,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> anyhow::Result<Value> {
    let address = server.url.strip_prefix("http://").context("the server's address can't be read")?;
    let stream = tokio::net::TcpStream::connect(address).await.context("the server can't be reached")?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, address)
        .header(AUTHORIZATION, format!("Bearer {}", server.token))
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body.map(Value::to_string).unwrap_or_default())))?;
    let exchange = async {
        let response = sender.send_request(request).await.context(
            "the server closed the connection before it answered: it may have as many as gateway.limits.connections allows",
        )?;
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        drop(sender);
        anyhow::Ok((status, bytes))
    };
    let (exchanged, _connection_ended) = tokio::join!(exchange, connection);
    let (status, bytes) = exchanged?;
    let answer: Value = serde_json::from_slice(&bytes).with_context(|| {
        format!(
            "what answers at {address} is no Seawall: where its server was killed, remove server.json from the data folder"
        )
    })?;
    if status.is_success() { Ok(answer) } else { bail!(refusal(status, &answer)) }
}

/// What the server says in refusing: as a problem, or as it answers clients of providers, where it can't tell who asks.
fn refusal(status: StatusCode, answer: &Value) -> String {
    let first = |places: [&str; 2]| places.into_iter().find_map(|place| answer.pointer(place)?.as_str());
    let code = first(["/code", "/error/seawall/code"]);
    let said = first(["/detail", "/error/message"]);
    let remedy = first(["/remedy", "/error/seawall/remedy"]);
    match (code, said) {
        (Some(code), Some(said)) => format!("{code}: {said}; {}", remedy.unwrap_or("see the server's log")),
        _ => format!("the server answered {status} and does not say why; see its log"),
    }
}

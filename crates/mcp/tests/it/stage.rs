//! A proxy with a checkpoint, a trace, and clients without a network before it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use http_body_util::BodyExt;
use prometheus::{IntCounterVec, Opts, Registry};
use seawall_base::clock::SystemClock;
use seawall_base::id;
use seawall_base::memory::ByteBudget;
use seawall_budget::Ledger;
use seawall_checkpoint::Checkpoint;
use seawall_checkpoint::tool::Resolver;
use seawall_config::{Document, read};
use seawall_llm_client::client_config;
use seawall_mcp::{
    Body, Held, MessageLimits, Metrics, Parts, Place, Proxy, RemoteParts, ServerPlan, ServerSettings, Visit,
    Visitor,
};
use seawall_policy::{Policy, PolicyFile, Setting};
use seawall_trace::{MemoryHeads, Options, Writer};
use seawall_types::{Actor, Clock, KeyId, Mode, RunId};
use serde_json::Value;
use tempfile::TempDir;

/// Looks nothing up.
#[derive(Debug)]
struct NoNames;

impl Resolver for NoNames {
    fn resolve(&self, _host: &str) -> std::io::Result<Vec<IpAddr>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

pub(crate) struct Stage {
    folder: TempDir,
    pub(crate) proxy: Arc<Proxy>,
    checkpoint: Arc<Checkpoint>,
    run: RunId,
    policy: Arc<Policy>,
    pub(crate) limits: MessageLimits,
    pub(crate) memory: Arc<ByteBudget>,
    _writer: Writer,
}

impl Stage {
    /// Servers by name and URL, under a policy.
    pub(crate) fn new(servers: &[(&str, &str)], policy: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let run = id::new_run(&*clock);
        let (writer, trace) = Writer::start(
            Options::new(folder.path().join("runs")),
            Arc::new(MemoryHeads::default()),
            Arc::clone(&clock),
        )
        .unwrap();
        trace.start_run(run, "test", &());
        let checkpoint = Arc::new(Checkpoint::new(Arc::new(Ledger::in_memory(Vec::new())), trace, clock));
        let violations = IntCounterVec::new(Opts::new("violations", "x"), &["code", "verdict"]).unwrap();
        let memory = ByteBudget::new();
        let parts = Parts {
            run,
            checkpoint: Arc::clone(&checkpoint),
            resolver: Arc::new(NoNames),
            approver: None,
            metrics: Metrics::register(&Registry::new(), violations).unwrap(),
            memory: Arc::clone(&memory),
            trace_before_sending: false,
        };
        let remote = RemoteParts { tls: client_config().unwrap(), workers: 1 };
        let plans = servers.iter().map(|(name, url)| plan(name, url, Duration::from_secs(20))).collect();
        let file = read(&Document::from_value(policy), PolicyFile::declare).unwrap();
        let setting = Setting { mode: Mode::Strict, folder: folder.path(), sandbox: None };
        let policy = Arc::new(file.compile(&setting, "test"));
        let proxy = Proxy::start(parts, remote, plans).unwrap();
        let limits = MessageLimits { message: 1 << 20, buffer: 1 << 24 };
        Self { folder, proxy, checkpoint, run, policy, limits, memory, _writer: writer }
    }

    /// One request of nobody in particular.
    pub(crate) async fn post(&self, server: &str, headers: &[(&str, &str)], body: &str) -> Response<Body> {
        self.send(None, Method::POST, server, headers, body).await
    }

    pub(crate) async fn send(
        &self,
        caller: Option<KeyId>,
        method: Method,
        server: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response<Body> {
        let mut sent = HeaderMap::new();
        for (name, value) in headers {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            sent.append(name.parse::<HeaderName>().unwrap(), value);
        }
        let visit = Visit {
            server: server.to_owned(),
            worker: 0,
            method,
            headers: sent,
            body: Bytes::copy_from_slice(body.as_bytes()),
            visitor: Visitor {
                id: caller,
                actor: Arc::new(Actor::default()),
                policy: None,
                scopes: smallvec::SmallVec::new(),
            },
            policy: Arc::clone(&self.policy),
            limits: self.limits,
            hold: Held(None),
        };
        self.proxy.answer(visit).await
    }

    /// Every event of the trace until now, without what is about the run itself.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.checkpoint.trace().flush().unwrap();
        let found =
            seawall_trace::read::find(&self.folder.path().join("runs"), &self.run.to_string()).unwrap();
        let text = std::fs::read_to_string(found.dir.join("trace.jsonl")).unwrap();
        let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.filter(|event| !event["kind"].as_str().unwrap().starts_with("run.")).collect()
    }

    /// Kinds and names of the actions in the trace.
    pub(crate) fn actions(&self) -> Vec<String> {
        let told = |event: &Value| {
            format!("{} {}", event["kind"].as_str().unwrap(), event["data"]["name"].as_str().unwrap_or(""))
        };
        self.events()
            .iter()
            .filter(|event| event["kind"].as_str().unwrap().starts_with("action."))
            .map(told)
            .collect()
    }
}

pub(crate) fn plan(name: &str, url: &str, timeout: Duration) -> ServerPlan {
    let place = Place::Url { url: url.parse().unwrap(), headers: HeaderMap::new() };
    let settings = ServerSettings { place, policy: None, timeout };
    ServerPlan { name: name.to_owned(), settings, policy: None, launch: None }
}

/// The whole body, as text.
pub(crate) async fn text(response: Response<Body>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

pub(crate) async fn json(response: Response<Body>) -> Value {
    serde_json::from_str(&text(response).await).unwrap()
}

/// The next piece of a stream.
pub(crate) async fn next(body: &mut Body) -> Option<String> {
    let frame = body.frame().await?.unwrap();
    Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
}

/// A call of a tool.
pub(crate) fn call(id: u32, tool: &str, arguments: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
    )
}

/// Its result.
pub(crate) fn result(id: u32, words: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":"{words}"}}]}}}}"#)
}

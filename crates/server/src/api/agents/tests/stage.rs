//! An application whose agents live in memory and ask the simulated provider in this process.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use prometheus::Registry as Registered;
use seawall_base::clock::SystemClock;
use seawall_base::id;
use seawall_base::memory::ByteBudget;
use seawall_budget::Ledger;
use seawall_checkpoint::tool::Resolver;
use seawall_checkpoint::{Approvals, Checkpoint};
use seawall_config::Document;
use seawall_engine::{EffectClass, ToolSpec};
use seawall_gateway::{Directory, Gateway, KeyRing, Metrics, Settings as GatewaySettings, Snapshot};
use seawall_llm::Prices;
use seawall_llm_client::sim::{Options, Sim, SimBody};
use seawall_llm_client::{Requester, client_config};
use seawall_mcp::{Proxy, RemoteParts};
use seawall_policy::Policy;
use seawall_runtime::{
    BoxFuture, Model, NoReply, Parts, Pieces, Policies, Question, QueueLimits, Reply, Runtime, Settings,
    Templates,
};
use seawall_sandbox::Sandbox;
use seawall_store::agents::{Measured, Owner};
use seawall_store::memory::{MemoryAgents, MemoryStore};
use seawall_store::{AgentStore, KeyRow, Store};
use seawall_tools::{Call, Description, Outcome, Registry, Tool};
use seawall_trace::{MemoryHeads, Writer};
use seawall_types::{Clock, Mode, RunId, Secret};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::{App, AppParts, api, service};

#[derive(Debug)]
struct Simulated(Sim);

#[derive(Debug)]
struct Answer(SimBody);

impl Pieces for Answer {
    fn next(&mut self) -> BoxFuture<'_, Option<Result<Bytes, NoReply>>> {
        Box::pin(async {
            loop {
                match self.0.frame().await? {
                    Ok(frame) => match frame.into_data() {
                        Ok(data) => return Some(Ok(data)),
                        Err(_trailers) => {}
                    },
                    Err(error) => return Some(Err(NoReply(error.to_string()))),
                }
            }
        })
    }
}

impl Model for Simulated {
    fn ask(&self, question: Question) -> BoxFuture<'_, Result<Reply, NoReply>> {
        Box::pin(async move {
            let url = format!("http://sim{}", question.path);
            let request = Request::post(url).header("content-type", "application/json");
            let headers = question.headers.iter();
            let request = headers.fold(request, |request, (name, value)| request.header(*name, *value));
            let response = self.0.call(request.body(Full::new(question.body)).unwrap()).await;
            let (head, body) = response.into_parts();
            let (status, headers) = (head.status, head.headers);
            Ok(Reply { status, headers, body: Box::new(Answer(body)) })
        })
    }
}

#[derive(Debug)]
struct Everything;

impl Policies for Everything {
    fn generation(&self) -> u64 {
        1
    }

    fn policy_for(&self, _owner: &Owner, _folder: &Path) -> Arc<Policy> {
        Arc::new(Policy::off(Mode::Strict))
    }
}

#[derive(Debug)]
struct NoNames;

impl Resolver for NoNames {
    fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// A tool that counts how often it was begun, and ends when it is let.
#[derive(Debug)]
pub(super) struct Counted {
    description: Description,
    pub(super) begun: AtomicU64,
    pub(super) ends: Semaphore,
}

impl Counted {
    fn new(ends: usize) -> Arc<Self> {
        let spec = ToolSpec { effect: EffectClass::Unsafe, ..ToolSpec::default() };
        let parameters = Arc::new(json!({"type": "object", "properties": {"n": {"type": "integer"}}}));
        let description = Description {
            name: "work".into(),
            description: "counts".into(),
            parameters,
            spec,
            effects: Default::default(),
            manual: None,
        };
        Arc::new(Self { description, begun: AtomicU64::new(0), ends: Semaphore::new(ends) })
    }

    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }
}

impl Tool for Counted {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call<'a>(&'a self, call: Call<'a>) -> seawall_tools::BoxFuture<'a, Outcome> {
        Box::pin(async move {
            self.begun.fetch_add(1, Ordering::SeqCst);
            self.ends.acquire().await.unwrap().forget();
            Outcome::text(format!("done {}", call.arguments["n"]))
        })
    }
}

/// An answer of the application.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) json: Value,
}

impl Answered {
    /// The problem, of which code, status and remedy are as they must be.
    #[track_caller]
    pub(super) fn problem(&self, status: u16, code: &str) -> &Value {
        assert_eq!((self.status.as_u16(), self.json["code"].as_str()), (status, Some(code)), "{self:?}");
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert!(self.json["remedy"].as_str().is_some_and(|text| !text.is_empty()), "{self:?}");
        &self.json
    }

    #[track_caller]
    pub(super) fn ok(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self.json
    }
}

pub(crate) struct Stage {
    pub(super) routes: Router,
    pub(crate) app: Arc<App>,
    pub(super) runtime: Runtime,
    pub(super) tool: Arc<Counted>,
    pub(super) store: Arc<dyn AgentStore>,
    _folder: TempDir,
    _writer: Writer,
}

/// A key that may do everything, for nobody in particular or for a tenant.
fn key(text: &str, tenant: Option<&str>, clock: &dyn Clock) -> KeyRow {
    KeyRow {
        id: id::new_key(clock),
        name: text.to_owned(),
        tenant: tenant.map(str::to_owned),
        hash: *blake3::hash(text.as_bytes()).as_bytes(),
        prefix: text.to_owned(),
        created_at: clock.now(),
        expires_at: None,
        revoked_at: None,
        rotated_to: None,
        budget: None,
        rpm: None,
        tpm: None,
        models: Vec::new(),
        ips: Vec::new(),
        policy: None,
        scopes: vec!["operator".to_owned()],
    }
}

fn gateway(
    clock: &Arc<dyn Clock>,
    checkpoint: &Arc<Checkpoint>,
    registry: &Registered,
    keys: &[KeyRow],
) -> Arc<Gateway> {
    let run: RunId = id::new_run(&**clock);
    let metrics = Metrics::register(registry).unwrap();
    let settings = seawall_config::read(&Document::from_value(&json!({})), GatewaySettings::declare).unwrap();
    let memory = ByteBudget::new();
    let tools = seawall_mcp::Parts {
        run,
        checkpoint: Arc::clone(checkpoint),
        resolver: Arc::new(NoNames),
        approver: None,
        metrics: seawall_mcp::Metrics::register(registry, metrics.violations()).unwrap(),
        memory: Arc::clone(&memory),
        trace_before_sending: false,
    };
    let remote = RemoteParts { tls: client_config().unwrap(), workers: 1 };
    Gateway::new(seawall_gateway::Parts {
        run,
        checkpoint: Arc::clone(checkpoint),
        snapshot: Snapshot {
            settings,
            directory: Directory { upstreams: Vec::new(), routes: Vec::new() },
            policy: Arc::new(Policy::off(Mode::Warn)),
            prices: Arc::new(Prices::embedded().unwrap()),
            key_required: false,
            tokens: None,
            generation: 0,
        },
        keys: KeyRing::new(keys, |_| Err("there are none".to_owned())).unwrap(),
        metrics,
        people: None,
        memory,
        mcp: Proxy::start(tools, remote, Vec::new()).unwrap(),
    })
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// With keys, as (key, tenant).
    pub(super) fn with(keys: &[(&str, Option<&str>)]) -> Self {
        let store: Arc<dyn AgentStore> = Arc::new(MemoryAgents::new(Arc::new(SystemClock::new())));
        Self::on(store, keys, 1_000)
    }

    /// On this store, with a tool that ends so often by itself.
    pub(super) fn on(store: Arc<dyn AgentStore>, keys: &[(&str, Option<&str>)], ends: usize) -> Self {
        Self::asking(Options::default(), store, keys, ends, Settings::default())
    }

    /// Where nobody runs agents, with keys, and so much room in the queue.
    pub(super) fn queueing(keys: &[(&str, Option<&str>)], queue: QueueLimits) -> Self {
        let store: Arc<dyn AgentStore> = Arc::new(MemoryAgents::new(Arc::new(SystemClock::new())));
        let settings = Settings { works: false, queue, ..Settings::default() };
        Self::asking(Options::default(), store, keys, 0, settings)
    }

    /// With a model that takes its time over every word.
    pub(super) fn slow() -> Self {
        let options = Options { tokens_per_second: Some(400), ..Options::default() };
        let store = Arc::new(MemoryAgents::new(Arc::new(SystemClock::new())));
        Self::asking(options, store, &[], 1_000, Settings::default())
    }

    fn asking(
        simulated: Options,
        store: Arc<dyn AgentStore>,
        keys: &[(&str, Option<&str>)],
        ends: usize,
        settings: Settings,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let options = seawall_trace::Options::new(folder.path().join("runs"));
        let (writer, trace) =
            Writer::start(options, Arc::new(MemoryHeads::default()), Arc::clone(&clock)).unwrap();
        let ledger = Arc::new(Ledger::in_memory(Vec::new()));
        let checkpoint = Arc::new(Checkpoint::new(ledger, trace.clone(), Arc::clone(&clock)));
        let registry = Registered::new();
        let rows: Vec<_> = keys.iter().map(|(text, tenant)| key(text, *tenant, &*clock)).collect();
        let gateway = gateway(&clock, &checkpoint, &registry, &rows);
        let templates = Templates::new();
        templates.add(
            serde_json::from_value(json!({
                "id": "writer",
                "version": "1",
                "system_prompt": "You are a test.",
                "model": {"provider": "openai", "name": "sim-1"},
                "tools": "*",
            }))
            .unwrap(),
        );
        let tool = Counted::new(ends);
        let measured = Arc::new(Measured::new(Arc::clone(&store), Arc::clone(&clock)));
        let runtime = Runtime::start(Parts {
            store: Arc::<Measured<dyn AgentStore>>::clone(&measured),
            checkpoint,
            policies: Arc::new(Everything),
            resolver: Arc::new(NoNames),
            model: Arc::new(Simulated(Sim::new(simulated, Arc::clone(&clock)))),
            templates: Arc::new(templates),
            tools: Arc::new(Registry::with([Arc::clone(&tool) as Arc<dyn Tool>]).unwrap()),
            servers: None,
            sandbox: Sandbox::of_this_program(),
            requester: Requester::new(&client_config().unwrap(), Duration::from_secs(1)),
            hooks: Vec::new(),
            clock: Arc::clone(&clock),
            settings: Settings {
                retry_after: (Duration::from_millis(1), Duration::from_millis(20)),
                places: folder.path().join("agents"),
                ..settings
            },
        });
        let desk: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let hour = Duration::from_hours(1);
        let approvals = Approvals::new(Arc::clone(&desk), trace, Arc::clone(&clock), None, hour);
        let app = App::new(AppParts {
            gateway,
            registry,
            store: desk,
            approvals: Arc::new(approvals),
            agents: Some(runtime.clone()),
            agent_store: Some(measured),
            sim: None,
            clock,
            token: Secret::new("the owner's".to_owned()),
            data_dir: folder.path().to_owned(),
            reloader: Box::new(|| Ok(crate::ReloadOutcome::default())),
            keys_changed: Box::new(|| Ok(0)),
        })
        .unwrap();
        let routes = api::routes(&app);
        Self { routes, app, runtime, tool, store, _folder: folder, _writer: writer }
    }

    /// Asks, and gives the answer with its body unread.
    pub(super) async fn open(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> http::Response<Body> {
        let mut request =
            Request::builder().method(method).uri(path).body(Body::from(body.to_owned())).unwrap();
        if !body.is_empty() {
            request.headers_mut().insert("content-type", "application/json".parse().unwrap());
        }
        for (name, value) in headers {
            request
                .headers_mut()
                .insert(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        request.extensions_mut().insert(SocketAddr::from(([127, 0, 0, 1], 4_000)));
        service::own(self.routes.clone(), request).await
    }

    pub(super) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answered {
        let answer = within(self.open(method, path, headers, body)).await;
        let (head, body) = answer.into_parts();
        let bytes = within(body.collect()).await.unwrap().to_bytes();
        let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answered { status: head.status, headers: head.headers, json }
    }

    pub(super) async fn get(&self, path: &str) -> Answered {
        self.ask("GET", path, &[], "").await
    }

    /// A page that is no JSON.
    pub(super) async fn page(&self, path: &str) -> String {
        let answer = within(self.open("GET", path, &[], "")).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let bytes = within(answer.into_body().collect()).await.unwrap().to_bytes();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Answered {
        self.ask("POST", path, &[], &body.to_string()).await
    }

    /// Makes an agent of the template.
    pub(super) async fn agent(&self, id: &str, overrides: Value) {
        let body = json!({"id": id, "template": "writer", "overrides": overrides});
        self.post("/api/agents", &body).await.ok(201);
    }

    /// Says something and waits for the end of the turn.
    pub(super) async fn complete(&self, id: &str, text: &str) -> Value {
        self.post(&format!("/api/agents/{id}/message"), &json!({"message": text})).await.ok(200)
    }
}

/// What must come, comes within half a minute.
pub(super) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it takes too long")
}

/// Waits until something is so.
pub(super) async fn until(is_so: impl Fn() -> bool) {
    within(async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

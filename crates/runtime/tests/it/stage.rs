//! A runtime with everything that it needs: a store in memory, a checkpoint, the simulated provider.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use seawall_base::clock::SystemClock;
use seawall_budget::Ledger;
use seawall_checkpoint::Checkpoint;
use seawall_checkpoint::tool::Resolver;
use seawall_engine::{AgentId, Block, EffectClass, MessageId, MessageKind, ToolSpec};
use seawall_llm_client::Requester;
use seawall_llm_client::sim::{Options, Sim, SimBody};
use seawall_policy::Policy;
use seawall_runtime::{
    BoxFuture, Completed, CreateAgent, Done, Hook, Model, NoReply, Parts, Pieces, Policies, Question, Reply,
    Runtime, Settings, Template, Templates,
};
use seawall_sandbox::Sandbox;
use seawall_store::AgentStore;
use seawall_store::agents::Owner;
use seawall_store::memory::MemoryAgents;
use seawall_tools::{Call, Description, Outcome, Registry, Tool};
use seawall_trace::{MemoryHeads, Writer};
use seawall_types::{Clock, Mode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Semaphore;

/// The simulated provider, asked in this process.
#[derive(Debug)]
pub(crate) struct Simulated {
    sim: Sim,
    /// What was asked last.
    last: Arc<Mutex<Bytes>>,
}

#[derive(Debug)]
struct Body(SimBody);

impl Pieces for Body {
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
            let request = Request::post(format!("http://sim{}", question.path))
                .header("content-type", "application/json");
            *self.last.lock().unwrap() = question.body.clone();
            let request =
                question.headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            let response = self.sim.call(request.body(Full::new(question.body)).unwrap()).await;
            let (head, body) = response.into_parts();
            let (status, headers) = (head.status, head.headers);
            Ok(Reply { status, headers, body: Box::new(Body(body)) })
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
pub(crate) struct Counted {
    description: Description,
    pub(crate) begun: AtomicU64,
    /// One permit for each end.
    pub(crate) ends: Semaphore,
    /// Whether its results are as long as they are asked for, and some are errors.
    is_wordy: bool,
}

impl Counted {
    pub(crate) fn new(name: &str, effect: EffectClass) -> Arc<Self> {
        let spec = ToolSpec { effect, ..ToolSpec::default() };
        let parameters = Arc::new(json!({"type": "object", "properties": {"n": {"type": "integer"}}}));
        let effects = seawall_policy::Declared::Nothing;
        let description = Description {
            name: name.into(),
            description: "counts".into(),
            parameters,
            spec,
            effects,
            manual: None,
        };
        Arc::new(Self { description, begun: AtomicU64::new(0), ends: Semaphore::new(0), is_wordy: false })
    }

    /// One that says as many words as it is asked for, without waiting to be let end; each seventh is an error.
    pub(crate) fn wordy(name: &str) -> Arc<Self> {
        let Self { description, begun, .. } = Arc::into_inner(Self::new(name, EffectClass::Pure)).unwrap();
        Arc::new(Self { description, begun, ends: Semaphore::new(Semaphore::MAX_PERMITS), is_wordy: true })
    }

    pub(crate) fn begun(&self) -> u64 {
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
            if self.is_wordy {
                let count = call.arguments["n"].as_u64().unwrap();
                let words = "word ".repeat(usize::try_from(count).unwrap());
                return if count.is_multiple_of(7) {
                    Outcome::error(words + "no")
                } else {
                    Outcome::text(words + "yes")
                };
            }
            Outcome::text(format!("done {}", call.arguments["n"]))
        })
    }
}

pub(crate) struct Stage {
    pub(crate) runtime: Runtime,
    pub(crate) sim: Sim,
    pub(crate) tool: Arc<Counted>,
    pub(crate) store: Arc<dyn AgentStore>,
    last: Arc<Mutex<Bytes>>,
    _folder: TempDir,
    _writer: Arc<Writer>,
}

/// Quick to try again, quick to let go.
pub(crate) fn settings() -> Settings {
    Settings {
        retry_after: (Duration::from_millis(1), Duration::from_millis(20)),
        lease: Duration::from_millis(600),
        ..Settings::default()
    }
}

/// What a stage is made with beside the usual.
#[derive(Default)]
struct Given {
    options: Options,
    model: Option<Arc<dyn Model>>,
    hooks: Vec<Arc<dyn Hook>>,
    /// The folder of the agents' places, and that they have the tools that are built in.
    places: Option<PathBuf>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(settings(), EffectClass::Unsafe)
    }

    pub(crate) fn with(settings: Settings, effect: EffectClass) -> Self {
        let store: Arc<dyn AgentStore> = Arc::new(MemoryAgents::new(Arc::new(SystemClock::new())));
        Self::on(store, settings, Counted::new("work", effect))
    }

    /// One whose model takes its time.
    pub(crate) fn slow(options: Options) -> Self {
        let store = Arc::new(MemoryAgents::new(Arc::new(SystemClock::new())));
        let given = Given { options, ..Given::default() };
        Self::made(store, settings(), Counted::new("work", EffectClass::Unsafe), given)
    }

    /// One that asks another model than the simulated provider.
    pub(crate) fn asking(model: Arc<dyn Model>, settings: Settings, tool: Arc<Counted>) -> Self {
        let store = Arc::new(MemoryAgents::new(Arc::new(SystemClock::new())));
        Self::made(store, settings, tool, Given { model: Some(model), ..Given::default() })
    }

    /// One between this store and this model.
    pub(crate) fn between(store: Arc<dyn AgentStore>, model: Arc<dyn Model>, tool: Arc<Counted>) -> Self {
        Self::made(store, settings(), tool, Given { model: Some(model), ..Given::default() })
    }

    /// One that asks these hooks.
    pub(crate) fn hooked(hooks: Vec<Arc<dyn Hook>>) -> Self {
        let store = Arc::new(MemoryAgents::new(Arc::new(SystemClock::new())));
        let tool = Counted::new("work", EffectClass::Idempotent);
        Self::made(store, settings(), tool, Given { hooks, ..Given::default() })
    }

    /// One whose agents have files, in places in this folder, and the tools for them.
    pub(crate) fn with_files(store: Arc<dyn AgentStore>, settings: Settings, places: &Path) -> Self {
        let tool = Counted::new("work", EffectClass::Idempotent);
        Self::made(store, settings, tool, Given { places: Some(places.to_owned()), ..Given::default() })
    }

    /// A runtime on this store: another one beside those that use it already.
    pub(crate) fn on(store: Arc<dyn AgentStore>, settings: Settings, tool: Arc<Counted>) -> Self {
        Self::made(store, settings, tool, Given::default())
    }

    /// One whose time is the test's.
    pub(crate) fn at(
        clock: Arc<dyn Clock>,
        store: Arc<dyn AgentStore>,
        settings: Settings,
        tool: Arc<Counted>,
    ) -> Self {
        Self::made_at(clock, store, settings, tool, Given::default())
    }

    fn made(store: Arc<dyn AgentStore>, settings: Settings, tool: Arc<Counted>, given: Given) -> Self {
        Self::made_at(Arc::new(SystemClock::new()), store, settings, tool, given)
    }

    fn made_at(
        clock: Arc<dyn Clock>,
        store: Arc<dyn AgentStore>,
        settings: Settings,
        tool: Arc<Counted>,
        given: Given,
    ) -> Self {
        let Given { options: sim_options, model, hooks, places } = given;
        let folder = tempfile::tempdir().unwrap();
        let options = seawall_trace::Options::new(folder.path().join("runs"));
        let (writer, trace) =
            Writer::start(options, Arc::new(MemoryHeads::default()), Arc::clone(&clock)).unwrap();
        let ledger = Arc::new(Ledger::in_memory(Vec::new()));
        let checkpoint = Arc::new(Checkpoint::new(ledger, trace, Arc::clone(&clock)));
        let sim = Sim::new(sim_options, Arc::clone(&clock));
        let templates = Templates::new();
        for provider in ["openai", "openai-responses", "anthropic", "gemini"] {
            templates.add(template(provider, &json!({})));
        }
        crate::subagents::templates().into_iter().for_each(|template| templates.add(template));
        let built_in = places.iter().flat_map(|_| seawall_tools::built_in());
        let tools = Registry::with([Arc::clone(&tool) as Arc<dyn Tool>].into_iter().chain(built_in)).unwrap();
        let places = places.unwrap_or_else(|| folder.path().join("agents"));
        let last = Arc::default();
        let runtime = Runtime::start(Parts {
            store: Arc::clone(&store),
            checkpoint,
            policies: Arc::new(Everything),
            resolver: Arc::new(NoNames),
            model: model.unwrap_or_else(|| Arc::new(Simulated { sim: sim.clone(), last: Arc::clone(&last) })),
            templates: Arc::new(templates),
            tools: Arc::new(tools),
            servers: None,
            sandbox: Sandbox::of_this_program(),
            requester: Requester::new(&seawall_llm_client::client_config().unwrap(), Duration::from_secs(5)),
            hooks,
            clock,
            settings: Settings { places, ..settings },
        });
        Self { runtime, sim, tool, store, last, _folder: folder, _writer: Arc::new(writer) }
    }

    pub(crate) async fn agent(&self, name: &str) -> AgentId {
        self.agent_of(name, "openai", None).await
    }

    pub(crate) async fn agent_of(&self, name: &str, template: &str, overrides: Option<Value>) -> AgentId {
        let id: AgentId = name.parse().unwrap();
        let request = CreateAgent {
            id: Some(id.clone()),
            template: template.to_owned(),
            overrides,
            ..CreateAgent::default()
        };
        self.runtime.create(request).await.unwrap();
        id
    }

    /// The last request to the model, as it was written.
    pub(crate) fn last_prompt(&self) -> String {
        String::from_utf8(self.last.lock().unwrap().to_vec()).unwrap()
    }

    pub(crate) async fn send(&self, id: &AgentId, name: &str, text: &str) -> Done {
        let content = [Block::text(text)].into();
        self.runtime.send(id, MessageId(name.into()), MessageKind::User, content).await.unwrap()
    }

    /// What the model was asked last.
    pub(crate) async fn last_request(&self) -> String {
        let request = Request::get("http://sim/sim/requests?last=1").body(Full::new(Bytes::new())).unwrap();
        let body = self.sim.call(request).await.into_body().collect().await.unwrap();
        String::from_utf8(body.to_bytes().into()).unwrap()
    }

    /// Sends, and waits for the end of the turn.
    pub(crate) async fn complete(&self, id: &AgentId, name: &str, text: &str) -> Completed {
        let sent = self.send(id, name, text).await;
        within(self.runtime.wait(id, sent.first)).await.unwrap()
    }
}

pub(crate) fn template(provider: &str, more: &Value) -> Template {
    let mut value = json!({
        "id": provider,
        "system_prompt": "You are a test.",
        "model": {"provider": provider, "name": "sim-1"},
        "tools": "*",
    });
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(value).unwrap()
}

/// What must come, comes within half a minute.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it takes too long")
}

/// Waits until something is so.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    within(async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

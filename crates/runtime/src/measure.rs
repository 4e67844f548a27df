//! A runtime for measuring: a model that answers at once and a tool that gives a kilobyte; the store, the checkpoint, the
//! ledger and the trace are real. So what a turn takes is what the product adds to it.
//!
//! For benches, and for the capacity that `seawall doctor` tells. No agent of anybody's is run here: give it a store of its own.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use memchr::memmem;
use seawall_base::clock::SystemClock;
use seawall_budget::Ledger;
use seawall_checkpoint::Checkpoint;
use seawall_checkpoint::tool::Resolver;
use seawall_engine::{EffectClass, ToolSpec};
use seawall_llm_client::{Requester, client_config};
use seawall_policy::{Declared, Policy};
use seawall_sandbox::Sandbox;
use seawall_store::AgentStore;
use seawall_store::agents::Owner;
use seawall_tools::{Call, Description, Outcome, Registry, Tool};
use seawall_trace::{MemoryHeads, Writer};
use seawall_types::{Clock, Mode, Usd};
use serde_json::json;

use crate::{
    BoxFuture, Model, NoReply, Parts, Pieces, Policies, Question, Reply, Runtime, Settings, Templates,
};

/// The template of agents that are measured.
pub const TEMPLATE: &str = "bench";

/// What can't be put together.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

/// No agent is let go of while something is measured.
const IDLE_AFTER: Duration = Duration::from_hours(1);

/// A runtime, and the writer of its trace.
#[derive(Debug)]
pub struct Around {
    /// The runtime.
    pub runtime: Runtime,
    /// To be stopped after it.
    pub writer: Writer,
}

/// A runtime on this store, with everything else in a folder, and a model that wants a tool so many times, one after the
/// other, before it answers. Must be called within a tokio runtime.
///
/// # Errors
/// When the folder can't be used.
pub fn around(folder: &Path, store: Arc<dyn AgentStore>, calls: usize) -> Result<Around, Fault> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let options = seawall_trace::Options::new(folder.join("runs"));
    let (writer, trace) = Writer::start(options, Arc::new(MemoryHeads::default()), Arc::clone(&clock))?;
    let ledger = Arc::new(Ledger::in_memory(Vec::new()));
    let templates = Templates::new();
    templates.add(serde_json::from_value(json!({
        "id": TEMPLATE,
        "system_prompt": "You are fast.",
        "model": { "provider": "openai", "name": "instant" },
        "tools": "*",
    }))?);
    let runtime = Runtime::start(Parts {
        store,
        checkpoint: Arc::new(Checkpoint::new(ledger, trace, Arc::clone(&clock))),
        policies: Arc::new(Anything(Arc::new(Policy::off(Mode::Strict)))),
        resolver: Arc::new(NoNames),
        model: Arc::new(Instant { calls }),
        templates: Arc::new(templates),
        tools: Arc::new(Registry::with([Arc::new(Kilobyte::new()) as Arc<dyn Tool>])?),
        servers: None,
        sandbox: Sandbox::of_this_program(),
        requester: Requester::new(&client_config()?, Duration::from_secs(5)),
        hooks: Vec::new(),
        clock,
        settings: Settings {
            max_agents: 100_000,
            idle_after: IDLE_AFTER,
            places: folder.join("agents"),
            ..Settings::default()
        },
    });
    Ok(Around { runtime, writer })
}

#[derive(Debug)]
struct Anything(Arc<Policy>);

impl Policies for Anything {
    fn generation(&self) -> u64 {
        1
    }

    fn policy_for(&self, _owner: &Owner, _folder: &Path) -> Arc<Policy> {
        Arc::clone(&self.0)
    }
}

#[derive(Debug)]
struct NoNames;

impl Resolver for NoNames {
    fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// A tool that gives a kilobyte at once.
#[derive(Debug)]
struct Kilobyte(Description);

impl Kilobyte {
    fn new() -> Self {
        let spec = ToolSpec { effect: EffectClass::Pure, mutates: Some(false), ..ToolSpec::default() };
        Self(Description {
            name: "weather".into(),
            description: "The weather.".into(),
            parameters: Arc::new(json!({ "type": "object", "properties": { "city": { "type": "string" } } })),
            spec,
            effects: Declared::Nothing,
            manual: None,
        })
    }
}

impl Tool for Kilobyte {
    fn description(&self) -> &Description {
        &self.0
    }

    fn call<'a>(&'a self, _call: Call<'a>) -> seawall_tools::BoxFuture<'a, Outcome> {
        Box::pin(async { Outcome::text("sunny ".repeat(170)) })
    }
}

/// A model that wants the tool some times, and then says half a kilobyte in four pieces.
#[derive(Debug)]
struct Instant {
    calls: usize,
}

impl Model for Instant {
    fn ask(&self, question: Question) -> BoxFuture<'_, Result<Reply, NoReply>> {
        let turn = memmem::rfind(&question.body, b"\"role\":\"user\"").unwrap_or(0);
        let since = question.body.get(turn..).unwrap_or_default();
        let told = memmem::find_iter(since, b"\"role\":\"tool\"").count();
        let body = if told < self.calls { wish() } else { words() };
        Box::pin(async move {
            question.cost.send_replace(Some(Usd::from_picos(1_000)));
            Ok(Reply {
                status: StatusCode::OK,
                headers: http::HeaderMap::new(),
                body: Box::new(Once(Some(body))),
            })
        })
    }
}

#[derive(Debug)]
struct Once(Option<Bytes>);

impl Pieces for Once {
    fn next(&mut self) -> BoxFuture<'_, Option<Result<Bytes, NoReply>>> {
        Box::pin(std::future::ready(self.0.take().map(Ok)))
    }
}

const END: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":20}}\n\ndata: [DONE]\n\n";

fn wish() -> Bytes {
    let call = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"weather\",\"arguments\":\"{\\\"city\\\":\\\"Oslo\\\"}\"}}]}}]}\n\n";
    let stop = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n";
    Bytes::from([call, stop, END].concat())
}

fn words() -> Bytes {
    let piece = format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n",
        "It is sunny. ".repeat(10)
    );
    let stop = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    Bytes::from([&piece.repeat(4), stop, END].concat())
}

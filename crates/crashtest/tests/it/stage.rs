//! Everything that a runtime needs beside its store, and a clock that can be moved.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use seawall_base::clock::SystemClock;
use seawall_budget::Ledger;
use seawall_checkpoint::Checkpoint;
use seawall_checkpoint::tool::Resolver;
use seawall_llm_client::sim::{Options, Sim};
use seawall_llm_client::{Requester, client_config};
use seawall_policy::Policy;
use seawall_runtime::{Parts, Policies, Runtime, Settings, Templates};
use seawall_sandbox::Sandbox;
use seawall_store::AgentStore;
use seawall_store::agents::Owner;
use seawall_trace::{Durability, MemoryHeads, Writer};
use seawall_types::{Clock, Mode, Timestamp};
use serde_json::json;

use crate::doomed::Doom;
use crate::plan::Plan;
use crate::tools::{self, Workshop};
use crate::witness::Witness;
use crate::{model, plan};

/// The template of all agents.
pub(crate) const TEMPLATE: &str = "story";

/// The machine's clock, and how far this one is off. Time that passes is the machine's own.
#[derive(Debug)]
pub(crate) struct Shifted(AtomicI64);

impl Shifted {
    pub(crate) fn new(seconds: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(seconds)))
    }

    pub(crate) fn jump(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for Shifted {
    fn now(&self) -> Timestamp {
        let micros = self.0.load(Ordering::SeqCst).saturating_mul(1_000_000);
        Timestamp::from_micros(SystemClock::new().now().as_micros().saturating_add_signed(micros))
    }

    fn monotonic(&self) -> Duration {
        SystemClock::new().monotonic()
    }
}

/// A policy that allows everything, and that is asked for every time anew.
#[derive(Debug)]
struct Everything {
    doom: Arc<Doom>,
    asked: AtomicU64,
}

impl Policies for Everything {
    fn generation(&self) -> u64 {
        self.asked.fetch_add(1, Ordering::SeqCst)
    }

    fn policy_for(&self, _owner: &Owner, _folder: &Path) -> Arc<Policy> {
        self.doom.judge();
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

/// A runtime on a store. Must be called within a tokio runtime. The writer of its trace ends with its last user.
pub(crate) fn runtime(
    plan: &Plan,
    store: Arc<dyn AgentStore>,
    clock: &Arc<Shifted>,
    doom: &Arc<Doom>,
    witness: &Arc<Witness>,
) -> (Runtime, Writer) {
    let plan::Plan { folder, lease, .. } = plan;
    let clock = Arc::clone(clock);
    let options = seawall_trace::Options {
        durability: Durability::Group { every: Duration::from_millis(1) },
        ..seawall_trace::Options::new(folder.join("runs"))
    };
    let (writer, trace) =
        Writer::start(options, Arc::new(MemoryHeads::default()), Arc::clone(&clock) as _).unwrap();
    let ledger = Arc::new(Ledger::in_memory(Vec::new()));
    let templates = Templates::new();
    let template = json!({
        "id": TEMPLATE,
        "system_prompt": "You are a test.",
        "model": { "provider": "openai", "name": "sim-1" },
        "tools": "*",
        "permission": { "mode": "auto", "require_approval_tools": ["asked"] },
    });
    templates.add(serde_json::from_value(template).unwrap());
    let gate = plan.gated.map(|number| (number, folder.join("gate")));
    let (witness, jumps) = (Arc::clone(witness), plan.jumps.clone());
    let shop = Arc::new(Workshop { witness: Arc::clone(&witness), clock: Arc::clone(&clock), jumps, gate });
    let sim = Sim::new(Options::default(), Arc::clone(&clock) as _);
    let runtime = Runtime::start(Parts {
        store,
        checkpoint: Arc::new(Checkpoint::new(ledger, trace, Arc::clone(&clock) as _)),
        policies: Arc::new(Everything { doom: Arc::clone(doom), asked: AtomicU64::new(0) }),
        resolver: Arc::new(NoNames),
        model: Arc::new(model::Witnessed { sim, witness }),
        templates: Arc::new(templates),
        tools: Arc::new(tools::registry(&shop)),
        servers: None,
        sandbox: Sandbox::of_this_program(),
        requester: Requester::new(&client_config().unwrap(), Duration::from_secs(5)),
        hooks: Vec::new(),
        clock: Arc::clone(&clock) as _,
        settings: Settings {
            retry_after: (Duration::from_millis(1), Duration::from_millis(20)),
            lease: Duration::from_millis(*lease),
            places: folder.join("agents"),
            ..Settings::default()
        },
    });
    (runtime, writer)
}

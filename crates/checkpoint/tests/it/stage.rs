//! A checkpoint with everything around it that it needs.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use seawall_base::id;
use seawall_budget::{Ledger, Limit, OnStoreDown};
use seawall_checkpoint::tool::{Resolver, RunState, ToolCall, ToolPermit};
use seawall_checkpoint::{Approver, Binding, Checkpoint, Denial};
use seawall_config::{Document, read};
use seawall_policy::{Declared, Performer, Policy, PolicyFile, Setting};
use seawall_trace::{MemoryHeads, OnUnavailable, Options, Writer};
use seawall_types::{Actor, ManualClock, Mode, RunId, Scope, Timestamp, Usd, Window};
use serde_json::Value;
use tempfile::TempDir;

/// Names and what they lead to; counts the look-ups.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) known: HashMap<&'static str, Vec<IpAddr>>,
    pub(crate) lookups: AtomicUsize,
}

impl Resolver for Names {
    fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        self.known.get(host).cloned().ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }
}

pub(crate) struct Stage {
    folder: TempDir,
    pub(crate) checkpoint: Arc<Checkpoint>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) run: RunId,
    pub(crate) state: Arc<RunState>,
    pub(crate) actor: Arc<Actor>,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) names: Names,
    _writer: Writer,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with_budget(None)
    }

    pub(crate) fn with_budget(usd: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_767_323_045_000_000)));
        let run = id::new_run(&*clock);
        let limits: Vec<_> = usd
            .map(|usd| Limit {
                scope: Scope::Run(run),
                window: Window::Total,
                usd: Some(usd.parse().unwrap()),
                tokens: None,
                on_store_down: OnStoreDown::Closed,
            })
            .into_iter()
            .collect();
        let scopes = limits.iter().map(|limit| limit.scope.clone()).collect();
        let options = Options::new(folder.path().join("runs"));
        let (writer, trace) =
            Writer::start(options, Arc::new(MemoryHeads::default()), Arc::clone(&clock) as _).unwrap();
        trace.start_run(run, "test", &());
        let ledger = Arc::new(Ledger::in_memory(limits));
        let checkpoint = Arc::new(Checkpoint::new(ledger, trace, Arc::clone(&clock) as _));
        Self {
            folder,
            checkpoint,
            clock,
            run,
            state: Arc::default(),
            actor: Arc::default(),
            scopes,
            names: Names::default(),
            _writer: writer,
        }
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn strict(&self, written: &Value) -> Arc<Policy> {
        self.policy(written, Mode::Strict)
    }

    pub(crate) fn policy(&self, written: &Value, mode: Mode) -> Arc<Policy> {
        let file = read(&Document::from_value(written), PolicyFile::declare).unwrap();
        Arc::new(file.compile(&Setting { mode, folder: self.root(), sandbox: None }, "test"))
    }

    pub(crate) fn admit(
        &self,
        policy: &Arc<Policy>,
        tool: &str,
        arguments: &Value,
    ) -> Result<ToolPermit, Denial> {
        self.admit_asking(policy, tool, arguments, None, Usd::ZERO)
    }

    pub(crate) fn admit_asking(
        &self,
        policy: &Arc<Policy>,
        tool: &str,
        arguments: &Value,
        approver: Option<&dyn Approver>,
        cost: Usd,
    ) -> Result<ToolPermit, Denial> {
        self.admit_call(&self.call(policy, tool, arguments, approver, cost))
    }

    pub(crate) fn call<'a>(
        &'a self,
        policy: &'a Arc<Policy>,
        tool: &'a str,
        arguments: &'a Value,
        approver: Option<&'a dyn Approver>,
        cost: Usd,
    ) -> ToolCall<'a> {
        ToolCall {
            run: self.run,
            state: &self.state,
            actor: &self.actor,
            name: tool,
            arguments,
            binding: &Binding::Arguments,
            effects: &Declared::Nothing,
            performer: Performer::Us,
            cost,
            scopes: &self.scopes,
            policy,
            resolver: &self.names,
            approver,
            approvals: &[],
            wait_for_approval: Duration::ZERO,
            on_unavailable: OnUnavailable::Refuse,
        }
    }

    pub(crate) fn admit_call(&self, call: &ToolCall<'_>) -> Result<ToolPermit, Denial> {
        self.checkpoint.admit_tool(id::new_action(&*self.clock), call)
    }

    /// Every line of the trace until now.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.checkpoint.trace().flush().unwrap();
        let found =
            seawall_trace::read::find(&self.folder.path().join("runs"), &self.run.to_string()).unwrap();
        let text = std::fs::read_to_string(found.dir.join("trace.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The `data` of the lines of this kind.
    pub(crate) fn data(&self, kind: &str) -> Vec<Value> {
        self.lines()
            .into_iter()
            .filter(|line| line["kind"] == kind)
            .map(|mut line| line["data"].take())
            .collect()
    }
}

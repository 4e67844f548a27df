//! Reading the configuration again while running: checked first, then swapped at once; requests under way keep the old.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seawall_config::{Document, Entry, show};
use seawall_gateway::{Gateway, Snapshot};
use seawall_llm_client::sim::Sim;
use seawall_server::ReloadOutcome;
use seawall_store::Store;
use seawall_types::EventKind;
use serde_json::Value;

use super::callers::Callers;
use super::{KeyPolicies, Plan, Request, Watching, callers, directory, key_required, limits};
use crate::settings::Settings;

/// Keys whose change holds after a restart only.
const NEEDS_RESTART: [&str; 12] = [
    "gateway.listen",
    "gateway.busy_poll",
    "trace.durability",
    "trace.group_every",
    "trace.retention",
    "trace.sign_key",
    "approvals",
    "store",
    "logging",
    "metrics",
    "otlp",
    "agents",
];

/// The effective configuration.
type Keys = BTreeMap<String, Setting>;

/// What a key is set to: as it may be shown, and a mark of what that hides.
#[derive(Debug, PartialEq, Eq)]
struct Setting {
    shown: Value,
    mark: Option<blake3::Hash>,
}

/// What a reload works on. One change at a time: of the configuration, or of the keys in the store.
pub(crate) struct Reloading {
    request: Request,
    gateway: Arc<Gateway>,
    sim: Sim,
    store: Arc<dyn Store>,
    watching: Watching,
    /// The configuration that the server was started with: of keys that need a restart it is the one in force.
    at_start: Keys,
    in_force: Mutex<InForce>,
}

/// What a reload compares with.
struct InForce {
    keys: Keys,
    /// Its files.
    files: Vec<PathBuf>,
    /// Those of the keys' policies.
    policies: Vec<PathBuf>,
    /// Those among them that have nothing in them, on purpose as it seems.
    empty: Vec<PathBuf>,
}

impl InForce {
    fn of(plan: &Plan, policies: Vec<PathBuf>) -> Self {
        let empty = plan.document.empty_files().to_vec();
        Self { keys: effective(&plan.document), files: plan.files.clone(), policies, empty }
    }
}

impl Reloading {
    /// What reloads this gateway. Its files are watched from here on.
    pub(crate) fn new(
        request: Request,
        plan: &Plan,
        gateway: Arc<Gateway>,
        sim: Sim,
        store: Arc<dyn Store>,
        watching: Watching,
    ) -> Self {
        let in_force = Mutex::new(InForce::of(plan, Vec::new()));
        Self { request, gateway, sim, store, watching, at_start: effective(&plan.document), in_force }
    }

    /// Watches the files of the configuration, and those of the keys' policies.
    pub(crate) fn follow(&self, policies: &KeyPolicies) {
        let mut in_force = self.lock();
        in_force.policies = policies.files().map(Path::to_owned).collect();
        self.watch(&in_force.files, &in_force.policies);
    }

    fn watch(&self, files: &[PathBuf], policies: &[PathBuf]) {
        self.watching.follow(files.iter().chain(policies).map(PathBuf::as_path));
    }

    /// Reads everything. Files that are named for the first time are read again once they are watched, so that no change of
    /// theirs falls in between.
    fn plan(&self, in_force: &InForce) -> Result<Plan, String> {
        let plan = self.request.plan().map_err(|failure| failure.to_string())?;
        if plan.files == in_force.files {
            return Ok(plan);
        }
        self.watch(&plan.files, &in_force.policies);
        self.request.plan().map_err(|failure| failure.to_string())
    }

    /// Reads everything again and puts it into force, or says what is wrong and changes nothing.
    pub(crate) fn reload(&self) -> Result<ReloadOutcome, String> {
        let mut in_force = self.lock();
        let plan = self.plan(&in_force)?;
        // Many programs empty a file before they write it. What is read in between would be the defaults, and calls would go
        // wherever those lead.
        let emptied = |file: &&PathBuf| !in_force.empty.contains(file);
        if let Some(file) = plan.document.empty_files().iter().find(emptied) {
            let file = file.display();
            return Err(format!("{file}: the file is empty; write it, or restart to run with the defaults"));
        }
        let policies = self.put_into_force(&plan).map_err(|error| format!("{error:#}"))?;
        let policies = policies.files().map(Path::to_owned).collect();
        let before = std::mem::replace(&mut *in_force, InForce::of(&plan, policies));
        self.watch(&in_force.files, &in_force.policies);
        Ok(outcome(&self.at_start, &before.keys, &in_force.keys))
    }

    /// Takes over the keys that another process (the command line) changed in the store.
    pub(crate) fn keys_changed(&self) -> Result<usize, String> {
        let mut in_force = self.lock();
        let (count, policies) = callers::take_over(&self.gateway, &*self.store, &self.request.environment)
            .map_err(|error| format!("{error:#}"))?;
        in_force.policies = policies.files().map(Path::to_owned).collect();
        self.watch(&in_force.files, &in_force.policies);
        Ok(count)
    }

    fn put_into_force(&self, plan: &Plan) -> anyhow::Result<KeyPolicies> {
        let snapshot = self.snapshot(plan)?;
        let Callers { ring, policies, .. } =
            callers::read(&*self.store, &snapshot.settings, &self.request.environment)?;
        let run = self.gateway.run();
        let limits = limits(&snapshot.settings, &snapshot.policy, run, &*self.store, &policies)?;
        // From here on nothing fails. The limits come first: no request that sees the new configuration is paid for out of
        // the old ones.
        let checkpoint = self.gateway.checkpoint();
        checkpoint.trace().set_on_unavailable(plan.on_unavailable());
        checkpoint.trace().set_content(plan.settings.trace.content.content());
        checkpoint.ledger().replace_limits(limits);
        self.gateway.set_keys(ring);
        self.gateway.mcp().configure(plan.mcp.clone());
        let old = self.gateway.reload(snapshot);
        if old.policy != plan.policy {
            checkpoint.announce_policy(run, EventKind::PolicyChanged, &plan.policy);
        }
        Ok(policies)
    }

    fn snapshot(&self, plan: &Plan) -> anyhow::Result<Snapshot> {
        let old = self.gateway.snapshot();
        let mut settings = plan.settings.gateway.clone();
        // What needs a restart stays as it is, or the next reload would take it for what is in force.
        settings.listen.clone_from(&old.settings.listen);
        settings.busy_poll = old.settings.busy_poll;
        settings.trace_before_sending = old.settings.trace_before_sending;
        let directory = directory::build(&settings, &self.sim, self.request.workers, Some(&old.directory))?;
        if let (Some(tokens), Some(earlier)) = (&plan.tokens, &old.tokens) {
            tokens.inherit(earlier);
        }
        // The address can't change without a restart, so whether it is loopback is as it was.
        let address = seawall_server::Server::address_of(&old.settings.listen)
            .map_err(|error| anyhow::anyhow!(error.to_string()))?;
        Ok(Snapshot {
            key_required: key_required(&self.request, plan, address),
            tokens: plan.tokens.clone(),
            settings,
            directory,
            policy: Arc::clone(&plan.policy),
            prices: Arc::clone(&plan.prices),
            generation: 0,
        })
    }

    fn lock(&self) -> MutexGuard<'_, InForce> {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is another than before; and what is another than at the start, and needs a restart for that.
fn outcome(at_start: &Keys, before: &Keys, now: &Keys) -> ReloadOutcome {
    let (mut needs_restart, mut changed) = (differing(at_start, now), differing(before, now));
    needs_restart.retain(|key| is_among(&NEEDS_RESTART, key));
    changed.retain(|key| !is_among(&NEEDS_RESTART, key));
    ReloadOutcome { changed, needs_restart }
}

/// The keys that have another value in one of these than in the other, in their order.
fn differing(one: &Keys, other: &Keys) -> Vec<String> {
    let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    keys.into_iter().filter(|key| one.get(*key) != other.get(*key)).cloned().collect()
}

/// Whether the key, or a table that it is in, is one of these.
fn is_among(these: &[&str], key: &str) -> bool {
    let leads = |rest: &str| rest.is_empty() || rest.starts_with(['.', '[']);
    these.iter().any(|one| key.strip_prefix(one).is_some_and(leads))
}

fn effective(document: &Document) -> Keys {
    let setting = |entry: Entry| {
        let mark = entry.hidden.map(|hidden| blake3::hash(hidden.expose().as_bytes()));
        (entry.key, Setting { shown: entry.value, mark })
    };
    show(document, Settings::declare).into_iter().map(setting).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys whose change holds at once. Tables are named whole where everything in them does.
    const AT_ONCE: [&str; 19] = [
        "gateway.mode",
        "gateway.limits",
        "gateway.timeouts",
        "gateway.trusted_proxies",
        "gateway.websockets",
        "gateway.passthrough",
        "gateway.tool_denied",
        "auth",
        "upstreams",
        "routes",
        "prices",
        "budgets",
        "ledger",
        "cache",
        "rate_limits",
        "policy",
        "trace.content",
        "trace.on_unavailable",
        "mcp",
    ];

    #[test]
    fn every_key_is_known_to_hold_at_once_or_after_a_restart() {
        let keys = seawall_config::keys(Settings::declare);
        let leaves = keys.iter().filter(|key| key.type_name != "table");
        for key in leaves.map(|key| key.key.as_str()) {
            let (restart, at_once) = (is_among(&NEEDS_RESTART, key), is_among(&AT_ONCE, key));
            assert!(restart != at_once, "{key}: after a restart: {restart}, at once: {at_once}");
        }
        let known = |name: &&str| keys.iter().all(|key| !is_among(&[*name], &key.key));
        let unknown: Vec<&str> =
            NEEDS_RESTART.into_iter().chain(AT_ONCE).filter(|name| known(name)).collect();
        assert!(unknown.is_empty(), "no such keys: {unknown:?}");
    }
}

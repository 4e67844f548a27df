//! Reading the configuration again while running: checked first, then swapped at once; requests under way keep the old.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use seawall_base::config::{Document, show};
use seawall_gateway::{Gateway, Snapshot};
use seawall_llm_client::sim::Sim;
use seawall_server::ReloadOutcome;
use seawall_store::Store;
use seawall_types::{EventKind, RunId};
use serde_json::Value;

use super::{Plan, Request, directory, key_required, limits};
use crate::settings::Settings;

/// Keys whose change holds after a restart only.
const NEEDS_RESTART: [&str; 5] =
    ["gateway.listen", "trace.durability", "trace.group_every", "store", "logging"];

/// What a reload works on.
pub(crate) struct Reloading {
    request: Request,
    gateway: Arc<Gateway>,
    sim: Sim,
    run: RunId,
    store: Arc<dyn Store>,
    /// The keys in force, to tell what a reload changes.
    keys: Mutex<BTreeMap<String, Value>>,
}

impl Reloading {
    pub(crate) fn new(
        request: Request,
        document: &Document,
        gateway: Arc<Gateway>,
        sim: Sim,
        run: RunId,
        store: Arc<dyn Store>,
    ) -> Self {
        Self { request, gateway, sim, run, store, keys: Mutex::new(effective(document)) }
    }

    /// Reads everything again and puts it into force, or says what is wrong and changes nothing.
    pub(crate) fn reload(&self) -> Result<ReloadOutcome, String> {
        let plan = self.request.plan().map_err(|failure| failure.to_string())?;
        let snapshot = self.snapshot(&plan)?;
        let checkpoint = self.gateway.checkpoint();
        let limits = limits(&plan, self.run, &*self.store).map_err(|failure| failure.to_string())?;
        // The limits first: no request that sees the new configuration is paid for out of the old ones.
        checkpoint.ledger().replace_limits(limits);
        let old = self.gateway.reload(snapshot);
        if old.policy != plan.policy {
            checkpoint.announce_policy(self.run, EventKind::PolicyChanged, &plan.policy);
        }
        Ok(self.outcome(&plan.document))
    }

    fn snapshot(&self, plan: &Plan) -> Result<Snapshot, String> {
        let settings = plan.settings.gateway.clone();
        let directory = directory::build(&settings, &self.sim, self.request.workers)
            .map_err(|error| error.to_string())?;
        let old = self.gateway.snapshot();
        if let (Some(tokens), Some(earlier)) = (&plan.tokens, &old.tokens) {
            tokens.inherit(earlier);
        }
        // The address can't change without a restart, so whether it is loopback is as it was.
        let address =
            seawall_server::Server::address_of(&old.settings.listen).map_err(|error| error.to_string())?;
        Ok(Snapshot {
            key_required: key_required(&self.request, plan, address),
            tokens: plan.tokens.clone(),
            settings,
            directory,
            policy: Arc::clone(&plan.policy),
            prices: Arc::clone(&plan.prices),
        })
    }

    fn outcome(&self, document: &Document) -> ReloadOutcome {
        let new = effective(document);
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let differs = |key: &&String| keys.get(*key) != new.get(*key);
        let all: std::collections::BTreeSet<&String> = keys.keys().chain(new.keys()).collect();
        let changed: Vec<String> = all.into_iter().filter(differs).cloned().collect();
        *keys = new;
        let (needs_restart, changed) = changed.into_iter().partition(|key| {
            NEEDS_RESTART.iter().any(|prefix| {
                key.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
        });
        ReloadOutcome { changed, needs_restart }
    }
}

fn effective(document: &Document) -> BTreeMap<String, Value> {
    show(document, Settings::declare).into_iter().map(|entry| (entry.key, entry.value)).collect()
}

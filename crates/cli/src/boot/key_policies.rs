//! The policies that API keys name, read for all keys at once.
//!
//! One that can't be read stops the keys that name it, and nothing else: a server must start, and take over a revoked key,
//! although somebody moved a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use seawall_base::config::Environment;
use seawall_checkpoint::Policy;
use seawall_store::KeyRow;
use seawall_types::Mode;

use crate::policy;

/// The policies of keys, by the name that the keys have for them.
#[derive(Debug, Default)]
pub(crate) struct KeyPolicies(BTreeMap<String, Result<Found, String>>);

#[derive(Debug)]
struct Found {
    policy: Arc<Policy>,
    file: Option<PathBuf>,
}

impl KeyPolicies {
    /// Reads the policies that these keys name; one that says no mode has that of the gateway.
    pub(crate) fn read(rows: &[KeyRow], mode: Mode, environment: &Environment) -> Self {
        let mut policies = BTreeMap::new();
        for name in rows.iter().filter_map(|row| row.policy.as_ref()) {
            policies.entry(name.clone()).or_insert_with(|| {
                policy::named(name, mode, environment)
                    .map(|(policy, file)| Found { policy: Arc::new(policy), file })
                    .inspect_err(|error| tracing::error!(%error, "keys with this policy can't be used"))
            });
        }
        Self(policies)
    }

    /// The policy of this name.
    ///
    /// # Errors
    /// Why it can't be read.
    pub(crate) fn find(&self, name: &str) -> Result<Arc<Policy>, String> {
        match self.0.get(name) {
            Some(Ok(found)) => Ok(Arc::clone(&found.policy)),
            Some(Err(error)) => Err(error.clone()),
            None => Err(format!("the policy {name:?} was not read")),
        }
    }

    /// The files that they are in.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.0.values().flatten().filter_map(|found| found.file.as_deref())
    }
}

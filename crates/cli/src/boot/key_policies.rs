//! The policies that API keys name, read for all keys at once.
//!
//! One that can't be read stops the keys that name it, and nothing else: a server must start, and take over a revoked key,
//! although somebody moved a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use seawall_config::Environment;
use seawall_policy::Policy;
use seawall_store::KeyRow;
use seawall_types::Mode;

use crate::policy;

/// The policies of keys, by the name that the keys have for them.
#[derive(Debug, Default)]
pub(crate) struct KeyPolicies(BTreeMap<String, KeyPolicy>);

#[derive(Debug)]
struct KeyPolicy {
    policy: Result<Arc<Policy>, String>,
    files: Vec<PathBuf>,
}

impl KeyPolicies {
    /// Reads the policies that these keys name; one that says no mode has that of the gateway.
    pub(crate) fn read(rows: &[KeyRow], mode: Mode, environment: &Environment) -> Self {
        let mut policies = BTreeMap::new();
        for name in rows.iter().filter_map(|row| row.policy.as_ref()) {
            policies.entry(name.clone()).or_insert_with(|| {
                let policy::Named { policy, files } = policy::named(name, mode, environment);
                let policy = policy.map(Arc::new).map_err(|errors| policy::faults("policy", &errors));
                if let Err(error) = &policy {
                    tracing::error!(%error, "keys with this policy can't be used");
                }
                KeyPolicy { policy, files }
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
            Some(found) => found.policy.clone(),
            None => Err(format!("the policy {name:?} was not read")),
        }
    }

    /// The files that they are in, or should be: one that can't be read now may be mended.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.0.values().flat_map(|found| &found.files).map(PathBuf::as_path)
    }
}

//! The configuration as a request sees it.

use std::sync::Arc;

use seawall_llm::price::{Price, Prices};
use seawall_llm::wire::Dialect;
use seawall_policy::Policy;

use crate::{Directory, Settings, Tokens};

/// What a request sees of the configuration: it keeps the one it began with.
#[derive(Debug)]
pub struct Snapshot {
    /// The settings.
    pub settings: Settings,
    /// Upstreams and routes.
    pub directory: Directory,
    /// The policy for callers who have none of their own.
    pub policy: Arc<Policy>,
    /// Prices.
    pub prices: Arc<Prices>,
    /// Whether callers must show a key of ours or a token.
    pub key_required: bool,
    /// What verifies tokens, where an issuer is configured.
    pub tokens: Option<Arc<Tokens>>,
    /// How many were in force before it. The gateway counts them, whatever is given here.
    pub generation: u64,
}

impl Snapshot {
    /// The price of a model for a request of this dialect.
    pub(crate) fn price(&self, dialect: Dialect, model: &str) -> Option<Arc<Price>> {
        self.prices.find(dialect.into(), model).cloned()
    }
}

//! The gateway: what all requests share.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::HeaderMap;
use seawall_base::tasks::Group;
use seawall_checkpoint::Checkpoint;
use seawall_mcp::Proxy;
use seawall_types::{Clock, RunId};

use crate::address::client_address;
use crate::cache::Cache;
use crate::in_flight::Count;
use crate::rates::{Place, Rated, Rates};
use crate::{Caller, KeyRing, Metrics, People, Snapshot};
use seawall_base::memory::ByteBudget;

/// What a gateway is made of.
#[derive(Debug)]
pub struct Parts {
    /// The run of this session.
    pub run: RunId,
    /// The checkpoint.
    pub checkpoint: Arc<Checkpoint>,
    /// The configuration.
    pub snapshot: Snapshot,
    /// The API keys.
    pub keys: KeyRing,
    /// The metrics.
    pub metrics: Metrics,
    /// Who asks people about calls of tools. `None`: nobody can be asked, and such calls are refused.
    pub people: Option<People>,
    /// The bytes that all requests buffer together.
    pub memory: Arc<ByteBudget>,
    /// The servers of tools behind `/mcp`.
    pub mcp: Arc<Proxy>,
}

/// The proxy. Shared by all workers.
#[derive(Debug)]
pub struct Gateway {
    run: RunId,
    checkpoint: Arc<Checkpoint>,
    snapshot: ArcSwap<Snapshot>,
    keys: ArcSwap<KeyRing>,
    rates: Rates,
    metrics: Metrics,
    memory: Arc<ByteBudget>,
    mcp: Arc<Proxy>,
    cache: Arc<Cache>,
    reloads: AtomicU64,
    anonymous: Arc<Caller>,
    people: Option<People>,
    in_flight: Count,
    draining: AtomicBool,
    /// What goes on after a client has gone.
    afterwards: Group,
}

impl Gateway {
    /// A gateway of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        let cache = Cache::new(Arc::clone(parts.checkpoint.clock()));
        cache.renew(parts.snapshot.settings.cache.as_ref());
        Arc::new(Self {
            run: parts.run,
            checkpoint: parts.checkpoint,
            snapshot: ArcSwap::from_pointee(Snapshot { generation: 0, ..parts.snapshot }),
            keys: ArcSwap::from_pointee(parts.keys),
            rates: Rates::default(),
            metrics: parts.metrics,
            memory: parts.memory,
            mcp: parts.mcp,
            cache,
            reloads: AtomicU64::new(0),
            anonymous: Arc::new(Caller::anonymous()),
            people: parts.people,
            in_flight: Count::default(),
            draining: AtomicBool::new(false),
            afterwards: Group::new(),
        })
    }

    /// The run of this session.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// The checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> &Arc<Checkpoint> {
        &self.checkpoint
    }

    /// The configuration in force.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The API keys in force.
    #[must_use]
    pub fn keys(&self) -> Arc<KeyRing> {
        self.keys.load_full()
    }

    /// Puts another configuration into force, for requests that come from now on, and gives the old one. Answers that were
    /// kept are forgotten.
    pub fn reload(&self, snapshot: Snapshot) -> Arc<Snapshot> {
        let generation = self.reloads.fetch_add(1, Ordering::Relaxed) + 1;
        let new = Arc::new(Snapshot { generation, ..snapshot });
        let old = self.snapshot.swap(Arc::clone(&new));
        // Only for the room: what was answered under another configuration isn't found under this one.
        self.cache.renew(new.settings.cache.as_ref());
        old
    }

    /// Puts other API keys into force.
    pub fn set_keys(&self, keys: KeyRing) {
        self.keys.store(Arc::new(keys));
    }

    /// From now on new requests are refused; those under way finish.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.mcp.drain();
    }

    /// Whether it refuses new requests because the server stops.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// Requests under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.now()
    }

    /// Where a request really comes from: what the trusted proxies before us say, as far as they are trusted.
    #[must_use]
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        client_address(peer, headers, &self.snapshot.load().settings.trusted_proxies)
    }

    /// Counts a request to one of the server's own routes against the rate limits of its address.
    ///
    /// # Errors
    /// How long to wait, when there were too many.
    pub fn arrive_at_own_route(&self, path: &str, address: IpAddr) -> Result<(), Duration> {
        let (snapshot, now) = (self.snapshot.load(), self.clock().monotonic());
        self.rates
            .arrive(&snapshot.settings.rate_limits, address, Place::own(path), now)
            .map_err(|limited| limited.retry_after)
    }

    /// Counts a request to one of the server's own routes against the rate limits of its caller.
    ///
    /// # Errors
    /// How long to wait, when there were too many.
    pub fn take_own_rate(
        &self,
        path: &str,
        address: IpAddr,
        caller: Option<&Caller>,
    ) -> Result<(), Duration> {
        let caller = caller.unwrap_or(&self.anonymous);
        let rated = Rated { caller, address, model: None, place: Place::own(path), prompt: 0, output: 0 };
        let snapshot = self.snapshot.load();
        let taken = self.rates.take(&snapshot.settings.rate_limits, &rated, self.clock().monotonic());
        taken.map(|_counted| ()).map_err(|limited| limited.retry_after)
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        self.checkpoint.clock()
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn rates(&self) -> &Rates {
        &self.rates
    }

    pub(crate) fn memory(&self) -> &Arc<ByteBudget> {
        &self.memory
    }

    /// The servers of tools behind `/mcp`.
    #[must_use]
    pub fn mcp(&self) -> &Arc<Proxy> {
        &self.mcp
    }

    pub(crate) fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    pub(crate) fn counted_in_flight(&self) -> &Count {
        &self.in_flight
    }

    /// Goes on with something that no client waits for. Where nothing runs any more, the task is dropped at once.
    pub(crate) fn afterwards(&self, task: impl Future<Output = ()> + Send + 'static) {
        if tokio::runtime::Handle::try_current().is_ok() {
            self.afterwards.spawn("rest of an answer", task);
        }
    }

    /// Whoever calls without a key of ours.
    pub(crate) fn anonymous(&self) -> Arc<Caller> {
        Arc::clone(&self.anonymous)
    }

    /// A key set of the tokens' issuer could not be read; counted for the operator.
    pub fn count_key_set_failure(&self) {
        self.metrics.jwt_refresh_failures.inc();
    }

    /// Who asks people about calls of tools.
    pub(crate) fn people(&self) -> Option<&People> {
        self.people.as_ref()
    }

    /// Whether any budget in money has a limit.
    pub(crate) fn has_money_limit(&self) -> bool {
        self.checkpoint.ledger().show(self.clock().now()).iter().any(|account| account.limit_usd.is_some())
    }
}

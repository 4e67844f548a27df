//! The gateway: what all requests share, and the column of phases that each goes down.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use seawall_base::id;
use seawall_base::tasks::Group;
use seawall_checkpoint::Checkpoint;
use seawall_llm::price::{Price, Prices};
use seawall_llm::wire::Dialect;
use seawall_llm_client::BreakerState;
use seawall_types::{ActionId, Actor, Clock, Mode, RequestId, RunId, Scope, Verdict};

use crate::address::client_address;
use crate::cache::Cache;
use crate::memory::ByteBudget;
use crate::metrics::{method_label, seconds};
use crate::phase::{self, Accepted, Asked};
use crate::rates::{Rated, Rates};
use crate::refusal::Refusal;
use crate::{Caller, Directory, GatewayBody, KeyRing, Metrics, Settings, Tokens, header};

/// What a request sees of the configuration: it keeps the one it began with.
#[derive(Debug)]
pub struct Snapshot {
    /// The settings.
    pub settings: Settings,
    /// Upstreams and routes.
    pub directory: Directory,
    /// Prices.
    pub prices: Arc<Prices>,
    /// Whether callers must show a key of ours or a token.
    pub key_required: bool,
    /// What verifies tokens, where an issuer is configured.
    pub tokens: Option<Arc<Tokens>>,
}

impl Snapshot {
    /// The price of a model for a request of this dialect.
    pub(crate) fn price(&self, accepted: &Accepted, model: &str) -> Option<Arc<Price>> {
        self.prices.find(accepted.dialect.into(), model).cloned()
    }
}

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
    cache: Arc<Cache>,
    anonymous: Arc<Caller>,
    in_flight: AtomicUsize,
    draining: AtomicBool,
    /// What goes on after a client has gone.
    afterwards: Group,
}

impl Gateway {
    /// A gateway of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        let cache = Cache::new(Arc::clone(parts.checkpoint.clock()));
        Arc::new(Self {
            run: parts.run,
            checkpoint: parts.checkpoint,
            snapshot: ArcSwap::from_pointee(parts.snapshot),
            keys: ArcSwap::from_pointee(parts.keys),
            rates: Rates::default(),
            metrics: parts.metrics,
            memory: ByteBudget::new(),
            cache,
            anonymous: Arc::new(Caller::anonymous()),
            in_flight: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            afterwards: Group::new(),
        })
    }

    /// Whether a path is the gateway's: a provider's own, or one behind a prefix that names an upstream.
    #[must_use]
    pub fn owns(path: &str) -> bool {
        phase::owns(path)
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

    /// Puts another configuration into force, for requests that come from now on. Answers that were kept are forgotten.
    pub fn reload(&self, snapshot: Snapshot) {
        self.snapshot.store(Arc::new(snapshot));
        self.cache.clear();
    }

    /// Puts other API keys into force.
    pub fn set_keys(&self, keys: KeyRing) {
        self.keys.store(Arc::new(keys));
    }

    /// From now on new requests are refused; those under way finish.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// Whether it refuses new requests because the server stops.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// Requests under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Where a request really comes from: what the trusted proxies before us say, as far as they are trusted.
    #[must_use]
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        client_address(peer, headers, &self.snapshot.load().settings.trusted_proxies)
    }

    /// Counts a request to one of the server's own routes against the rate limits that apply to it.
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
        // Our own routes have no dialect; what is refused here is told in their own shape.
        let rated = Rated { caller, address, model: None, path, tokens: 0, dialect: Dialect::OpenAi };
        let snapshot = self.snapshot.load();
        let taken = self.rates.take(&snapshot.settings.rate_limits, &rated, self.clock().monotonic());
        taken.map(|_counted| ()).map_err(|refusal| refusal.denial.retry_after.unwrap_or_default())
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

    pub(crate) fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    pub(crate) fn counted_in_flight(&self) -> &AtomicUsize {
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

    /// Whether any budget in money has a limit.
    pub(crate) fn has_money_limit(&self) -> bool {
        self.checkpoint.ledger().show(self.clock().now()).iter().any(|account| account.limit_usd.is_some())
    }

    /// Brings the gauges up to date; call it before the metrics are read.
    pub fn refresh_gauges(&self) {
        let (metrics, now) = (&self.metrics, self.clock().monotonic());
        metrics.in_flight.set(i64::try_from(self.in_flight()).unwrap_or(i64::MAX));
        metrics.buffered.set(i64::try_from(self.memory.used()).unwrap_or(i64::MAX));
        metrics.cache_bytes.set(i64::try_from(self.cache.bytes()).unwrap_or(i64::MAX));
        for upstream in &self.snapshot.load().directory.upstreams {
            let state = upstream.breaker.state(now);
            let number = match state {
                BreakerState::Closed => 0,
                BreakerState::HalfOpen => 1,
                BreakerState::Open => 2,
            };
            let name = upstream.settings.name.as_str();
            metrics.breaker_state.with_label_values(&[name]).set(number);
            metrics.upstream_available.with_label_values(&[name]).set(i64::from(state != BreakerState::Open));
        }
        for account in self.checkpoint.ledger().show(self.clock().now()) {
            // A run's budget ends with the run, and its identifier would be a new label value each time.
            if let (Some(limit), false) = (account.limit_usd, matches!(account.scope, Scope::Run(_))) {
                let left = limit.saturating_sub(account.spent_usd).saturating_sub(account.held_usd);
                let labels = [account.scope.to_string(), account.window.to_string()];
                metrics
                    .budget_remaining
                    .with_label_values(&[labels[0].as_str(), labels[1].as_str()])
                    .set(left.as_f64_for_metrics());
            }
        }
    }

    /// Answers one request. Never fails: whatever goes wrong becomes an answer in the provider's shape.
    ///
    /// Dropping the future, or the body of the answer, cancels the call upstream and settles what was seen of it.
    pub async fn handle(
        self: &Arc<Self>,
        worker: usize,
        peer: IpAddr,
        request: Request<Incoming>,
    ) -> Response<GatewayBody> {
        let snapshot = self.snapshot.load_full();
        let (parts, body) = request.into_parts();
        let accepted = phase::accept(self, &snapshot, peer, parts);
        let mut response = self.serve(worker, &snapshot, accepted, body).await;
        phase::put(response.headers_mut(), header::RUN, &self.run.to_string());
        response
    }

    /// The column: read it from top to bottom. Until `reserve` has given a meter nothing was promised to anybody and a
    /// refusal costs nothing; from there on the meter settles, whatever happens.
    async fn serve(
        self: &Arc<Self>,
        worker: usize,
        snapshot: &Arc<Snapshot>,
        mut accepted: Box<Accepted>,
        body: Incoming,
    ) -> Response<GatewayBody> {
        let caller =
            accepted.check(self, snapshot).and_then(|()| phase::authenticate(self, snapshot, &mut accepted));
        let caller = match caller {
            Ok(caller) => caller,
            Err(refusal) => {
                phase::discard(body, &snapshot.settings, &accepted).await;
                return self.refuse(&accepted, &Arc::default(), None, &refusal);
            }
        };
        let payload = match phase::read(self, snapshot, &accepted, body).await {
            Ok(payload) => payload,
            Err(refusal) => return self.refuse(&accepted, &caller.actor, None, &refusal),
        };
        let findings = match phase::inspect(self, &accepted, &caller, &payload) {
            Ok(findings) => findings,
            Err(refusal) => return self.refuse(&accepted, &caller.actor, payload.model(), &refusal),
        };
        let asked = Asked { gateway: self, snapshot, caller: &caller, payload: &payload };
        let recalled = phase::recall(asked, &accepted).await;
        let told = Told { cache: recalled.told(), ..Told::of(&accepted) };
        let reserved = match phase::reserve(asked, accepted, findings, recalled) {
            Ok(reserved) => reserved,
            Err(refused) => {
                let (accepted, refusal) = &*refused;
                return self.refuse(accepted, &caller.actor, payload.model(), refusal);
            }
        };
        let verdict = reserved.verdict;
        let response =
            phase::perform(self, snapshot, worker, payload, reserved).await.unwrap_or_else(|refusal| {
                self.count(&refusal);
                refusal.response(told.dialect)
            });
        told.tell(response, verdict)
    }

    /// A refusal before anything was reserved: written down, counted, answered.
    fn refuse(
        &self,
        accepted: &Accepted,
        actor: &Arc<Actor>,
        model: Option<&str>,
        refusal: &Refusal,
    ) -> Response<GatewayBody> {
        if !refusal.denial_is_recorded {
            let name = model.unwrap_or(accepted.route);
            self.checkpoint.deny(accepted.action, self.run, actor, name, &refusal.denial);
        }
        self.count(refusal);
        let status = phase::status_label(refusal.denial.code.http_status());
        let metrics = &self.metrics;
        metrics.requests.with_label_values(&[accepted.route, method_label(&accepted.method), status]).inc();
        let elapsed = self.clock().monotonic().saturating_sub(accepted.since);
        metrics.duration.with_label_values(&[accepted.route]).observe(seconds(elapsed));
        Told::of(accepted).tell(refusal.response(accepted.dialect), Verdict::Deny)
    }

    fn count(&self, refusal: &Refusal) {
        let verdict = Verdict::Deny.as_str();
        self.metrics.violations.with_label_values(&[refusal.code().as_str(), verdict]).inc();
    }

    /// The answer to a request whose handling panicked. The panic was logged and counted by whoever caught it.
    pub fn panicked(&self) -> Response<GatewayBody> {
        self.metrics.panics.inc();
        let request = id::new_request(&**self.clock());
        let refusal = Refusal::new(
            seawall_types::Code::Internal,
            format!("a fault of ours, recorded under request {request}"),
            "try again; report it with the request id if it happens again",
        );
        let mut response = refusal.response(Dialect::OpenAi);
        phase::put(response.headers_mut(), header::REQUEST_ID, &request.to_string());
        response
    }

    /// The mode in force.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.checkpoint.policy().mode
    }
}

/// What an answer tells of its request, in headers.
struct Told {
    request: RequestId,
    action: ActionId,
    dialect: Dialect,
    /// Whether the cache had the answer.
    cache: Option<&'static str>,
}

impl Told {
    fn of(accepted: &Accepted) -> Self {
        Self { request: accepted.request_id, action: accepted.action, dialect: accepted.dialect, cache: None }
    }

    fn tell(&self, mut response: Response<GatewayBody>, verdict: Verdict) -> Response<GatewayBody> {
        let headers = response.headers_mut();
        phase::put(headers, header::ACTION, &self.action.to_string());
        phase::put(headers, header::VERDICT, verdict.as_str());
        if let Some(cache) = self.cache {
            phase::put(headers, header::CACHE, cache);
        }
        // A provider's own request id is what its support asks for.
        if !headers.contains_key(header::REQUEST_ID) {
            phase::put(headers, header::REQUEST_ID, &self.request.to_string());
        }
        response
    }
}

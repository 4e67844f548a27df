//! What the gateway counts. Label values are bounded: they come from the configuration and the price table, never from a
//! request.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::gauges::Shown;
use prometheus::{
    CounterVec, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry,
};

/// Model names that get a label value of their own; the rest is `other`.
const MAX_MODEL_LABELS: usize = 200;
/// Tenants that get a label value of their own; the rest is `other`.
const MAX_TENANT_LABELS: usize = 1_000;
/// The label value for everything that is not in the configuration.
const OTHER: &str = "other";

const OVERHEAD_BUCKETS: [f64; 12] = [2e-5, 5e-5, 1e-4, 2e-4, 3e-4, 5e-4, 1e-3, 2e-3, 5e-3, 2e-2, 0.1, 1.0];
const CALL_BUCKETS: [f64; 14] =
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0];

/// The metrics of the gateway, as in the documentation.
#[derive(Debug)]
pub struct Metrics {
    pub(crate) requests: IntCounterVec,
    pub(crate) duration: HistogramVec,
    pub(crate) overhead: HistogramVec,
    pub(crate) upstream_duration: HistogramVec,
    pub(crate) first_token: HistogramVec,
    pub(crate) tokens: IntCounterVec,
    pub(crate) cost: CounterVec,
    pub(crate) violations: IntCounterVec,
    pub(crate) retries: IntCounterVec,
    pub(crate) upstream_available: IntGaugeVec,
    pub(crate) breaker_state: IntGaugeVec,
    pub(crate) in_flight: IntGauge,
    pub(crate) buffered: IntGauge,
    pub(crate) budget_remaining: GaugeVec,
    pub(crate) unpriced: IntCounterVec,
    pub(crate) websocket_bytes: IntCounterVec,
    pub(crate) cache_hits: IntCounter,
    pub(crate) cache_misses: IntCounter,
    pub(crate) cache_bytes: IntGauge,
    pub(crate) panics: IntCounter,
    pub(crate) jwt_refresh_failures: IntCounter,
    /// What the gauges stand under.
    pub(crate) shown: Shown,
    models: LabelValues,
    tenants: LabelValues,
}

impl Metrics {
    /// All metrics, registered.
    ///
    /// # Errors
    /// When the registry has one of the names already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let vector = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(vector.clone())).map(|()| vector)
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let vector = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(vector.clone())).map(|()| vector)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone())).map(|()| gauge)
        };
        let times = |name: &str, help: &str, labels: &[&str], buckets: &[f64]| {
            let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            let vector = HistogramVec::new(options, labels)?;
            registry.register(Box::new(vector.clone())).map(|()| vector)
        };
        let cost = CounterVec::new(
            Opts::new("seawall_cost_usd_total", "Dollars spent on model calls."),
            &["tenant", "model"],
        )?;
        registry.register(Box::new(cost.clone()))?;
        let budget_remaining = GaugeVec::new(
            Opts::new("seawall_budget_remaining_usd", "Dollars that a budget still allows."),
            &["scope", "window"],
        )?;
        registry.register(Box::new(budget_remaining.clone()))?;
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone())).map(|()| counter)
        };
        Ok(Self {
            requests: counters(
                "seawall_requests_total",
                "Requests to the gateway.",
                &["route", "method", "status"],
            )?,
            duration: times(
                "seawall_request_duration_seconds",
                "Time from the first byte of a request to the last of its answer.",
                &["route"],
                &CALL_BUCKETS,
            )?,
            overhead: times(
                "seawall_overhead_seconds",
                "Our own share of a request's time, until its answer begins.",
                &["route"],
                &OVERHEAD_BUCKETS,
            )?,
            upstream_duration: times(
                "seawall_upstream_duration_seconds",
                "Time of one call upstream until its answer ends.",
                &["upstream", "model"],
                &CALL_BUCKETS,
            )?,
            first_token: times(
                "seawall_time_to_first_token_seconds",
                "Time from a streamed call upstream to its first token.",
                &["upstream", "model"],
                &CALL_BUCKETS,
            )?,
            tokens: counters("seawall_tokens_total", "Tokens.", &["upstream", "model", "kind"])?,
            cost,
            violations: counters("seawall_violations_total", "Findings and refusals.", &["code", "verdict"])?,
            retries: counters("seawall_retries_total", "Tries after the first.", &["upstream", "cause"])?,
            upstream_available: gauges(
                "seawall_upstream_available",
                "1 while calls to the upstream pass its breaker.",
                &["upstream"],
            )?,
            breaker_state: gauges(
                "seawall_breaker_state",
                "The upstream's breaker: 0 closed, 1 half open, 2 open.",
                &["upstream"],
            )?,
            in_flight: gauge("seawall_in_flight", "Requests under way.")?,
            buffered: gauge("seawall_buffered_bytes", "Bytes of bodies held in memory.")?,
            budget_remaining,
            unpriced: counters(
                "seawall_unpriced_total",
                "Calls whose model has no known price.",
                &["upstream"],
            )?,
            websocket_bytes: counters(
                "seawall_websocket_bytes_total",
                "Bytes that went through websockets: in from clients, out to them.",
                &["upstream", "direction"],
            )?,
            cache_hits: counter("seawall_cache_hits_total", "Answers given again from the cache.")?,
            cache_misses: counter(
                "seawall_cache_misses_total",
                "Requests that the cache may answer and had no answer for.",
            )?,
            cache_bytes: gauge("seawall_cache_bytes", "Bytes of answers that are kept.")?,
            panics: counter("seawall_panics_total", "Requests that ended in a fault of ours.")?,
            jwt_refresh_failures: counter(
                "seawall_jwt_refresh_failures_total",
                "Attempts to read a key set of the tokens' issuer that failed.",
            )?,
            shown: Shown::default(),
            models: LabelValues::at_most(MAX_MODEL_LABELS),
            tenants: LabelValues::at_most(MAX_TENANT_LABELS),
        })
    }

    /// Findings and refusals by code and verdict, for who finds something elsewhere.
    #[must_use]
    pub fn violations(&self) -> IntCounterVec {
        self.violations.clone()
    }

    /// The label value for a model, by its name in the price table.
    pub(crate) fn model_label<'a>(&self, model: &'a str) -> &'a str {
        self.models.label(model)
    }

    /// The label value for a tenant: tokens name them, so there may be any number.
    pub(crate) fn tenant_label<'a>(&self, tenant: &'a str) -> &'a str {
        self.tenants.label(tenant)
    }
}

/// Names that are label values of their own; the first ones that come, up to a bound.
#[derive(Debug)]
struct LabelValues {
    names: Mutex<HashSet<String>>,
    most: usize,
}

impl LabelValues {
    fn at_most(most: usize) -> Self {
        Self { names: Mutex::default(), most }
    }

    fn label<'a>(&self, name: &'a str) -> &'a str {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.contains(name) {
            return name;
        }
        if names.len() >= self.most {
            return OTHER;
        }
        names.insert(name.to_owned());
        name
    }
}

/// Seconds, as Prometheus wants them.
pub(crate) fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

/// The label value of an HTTP method: the usual ones, else `other`.
pub(crate) fn method_label(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        _ => OTHER,
    }
}

/// A status as a label value: itself when it is one that we or a provider use, else its class.
pub(crate) fn status_label(status: u16) -> &'static str {
    const NAMED: [(u16, &str); 24] = [
        (200, "200"),
        (201, "201"),
        (202, "202"),
        (204, "204"),
        (400, "400"),
        (401, "401"),
        (402, "402"),
        (403, "403"),
        (404, "404"),
        (405, "405"),
        (408, "408"),
        (409, "409"),
        (413, "413"),
        (422, "422"),
        (426, "426"),
        (429, "429"),
        (431, "431"),
        (499, "499"),
        (500, "500"),
        (501, "501"),
        (502, "502"),
        (503, "503"),
        (504, "504"),
        (529, "529"),
    ];
    if let Some((_, label)) = NAMED.iter().find(|(named, _)| *named == status) {
        return label;
    }
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

//! The metrics that are read off rather than counted.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use prometheus::core::{MetricVec, MetricVecBuilder};
use seawall_llm_client::{BreakerState, Upstream};
use seawall_types::Scope;

use crate::Gateway;

/// The label values under which something stood when the gauges were read last. What stands no more goes: an upstream that
/// a reload took away would be called resting for ever.
#[derive(Debug, Default)]
pub(crate) struct Shown(Mutex<Labels>);

#[derive(Debug, Default)]
struct Labels {
    upstreams: HashSet<[String; 1]>,
    budgets: HashSet<[String; 2]>,
}

impl Gateway {
    /// Brings the gauges up to date; call it before the metrics are read.
    pub fn refresh_gauges(&self) {
        let metrics = self.metrics();
        metrics.in_flight.set(i64::try_from(self.in_flight()).unwrap_or(i64::MAX));
        metrics.buffered.set(i64::try_from(self.memory().used()).unwrap_or(i64::MAX));
        metrics.cache_bytes.set(i64::try_from(self.cache().bytes()).unwrap_or(i64::MAX));
        let mut shown = metrics.shown.0.lock().unwrap_or_else(PoisonError::into_inner);
        let upstreams = self.show_upstreams();
        forget(&metrics.breaker_state, &shown.upstreams, &upstreams);
        forget(&metrics.upstream_available, &shown.upstreams, &upstreams);
        let budgets = self.show_budgets();
        forget(&metrics.budget_remaining, &shown.budgets, &budgets);
        *shown = Labels { upstreams, budgets };
    }

    fn show_upstreams(&self) -> HashSet<[String; 1]> {
        let snapshot = self.snapshot();
        snapshot.directory.upstreams.iter().map(|upstream| self.show_upstream(upstream)).collect()
    }

    fn show_upstream(&self, upstream: &Upstream) -> [String; 1] {
        let (metrics, name) = (self.metrics(), upstream.settings.name.as_str());
        let state = upstream.breaker.state(self.clock().monotonic());
        let number = match state {
            BreakerState::Closed => 0,
            BreakerState::HalfOpen => 1,
            BreakerState::Open => 2,
        };
        metrics.breaker_state.with_label_values(&[name]).set(number);
        metrics.upstream_available.with_label_values(&[name]).set(i64::from(state != BreakerState::Open));
        [name.to_owned()]
    }

    fn show_budgets(&self) -> HashSet<[String; 2]> {
        let mut shown = HashSet::new();
        for account in self.checkpoint().ledger().show(self.clock().now()) {
            // A run's budget ends with the run, and its identifier would be a new label value each time.
            let (Some(limit), false) = (account.limit_usd, matches!(account.scope, Scope::Run(_))) else {
                continue;
            };
            let left = limit.saturating_sub(account.spent_usd).saturating_sub(account.held_usd);
            let labels = [account.scope.to_string(), account.window.to_string()];
            let gauge = self.metrics().budget_remaining.with_label_values(&labels);
            gauge.set(left.as_f64_for_metrics());
            shown.insert(labels);
        }
        shown
    }
}

fn forget<B: MetricVecBuilder, const N: usize>(
    gauges: &MetricVec<B>,
    before: &HashSet<[String; N]>,
    now: &HashSet<[String; N]>,
) {
    for gone in before.difference(now) {
        let labels: Vec<&str> = gone.iter().map(String::as_str).collect();
        let _gone_already = gauges.remove_label_values(&labels);
    }
}

//! The metrics that are read off rather than counted.

use seawall_llm_client::BreakerState;
use seawall_types::Scope;

use crate::Gateway;

impl Gateway {
    /// Brings the gauges up to date; call it before the metrics are read.
    pub fn refresh_gauges(&self) {
        let (metrics, now) = (self.metrics(), self.clock().monotonic());
        metrics.in_flight.set(i64::try_from(self.in_flight()).unwrap_or(i64::MAX));
        metrics.buffered.set(i64::try_from(self.memory().used()).unwrap_or(i64::MAX));
        metrics.cache_bytes.set(i64::try_from(self.cache().bytes()).unwrap_or(i64::MAX));
        for upstream in &self.snapshot().directory.upstreams {
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
        for account in self.checkpoint().ledger().show(self.clock().now()) {
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
}

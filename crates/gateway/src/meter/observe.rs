//! What the metrics hear of a call.

use std::time::Duration;

use seawall_checkpoint::Passed;
use seawall_llm::price::Price;
use seawall_types::{Usage, Usd};

use super::Meter;
use crate::metrics::{method_label, seconds, status_label};

impl Meter {
    pub(super) fn observe(
        &self,
        upstream: &str,
        price: Option<&Price>,
        usage: &Usage,
        cost: Usd,
        elapsed: Duration,
    ) {
        let metrics = self.gateway.metrics();
        let model = price.map_or("other", |price| metrics.model_label(&price.id));
        metrics.upstream_duration.with_label_values(&[upstream, model]).observe(seconds(elapsed));
        for (kind, count) in [("input", usage.input), ("output", usage.output), ("cached", usage.cached)] {
            if count > 0 {
                metrics.tokens.with_label_values(&[upstream, model, kind]).inc_by(count);
            }
        }
        if cost > Usd::ZERO {
            let tenant = metrics.tenant_label(self.tenant.as_deref().unwrap_or(""));
            metrics.cost.with_label_values(&[tenant, model]).inc_by(cost.as_f64_for_metrics());
        }
    }

    /// The first token of a stream came.
    pub(crate) fn first_token(&self) {
        let Some(current) = &self.current else { return };
        let metrics = self.gateway.metrics();
        let model = current.price.as_ref().map_or("other", |price| metrics.model_label(&price.id));
        let elapsed = self.now().saturating_sub(current.since);
        metrics
            .first_token
            .with_label_values(&[current.upstream.settings.name.as_str(), model])
            .observe(seconds(elapsed));
    }

    pub(super) fn observe_websocket(&self, upstream: &str) {
        let Some(Passed { bytes_in, bytes_out }) = self.passed else { return };
        let bytes = &self.gateway.metrics().websocket_bytes;
        bytes.with_label_values(&[upstream, "in"]).inc_by(bytes_in);
        bytes.with_label_values(&[upstream, "out"]).inc_by(bytes_out);
    }

    pub(super) fn observe_request(&self, status: u16, now: Duration) {
        let (metrics, accepted) = (self.gateway.metrics(), &self.accepted);
        let elapsed = now.saturating_sub(accepted.since);
        let status = status_label(status);
        metrics.requests.with_label_values(&[accepted.route, method_label(&accepted.method), status]).inc();
        metrics.duration.with_label_values(&[accepted.route]).observe(seconds(elapsed));
    }

    /// Our own share of the time until the answer began.
    pub(crate) fn observe_overhead(&self) {
        let ours = self.now().saturating_sub(self.accepted.since).saturating_sub(self.waited);
        self.gateway.metrics().overhead.with_label_values(&[self.accepted.route]).observe(seconds(ours));
    }
}

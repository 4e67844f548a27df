//! Durations that others have counted, as a histogram of Prometheus.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Registry, Result};
use seawall_types::Timed;

/// One histogram with one label.
pub(crate) struct Times<F> {
    desc: Desc,
    label: &'static str,
    bounds: &'static [Duration],
    read: F,
}

/// What a histogram is called, what it is, and what its label is called.
pub(crate) type Named = (&'static str, &'static str, &'static str);

impl<F: Fn() -> Vec<Timed> + Send + Sync + 'static> Times<F> {
    /// Has a registry show what `read` gives at each look.
    pub(crate) fn register(
        registry: &Registry,
        (name, help, label): Named,
        bounds: &'static [Duration],
        read: F,
    ) -> Result<()> {
        let desc = Desc::new(name.to_owned(), help.to_owned(), vec![label.to_owned()], HashMap::new())?;
        registry.register(Box::new(Self { desc, label, bounds, read }))
    }

    fn metric(&self, timed: &Timed) -> Metric {
        let mut label = LabelPair::default();
        label.set_name(self.label.to_owned());
        label.set_value(timed.name.to_string());
        let (mut total, mut buckets) = (0_u64, Vec::with_capacity(self.bounds.len()));
        for (bound, count) in self.bounds.iter().zip(&timed.counts) {
            total = total.saturating_add(*count);
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound.as_secs_f64());
            bucket.set_cumulative_count(total);
            buckets.push(bucket);
        }
        let mut histogram = Histogram::default();
        histogram.set_sample_count(timed.counts.iter().copied().fold(0, u64::saturating_add));
        histogram.set_sample_sum(timed.sum.as_secs_f64());
        histogram.set_bucket(buckets);
        let mut metric = Metric::from_label(vec![label]);
        metric.set_histogram(histogram);
        metric
    }
}

impl<F: Fn() -> Vec<Timed> + Send + Sync + 'static> Collector for Times<F> {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut family = MetricFamily::default();
        family.set_name(self.desc.fq_name.clone());
        family.set_help(self.desc.help.clone());
        family.set_field_type(MetricType::HISTOGRAM);
        family.set_metric((self.read)().iter().map(|timed| self.metric(timed)).collect());
        vec![family]
    }
}

impl<F> fmt::Debug for Times<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Times").field("name", &self.desc.fq_name).finish_non_exhaustive()
    }
}

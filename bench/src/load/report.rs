//! What a run has seen, as the JSON that the bench reads.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::connection::Failure;
use crate::process::{Tree, Usage};
use crate::quantiles::{Summary, Times};

/// Failures after which a run is given up, when they are more than the answers.
const HOPELESS: u64 = 1_000;

/// What happened to requests.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) answered: u64,
    failed: u64,
    statuses: BTreeMap<u16, u64>,
    first_failure: Option<String>,
}

impl Tally {
    /// An answer came. Gives whether it is one to be measured.
    pub(super) fn answer(&mut self, status: u16, beginning: &Beginning) -> bool {
        *self.statuses.entry(status).or_default() += 1;
        if status == 200 {
            self.answered += 1;
            return true;
        }
        self.fail(format!("status {status}: {}", beginning.text()));
        false
    }

    pub(super) fn failure(&mut self, failure: &Failure) {
        self.fail(failure.to_string());
    }

    pub(super) fn fail(&mut self, reason: String) {
        self.failed += 1;
        self.first_failure.get_or_insert(reason);
    }

    /// # Errors
    /// When the server does nothing but fail, so that going on would measure nothing.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let reason = self.first_failure.as_deref().unwrap_or_default();
        anyhow::ensure!(
            self.failed < HOPELESS || self.failed < self.answered,
            "nothing but failures: {reason}"
        );
        Ok(())
    }
}

/// The first bytes of a body, for telling why it was no answer.
#[derive(Debug, Default)]
pub(super) struct Beginning(Vec<u8>);

impl Beginning {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn take(&mut self, data: &[u8]) {
        const ENOUGH: usize = 300;
        let room = ENOUGH.saturating_sub(self.0.len()).min(data.len());
        self.0.extend_from_slice(data.get(..room).unwrap_or_default());
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

/// A duration on the scale of stamps.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What a run has seen.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Requests that were answered in full.
    pub answered: u64,
    /// Requests that were not.
    pub failed: u64,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// What the first failure said.
    pub first_failure: Option<String>,
    /// How long load counted.
    pub seconds: f64,
    /// Requests answered in a second.
    pub per_second: f64,
    /// Microseconds from the time at which a request was due to the end of its answer. In closed load it is due when the
    /// one before is answered.
    pub latency_us: Option<Summary>,
    /// Microseconds from the time at which a request went out to the end of its answer.
    pub service_us: Option<Summary>,
    /// Microseconds from a request to its first event.
    pub first_event_us: Option<Summary>,
    /// Microseconds from the provider's handing an event over to our reading it.
    pub event_us: Option<Summary>,
    /// Events.
    pub events: u64,
    /// Processor seconds of the watched processes.
    pub cpu_seconds: f64,
    /// The same by request, in microseconds.
    pub cpu_us_per_request: f64,
    /// The same by event, in microseconds.
    pub cpu_us_per_event: f64,
    /// Memory of the watched processes before the run, in KiB.
    pub resident_kib_before: u64,
    /// With the most requests under way.
    pub resident_kib_most: u64,
    /// The most requests that were under way and had begun to be answered.
    pub open_most: u64,
}

/// Times of a run.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub(super) latency: Times,
    pub(super) service: Times,
    pub(super) first_event: Times,
    pub(super) event: Times,
}

/// What the watched processes had used when counting began and when it ended.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Used {
    pub(super) began: Usage,
    pub(super) ended: Usage,
    pub(super) resident_kib_most: u64,
    pub(super) open_most: u64,
}

impl Used {
    pub(super) fn from_now(watched: &Tree) -> Self {
        let began = watched.usage();
        Self { began, ended: began, resident_kib_most: began.resident_kib, open_most: 0 }
    }

    /// Looks again; `open` requests are under way.
    pub(super) fn look(&mut self, watched: &Tree, open: u64) {
        self.ended = watched.usage();
        self.resident_kib_most = self.resident_kib_most.max(self.ended.resident_kib);
        self.open_most = self.open_most.max(open);
    }
}

impl Report {
    pub(super) fn new(tally: Tally, measured: Measured, used: Used, nanos: u64) -> Self {
        let Measured { latency, service, first_event, event } = measured;
        let seconds = Duration::from_nanos(nanos).as_secs_f64();
        let cpu = used.ended.processor.saturating_sub(used.began.processor).as_secs_f64();
        let events = event.len() as u64;
        Self {
            answered: tally.answered,
            failed: tally.failed,
            statuses: tally.statuses,
            first_failure: tally.first_failure,
            seconds,
            per_second: ratio(tally.answered, seconds),
            latency_us: latency.summary(),
            service_us: service.summary(),
            first_event_us: first_event.summary(),
            event_us: event.summary(),
            events,
            cpu_seconds: cpu,
            cpu_us_per_request: each(cpu, tally.answered),
            cpu_us_per_event: each(cpu, events),
            resident_kib_before: used.began.resident_kib,
            resident_kib_most: used.resident_kib_most,
            open_most: used.open_most,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
fn ratio(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
fn each(seconds: f64, count: u64) -> f64 {
    if count > 0 { seconds * 1e6 / count as f64 } else { 0.0 }
}

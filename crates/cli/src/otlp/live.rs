//! Spans while the server runs: from the trace's writer to a collector, without anybody waiting for the collector.
//!
//! The writer's thread, which no request waits for, hands over each event with one `try_send`. A thread of its own joins
//! events into spans and sends them. Everything between is bounded; what finds no room is dropped, counted and told.
//! The trace on the disk is complete whatever happens here, and can be exported afterwards.

use std::collections::VecDeque;
use std::pin::Pin;
use std::thread::JoinHandle;
use std::time::Duration;

use prometheus::{IntCounter, Registry};
use seawall_trace::Observer;
use seawall_trace::export::otlp::{Resource, request};
use seawall_trace::export::{Actions, Row};
use seawall_types::{Event, EventKind};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use super::{BATCH, Collector, Endpoint, Undelivered};
use crate::exit::Failure;

/// Events that may wait to be joined: a burst.
const EVENTS: usize = 16_384;
/// Spans that may wait for the collector: what comes while it is tried again.
const SPANS: usize = 16_384;
/// How long a span waits for others at most.
const LINGER: Duration = Duration::from_secs(1);
/// How long the end of the process waits for the collector.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sees the trace's events and passes them on.
#[derive(Debug)]
pub(crate) struct Tap {
    events: Sender<Event>,
    counts: Counts,
}

/// The thread that sends.
#[derive(Debug)]
pub(crate) struct Exporter(JoinHandle<()>);

#[derive(Debug, Clone)]
struct Counts {
    sent: IntCounter,
    dropped: IntCounter,
}

impl Counts {
    fn register(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone())).map(|()| counter)
        };
        Ok(Self {
            sent: counter("seawall_otlp_sent_total", "Spans that the collector took.")?,
            dropped: counter(
                "seawall_otlp_dropped_total",
                "Spans, and events of spans to be, that could not be sent.",
            )?,
        })
    }

    /// Counts what is lost. Said at once and then at each power of two: loud, and no flood beside the first.
    fn lose(&self, count: usize, why: &str) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let before = self.dropped.get();
        self.dropped.inc_by(count);
        let now = before.saturating_add(count);
        if before.leading_zeros() != now.leading_zeros() {
            tracing::error!(dropped = now, why, "spans for OpenTelemetry were dropped; the trace has them");
        }
    }
}

/// Starts the thread, and makes what feeds it.
///
/// # Errors
/// When the system's certificates can't be read or the thread can't be started.
pub(crate) fn start(endpoint: &Endpoint, registry: &Registry) -> Result<(Tap, Exporter), Failure> {
    let counts = Counts::register(registry)?;
    let collector = Collector::new(endpoint)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (sender, events) = channel(EVENTS);
    let mut export = Export {
        events,
        collector,
        counts: counts.clone(),
        actions: Actions::default(),
        waiting: VecDeque::new(),
        is_over: false,
        is_failing: false,
    };
    let thread = std::thread::Builder::new()
        .name("otlp-export".to_owned())
        .spawn(move || runtime.block_on(export.run()))?;
    Ok((Tap { events: sender, counts }, Exporter(thread)))
}

impl Observer for Tap {
    fn event(&mut self, event: &Event) {
        let tells = matches!(
            event.kind,
            EventKind::RunStarted
                | EventKind::RunFinished
                | EventKind::ActionAdmitted
                | EventKind::ActionDenied
                | EventKind::ActionSettled
                | EventKind::ActionAbandoned
                | EventKind::ToolCalled
        );
        if tells && self.events.try_send(event.clone()).is_err() {
            self.counts.lose(1, "events come faster than they can be made spans");
        }
    }
}

impl Exporter {
    /// Waits until what is left is sent, or some seconds. The writer, and with it the [`Tap`], must have ended.
    pub(crate) fn stop(self) {
        if self.0.join().is_err() {
            tracing::error!("the thread that sends spans panicked; the trace has everything");
        }
    }
}

/// A request that is under way, with how many spans.
struct Sending {
    spans: usize,
    delivery: Pin<Box<dyn Future<Output = Result<u64, Undelivered>>>>,
}

struct Export {
    events: Receiver<Event>,
    collector: Collector,
    counts: Counts,
    actions: Actions,
    waiting: VecDeque<Row>,
    /// No more events come.
    is_over: bool,
    /// The last request could not be delivered.
    is_failing: bool,
}

impl Export {
    async fn run(&mut self) {
        let (mut sending, mut linger, mut give_up_at) = (None::<Sending>, lingering(), Instant::now());
        loop {
            let mut is_due = self.is_over;
            tokio::select! {
                event = self.events.recv(), if !self.is_over => match event {
                    Some(event) => self.take(&event),
                    None => {
                        self.end();
                        (is_due, give_up_at) = (true, Instant::now() + PATIENCE);
                    }
                },
                (spans, delivered) = ended(&mut sending), if sending.is_some() => {
                    sending = None;
                    self.hear(spans, delivered);
                }
                _ = linger.tick() => is_due = true,
                () = sleep_until(give_up_at), if self.is_over => break,
            }
            if sending.is_none() && (is_due || self.waiting.len() >= BATCH) {
                sending = self.send();
            }
            if self.is_over && sending.is_none() {
                return;
            }
        }
        // What is under way counts as lost as well: nobody will hear of it.
        let under_way = sending.map_or(0, |sending| sending.spans);
        self.counts.lose(self.waiting.len() + under_way, "the collector did not take them before the end");
    }

    fn take(&mut self, event: &Event) {
        let rows = self.actions.take(event);
        self.keep(rows);
    }

    /// Keeps rows until they are sent, as many as there is room for.
    fn keep(&mut self, rows: Vec<Row>) {
        let room = SPANS.saturating_sub(self.waiting.len());
        let lost = rows.len().saturating_sub(room);
        self.waiting.extend(rows.into_iter().take(room));
        if lost > 0 {
            self.counts.lose(lost, "the collector is slower than the calls");
        }
    }

    /// What is still under way is sent as such.
    fn end(&mut self) {
        self.is_over = true;
        let rows = std::mem::take(&mut self.actions).finish();
        self.keep(rows);
    }

    /// Begins to send what waits, a batch of it.
    fn send(&mut self) -> Option<Sending> {
        let batch: Vec<Row> = self.waiting.drain(..self.waiting.len().min(BATCH)).collect();
        if batch.is_empty() {
            return None;
        }
        let (spans, body) = (batch.len(), request(&batch, &Resource::default()));
        let collector = self.collector.clone();
        Some(Sending { spans, delivery: Box::pin(async move { collector.deliver(body).await }) })
    }

    fn hear(&mut self, spans: usize, delivered: Result<u64, Undelivered>) {
        match delivered {
            Ok(rejected) => {
                let rejected = usize::try_from(rejected).unwrap_or(usize::MAX).min(spans);
                self.counts.sent.inc_by(u64::try_from(spans - rejected).unwrap_or(u64::MAX));
                if rejected > 0 {
                    self.counts.lose(rejected, "the collector rejected them");
                }
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!("the collector takes spans again");
                }
            }
            Err(error) => {
                self.counts.lose(spans, "they could not be delivered");
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::error!(%error, "spans can't be sent; said once, until they can");
                }
            }
        }
    }
}

fn lingering() -> Interval {
    let mut linger = interval(LINGER);
    linger.set_missed_tick_behavior(MissedTickBehavior::Delay);
    linger
}

async fn ended(sending: &mut Option<Sending>) -> (usize, Result<u64, Undelivered>) {
    match sending {
        Some(sending) => (sending.spans, (&mut sending.delivery).await),
        None => std::future::pending().await,
    }
}

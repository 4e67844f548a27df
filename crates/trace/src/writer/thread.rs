//! The writer thread: takes what was recorded, writes it, forces it to the disk, and says so.

mod disk;
mod store;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use seawall_types::{Event, EventKind, RunId};
use serde::Serialize;

use super::queue::{Entry, Orders, Queue, Waited};
use super::run::RunLog;
use super::sink::Files;
use crate::content::Payload;
use crate::{Durability, Heads, Observer, Options, Unavailable};

/// How often the thread looks while events come: what a `kill -9` may lose.
const POLL: Duration = Duration::from_micros(1_500);
/// After so many looks in vain (about 100 ms) it sleeps until it is woken.
const IDLE_LOOKS: u32 = 64;
/// How often it tries again when the disk has refused.
const RETRY: Duration = Duration::from_millis(100);
/// How often the store learns the heads of the chains.
const REPORT: Duration = Duration::from_millis(50);
/// A run's lines are written when there are so many bytes of them, before the batch is through.
const WRITE_AT: usize = 1 << 20;

pub(super) struct Scribe {
    queue: Arc<Queue>,
    files: Box<dyn Files>,
    heads: Arc<dyn Heads>,
    options: Options,
    observer: Option<Box<dyn Observer>>,
    runs: HashMap<RunId, RunLog>,
    batch: Vec<Entry>,
    /// Every event with a smaller ticket is encoded.
    taken: u64,
    /// Every event with a smaller ticket is on the disk, and those who wait know it.
    advanced: u64,
    /// Why the disk refuses, while it does. Nothing is taken from the queue then.
    blocked: Option<String>,
    /// Runs that could not be written for a while, and why: each gets a note when it can be.
    outages: HashMap<RunId, String>,
    retry_at: Duration,
    sync_at: Duration,
    report_at: Duration,
}

/// What a turn found to do.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    Busy,
    Idle,
    Last,
}

/// Tells everybody who waits that the thread has ended, also when it panics.
struct Ended(Arc<Queue>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Scribe {
    pub(super) fn new(
        queue: Arc<Queue>,
        files: Box<dyn Files>,
        heads: Arc<dyn Heads>,
        options: Options,
        observer: Option<Box<dyn Observer>>,
    ) -> Self {
        Self {
            queue,
            files,
            heads,
            options,
            observer,
            runs: HashMap::new(),
            batch: Vec::new(),
            taken: 0,
            advanced: 0,
            blocked: None,
            outages: HashMap::new(),
            retry_at: Duration::ZERO,
            sync_at: Duration::ZERO,
            report_at: Duration::ZERO,
        }
    }

    /// Works until it is told to stop.
    pub(super) fn run(mut self) {
        let ended = Ended(Arc::clone(&self.queue));
        let mut looks = 0;
        loop {
            match self.turn() {
                Turn::Last => break,
                Turn::Busy => looks = 0,
                Turn::Idle => looks += 1,
            }
            if looks < IDLE_LOOKS || self.is_restless() {
                thread::park_timeout(POLL);
            } else {
                looks = 0;
                self.queue.park();
            }
        }
        // The files are closed, and the folders unlocked, before anybody hears that the thread has ended.
        drop(self);
        drop(ended);
    }

    fn turn(&mut self) -> Turn {
        let now = self.queue.clock().monotonic();
        if self.blocked.is_some() && (now >= self.retry_at || self.queue.is_asked()) {
            self.retry(now);
        }
        let orders = self.take();
        let busy = orders.taken.is_some_and(|taken| std::mem::replace(&mut self.taken, taken) != taken);
        self.note_losses(&orders.dropped);
        self.write();
        let at_once = orders.flush.is_some() || orders.stop;
        if at_once || self.is_sync_due(now) {
            self.sync(now);
        }
        if at_once || now >= self.report_at {
            self.report(now);
        }
        if let Some(flush) = orders.flush {
            self.queue.acknowledge(flush, self.blocked.clone().map(Unavailable::Disk));
        }
        if orders.stop {
            self.give_up();
            return Turn::Last;
        }
        if busy { Turn::Busy } else { Turn::Idle }
    }

    /// Whether time alone will give it something to do.
    fn is_restless(&self) -> bool {
        let (group, forced) = (matches!(self.options.durability, Durability::Group { .. }), self.is_forced());
        self.blocked.is_some()
            || self
                .runs
                .values()
                .any(|log| log.has_news(forced) || log.is_finishing() || (group && log.is_dirty()))
    }

    fn is_forced(&self) -> bool {
        self.options.durability != Durability::Buffered
    }

    /// Makes lines of everything recorded; of nothing while the disk refuses, so that what waits stays bounded.
    fn take(&mut self) -> Orders {
        if self.blocked.is_some() {
            return self.queue.orders();
        }
        let mut batch = std::mem::take(&mut self.batch);
        let orders = self.queue.take(&mut batch);
        for entry in batch.drain(..) {
            self.encode(entry);
        }
        self.batch = batch;
        orders
    }

    fn encode(&mut self, entry: Entry) {
        let size = entry.size();
        let (event, kind) = match entry {
            Entry::Event(event) => (event, None),
            Entry::Told(told) => (self.with_payloads(*told), None),
            Entry::Start(start) => (start.0, Some(start.1)),
        };
        let run = event.run;
        let log = self
            .runs
            .entry(run)
            .or_insert_with(|| RunLog::new(run, kind.as_deref().unwrap_or("unknown"), event.ts));
        if log.append(&event, size) {
            if let Some(observer) = &mut self.observer {
                observer.event(&event);
            }
        } else {
            tracing::error!(%run, kind = event.kind.as_str(), "an event came after its run had finished");
            self.queue.count_lost(Waited { events: 1, bytes: size });
        }
        if log.buffered() >= WRITE_AT && self.blocked.is_none() {
            self.write_run(run);
        }
    }

    /// What waited since payloads were kept is written without them when they no longer are.
    fn with_payloads(&self, (mut event, payloads): (Event, Vec<Payload>)) -> Event {
        let content = self.queue.content();
        if content.keeps_payloads() {
            event.data = content.add(&event.data, payloads).unwrap_or(event.data);
        }
        event
    }

    /// Says in each run's own trace what is missing from it, once it can be written again.
    fn note_losses(&mut self, dropped: &HashMap<RunId, u64>) {
        #[derive(Serialize)]
        struct Loss<'a> {
            note: &'static str,
            dropped: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            error: Option<&'a str>,
        }
        if self.blocked.is_some() {
            return;
        }
        let outages = std::mem::take(&mut self.outages);
        let now = self.queue.clock().now();
        let unexplained = dropped.keys().filter(|run| !outages.contains_key(run));
        for run in outages.keys().chain(unexplained) {
            let error = outages.get(run).map(String::as_str);
            let note = if error.is_some() {
                "the trace could not be written for a while"
            } else {
                "the trace's writer fell behind"
            };
            let dropped = dropped.get(run).copied().unwrap_or(0);
            if let Some(log) = self.runs.get_mut(run) {
                log.note(&Event::new(now, *run, EventKind::Note, &Loss { note, dropped, error }));
            }
        }
    }

    /// At the end: what could not be written is lost, and counted.
    fn give_up(&mut self) {
        for log in self.runs.values_mut() {
            let waited = log.give_up();
            if waited != Waited::default() {
                self.queue.count_lost(waited);
            }
        }
    }

    /// The runs of which this is true; apart from them, so that they can be changed one by one.
    fn ids(&self, wanted: impl Fn(&RunLog) -> bool) -> Vec<RunId> {
        self.runs.iter().filter(|(_, log)| wanted(log)).map(|(run, _)| *run).collect()
    }
}

//! The one writer of a process's traces, and the handle that everybody else holds.
//!
//! A producer pushes into a shared buffer and goes on; it never waits for the disk and wakes nobody while events keep
//! coming. The thread takes the whole buffer at once, every one or two milliseconds. So a `kill -9` loses about that
//! much, or as much as comes while the disk is being forced, and an event costs its producer one uncontended lock.

mod durable;
mod queue;
mod run;
mod segment;
mod sink;
mod thread;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use seawall_types::{Clock, Event, EventKind, RunId};
use serde::Serialize;
use serde_json::{Map, Value};

pub use self::durable::{Durable, Ticket};
use self::queue::{Entry, Queue};
use self::sink::{Disk, Files};
use self::thread::Scribe;
use crate::content::{Content, Payload};
use crate::{Durability, Error, Heads, Observer, OnUnavailable, Options, Unavailable, layout};

/// Owns the thread that writes. Dropping it stops the thread as [`Writer::stop`] does.
#[derive(Debug)]
pub struct Writer {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

/// Records events. Cheap to clone; all clones record into the same writer.
#[derive(Debug, Clone)]
pub struct Handle {
    queue: Arc<Queue>,
}

/// What the writer has done so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// Events written.
    pub events: u64,
    /// Events that were given up: there was no room for them, or their run could not be written.
    pub dropped: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Events that wait for the disk.
    pub waiting: usize,
    /// Calls of the store of heads that failed.
    pub head_failures: u64,
    /// Whether events can be written now.
    pub available: bool,
    /// The newest error, also when it has passed.
    pub last_error: Option<String>,
    /// How long the oldest event that waits has been waiting.
    pub lag: Duration,
}

impl Writer {
    /// Makes the folder of all runs and starts the thread.
    ///
    /// # Errors
    /// When the folder can't be made or the thread can't be started.
    pub fn start(
        options: Options,
        heads: Arc<dyn Heads>,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Handle), Error> {
        Self::start_observed(options, heads, clock, None)
    }

    /// The same, with somebody who sees every event.
    ///
    /// # Errors
    /// As [`Writer::start`].
    pub fn start_observed(
        options: Options,
        heads: Arc<dyn Heads>,
        clock: Arc<dyn Clock>,
        observer: Option<Box<dyn Observer>>,
    ) -> Result<(Self, Handle), Error> {
        layout::create_dir(&options.dir).map_err(Error::io("make the folder", &options.dir))?;
        let durable = options.durability != Durability::Buffered;
        Self::start_on(Box::new(Disk { durable }), options, heads, clock, observer)
    }

    /// Starts the thread on top of any file layer.
    fn start_on(
        files: Box<dyn Files>,
        options: Options,
        heads: Arc<dyn Heads>,
        clock: Arc<dyn Clock>,
        observer: Option<Box<dyn Observer>>,
    ) -> Result<(Self, Handle), Error> {
        let queue = Arc::new(Queue::new(&options, clock));
        let scribe = Scribe::new(Arc::clone(&queue), files, heads, options, observer);
        let thread = std::thread::Builder::new()
            .name("trace-writer".to_owned())
            .spawn(move || scribe.run())
            .map_err(Error::Thread)?;
        queue.attach(thread.thread().clone());
        let handle = Handle { queue: Arc::clone(&queue) };
        Ok((Self { queue, thread: Some(thread) }, handle))
    }

    /// Writes everything recorded so far, forces it to the disk, ends the thread, and says what was done.
    ///
    /// Events recorded from now on are dropped and counted. Runs that were not finished stay unfinished.
    pub fn stop(mut self) -> Stats {
        self.join();
        self.queue.stats()
    }

    fn join(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.queue.close();
        if thread.join().is_err() {
            tracing::error!("the trace's writer thread panicked; what it had not written is lost");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.join();
    }
}

impl Handle {
    /// Records nothing: for work that nobody wants written down. It never refuses, and what it is given is dropped.
    #[must_use]
    pub fn off(clock: Arc<dyn Clock>) -> Self {
        let options = Options { on_unavailable: OnUnavailable::Count, ..Options::new(PathBuf::new()) };
        let queue = Arc::new(Queue::new(&options, clock));
        queue.close();
        Self { queue }
    }

    /// Begins a run: its file is made and `run.started` is its first line, with `kind` and the fields of `data`.
    ///
    /// An event of a run that was never begun begins it too, as one of kind `unknown`. Identifiers are not used twice:
    /// a run whose file is there already is refused, and what is recorded for it is dropped and counted.
    ///
    /// Gives back where the file will be, relative to the folder of all runs.
    pub fn start_run(&self, run: RunId, kind: &str, data: &impl Serialize) -> PathBuf {
        let mut fields = Map::new();
        fields.insert("kind".to_owned(), kind.into());
        if let Ok(Value::Object(more)) = serde_json::to_value(data) {
            fields.extend(more.into_iter().filter(|(name, _)| name != "kind"));
        }
        let event = Event::new(self.queue.clock().now(), run, EventKind::RunStarted, &fields);
        let path = layout::relative(run, event.ts);
        self.queue.push(Entry::Start(Box::new((event, kind.to_owned()))));
        path
    }

    /// Ends a run: `run.finished` is its last line. What is recorded for it afterwards is dropped and counted.
    pub fn finish_run(&self, run: RunId, data: &impl Serialize) {
        self.record(Event::new(self.queue.clock().now(), run, EventKind::RunFinished, data));
    }

    /// Whether an action may be admitted as far as the trace is concerned. A few atomic loads.
    ///
    /// # Errors
    /// With [`OnUnavailable::Refuse`], while events can't be written or too many wait.
    pub fn check(&self) -> Result<(), Unavailable> {
        self.queue.check()
    }

    /// What happens from now on while events can't be written, in the place of [`Options::on_unavailable`].
    pub fn set_on_unavailable(&self, what: OnUnavailable) {
        self.queue.set_on_unavailable(what);
    }

    /// Takes an event. Never waits for the disk.
    ///
    /// With [`OnUnavailable::Refuse`] there is room for a quarter more events than [`Handle::check`] allows, so
    /// that what was admitted can end. Past that, and with `Count` past the capacity, the event is dropped, counted
    /// and later noted in its run.
    pub fn record(&self, event: Event) -> Ticket {
        self.queue.push(Entry::Event(event))
    }

    /// Takes an event with payloads, of which its data will hold what [`Options::content`] allows.
    ///
    /// They are redacted and made JSON of by the writer's thread. As [`Handle::record`] otherwise.
    pub fn record_with(&self, event: Event, payloads: Vec<Payload>) -> Ticket {
        let entry = if payloads.is_empty() || !self.keeps_payloads() {
            Entry::Event(event)
        } else {
            Entry::Told(Box::new((event, payloads)))
        };
        self.queue.push(entry)
    }

    /// Whether payloads are kept: otherwise they need not be copied. One atomic load.
    #[must_use]
    pub fn keeps_payloads(&self) -> bool {
        self.queue.keeps_payloads()
    }

    /// Whether so much waits that payloads should stay behind, so that what happened finds room. One atomic load.
    #[must_use]
    pub fn is_pressed(&self) -> bool {
        self.queue.is_pressed()
    }

    /// What is kept of payloads from now on, in the place of [`Options::content`].
    pub fn set_content(&self, content: Content) {
        self.queue.set_content(content);
    }

    /// Ready when the ticket's event is on the disk, as far as the durability promises it: with
    /// [`Durability::Each`] when it was forced there, otherwise at once.
    ///
    /// It ends with an error when the event was dropped, or when the disk refuses while it waits; the event may then
    /// still be written later.
    pub fn durable(&self, ticket: Ticket) -> Durable {
        Durable::new(Arc::clone(&self.queue), ticket)
    }

    /// Blocks until everything recorded so far is written and forced to the disk, and its heads are kept.
    ///
    /// # Errors
    /// When the disk refuses or the writer has ended. It does not wait for the disk to recover.
    pub fn flush(&self) -> Result<(), Unavailable> {
        self.queue.flush()
    }

    /// What the writer has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.queue.stats()
    }
}

#[cfg(test)]
mod tests;

//! What the producers and the writer thread share: the buffer of events, its bounds, and who waits for what.

mod writer_side;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::thread::Thread;
use std::time::Duration;

use seawall_types::{Clock, Event, RunId, Timestamp};

use super::{Stats, Ticket};
use crate::content::{Content, Payload};
use crate::{Durability, OnUnavailable, Options, Unavailable};

/// The most bytes of events that may wait, whatever their number: payloads can be megabytes each.
const MAX_WAITING_BYTES: usize = 256 << 20;

/// What producers hand over.
#[derive(Debug)]
pub(super) enum Entry {
    Event(Event),
    /// An event with payloads that nobody has looked at.
    Told(Box<(Event, Vec<Payload>)>),
    /// `run.started`, and the kind of the run.
    Start(Box<(Event, String)>),
}

impl Entry {
    fn event(&self) -> &Event {
        match self {
            Self::Event(event) => event,
            Self::Told(told) => &told.0,
            Self::Start(start) => &start.0,
        }
    }

    /// What it counts for against the bound on bytes.
    pub(super) fn size(&self) -> usize {
        let payloads = match self {
            Self::Told(told) => told.1.iter().map(Payload::size).sum(),
            Self::Event(_) | Self::Start(_) => 0,
        };
        size_of::<Self>() + self.event().data.len() + payloads
    }
}

#[derive(Debug)]
pub(super) struct Queue {
    clock: Arc<dyn Clock>,
    capacity: usize,
    /// The capacity and the room that is kept for the ends of admitted actions.
    limit: usize,
    /// While nothing can be written, nothing is admitted ([`OnUnavailable::Refuse`]).
    refuses: AtomicBool,
    /// Whether payloads are kept, and in which form.
    keeps_payloads: AtomicBool,
    content: Mutex<Content>,
    forced: bool,
    inner: Mutex<Inner>,
    flushed: Condvar,
    thread: OnceLock<Thread>,
    wakers: Mutex<Vec<(u64, Waker)>>,
    last_error: Mutex<Option<String>>,
    /// Events taken and not yet written, and their bytes.
    waiting: AtomicUsize,
    waiting_bytes: AtomicUsize,
    /// Every event with a smaller ticket is on the disk.
    durable_before: AtomicU64,
    available: AtomicBool,
    closed: AtomicBool,
    failures: AtomicU64,
    written: AtomicU64,
    written_bytes: AtomicU64,
    dropped: AtomicU64,
    head_failures: AtomicU64,
    /// When the oldest event in the writer's hands happened, in microseconds; 0 when there is none.
    oldest_in_hand: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    entries: Vec<Entry>,
    next_ticket: u64,
    /// The thread sleeps until it is woken.
    parked: bool,
    /// Nothing more is taken.
    closed: bool,
    flushes_wanted: u64,
    flushes_done: u64,
    flush_failed: Option<Unavailable>,
    /// What was dropped for want of room since the thread last asked.
    dropped: HashMap<RunId, u64>,
}

/// What the thread is to do besides writing what it took.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// Acknowledge this flush when everything is on the disk.
    pub(super) flush: Option<u64>,
    /// End.
    pub(super) stop: bool,
    /// Every event with a smaller ticket has been taken.
    pub(super) taken: Option<u64>,
    /// What was dropped for want of room.
    pub(super) dropped: HashMap<RunId, u64>,
}

impl Inner {
    fn is_asked(&self) -> bool {
        self.closed || self.flushes_wanted > self.flushes_done
    }

    fn orders(&self) -> Orders {
        Orders {
            flush: (self.flushes_wanted > self.flushes_done).then_some(self.flushes_wanted),
            stop: self.closed,
            ..Orders::default()
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under these locks can be left half-done by a panic, and going on beats losing the trace.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    pub(super) fn new(options: &Options, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            capacity: options.capacity,
            limit: options.capacity.saturating_add(options.capacity / 4),
            refuses: AtomicBool::new(options.on_unavailable == OnUnavailable::Refuse),
            keeps_payloads: AtomicBool::new(options.content.keeps_payloads()),
            content: Mutex::new(options.content.clone()),
            forced: options.durability == Durability::Each,
            inner: Mutex::default(),
            flushed: Condvar::new(),
            thread: OnceLock::new(),
            wakers: Mutex::default(),
            last_error: Mutex::default(),
            waiting: AtomicUsize::new(0),
            waiting_bytes: AtomicUsize::new(0),
            durable_before: AtomicU64::new(0),
            available: AtomicBool::new(true),
            closed: AtomicBool::new(false),
            failures: AtomicU64::new(0),
            written: AtomicU64::new(0),
            written_bytes: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            head_failures: AtomicU64::new(0),
            oldest_in_hand: AtomicU64::new(0),
        }
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub(super) fn set_on_unavailable(&self, what: OnUnavailable) {
        self.refuses.store(what == OnUnavailable::Refuse, Ordering::Relaxed);
    }

    pub(super) fn keeps_payloads(&self) -> bool {
        self.keeps_payloads.load(Ordering::Relaxed)
    }

    /// Redacting takes the thread longer than an event takes its producer. With a quarter of the room in use it is behind.
    pub(super) fn is_pressed(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) >= self.capacity / 4
    }

    pub(super) fn set_content(&self, content: Content) {
        self.keeps_payloads.store(content.keeps_payloads(), Ordering::Relaxed);
        *lock(&self.content) = content;
    }

    pub(super) fn content(&self) -> Content {
        lock(&self.content).clone()
    }

    pub(super) fn check(&self) -> Result<(), Unavailable> {
        if !self.refuses.load(Ordering::Relaxed) {
            return Ok(());
        }
        if let Some(reason) = self.refusal() {
            return Err(reason);
        }
        let waiting = self.waiting.load(Ordering::Relaxed);
        let crowded = self.waiting_bytes.load(Ordering::Relaxed) >= MAX_WAITING_BYTES;
        if waiting >= self.capacity || crowded { Err(Unavailable::Full { waiting }) } else { Ok(()) }
    }

    /// Why nothing can be written now, if so.
    fn refusal(&self) -> Option<Unavailable> {
        if self.closed.load(Ordering::Acquire) {
            return Some(Unavailable::Stopped);
        }
        if self.available.load(Ordering::Acquire) {
            return None;
        }
        let error = lock(&self.last_error).clone();
        Some(Unavailable::Disk(error.unwrap_or_else(|| "for a reason it did not say".to_owned())))
    }

    pub(super) fn push(&self, entry: Entry) -> Ticket {
        let size = entry.size();
        let mut inner = lock(&self.inner);
        if inner.closed || self.is_full(&entry, size) {
            let run = entry.event().run;
            if !inner.closed {
                *inner.dropped.entry(run).or_default() += 1;
            }
            drop(inner);
            self.count_dropped(1);
            return Ticket(None);
        }
        let ticket = inner.next_ticket;
        inner.next_ticket += 1;
        inner.entries.push(entry);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.waiting_bytes.fetch_add(size, Ordering::Relaxed);
        self.wake(inner);
        Ticket(Some(ticket))
    }

    /// Whether there is no room. The beginning of a run may use the reserve in both modes: it is one line, and
    /// everything after it depends on it.
    fn is_full(&self, entry: &Entry, size: usize) -> bool {
        let begins = matches!(entry, Entry::Start(_));
        let reserve = begins || self.refuses.load(Ordering::Relaxed);
        let limit = if reserve { self.limit } else { self.capacity };
        let max_bytes = if reserve { MAX_WAITING_BYTES + MAX_WAITING_BYTES / 4 } else { MAX_WAITING_BYTES };
        self.waiting.load(Ordering::Relaxed) >= limit
            || self.waiting_bytes.load(Ordering::Relaxed).saturating_add(size) > max_bytes
    }

    /// Wakes the thread if it sleeps until woken; the lock is given back first, so that it does not wait for it.
    fn wake(&self, mut inner: MutexGuard<'_, Inner>) {
        let parked = std::mem::take(&mut inner.parked);
        drop(inner);
        if parked {
            self.unpark();
        }
    }

    fn unpark(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    pub(super) fn flush(&self) -> Result<(), Unavailable> {
        let mut inner = lock(&self.inner);
        if inner.closed {
            return Err(Unavailable::Stopped);
        }
        inner.flushes_wanted += 1;
        inner.parked = false;
        let mine = inner.flushes_wanted;
        self.unpark();
        while inner.flushes_done < mine {
            inner = self.flushed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        inner.flush_failed.clone().map_or(Ok(()), Err)
    }

    /// Takes nothing more and tells the thread to end.
    pub(super) fn close(&self) {
        let mut inner = lock(&self.inner);
        inner.closed = true;
        inner.parked = false;
        drop(inner);
        self.unpark();
    }

    pub(super) fn stats(&self) -> Stats {
        let waiting = self.waiting.load(Ordering::Relaxed);
        Stats {
            events: self.written.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            bytes: self.written_bytes.load(Ordering::Relaxed),
            waiting,
            head_failures: self.head_failures.load(Ordering::Relaxed),
            available: self.refusal().is_none(),
            last_error: lock(&self.last_error).clone(),
            lag: if waiting == 0 { Duration::ZERO } else { self.lag() },
        }
    }

    fn lag(&self) -> Duration {
        let in_hand = Some(self.oldest_in_hand.load(Ordering::Relaxed)).filter(|micros| *micros > 0);
        let oldest = in_hand
            .map(Timestamp::from_micros)
            .or_else(|| lock(&self.inner).entries.first().map(|entry| entry.event().ts));
        oldest.map_or(Duration::ZERO, |oldest| self.clock.now().since(oldest))
    }

    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Acquire)
    }

    /// How the wait for this event ends, if it does; `failures` is their number when the wait began.
    pub(super) fn outcome(&self, ticket: Ticket, failures: u64) -> Option<Result<(), Unavailable>> {
        let Some(ticket) = ticket.0 else {
            let waiting = self.waiting.load(Ordering::Relaxed);
            return Some(Err(self.refusal().unwrap_or(Unavailable::Full { waiting })));
        };
        if !self.forced || ticket < self.durable_before.load(Ordering::Acquire) {
            return Some(Ok(()));
        }
        let failed = self.failures() != failures;
        self.refusal()
            .or_else(|| failed.then(|| Unavailable::Disk("it refused for a while".to_owned())))
            .map(Err)
    }

    pub(super) fn wake_when_durable(&self, ticket: Ticket, waker: &Waker) {
        let Some(ticket) = ticket.0 else { return };
        lock(&self.wakers).push((ticket, waker.clone()));
        self.unpark();
    }
}

/// Events that count as waiting, and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Waited {
    pub(super) events: usize,
    pub(super) bytes: usize,
}

//! The writer thread's side of the queue: what it takes, and what it has to tell.

use std::sync::atomic::Ordering;
use std::task::Waker;
use std::thread::Thread;

use super::{Entry, Orders, Queue, Waited, lock};
use crate::Unavailable;

impl Queue {
    pub(in crate::writer) fn attach(&self, thread: Thread) {
        let attached = self.thread.set(thread);
        debug_assert!(attached.is_ok(), "a queue has one thread");
    }

    /// Whether somebody waits for the thread's answer right now.
    pub(in crate::writer) fn is_asked(&self) -> bool {
        lock(&self.inner).is_asked()
    }

    /// Moves everything that was recorded into `batch`, which is empty.
    pub(in crate::writer) fn take(&self, batch: &mut Vec<Entry>) -> Orders {
        let mut inner = lock(&self.inner);
        std::mem::swap(&mut inner.entries, batch);
        let orders = Orders {
            taken: Some(inner.next_ticket),
            dropped: std::mem::take(&mut inner.dropped),
            ..inner.orders()
        };
        drop(inner);
        let oldest = batch.first().map_or(0, |entry| entry.event().ts.as_micros());
        self.oldest_in_hand.store(oldest, Ordering::Relaxed);
        orders
    }

    /// What is to be done, without taking anything.
    pub(in crate::writer) fn orders(&self) -> Orders {
        lock(&self.inner).orders()
    }

    /// Sleeps until something is recorded or asked.
    pub(in crate::writer) fn park(&self) {
        let mut inner = lock(&self.inner);
        if !inner.entries.is_empty() || inner.is_asked() {
            return;
        }
        inner.parked = true;
        drop(inner);
        std::thread::park();
    }

    /// These events wait no more: they were written.
    pub(in crate::writer) fn count_written(&self, events: usize, waited: Waited, bytes: usize) {
        self.leave(waited);
        self.written.fetch_add(widen(events), Ordering::Relaxed);
        self.written_bytes.fetch_add(widen(bytes), Ordering::Relaxed);
    }

    /// These events wait no more: they were given up.
    pub(in crate::writer) fn count_lost(&self, waited: Waited) {
        self.leave(waited);
        self.count_dropped(widen(waited.events));
    }

    /// These were counted as written, and are not.
    pub(in crate::writer) fn count_unwritten(&self, events: u64, bytes: usize) {
        self.written.fetch_sub(events, Ordering::Relaxed);
        self.written_bytes.fetch_sub(widen(bytes), Ordering::Relaxed);
    }

    fn leave(&self, waited: Waited) {
        self.waiting.fetch_sub(waited.events, Ordering::Relaxed);
        self.waiting_bytes.fetch_sub(waited.bytes, Ordering::Relaxed);
    }

    pub(super) fn count_dropped(&self, events: u64) {
        // Said at once and then at each power of two: loud, and no second flood beside the first.
        let before = self.dropped.fetch_add(events, Ordering::Relaxed);
        if before == 0 || before.leading_zeros() != before.saturating_add(events).leading_zeros() {
            tracing::error!(dropped = before.saturating_add(events), "events of the trace were dropped");
        }
    }

    pub(in crate::writer) fn count_head_failure(&self) {
        self.head_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// The disk refuses: whoever waits is told so.
    pub(in crate::writer) fn fail(&self, error: String) {
        *lock(&self.last_error) = Some(error);
        self.available.store(false, Ordering::Release);
        self.failures.fetch_add(1, Ordering::Release);
        for (_, waker) in std::mem::take(&mut *lock(&self.wakers)) {
            waker.wake();
        }
    }

    /// The disk takes events again.
    pub(in crate::writer) fn recover(&self) {
        self.available.store(true, Ordering::Release);
    }

    /// Every event with a smaller ticket is on the disk.
    pub(in crate::writer) fn advance(&self, durable_before: u64) {
        self.durable_before.store(durable_before, Ordering::Release);
        let mut wakers = lock(&self.wakers);
        let (done, rest) = wakers.drain(..).partition(|(ticket, _)| *ticket < durable_before);
        *wakers = rest;
        drop(wakers);
        let done: Vec<(u64, Waker)> = done;
        for (_, waker) in done {
            waker.wake();
        }
    }

    pub(in crate::writer) fn acknowledge(&self, flush: u64, failed: Option<Unavailable>) {
        let mut inner = lock(&self.inner);
        inner.flushes_done = inner.flushes_done.max(flush);
        inner.flush_failed = failed;
        drop(inner);
        self.flushed.notify_all();
    }

    /// The thread has ended, in whatever way: nobody waits for it any longer.
    pub(in crate::writer) fn end(&self) {
        let mut inner = lock(&self.inner);
        inner.closed = true;
        let lost = std::mem::take(&mut inner.entries);
        let flushes = inner.flushes_wanted;
        drop(inner);
        self.closed.store(true, Ordering::Release);
        let bytes = lost.iter().map(Entry::size).sum();
        if !lost.is_empty() {
            self.count_lost(Waited { events: lost.len(), bytes });
        }
        self.acknowledge(flushes, Some(Unavailable::Stopped));
        for (_, waker) in std::mem::take(&mut *lock(&self.wakers)) {
            waker.wake();
        }
    }
}

fn widen(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

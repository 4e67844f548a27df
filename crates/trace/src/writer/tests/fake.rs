//! A disk that does what a test tells it, a store that is down, and a stage to put a writer on them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use seawall_types::{ManualClock, Timestamp};
use serde_json::json;

use super::super::sink::Sink;
use super::super::*;
use crate::line::Envelope;
use crate::{HeadsError, MemoryHeads, RunRow};

/// A disk in memory that does what a test tells it.
#[derive(Debug, Clone, Default)]
pub(super) struct FakeDisk(Arc<Shared>);

#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct State {
    files: BTreeMap<PathBuf, Vec<u8>>,
    /// Bytes that still fit; `None` for all.
    pub(super) room: Option<usize>,
    pub(super) syncs_fail: bool,
    pub(super) syncs_wait: bool,
    pub(super) panics: bool,
}

#[derive(Debug)]
pub(super) struct FakeSink {
    pub(super) disk: FakeDisk,
    path: PathBuf,
}

impl FakeDisk {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.0.changed.notify_all();
    }

    /// The only run's file.
    pub(super) fn content(&self) -> String {
        String::from_utf8(self.state().files.values().next().cloned().unwrap_or_default()).unwrap()
    }
}

impl Files for FakeDisk {
    fn create(&mut self, _: &Path, run_dir: &Path) -> io::Result<Box<dyn Sink>> {
        let path = run_dir.to_owned();
        let mut state = self.state();
        if state.files.contains_key(&path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.files.insert(path.clone(), Vec::new());
        drop(state);
        Ok(Box::new(FakeSink { disk: self.clone(), path }))
    }
}

impl Sink for FakeSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.disk.state();
        assert!(!state.panics, "told to");
        let fits = state.room.map_or(bytes.len(), |room| room.min(bytes.len()));
        if fits == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.room = state.room.map(|room| room - fits);
        state.files.get_mut(&self.path).unwrap().extend_from_slice(&bytes[..fits]);
        Ok(fits)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.disk.state().files.get_mut(&self.path).unwrap().truncate(usize::try_from(len).unwrap());
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let waiting = self.disk.0.changed.wait_while(self.disk.state(), |state| state.syncs_wait).unwrap();
        if waiting.syncs_fail { Err(io::Error::other("the disk is broken")) } else { Ok(()) }
    }

    fn read_back(&self, start: u64, len: usize) -> io::Result<Vec<u8>> {
        let start = usize::try_from(start).unwrap();
        Ok(self.disk.state().files[&self.path][start..start + len].to_vec())
    }

    fn roll(&mut self, _: u32) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }
}

pub(super) struct Stage {
    pub(super) disk: FakeDisk,
    pub(super) writer: Writer,
    pub(super) handle: Handle,
    pub(super) clock: Arc<ManualClock>,
    pub(super) run: RunId,
}

pub(super) fn stage(change: impl FnOnce(&mut Options)) -> Stage {
    stage_with(change, Arc::new(MemoryHeads::default()))
}

pub(super) fn stage_with(change: impl FnOnce(&mut Options), heads: Arc<dyn Heads>) -> Stage {
    let mut options = Options::new(PathBuf::from("nowhere"));
    change(&mut options);
    let disk = FakeDisk::default();
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000)));
    let (writer, handle) =
        Writer::start_on(Box::new(disk.clone()), options, heads, Arc::clone(&clock) as Arc<dyn Clock>, None)
            .unwrap();
    let run = RunId::from_parts(1_700_000_000_000, &[7; 10]);
    Stage { disk, writer, handle, clock, run }
}

impl Stage {
    pub(super) fn record(&self, number: u32) -> Ticket {
        let data = json!({ "number": number });
        self.handle.record(Event::new(self.clock.now(), self.run, EventKind::Note, &data))
    }
}

/// The numbers that the recorded events carry, after checking that the lines are one gapless chain.
pub(super) fn numbers(content: &str) -> Vec<u64> {
    let mut prev = crate::chain::GENESIS;
    let mut numbers = Vec::new();
    for (index, line) in content.split_terminator('\n').enumerate() {
        let envelope = Envelope::parse(line.as_bytes()).unwrap();
        assert!(envelope.is_sealed());
        assert_eq!((envelope.seq, envelope.prev), (index as u64, prev));
        prev = envelope.hash;
        let value: Value = serde_json::from_str(line).unwrap();
        numbers.extend(value["data"]["number"].as_u64());
    }
    assert!(content.is_empty() || content.ends_with('\n'), "a torn line");
    numbers
}

/// How many events the notes in these lines say were dropped.
pub(super) fn losses(content: &str) -> u64 {
    let dropped = |line: &str| serde_json::from_str::<Value>(line).unwrap()["data"]["dropped"].as_u64();
    content.lines().filter_map(dropped).sum()
}

pub(super) struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

pub(super) fn block_on<F: Future + Unpin>(mut future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match std::pin::Pin::new(&mut future).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

pub(super) fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// A store that is down.
pub(super) struct NoStore;

impl Heads for NoStore {
    fn started(&self, _: &RunRow) -> Result<(), HeadsError> {
        Err(HeadsError::new("the store is down"))
    }

    fn heads(&self, _: &[crate::Head]) -> Result<(), HeadsError> {
        Err(HeadsError::new("the store is down"))
    }

    fn finished(&self, _: RunId, _: Timestamp, _: &crate::Head) -> Result<(), HeadsError> {
        Err(HeadsError::new("the store is down"))
    }

    fn unfinished(&self) -> Result<Vec<RunRow>, HeadsError> {
        Err(HeadsError::new("the store is down"))
    }

    fn head(&self, _: RunId) -> Result<Option<crate::Head>, HeadsError> {
        Err(HeadsError::new("the store is down"))
    }

    fn runs(&self) -> Result<Vec<RunRow>, HeadsError> {
        Err(HeadsError::new("the store is down"))
    }

    fn forget(&self, _: RunId) -> Result<(), HeadsError> {
        Err(HeadsError::new("the store is down"))
    }
}

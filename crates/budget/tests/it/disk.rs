//! A disk and a store in memory that fail when told to.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::sync::{Arc, Mutex, MutexGuard};

use seawall_budget::{
    Error, Journal, Ledger, Limit, Medium, Recovery, Segment, Snapshot, SnapshotError, Snapshots,
};
use seawall_types::Timestamp;

/// What a machine keeps: the segments of the journal and the snapshot. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) segments: BTreeMap<u64, Vec<u8>>,
    pub(crate) set_aside: BTreeMap<u64, Vec<u8>>,
    pub(crate) snapshot: Option<Snapshot>,
    /// How many bytes still fit; a write that does not fit leaves what does.
    pub(crate) room: Option<usize>,
    pub(crate) refuses_truncation: bool,
    pub(crate) refuses_syncing: bool,
    pub(crate) refuses_snapshots: bool,
    /// How many changes still happen before everything fails, as for a process that is killed; the last one
    /// happens by half.
    pub(crate) fuse: Option<usize>,
    pub(crate) syncs: usize,
}

impl Disk {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// A machine that has the same on its disk, and is in order.
    pub(crate) fn after_restart(&self) -> Self {
        let State { segments, set_aside, snapshot, .. } = self.state().clone();
        Self(Arc::new(Mutex::new(State { segments, set_aside, snapshot, ..State::default() })))
    }

    pub(crate) fn try_open(&self, limits: Vec<Limit>, now: Timestamp) -> Result<(Ledger, Recovery), Error> {
        Ledger::open(limits, Journal::on(self.clone()), Arc::new(self.clone()), now)
    }

    pub(crate) fn open(&self, limits: Vec<Limit>, now: Timestamp) -> (Ledger, Recovery) {
        self.try_open(limits, now).unwrap()
    }

    /// The bytes of the newest segment.
    pub(crate) fn newest(&self) -> Vec<u8> {
        self.state().segments.values().next_back().cloned().unwrap_or_default()
    }
}

impl State {
    /// Whether a change happens, wholly, by half or not at all.
    fn burn(&mut self) -> Burnt {
        match self.fuse.as_mut() {
            None => Burnt::No,
            Some(0) => Burnt::Yes,
            Some(left) => {
                *left -= 1;
                if *left == 0 { Burnt::Half } else { Burnt::No }
            }
        }
    }

    fn change(&mut self) -> io::Result<()> {
        if self.burn() == Burnt::No { Ok(()) } else { Err(killed()) }
    }
}

#[derive(PartialEq)]
enum Burnt {
    No,
    Half,
    Yes,
}

fn killed() -> io::Error {
    io::Error::other("the process was killed")
}

fn full() -> io::Error {
    io::ErrorKind::StorageFull.into()
}

impl Medium for Disk {
    fn segments(&self) -> io::Result<Vec<u64>> {
        Ok(self.state().segments.keys().copied().collect())
    }

    fn read(&self, segment: u64) -> io::Result<Box<dyn Read>> {
        let bytes = self.state().segments.get(&segment).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Cursor::new(bytes)))
    }

    fn create(&self, segment: u64) -> io::Result<Arc<dyn Segment>> {
        let mut state = self.state();
        state.change()?;
        assert_eq!(state.segments.insert(segment, Vec::new()), None, "a segment is never begun twice");
        Ok(Arc::new(DiskSegment { disk: self.clone(), number: segment }))
    }

    fn remove(&self, segment: u64) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        state.segments.remove(&segment).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn set_aside(&self, segment: u64, from: u64) -> io::Result<()> {
        let mut state = self.state();
        let torn = state.segments[&segment][from as usize..].to_vec();
        state.set_aside.insert(segment, torn);
        Ok(())
    }
}

#[derive(Debug)]
struct DiskSegment {
    disk: Disk,
    number: u64,
}

impl Segment for DiskSegment {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        let written = match state.burn() {
            Burnt::No => state.room.map_or(bytes.len(), |room| room.min(bytes.len())),
            Burnt::Half => bytes.len() / 2,
            Burnt::Yes => 0,
        };
        state.room = state.room.map(|room| room - written);
        state.segments.get_mut(&self.number).unwrap().extend_from_slice(&bytes[..written]);
        if written == bytes.len() { Ok(()) } else { Err(full()) }
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.change()?;
        if state.refuses_truncation {
            return Err(io::Error::other("no truncation"));
        }
        state.segments.get_mut(&self.number).unwrap().truncate(length as usize);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.change()?;
        state.syncs += 1;
        if state.refuses_syncing { Err(io::Error::other("no sync")) } else { Ok(()) }
    }
}

impl Snapshots for Disk {
    fn load(&self) -> Result<Option<Snapshot>, SnapshotError> {
        Ok(self.state().snapshot.clone())
    }

    fn save(&self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        let mut state = self.state();
        let works = state.change().is_ok() && !state.refuses_snapshots;
        if !works {
            return Err(SnapshotError::Unavailable { reason: "no snapshots".to_owned() });
        }
        // Through JSON, so that every row is known to survive being stored as text.
        let text = serde_json::to_string(snapshot).unwrap();
        state.snapshot = Some(serde_json::from_str(&text).unwrap());
        Ok(())
    }
}

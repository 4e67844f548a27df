//! `agent.json`, an agent's index entry, and `state.json`, the fold of its log up to a point.
//!
//! Both save reading the log, and both are checked: the card counts only where the log is as long as it says, the state only
//! where it is this agent's. What can't be read is not there.

use std::fs;

use seawall_base::atomic;
use seawall_store::StoreError;
use seawall_store::agents::{AgentRow, State, Window};
use seawall_types::RunId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::folder::{self, Folder, failed};
use crate::frame;
use crate::rows::{self, Lengths, Rows};

/// An index entry, with how far the agent's files count.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Card {
    pub(crate) row: AgentRow,
    pub(crate) lengths: Lengths,
}

/// A fold that was kept.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Point {
    /// The agent's, which no other one of its name has had.
    pub(crate) run: RunId,
    /// The last event in it.
    pub(crate) seq: u64,
    /// The messages that belong to it, and where the first of them begins.
    pub(crate) window: Window,
    pub(crate) window_at: u64,
    /// How far the files counted.
    pub(crate) lengths: Lengths,
    /// The agent without its messages.
    pub(crate) state: Box<RawValue>,
}

/// A fold that is to be kept.
#[derive(Debug)]
pub(crate) struct NewPoint {
    pub(crate) run: RunId,
    pub(crate) seq: u64,
    pub(crate) window: Window,
    pub(crate) lengths: Lengths,
    pub(crate) state: Vec<u8>,
}

impl Card {
    pub(crate) fn read(folder: &Folder) -> Option<Self> {
        let bytes = fs::read(folder.card()).ok()?;
        let line = frame::read(&bytes).ok().filter(|line| line.key == "agent")?;
        serde_json::from_slice(line.value).ok()
    }

    /// Does not wait for the disk: a card that is old or gone is made anew from the log.
    pub(crate) fn write(&self, folder: &Folder) -> Result<(), StoreError> {
        let mut bytes = Vec::with_capacity(1024);
        frame::push_value(&mut bytes, "agent", self).map_err(unwritable)?;
        folder::replace(&folder.card(), &bytes).map_err(failed(&folder.card()))
    }
}

impl Point {
    /// The state of the agent with this run, if one is kept that its files are long enough for.
    pub(crate) fn read(folder: &Folder, run: RunId) -> Option<Self> {
        let bytes = fs::read(folder.state()).ok()?;
        let line = frame::read(&bytes).ok().filter(|line| line.key == "state")?;
        serde_json::from_slice(line.value).ok().filter(|point: &Self| point.run == run)
    }
}

impl NewPoint {
    /// From what an append says is to be kept. Here it is a file of its own, however large.
    pub(crate) fn of(
        run: RunId,
        state: &State,
        blobs: &[(seawall_store::agents::BlobId, Vec<u8>)],
        lengths: Lengths,
    ) -> Option<Self> {
        use seawall_store::agents::Body;
        let body = match &state.body {
            Body::Inline(json) => json.clone(),
            Body::Blob(id) => blobs.iter().find(|(known, _)| known == id)?.1.clone(),
        };
        Some(Self { run, seq: state.seq, window: state.window, lengths, state: body })
    }

    /// Writes it, after everything that it builds upon is on the disk.
    pub(crate) fn write(self, folder: &Folder) -> Result<(), StoreError> {
        for rows in Rows::ALL.into_iter().filter(|rows| self.lengths.of(*rows) > 0) {
            let path = rows.file(folder);
            fs::File::open(&path).and_then(|file| file.sync_data()).map_err(failed(&path))?;
        }
        folder::sync(&folder.0).map_err(failed(&folder.0))?;
        let Self { run, seq, window, lengths, state } = self;
        let window_at = rows::message_at(folder, lengths.messages, window.from);
        let window_at = window_at.map_err(crate::fault::Fault::into_store)?;
        let state =
            String::from_utf8(state).map_err(|error| StoreError::Corrupt { reason: error.to_string() })?;
        let state = RawValue::from_string(state).map_err(unwritable)?;
        let mut bytes = Vec::new();
        let point = Point { run, seq, window, window_at, lengths, state };
        frame::push_value(&mut bytes, "state", &point).map_err(unwritable)?;
        atomic::write(&folder.state(), &bytes, 0o600).map_err(failed(&folder.state()))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unwritable(error: serde_json::Error) -> StoreError {
    StoreError::Corrupt { reason: format!("it can't be written as JSON: {error}") }
}

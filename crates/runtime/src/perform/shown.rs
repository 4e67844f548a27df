//! Pictures, sounds and files that models were shown lately, so that a turn of many steps reads each from the store once.
//!
//! Of all agents of a process together, and bounded: what was shown the longest ago goes first. Nothing depends on it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use seawall_store::agents::BlobId;
use seawall_types::RunId;

/// So many bytes are kept, of so many blobs at the most.
const MOST_BYTES: usize = 64 << 20;
const MOST: usize = 1_024;

/// What was shown lately.
#[derive(Debug, Default)]
pub(crate) struct Shown(Mutex<Lately>);

/// Whose blob, and which. By the agent's run: another agent may have its name by now.
type Of = (RunId, BlobId);

#[derive(Debug, Default)]
struct Lately {
    /// The one that was shown the longest ago first.
    blobs: VecDeque<(Of, Arc<[u8]>)>,
    bytes: usize,
}

impl Shown {
    /// The bytes of a blob of the agent with this run, if they are still here.
    pub(crate) fn get(&self, run: RunId, blob: BlobId) -> Option<Arc<[u8]>> {
        let mut lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = lately.blobs.iter().position(|(known, _)| *known == (run, blob))?;
        let found = lately.blobs.remove(at)?;
        let bytes = Arc::clone(&found.1);
        lately.blobs.push_back(found);
        Some(bytes)
    }

    /// These were read for the agent with this run.
    pub(crate) fn keep(&self, run: RunId, blob: BlobId, bytes: &Arc<[u8]>) {
        let mut lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.len() > MOST_BYTES || lately.blobs.iter().any(|(known, _)| *known == (run, blob)) {
            return;
        }
        lately.bytes = lately.bytes.saturating_add(bytes.len());
        lately.blobs.push_back(((run, blob), Arc::clone(bytes)));
        while lately.bytes > MOST_BYTES || lately.blobs.len() > MOST {
            let Some((_, oldest)) = lately.blobs.pop_front() else { break };
            lately.bytes = lately.bytes.saturating_sub(oldest.len());
        }
    }

    /// The agent with this run is held no more.
    pub(crate) fn forget(&self, run: RunId) {
        let mut lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lately.blobs.retain(|((of, _), _)| *of != run);
        lately.bytes = lately.blobs.iter().map(|(_, bytes)| bytes.len()).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(number: u8) -> RunId {
        RunId::from_parts(1, &[number; 10])
    }

    #[test]
    fn what_was_shown_the_longest_ago_goes_first() {
        let shown = Shown::default();
        let third: Arc<[u8]> = vec![0; MOST_BYTES / 3].into();
        let blobs = [b"a", b"b", b"c", b"d"].map(|name| BlobId::of(name));
        for blob in &blobs[..3] {
            shown.keep(run(1), *blob, &third);
            shown.keep(run(1), *blob, &third);
        }
        assert!(shown.get(run(1), blobs[0]).is_some(), "kept twice, it counts once");
        shown.keep(run(1), blobs[3], &third);
        let left = blobs.map(|blob| shown.get(run(1), blob).is_some());
        assert_eq!(left, [true, false, true, true]);
        shown.keep(run(1), BlobId::of(b"huge"), &vec![0; MOST_BYTES + 1].into());
        assert!(shown.get(run(1), BlobId::of(b"huge")).is_none() && shown.get(run(1), blobs[0]).is_some());
    }

    #[test]
    fn many_small_ones_are_bounded_too_and_each_agent_has_its_own() {
        let (shown, bytes) = (Shown::default(), Arc::from([1_u8]));
        for number in 0..2 * MOST {
            shown.keep(run(1), BlobId::of(&number.to_le_bytes()), &bytes);
        }
        assert_eq!(shown.0.lock().unwrap().blobs.len(), MOST);
        let blob = BlobId::of(b"x");
        shown.keep(run(1), blob, &bytes);
        assert!(shown.get(run(2), blob).is_none() && shown.get(run(1), blob).is_some());
        shown.keep(run(2), blob, &bytes);
        shown.forget(run(1));
        assert!(shown.get(run(1), blob).is_none() && shown.get(run(2), blob).is_some());
        assert_eq!(shown.0.lock().unwrap().bytes, 1);
    }
}

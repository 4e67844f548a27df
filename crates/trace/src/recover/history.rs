//! What a run's lines say that matters for closing it, gathered in one pass with bounded memory.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use seawall_types::{ActionId, Actor, EventKind, Timestamp, Usd};
use serde::Deserialize;

use crate::line::Envelope;
use crate::read::{Ending, Parsed, Source};
use crate::totals::{Tip, Totals};
use crate::{Error, Head, chain, layout};

/// An action that was admitted and has not ended.
#[derive(Debug, Default)]
pub(super) struct Admission {
    pub(super) actor: Arc<Actor>,
    pub(super) kind: Option<String>,
    pub(super) name: Option<String>,
    pub(super) reserved_usd: Option<Usd>,
}

/// A run as its files tell it.
pub(super) struct History {
    /// Where the next line goes.
    pub(super) tip: Tip,
    /// Actions that were admitted and have not ended, oldest first.
    pub(super) open: BTreeMap<ActionId, Admission>,
    /// When the run finished, if that is its last line.
    pub(super) finished_at: Option<Timestamp>,
    /// Bytes of whole lines in `trace.jsonl`.
    pub(super) good_bytes: u64,
    /// The store's head is in the chain, or there is none.
    pub(super) head_found: bool,
    /// Why no line can be appended.
    pub(super) broken: Option<String>,
}

/// The part of an ended action's `data` that is summed.
#[derive(Deserialize)]
struct Charged {
    cost_usd: Option<Usd>,
}

/// The part of an admission's `data` that says what it holds.
#[derive(Deserialize)]
struct Admitted {
    kind: Option<String>,
    name: Option<String>,
    reserved_usd: Option<Usd>,
}

impl History {
    /// Reads all files of a run.
    pub(super) fn read(run_dir: &Path, stored: Option<&Head>) -> Result<Self, Error> {
        let mut history = Self {
            tip: Tip::START,
            open: BTreeMap::new(),
            finished_at: None,
            good_bytes: 0,
            head_found: stored.is_none(),
            broken: None,
        };
        for segment in layout::segments(run_dir).map_err(Error::io("read the folder", run_dir))? {
            let bytes = history.read_file(&segment.path, stored)?;
            if segment.is_current() {
                history.good_bytes = bytes;
            }
        }
        Ok(history)
    }

    /// Gives back how many bytes of whole lines the file has.
    fn read_file(&mut self, path: &Path, stored: Option<&Head>) -> Result<u64, Error> {
        let (mut source, mut line, mut bytes) = (Source::open(path)?, Vec::new(), 0);
        loop {
            match source.next_line(&mut line)? {
                Ending::LineFeed => {
                    bytes += u64::try_from(line.len() + 1).unwrap_or(u64::MAX);
                    self.line(&line, stored);
                }
                Ending::TooLong => {
                    self.broken = Some("its last line is too long for a line of a trace".to_owned())
                }
                Ending::Torn | Ending::None => return Ok(bytes),
            }
        }
    }

    fn line(&mut self, line: &[u8], stored: Option<&Head>) {
        self.finished_at = None;
        // A malformed line in the middle is left for verification to find; only at the end it is in the way.
        let envelope = match Envelope::parse(line) {
            Ok(envelope) => envelope,
            Err(reason) => return self.broken = Some(format!("its last line can't be followed: {reason}")),
        };
        self.broken = None;
        self.tip.next_seq = envelope.seq.saturating_add(1);
        self.tip.hash = envelope.hash;
        let event =
            is_of_interest(envelope.kind).then(|| serde_json::from_slice::<Parsed>(line).ok()).flatten();
        match event {
            Some(event) => self.event(event),
            None => self.tip.totals.events += 1,
        }
        if let Some(head) =
            stored.filter(|head| head.seq == envelope.seq && chain::to_hex(head.hash) == envelope.hash)
        {
            self.head_found = true;
            self.tip.totals = Totals::from(head);
        }
    }

    fn event(&mut self, event: Parsed) {
        self.tip.totals.count(event.kind, charged(event.data.get()));
        match (event.kind, event.action) {
            (EventKind::ActionAdmitted, Some(action)) => {
                let admission = Admission::new(event.actor, event.data.get());
                self.open.insert(action, admission);
            }
            (EventKind::ActionSettled | EventKind::ActionAbandoned, Some(action)) => {
                self.open.remove(&action);
            }
            (EventKind::RunFinished, _) => self.finished_at = Some(event.ts),
            _ => {}
        }
    }
}

fn charged(data: &str) -> Usd {
    serde_json::from_str::<Charged>(data).ok().and_then(|charged| charged.cost_usd).unwrap_or_default()
}

/// Whether more of such an event matters than that it is there; the others are not parsed.
fn is_of_interest(kind: &str) -> bool {
    [
        EventKind::ActionAdmitted,
        EventKind::ActionDenied,
        EventKind::ActionSettled,
        EventKind::ActionAbandoned,
        EventKind::RunFinished,
    ]
    .iter()
    .any(|wanted| wanted.as_str() == kind)
}

impl Admission {
    fn new(actor: Actor, data: &str) -> Self {
        let actor = Arc::new(actor);
        match serde_json::from_str::<Admitted>(data) {
            Ok(Admitted { kind, name, reserved_usd }) => Self { actor, kind, name, reserved_usd },
            Err(_) => Self { actor, ..Self::default() },
        }
    }
}

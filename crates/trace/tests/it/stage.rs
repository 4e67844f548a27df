//! A folder, a clock, a store of heads, and ways to make traces in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use seawall_trace::content::Content;
use seawall_trace::verify::{Report, verify_run};
use seawall_trace::{Durability, Handle, Heads, MemoryHeads, OnUnavailable, Options, RunRow, Writer};
use seawall_types::{ActionId, Actor, Clock, Event, EventKind, ManualClock, RunId, Timestamp, Usd};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) struct Stage {
    folder: TempDir,
    pub(crate) heads: Arc<MemoryHeads>,
    pub(crate) clock: Arc<ManualClock>,
}

pub(crate) fn stage() -> Stage {
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_767_323_045_000_006)));
    Stage { folder: tempfile::tempdir().unwrap(), heads: Arc::default(), clock }
}

pub(crate) fn run(number: u8) -> RunId {
    RunId::from_parts(1_767_323_045_000, &[number; 10])
}

pub(crate) fn action(number: u8) -> ActionId {
    ActionId::from_parts(1_767_323_045_000 + u64::from(number), &[number; 10])
}

impl Stage {
    pub(crate) fn dir(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn start(&self, segment_bytes: u64) -> (Writer, Handle) {
        let options = Options {
            dir: self.dir().to_owned(),
            durability: Durability::Group { every: Duration::from_millis(20) },
            on_unavailable: OnUnavailable::Refuse,
            capacity: 65_536,
            segment_bytes,
            content: Content::None,
        };
        Writer::start(
            options,
            Arc::clone(&self.heads) as Arc<dyn Heads>,
            Arc::clone(&self.clock) as Arc<dyn Clock>,
        )
        .unwrap()
    }

    pub(crate) fn event(&self, run: RunId, kind: EventKind, data: &Value) -> Event {
        let charged = data["cost_usd"].as_str().map_or(Usd::ZERO, |usd| usd.parse().unwrap());
        Event::new(self.clock.now(), run, kind, data).charging(charged)
    }

    /// Writes an unfinished run whose lines are `run.started` and so many notes.
    pub(crate) fn write(&self, run: RunId, notes: u32, segment_bytes: u64) {
        let (writer, handle) = self.start(segment_bytes);
        handle.start_run(run, "test", &());
        for number in 0..notes {
            handle.record(self.event(
                run,
                EventKind::Note,
                &json!({ "number": number, "text": "a\u{e9}|\"b" }),
            ));
            if segment_bytes < 1 << 20 {
                // Files are changed between writes, so that small ones need several.
                handle.flush().unwrap();
            }
        }
        assert_eq!(writer.stop().dropped, 0);
    }

    /// The same, with `run.finished` at its end.
    pub(crate) fn write_finished(&self, run: RunId, notes: u32) {
        let (writer, handle) = self.start(1 << 30);
        handle.start_run(run, "test", &());
        for number in 0..notes {
            handle.record(self.event(run, EventKind::Note, &json!({ "number": number })));
        }
        handle.finish_run(run, &());
        assert_eq!(writer.stop().dropped, 0);
    }

    /// Writes the beginning of an action.
    pub(crate) fn admit(&self, handle: &Handle, run: RunId, action: ActionId) {
        let actor = Arc::new(Actor { key: Some("ci".into()), ..Actor::default() });
        let data = json!({ "kind": "model_call", "name": "gpt-4o", "reserved_usd": "0.500000" });
        handle.record(self.event(run, EventKind::ActionAdmitted, &data).about(action, actor));
    }

    pub(crate) fn settle(&self, handle: &Handle, run: RunId, action: ActionId) {
        let data = json!({ "kind": "model_call", "name": "gpt-4o", "cost_usd": "0.125000" });
        handle.record(self.event(run, EventKind::ActionSettled, &data).about(action, Arc::default()));
    }

    pub(crate) fn row(&self, run: RunId) -> RunRow {
        self.heads.runs().unwrap().into_iter().find(|row| row.run == run).unwrap()
    }

    /// The run's `trace.jsonl`.
    pub(crate) fn path(&self, run: RunId) -> PathBuf {
        self.dir().join(self.row(run).path)
    }

    pub(crate) fn verify(&self, run: RunId) -> Report {
        verify_run(self.dir(), &self.row(run), self.heads.head(run).unwrap().as_ref())
    }

    pub(crate) fn content(&self, run: RunId) -> String {
        fs::read_to_string(self.path(run)).unwrap()
    }
}

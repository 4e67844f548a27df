//! The writer thread and the store of runs: which runs there are, and where their chains end.

use std::time::Duration;

use super::{REPORT, Scribe};
use crate::writer::queue::Queue;
use crate::writer::run::RunLog;
use crate::{Heads, HeadsError};

impl Scribe {
    pub(super) fn report(&mut self, now: Duration) {
        let forced = self.is_forced();
        let heads: Vec<_> = self
            .runs
            .values()
            .filter(|log| log.has_news(forced))
            .filter_map(|log| log.head(forced))
            .collect();
        if heads.is_empty() && !self.runs.values().any(|log| log.finished().is_some()) {
            return;
        }
        self.report_at = now + REPORT;
        for log in self.runs.values_mut().filter(|log| log.is_open() && !log.listed) {
            list(&*self.heads, &self.queue, log);
        }
        let kept = self.heads.heads(&heads);
        if kept.is_ok() {
            for head in &heads {
                if let Some(log) = self.runs.get_mut(&head.run) {
                    log.reported = head.seq + 1;
                }
            }
        }
        count_failure(&self.queue, "keep the heads of the chains", kept);
        self.finish_runs();
    }

    pub(super) fn finish_runs(&mut self) {
        for run in self.ids(|log| log.finished().is_some()) {
            let Some((at, head)) = self.runs.remove(&run).and_then(|log| log.finished()) else { continue };
            count_failure(&self.queue, "end a run", self.heads.finished(run, at, &head));
        }
    }
}

/// Tells the store that the run is there; when it does not hear, it is told again with the next heads.
pub(super) fn list(heads: &dyn Heads, queue: &Queue, log: &mut RunLog) {
    let listed = heads.started(&log.row);
    log.listed = listed.is_ok();
    count_failure(queue, "begin a run", listed);
}

fn count_failure(queue: &Queue, doing: &'static str, result: Result<(), HeadsError>) {
    if let Err(error) = result {
        tracing::error!(%error, doing, "the store of runs failed; the trace itself goes on");
        queue.count_head_failure();
    }
}

//! Closing the runs whose process died: a torn last line is cut off and kept beside, every action that was admitted
//! and not ended is abandoned, and the run is finished.
//!
//! It is not verification: what was changed stays as it is and still shows. Where the file ends before the head that
//! the store has, that is written down and the store's head is left alone, so that it goes on showing.

mod history;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use seawall_types::{ActionId, Clock, Event, EventKind, RunId, Timestamp, Usd};
use serde::Serialize;
use serde_json::json;

use self::history::{Admission, History};
use crate::layout::{self, CURRENT, DirLock};
use crate::{Error, Head, Heads, RunRow, line};

/// What was done for one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The run.
    pub run: RunId,
    /// The actions whose end nobody had written down.
    pub abandoned: Vec<ActionId>,
    /// How many bytes of a torn last line were cut off; they are in `torn-<n>.bin` beside the trace.
    pub torn_bytes: u64,
    /// What is wrong with the run and was not put right, in plain words.
    pub problem: Option<String>,
}

/// Closes every run that the store has as unfinished and that no living process writes.
///
/// Traces are streamed, whatever their size. When this is itself interrupted, doing it again leads to the same end. A
/// run that can't be closed is reported with its problem, stays unfinished, and keeps no other from being closed.
///
/// # Errors
/// When the store can't say which runs are unfinished.
pub fn recover(dir: &Path, heads: &dyn Heads, clock: &dyn Clock) -> Result<Vec<Recovered>, Error> {
    let mut recovered = Vec::new();
    for row in heads.unfinished()? {
        match recover_run(dir, &row, heads, clock) {
            Ok(done) => recovered.extend(done),
            Err(error) => {
                tracing::error!(run = %row.run, %error, "a run can't be recovered; it stays unfinished");
                recovered.push(Recovered { problem: Some(error.to_string()), ..nothing_done(row.run) });
            }
        }
    }
    Ok(recovered)
}

fn nothing_done(run: RunId) -> Recovered {
    Recovered { run, abandoned: Vec::new(), torn_bytes: 0, problem: None }
}

/// Closes one run; `None` when a living process writes it.
fn recover_run(
    dir: &Path,
    row: &RunRow,
    heads: &dyn Heads,
    clock: &dyn Clock,
) -> Result<Option<Recovered>, Error> {
    let path = dir.join(&row.path);
    let run_dir = path.parent().unwrap_or(dir);
    let stored = heads.head(row.run)?;
    if !run_dir.exists() {
        return forget(row, heads, clock.now(), stored.as_ref()).map(Some);
    }
    let Some(lock) = DirLock::take(run_dir).map_err(Error::io("lock the folder", run_dir))? else {
        return Ok(None);
    };
    let history = History::read(run_dir, stored.as_ref())?;
    if let Some(problem) = &history.broken {
        return Ok(Some(Recovered { problem: Some(problem.clone()), ..nothing_done(row.run) }));
    }
    let closing = Closing { row, history, stored, now: clock.now() };
    closing.run(run_dir, &lock, heads).map(Some)
}

/// The files are gone. What the store knows of them stays, so that it shows.
fn forget(
    row: &RunRow,
    heads: &dyn Heads,
    now: Timestamp,
    stored: Option<&Head>,
) -> Result<Recovered, Error> {
    match stored {
        Some(head) => heads.finished(row.run, now, head)?,
        None => heads.forget(row.run)?,
    }
    Ok(Recovered { problem: Some("its files are gone".to_owned()), ..nothing_done(row.run) })
}

/// One run that is being closed.
struct Closing<'a> {
    row: &'a RunRow,
    history: History,
    stored: Option<Head>,
    now: Timestamp,
}

impl Closing<'_> {
    fn run(mut self, run_dir: &Path, lock: &DirLock, heads: &dyn Heads) -> Result<Recovered, Error> {
        let path = run_dir.join(CURRENT);
        let torn_bytes = cut_torn(run_dir, self.history.good_bytes).map_err(Error::io("mend", &path))?;
        let problem = self.lost_tail();
        let finished_at = match self.history.finished_at {
            Some(at) => at,
            None => {
                let lines = self.last_lines(torn_bytes, problem.as_deref());
                append(&path, &lines).map_err(Error::io("append to", &path))?;
                self.now
            }
        };
        lock.sync().map_err(Error::io("force to the disk", run_dir))?;
        let head = self.stored.filter(|_| problem.is_some()).or_else(|| self.history.tip.head(self.row.run));
        if let Some(head) = head {
            heads.finished(self.row.run, finished_at, &head)?;
        }
        let abandoned = self.history.open.into_keys().collect();
        Ok(Recovered { run: self.row.run, abandoned, torn_bytes, problem })
    }

    /// What is missing when the store's head is not in the chain.
    fn lost_tail(&self) -> Option<String> {
        let head = self.stored.filter(|_| !self.history.head_found)?;
        let end = match self.history.tip.next_seq.checked_sub(1) {
            Some(seq) => format!("ends with number {seq}"),
            None => "is empty".to_owned(),
        };
        Some(format!(
            "lines are missing: the trace {end} and does not have number {} as the store recorded it",
            head.seq
        ))
    }

    /// The lines that close the run.
    fn last_lines(&mut self, torn_bytes: u64, problem: Option<&str>) -> Vec<u8> {
        #[derive(Serialize)]
        struct Abandoned<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            kind: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            name: Option<&'a str>,
            reason: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            cost_usd: Option<Usd>,
            estimated: bool,
        }
        let mut lines = Vec::new();
        if let Some(problem) = problem {
            self.line(&mut lines, EventKind::Error, None, &json!({ "message": problem }));
        }
        let open = std::mem::take(&mut self.history.open);
        for (action, admission) in &open {
            let data = Abandoned {
                kind: admission.kind.as_deref(),
                name: admission.name.as_deref(),
                reason: "the process ended before the action was settled",
                cost_usd: admission.reserved_usd,
                estimated: true,
            };
            self.line(&mut lines, EventKind::ActionAbandoned, Some((*action, admission)), &data);
        }
        let data = json!({ "reason": "crashed", "abandoned": open.len(), "torn_bytes": torn_bytes });
        self.line(&mut lines, EventKind::RunFinished, None, &data);
        self.history.open = open;
        lines
    }

    fn line(
        &mut self,
        lines: &mut Vec<u8>,
        kind: EventKind,
        about: Option<(ActionId, &Admission)>,
        data: &impl Serialize,
    ) {
        let mut event = Event::new(self.now, self.row.run, kind, data);
        if let Some((action, admission)) = about {
            event = event.about(action, admission.actor.clone());
            event.charged = admission.reserved_usd.unwrap_or_default();
        }
        line::encode(lines, &mut self.history.tip, &event);
    }
}

/// Cuts what stands behind the last whole line, and keeps it in a file of its own. Gives back how much it was.
fn cut_torn(run_dir: &Path, good_bytes: u64) -> io::Result<u64> {
    let mut file = match OpenOptions::new().read(true).write(true).open(run_dir.join(CURRENT)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let torn_bytes = file.metadata()?.len().saturating_sub(good_bytes);
    if torn_bytes > 0 {
        file.seek(SeekFrom::Start(good_bytes))?;
        let mut kept = create_torn(run_dir)?;
        io::copy(&mut Read::by_ref(&mut file).take(torn_bytes), &mut kept)?;
        kept.sync_all()?;
        file.set_len(good_bytes)?;
        file.sync_all()?;
    }
    Ok(torn_bytes)
}

fn create_torn(run_dir: &Path) -> io::Result<File> {
    let mut number = 1_u32;
    loop {
        match layout::create_file(&run_dir.join(format!("torn-{number}.bin"))) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number = number.saturating_add(1),
            result => return result,
        }
    }
}

/// Appends all of it and forces it to the disk or, as far as the disk lets it, nothing.
fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
    // The process may have died between putting a full file away and beginning the next one.
    let mut file =
        if path.exists() { OpenOptions::new().append(true).open(path)? } else { layout::create_file(path)? };
    let before = file.metadata()?.len();
    if let Err(error) = file.write_all(lines).and_then(|()| file.sync_all()) {
        let _ = file.set_len(before);
        return Err(error);
    }
    Ok(())
}

//! Walking a chain: reads files in large pieces, has them checked on several threads, and joins the results in order.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread;

use seawall_types::RunId;

use super::chunk::{self, Checked, Expected};
use super::{Bad, HeadState, Link, Report};
use crate::line::MAX_LINE;
use crate::{Head, chain, layout};

/// How much of a file is checked in one go.
const PIECE: u64 = 2 << 20;
/// The most threads that check; more only wait for memory.
const MAX_THREADS: usize = 8;

/// What the first line must be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Start {
    /// The first line of its run.
    First,
    /// The first line of its run or, because retention may have removed what was before, any up to this number.
    AtMost(u64),
    /// The line after this one.
    After { seq: u64, hash: chain::Hex },
}

impl Start {
    fn check(self, seq: u64, prev: &chain::Hex) -> Result<(), String> {
        match self {
            Self::First | Self::AtMost(_) if seq == 0 => (*prev == chain::GENESIS)
                .then_some(())
                .ok_or_else(|| "it is the first line, and names one before it".to_owned()),
            Self::AtMost(first) if seq <= first => Ok(()),
            Self::First => {
                Err(format!("{seq} lines are missing before it: the first line of the run was due"))
            }
            Self::AtMost(first) => {
                Err(format!("{} lines are missing before it: number {first} was due", seq - first))
            }
            Self::After { seq: before, hash } => Link { seq: before, hash }.leads_to(seq, prev),
        }
    }

    /// The number of the first line when all is well.
    fn due(self) -> u64 {
        match self {
            Self::First => 0,
            Self::AtMost(first) => first,
            Self::After { seq, .. } => seq.saturating_add(1),
        }
    }
}

/// A walk along one chain.
#[derive(Debug)]
pub(super) struct Scan<'h> {
    run: Option<RunId>,
    start: Start,
    head: Option<&'h Head>,
    expected: Expected,
    /// The line before the next.
    last: Option<Link>,
    /// The hash of the line that has the head's number.
    at_head: Option<chain::Hex>,
    checked: u64,
    bad: Option<Bad>,
    file: PathBuf,
    threads: usize,
}

impl<'h> Scan<'h> {
    pub(super) fn new(run: Option<RunId>, start: Start, head: Option<&'h Head>, file: &Path) -> Self {
        let threads = thread::available_parallelism().map_or(1, |threads| threads.get().min(MAX_THREADS));
        let expected = Expected::new(run, head.map(|head| head.seq));
        let file = file.to_owned();
        Self { run, start, head, expected, last: None, at_head: None, checked: 0, bad: None, file, threads }
    }

    /// The next line is bad, for this reason; nothing after it is looked at.
    pub(super) fn fail(&mut self, reason: String) {
        let seq = self.last.map_or_else(|| self.start.due(), |last| last.seq.saturating_add(1));
        let (run, line, file) = (self.run, self.checked + 1, self.file.clone());
        self.bad.get_or_insert(Bad { run, seq, line, file, reason });
    }

    /// Walks through one file; `grows` when a writer may be at its end.
    pub(super) fn file(&mut self, path: &Path, file: File, grows: bool) {
        if self.bad.is_some() {
            return;
        }
        path.clone_into(&mut self.file);
        if let Err(error) = self.try_file(path, file, grows) {
            self.fail(format!("the file can't be read on: {error}"));
        }
    }

    fn try_file(&mut self, path: &Path, file: File, grows: bool) -> io::Result<()> {
        let compressed = path.as_os_str().as_encoded_bytes().ends_with(layout::COMPRESSED.as_bytes());
        let watch = file.try_clone()?;
        let mut pieces = if compressed { Pieces::new(zstd::Decoder::new(file)?) } else { Pieces::new(file) };
        while self.bad.is_none() {
            let round = pieces.round(self.threads)?;
            if round.is_empty() {
                break;
            }
            for checked in check_all(&round, &self.expected) {
                self.join(&checked);
            }
        }
        if self.bad.is_none() && !pieces.rest.is_empty() {
            let grown = grows && !compressed && watch.metadata()?.len() > pieces.read;
            if pieces.rest.len() > MAX_LINE {
                self.fail("it is too long for a line of a trace".to_owned());
            } else if !grown {
                self.fail("it is torn: it does not end with a line feed".to_owned());
            }
        }
        Ok(())
    }

    fn join(&mut self, piece: &Checked) {
        if self.bad.is_some() {
            return;
        }
        if let Some((seq, prev)) = &piece.first {
            let follows = match &self.last {
                Some(last) => last.leads_to(*seq, prev),
                None => self.start.check(*seq, prev),
            };
            if let Err(reason) = follows {
                return self.fail(reason);
            }
        }
        self.checked += piece.good;
        self.last = piece.last.or(self.last);
        self.at_head = piece.at_head.or(self.at_head);
        if let Some(reason) = &piece.bad {
            self.fail(reason.clone());
        }
    }

    /// Compares the end with the head. A `finished` run must not go on behind it.
    pub(super) fn finish(mut self, finished: bool) -> Report {
        let state = match self.head {
            Some(head) if self.bad.is_none() => self.compare(head, finished),
            _ => HeadState::Unknown,
        };
        Report { ok: self.bad.is_none(), checked: self.checked, head: state, first_bad: self.bad }
    }

    fn compare(&mut self, head: &Head, finished: bool) -> HeadState {
        let end = self.last.map(|last| last.seq);
        let Some(at_head) = self.at_head else {
            let found = end.map_or_else(|| "is empty".to_owned(), |end| format!("ends with number {end}"));
            self.fail(format!("the tail was cut: the trace {found}, the store recorded number {}", head.seq));
            return HeadState::Missing;
        };
        let beyond = end.unwrap_or(head.seq).saturating_sub(head.seq);
        if at_head != chain::to_hex(head.hash) {
            self.step_back(beyond + 1, head.seq);
            self.fail("it was written anew: the store recorded another hash for it".to_owned());
            return HeadState::Missing;
        }
        if beyond > 0 && finished {
            self.step_back(beyond, head.seq.saturating_add(1));
            self.fail("it was added after the run had finished".to_owned());
        }
        if beyond > 0 { HeadState::Behind } else { HeadState::Matches }
    }

    /// Goes back by some lines, so that the line with number `due` is the next.
    fn step_back(&mut self, lines: u64, due: u64) {
        self.checked = self.checked.saturating_sub(lines);
        self.last = due.checked_sub(1).map(|seq| Link { seq, hash: chain::GENESIS });
    }
}

fn check_all(round: &[Vec<u8>], expected: &Expected) -> Vec<Checked> {
    let Some((first, others)) = round.split_first() else { return Vec::new() };
    thread::scope(|scope| {
        let others: Vec<_> =
            others.iter().map(|piece| scope.spawn(move || chunk::check(piece, expected))).collect();
        let mut all = vec![chunk::check(first, expected)];
        all.extend(others.into_iter().map(|other| {
            let broken =
                || Checked { bad: Some("the checker itself failed here".to_owned()), ..Checked::default() };
            other.join().unwrap_or_else(|_| broken())
        }));
        all
    })
}

/// Cuts a file into pieces of whole lines.
struct Pieces {
    source: Box<dyn Read>,
    /// The beginning of a line whose end has not been read.
    rest: Vec<u8>,
    /// Bytes read so far.
    read: u64,
}

impl Pieces {
    fn new(source: impl Read + 'static) -> Self {
        Self { source: Box::new(source), rest: Vec::new(), read: 0 }
    }

    /// The next pieces, one for each thread; none at the end of the file.
    fn round(&mut self, threads: usize) -> io::Result<Vec<Vec<u8>>> {
        let mut round = Vec::with_capacity(threads);
        while round.len() < threads {
            match self.next()? {
                Some(piece) => round.push(piece),
                None => break,
            }
        }
        Ok(round)
    }

    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut piece = std::mem::take(&mut self.rest);
        loop {
            piece.reserve(usize::try_from(PIECE).unwrap_or(0));
            let fresh = piece.len();
            let read = self.source.by_ref().take(PIECE).read_to_end(&mut piece)?;
            self.read += u64::try_from(read).unwrap_or(u64::MAX);
            let end = piece.get(fresh..).and_then(|fresh| memchr::memrchr(b'\n', fresh));
            if let Some(end) = end {
                self.rest = piece.split_off(fresh + end + 1);
                return Ok(Some(piece));
            }
            if read == 0 || piece.len() > MAX_LINE {
                self.rest = piece;
                return Ok(None);
            }
        }
    }
}

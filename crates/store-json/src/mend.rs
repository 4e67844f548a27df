//! Bringing an agent's files in line with its log: after a crash, and where files were lost or changed.
//!
//! An unfinished append at the log's end is kept aside and cut off; a log that was changed is left as it is, and the agent
//! with it. Rows, state and index entry are made anew from the last kept state on, or from the beginning.

use std::fs::File;

use seawall_engine::AgentId;
use seawall_store::StoreError;
use seawall_store::agents::{Append, Kept, Owner, Right};

use crate::card::{Card, NewPoint, Point};
use crate::fault::Fault;
use crate::folder::{self, Folder, failed};
use crate::load;
use crate::log::{self, Groups, Header, Survey, Tail, survey};
use crate::rows::{self, Lengths, NewRows};

/// How much of what follows from a log is to be made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// What follows from events since the state that was kept last.
    SinceState,
    /// All of it.
    Everything,
}

/// How many bytes of rows are gathered before they are written.
const CHUNK: usize = 1 << 20;

/// Mends the files of an agent, as far as they can be. `known` is its entry as it was written down last.
///
/// The caller sees to it that nobody else writes them.
pub(crate) fn mend(
    folder: &Folder,
    id: &AgentId,
    known: Option<&Card>,
    reach: Reach,
) -> Result<Card, StoreError> {
    let path = folder.log();
    let file = folder::open(&path).map_err(failed(&path))?;
    let length = file.metadata().map_err(failed(&path))?.len();
    let tell = |broken| log::tell(folder, &file, broken);
    let header = log::header(folder, &file, length)?;
    check(&header, id, folder)?;
    let point = match reach {
        Reach::SinceState => Point::read(folder, header.run),
        Reach::Everything => None,
    };
    let known = known.filter(|known| known.row.run == header.run);
    let survey = look(&file, length, point.as_ref(), known.map(|known| known.lengths.log)).map_err(tell)?;
    let end = survey.end;
    if end == 0 {
        let why = "there is no whole append in it".to_owned();
        return Err(tell(log::Broken::Line { group: 0, at: 0, why }));
    }
    match survey.tail {
        Tail::Nothing => {}
        Tail::Unfinished => cut(folder, &file, end, length)?,
        Tail::Changed(broken) => return Err(tell(broken)),
    }
    if known.is_some_and(|known| known.lengths.log > end) {
        tracing::error!(agent = %id, path = %path.display(), bytes = end, "the end of the log is missing: what was \
            written there is lost; restore it from a backup if there is one");
    }
    // From here on until it is written anew, the index entry is not to be relied on.
    rows::remove(&folder.card()).map_err(failed(&folder.card()))?;
    let point = point.filter(|point| point.lengths.log <= end);
    let card = match point.map(|point| Work::from_point(folder, &header.owner, &point)).transpose() {
        Ok(Some(work)) => work.follow(&file, end),
        Ok(None) => Err(Fault::Derived("there is no state".to_owned())),
        Err(fault) => Err(fault),
    };
    let card = match card {
        Ok(card) => card,
        Err(Fault::Store(error @ StoreError::Unavailable { .. })) => return Err(error),
        // Whatever is the matter with the rest: the log alone can do it.
        Err(_) => anew(folder, &header.owner, &file, end)?,
    };
    card.write(folder)?;
    Ok(card)
}

fn check(header: &Header, id: &AgentId, folder: &Folder) -> Result<(), StoreError> {
    if header.agent == *id {
        return Ok(());
    }
    let reason =
        format!("{} is the log of agent {}; give the folder that name", folder.log().display(), header.agent);
    Err(StoreError::Corrupt { reason })
}

/// Looks at what was written since the last kept state; at everything where there is none, or something is wrong.
fn look(file: &File, length: u64, point: Option<&Point>, known: Option<u64>) -> Result<Survey, log::Broken> {
    let from = point.map(|point| point.lengths.log).filter(|from| *from <= length).unwrap_or_default();
    let found = survey(file, from, length, known)?;
    match found.tail {
        Tail::Changed(_) if from > 0 => survey(file, 0, length, known),
        Tail::Unfinished if found.end == from && from > 0 => survey(file, 0, length, known),
        Tail::Nothing | Tail::Unfinished | Tail::Changed(_) => Ok(found),
    }
}

/// Takes an unfinished append away.
fn cut(folder: &Folder, file: &File, end: u64, length: u64) -> Result<(), StoreError> {
    let path = folder.log();
    let aside = folder::set_aside(&path, end).map_err(failed(&path))?;
    file.set_len(end).and_then(|()| file.sync_all()).map_err(failed(&path))?;
    tracing::warn!(log = %path.display(), kept = %aside.display(), bytes = length.saturating_sub(end),
        "an unfinished write at the end of a log was cut off and kept aside");
    Ok(())
}

/// Makes everything but the log anew.
fn anew(folder: &Folder, owner: &Owner, file: &File, end: u64) -> Result<Card, StoreError> {
    rows::remove(&folder.state()).map_err(failed(&folder.state()))?;
    rows::cut(folder, &Lengths::default()).map_err(Fault::into_store)?;
    let work = Work { folder, owner, kept: None, lengths: Lengths::default(), last: None };
    work.follow(file, end).map_err(Fault::into_store)
}

/// An agent's files on the way to their end.
struct Work<'a> {
    folder: &'a Folder,
    owner: &'a Owner,
    kept: Option<Kept>,
    lengths: Lengths,
    /// The last state that was to be kept.
    last: Option<NewPoint>,
}

impl<'a> Work<'a> {
    fn from_point(folder: &'a Folder, owner: &'a Owner, point: &Point) -> Result<Self, Fault> {
        rows::cut(folder, &point.lengths)?;
        let messages = load::window(folder, point)?;
        let state = Some((point.seq, point.window, point.state.get().as_bytes()));
        let kept = Kept::load(owner.clone(), state, messages, &[])?;
        Ok(Self { folder, owner, kept: Some(kept), lengths: point.lengths, last: None })
    }

    /// Goes through the appends, each as it was made.
    fn follow(mut self, file: &File, end: u64) -> Result<Card, Fault> {
        let mut groups = Groups::new(file, self.lengths.log, end);
        let (mut new, mut written) = (NewRows::default(), self.lengths);
        while let Some(group) = groups.next().map_err(|broken| log::tell(self.folder, file, broken))? {
            let events: Result<Vec<_>, _> =
                group.events.iter().map(|body| log::event(self.folder, body)).collect();
            let append = self.step(&events?)?;
            new.add(&append)?;
            self.lengths = Lengths { log: group.end, ..new.after(written) };
            if let Some(state) = &append.state {
                self.last = NewPoint::of(append.row.run, state, &append.blobs, self.lengths);
            }
            if new.size() > CHUNK {
                new.write(self.folder, &written)?;
                (new, written) = (NewRows::default(), self.lengths);
            }
        }
        new.write(self.folder, &written)?;
        if let Some(point) = self.last {
            point.write(self.folder)?;
        }
        let kept = self.kept.ok_or_else(|| Fault::Derived("there is no agent".to_owned()))?;
        let row = seawall_store::agents::AgentRow::of(kept.agent(), self.owner, kept.seq());
        Ok(Card { row, lengths: self.lengths })
    }

    fn step(&mut self, events: &[seawall_engine::Event]) -> Result<Append, StoreError> {
        let (kept, append) = match &self.kept {
            Some(kept) => kept.append(Right::Outsider, events)?,
            None => Kept::create(self.owner.clone(), events)?,
        };
        self.kept = Some(kept);
        Ok(append)
    }
}

//! Changing parts of files: planned for all of them, noted, then done. What is noted tells after a crash how far it came.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use seawall_engine::Found;
use seawall_types::Effect;

use super::blocking::Work;
use super::fs_read::stale;
use super::journal::{Journal, Record};
use super::replacing::Replacement;
use crate::Failure;
use crate::place::{Hash, Known, Located, Pool, Present, TEXT_BYTES};

pub(super) use super::journal::Done;

/// One replacement in one file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edit<'a> {
    pub(super) path: &'a str,
    pub(super) replacement: Replacement<'a>,
}

/// A file and those of the edits that are its own.
struct FileEdits<'a> {
    /// Where it is, however it is written.
    place: PathBuf,
    path: &'a str,
    edits: Vec<usize>,
}

/// A file as it is to be.
struct Planned {
    located: Located,
    old: Present,
    new: String,
    after: Hash,
}

/// How a file is to be changed.
enum Plan {
    Replace(Planned),
    /// An earlier attempt has done it.
    IsDone(PathBuf, Hash),
}

/// Makes the edits: of each file all or none. How each of them ended, in their order.
pub(super) fn perform(work: &Work, edits: &[Edit<'_>]) -> Result<Vec<Done>, Failure> {
    // Only what was begun before can have been noted before.
    let begun = (work.attempt > 1).then_some(());
    let before = begun.and_then(|()| Journal::read(&work.place, work.call, &work.key));
    // Held to the end: no other tool of the agent writes between looking and writing.
    let mut pool = work.place.pool();
    let mut done = vec![Done::Skipped; edits.len()];
    let (mut plans, mut bytes) = (Vec::new(), 0);
    for file in by_file(work, edits) {
        match plan(work, &pool, edits, &file, before.as_ref(), &mut done) {
            Ok(Plan::Replace(planned)) => {
                bytes += planned.old.bytes.len() + planned.new.len();
                plans.push((file, planned));
            }
            Ok(Plan::IsDone(path, after)) => {
                pool.note(&path, after);
                let earlier = before.as_ref().map(|journal| journal.done.as_slice()).unwrap_or_default();
                for index in file.edits {
                    put(&mut done, index, earlier.get(index).cloned().unwrap_or(Done::Skipped));
                }
            }
            Err((index, words)) => put(&mut done, index, Done::Failed(words.into_owned())),
        }
        if bytes as u64 > 2 * TEXT_BYTES {
            return Err(Failure::new("these files are too large to be changed at once; make several calls"));
        }
    }
    note(work, before, &plans, &done)?;
    for (file, planned) in plans {
        let replaced = planned.located.replace(Some(&planned.old), planned.new.as_bytes());
        match replaced {
            Ok(()) => pool.note(&planned.located.path, planned.after),
            Err(failure) => fail(&mut done, &file.edits, &failure.to_string()),
        }
    }
    Ok(done)
}

/// The edits by their files, both in the order in which they were given.
fn by_file<'a>(work: &Work, edits: &[Edit<'a>]) -> Vec<FileEdits<'a>> {
    let mut files: Vec<FileEdits<'a>> = Vec::new();
    for (index, edit) in edits.iter().enumerate() {
        let located = work.place.locate(Effect::FsWrite, edit.path);
        let place = located.map_or_else(|_| PathBuf::from(edit.path), |located| located.path);
        match files.iter_mut().find(|file| file.place == place) {
            Some(file) => file.edits.push(index),
            None => files.push(FileEdits { place, path: edit.path, edits: vec![index] }),
        }
    }
    files
}

/// What a file is to be; or which of its edits can't be made, and why.
fn plan(
    work: &Work,
    pool: &Pool,
    edits: &[Edit<'_>],
    file: &FileEdits<'_>,
    before: Option<&Journal>,
    done: &mut [Done],
) -> Result<Plan, (usize, Cow<'static, str>)> {
    let first = file.edits.first().copied().unwrap_or_default();
    let at_first = |words: String| (first, Cow::Owned(words));
    let (located, old) = look(work, file.path).map_err(|failure| at_first(failure.to_string()))?;
    let hash = blake3::hash(&old.bytes);
    let record = before.and_then(|journal| journal.files.get(&located.shown));
    if record.is_some_and(|record| record.after == hash.to_string()) {
        return Ok(Plan::IsDone(located.path, hash));
    }
    // What an earlier attempt was about to change, it had found in order.
    let is_as_begun = record.is_some_and(|record| record.before == hash.to_string());
    let known = pool.know(&located.path, &hash);
    if known == Known::Changed && !is_as_begun {
        let refused = stale(&located.shown, known).map(|failure| failure.to_string());
        return Err(at_first(refused.unwrap_or_default()));
    }
    let Ok(text) = std::str::from_utf8(&old.bytes) else {
        return Err(at_first(format!("{:?} is no UTF-8 text", located.shown)));
    };
    let mut new = Cow::Borrowed(text);
    let mut counts = Vec::new();
    for &index in &file.edits {
        let Some(edit) = edits.get(index) else { continue };
        let (made, count) = edit.replacement.make(&new).map_err(|words| (index, words))?;
        new = Cow::Owned(made);
        counts.push((index, count));
    }
    for (index, count) in counts {
        put(done, index, Done::Replaced(count));
    }
    let new = new.into_owned();
    let after = blake3::hash(new.as_bytes());
    Ok(Plan::Replace(Planned { located, new, after, old }))
}

fn look(work: &Work, path: &str) -> Result<(Located, Present), Failure> {
    let located = work.place.locate(Effect::FsWrite, path)?;
    match work.place.read_whole(&located)? {
        Some(present) => Ok((located, present)),
        None => Err(Failure::new(format!("there is no file {:?}; write it with fs_write", located.shown))),
    }
}

/// Notes what is about to be done.
fn note(
    work: &Work,
    before: Option<Journal>,
    plans: &[(FileEdits<'_>, Planned)],
    done: &[Done],
) -> Result<(), Failure> {
    if plans.is_empty() {
        return Ok(());
    }
    let mut files = before.map_or_else(BTreeMap::new, |journal| journal.files);
    files.extend(plans.iter().map(|(_, planned)| {
        let before = blake3::hash(&planned.old.bytes).to_string();
        (planned.located.shown.clone(), Record { before, after: planned.after.to_string() })
    }));
    let journal = Journal { key: work.key.clone(), files, done: done.to_vec() };
    journal.write(&work.place, work.call)
}

fn fail(done: &mut [Done], of_file: &[usize], words: &str) {
    for &index in of_file {
        put(done, index, Done::Failed(words.to_owned()));
    }
}

fn put(done: &mut [Done], index: usize, value: Done) {
    if let Some(place) = done.get_mut(index) {
        *place = value;
    }
}

/// What became of edits whose process died.
pub(super) enum Left {
    /// They were made, and ended so.
    Made(Vec<Done>),
    /// Not all of them were; those that were are known, so that all can be begun again.
    NotAll,
    /// It can't be told.
    Unknown,
}

impl Left {
    pub(super) fn found(self, result: impl FnOnce(Vec<Done>) -> crate::Outcome) -> Found {
        match self {
            Self::Made(done) => Found::Done { result: result(done).result },
            Self::NotAll => Found::NotDone,
            Self::Unknown => Found::Unknown,
        }
    }
}

/// Finds out what became of edits: by what was noted, else by what is in the files.
pub(super) fn find_out(work: &Work, edits: &[Edit<'_>]) -> Left {
    let Some(journal) = Journal::read(&work.place, work.call, &work.key) else {
        let untouched = edits.iter().all(|edit| is_untouched(work, edit));
        return if untouched { Left::NotAll } else { Left::Unknown };
    };
    let mut all_made = true;
    for (shown, record) in &journal.files {
        let Ok((located, present)) = look(work, shown) else { return Left::Unknown };
        let hash = blake3::hash(&present.bytes);
        if hash.to_string() == record.before {
            all_made = false;
        } else if hash.to_string() != record.after {
            return Left::Unknown;
        } else {
            // Its own work, and no change of somebody else's.
            work.place.pool().note(&located.path, hash);
        }
    }
    if all_made { Left::Made(journal.done) } else { Left::NotAll }
}

/// Whether a file shows that nothing was done: the old text can be replaced, and the new one is nowhere.
fn is_untouched(work: &Work, edit: &Edit<'_>) -> bool {
    let Ok((_, present)) = look(work, edit.path) else { return false };
    let Ok(text) = std::str::from_utf8(&present.bytes) else { return false };
    let Replacement { new, .. } = edit.replacement;
    !new.is_empty() && !text.contains(new) && edit.replacement.make(text).is_ok()
}

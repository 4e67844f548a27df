//! What of a log can be relied on, and what the rest of it is.
//!
//! A process that is killed, or a machine that loses its power, leaves at most the last append unfinished: cut off, with
//! holes of zeros, or followed by bytes of somebody else's. Nobody was told of it, so it may go. Anything else that is wrong
//! was changed after it was written, and what nobody has written must not be taken for what somebody has: it stays as it is,
//! and the agent is not loaded.

use std::fs::File;

use super::{Broken, Groups, Kind, LONGEST_LINE, Lines, read_line};
use crate::folder;

/// What was found.
#[derive(Debug)]
pub(crate) struct Survey {
    /// Where the last whole append ends.
    pub(crate) end: u64,
    /// What follows it.
    pub(crate) tail: Tail,
}

/// What follows the last whole append.
#[derive(Debug)]
pub(crate) enum Tail {
    /// Nothing.
    Nothing,
    /// What was being written.
    Unfinished,
    /// What was written, and changed since.
    Changed(Broken),
}

/// Looks through a log of `length` bytes from where an append begins. `known` is a length that was once written down as whole
/// and durable.
pub(crate) fn survey(file: &File, from: u64, length: u64, known: Option<u64>) -> Result<Survey, Broken> {
    let mut groups = Groups::new(file, from, length);
    let mut end = from;
    let (group, at, why) = loop {
        match groups.next() {
            Ok(Some(group)) => end = group.end,
            Ok(None) => return Ok(Survey { end, tail: Tail::Nothing }),
            Err(Broken::Line { group, at, why }) => break (group, at, why),
            Err(error) => return Err(error),
        }
    };
    let was_durable = known.is_some_and(|known| group < known && known <= length);
    let is_changed = was_durable || was_whole(file, group, at, length)?;
    let broken = Broken::Line { group, at, why };
    Ok(Survey { end, tail: if is_changed { Tail::Changed(broken) } else { Tail::Unfinished } })
}

/// Whether an append with a wrong line was whole once: there are others after it, or its last line is the file's, and nothing
/// of it is zeros, which stand where a file has got its length but not its bytes.
fn was_whole(file: &File, group: u64, wrong: u64, length: u64) -> Result<bool, Broken> {
    let mut lines = Lines::new(file, wrong, length, LONGEST_LINE);
    let (mut has_holes, mut ends_whole) = (false, false);
    while let Some((at, line)) = lines.next()? {
        has_holes |= line.contains(&0);
        ends_whole = false;
        if let Ok(Kind::End(mark)) = read_line(line, false) {
            let begins = at.saturating_sub(mark.bytes);
            if begins > wrong.max(group) && is_append(file, begins, at, &mark.c)? {
                return Ok(true);
            }
            ends_whole = true;
        }
    }
    Ok(ends_whole && !has_holes)
}

/// Whether these bytes are an append.
fn is_append(file: &File, from: u64, to: u64, sum: &str) -> Result<bool, Broken> {
    let bytes = folder::read(file, from, to)?;
    Ok(!bytes.is_empty() && format!("{:08x}", crc32c::crc32c(&bytes)) == sum)
}

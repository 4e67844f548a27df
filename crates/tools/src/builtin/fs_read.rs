//! `fs_read`: some lines of a file, as they are.

use std::io::Read;

use memchr::{memchr, memchr_iter};
use seawall_engine::EffectClass;
use seawall_types::Effect;
use serde::Deserialize;
use serde_json::{Value, json};

use super::blocking::{Blocking, Work};
use super::{FILE_TIME, described, spec};
use crate::Failure;
use crate::place::{Known, whole_characters};

/// So many lines are given where nobody says how many.
const LINES: u64 = 2_000;
/// So much text is given at once: with what JSON needs to write it, less than a result may have.
const MOST_BYTES: usize = 48 * 1024;
/// In so much of a file a zero byte means that it is no text.
const LOOKED_AT: usize = 8 * 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    path: String,
    offset: Option<u64>,
    limit: Option<u64>,
    byte_offset: Option<u64>,
}

pub(super) fn tool() -> Blocking<impl serde::de::DeserializeOwned + std::fmt::Debug + Send> {
    let parameters = json!({
        "type": "object",
        "properties": {
            "path": { "type": "string", "description": "The file, from the working folder" },
            "offset": { "type": "integer", "minimum": 1, "description": "The first line, counted from 1 (default: 1)" },
            "limit": { "type": "integer", "minimum": 1, "description": "How many lines (default: 2000)" },
            "byte_offset": {
                "type": "integer", "minimum": 0,
                "description": "Begin at this byte and not at a line; for long lines, as nextByteOffset says"
            },
        },
        "required": ["path"],
        "additionalProperties": false,
    });
    let description = "Reads a text file. Gives content (as it is, without line numbers), totalLines, and truncated: \
        whether there is more; then nextOffset or nextByteOffset says where to go on.";
    let spec = spec(EffectClass::Pure, false, FILE_TIME);
    let description = described("fs_read", description, parameters, spec).touching(Effect::FsRead, &["path"]);
    Blocking::new(description, perform)
}

fn perform(work: &Work, arguments: &Arguments) -> Result<Value, Failure> {
    let located = work.place.locate(Effect::FsRead, &arguments.path)?;
    let mut file = work.place.open_to_read(&located)?;
    let failed = |error| Failure::system(format!("{:?} can't be read", located.shown), &error);
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(Failure::new(format!("{:?} is a folder; look into it with fs_glob", located.shown)));
    }
    let mut reading = Reading::new(arguments);
    let (mut hasher, mut buffer) = (blake3::Hasher::new(), vec![0; 256 * 1024]);
    loop {
        let read = file.read(&mut buffer).map_err(failed)?;
        let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else { break };
        if work.stop.is_cancelled() {
            return Err(Failure::new("interrupted"));
        }
        if reading.at == 0 && memchr(0, chunk.get(..LOOKED_AT.min(read)).unwrap_or_default()).is_some() {
            let bytes = metadata.len();
            return Err(Failure::new(format!(
                "{:?} is no text ({bytes} bytes); look at it with a command, such as `file` or `xxd`",
                located.shown
            )));
        }
        hasher.update(chunk);
        reading.take(chunk);
    }
    // From here on the agent knows the file, also where it looked at a part of it.
    work.place.pool().note(&located.path, hasher.finalize());
    Ok(reading.finish(&located.shown))
}

/// What has been read of a file, in one pass over all of it: lines are counted to its end.
struct Reading {
    /// The first line and how many.
    offset: u64,
    limit: u64,
    /// Begin at this byte instead.
    byte_offset: Option<u64>,
    /// How many bytes have gone by, how many line ends in them, and how many lines are begun.
    at: u64,
    ends: u64,
    ends_with_end: bool,
    content: Vec<u8>,
    /// Where the content begins, in bytes and lines.
    begun: Option<(u64, u64)>,
    taken_lines: u64,
    is_full: bool,
    has_more: bool,
}

impl Reading {
    fn new(arguments: &Arguments) -> Self {
        Self {
            offset: arguments.offset.unwrap_or(1),
            limit: arguments.limit.unwrap_or(LINES),
            byte_offset: arguments.byte_offset,
            at: 0,
            ends: 0,
            ends_with_end: true,
            content: Vec::new(),
            begun: None,
            taken_lines: 0,
            is_full: false,
            has_more: false,
        }
    }

    fn take(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        if self.begun.is_none() {
            let skipped = self.skip(chunk);
            rest = chunk.get(skipped..).unwrap_or_default();
        }
        if self.begun.is_some() && !rest.is_empty() {
            self.collect(rest);
        }
        self.ends_with_end = chunk.last() == Some(&b'\n');
    }

    /// Goes to where the content begins; gives how many bytes lie before it.
    fn skip(&mut self, chunk: &[u8]) -> usize {
        let skipped = match self.byte_offset {
            Some(wanted) => usize::try_from(wanted - self.at).unwrap_or(usize::MAX).min(chunk.len()),
            None => {
                let before = usize::try_from(self.offset - 1 - self.ends).unwrap_or(usize::MAX);
                match before.checked_sub(1) {
                    None => 0,
                    Some(last) => memchr_iter(b'\n', chunk).nth(last).map_or(chunk.len(), |end| end + 1),
                }
            }
        };
        let passed = chunk.get(..skipped).unwrap_or_default();
        self.ends += memchr_iter(b'\n', passed).count() as u64;
        self.at += passed.len() as u64;
        let is_there = match self.byte_offset {
            Some(wanted) => self.at == wanted,
            None => self.ends + 1 == self.offset,
        };
        // Behind the last line end of a chunk there may be nothing more: then there is no such line.
        if is_there && skipped < chunk.len() {
            self.begun = Some((self.at, self.ends + 1));
        }
        skipped
    }

    fn collect(&mut self, rest: &[u8]) {
        self.at += rest.len() as u64;
        self.ends += memchr_iter(b'\n', rest).count() as u64;
        if self.is_full {
            self.has_more = true;
            return;
        }
        let wanted = self.limit - self.taken_lines;
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX).saturating_sub(1);
        let by_lines = memchr_iter(b'\n', rest).nth(wanted).map_or(rest.len(), |end| end + 1);
        let room = MOST_BYTES + 4 - self.content.len();
        let taken = rest.get(..by_lines.min(room)).unwrap_or_default();
        self.content.extend_from_slice(taken);
        self.taken_lines += memchr_iter(b'\n', taken).count() as u64;
        self.is_full = self.taken_lines >= self.limit || self.content.len() >= MOST_BYTES;
        self.has_more = taken.len() < rest.len();
    }

    fn finish(mut self, path: &str) -> Value {
        let total_lines = self.ends + u64::from(!self.ends_with_end);
        let (start, first_line) = self.begun.unwrap_or((self.at, total_lines + 1));
        if self.content.len() > MOST_BYTES {
            self.content.truncate(MOST_BYTES);
            self.has_more = true;
        }
        if self.has_more {
            self.end_well();
        }
        let mut shown = json!({
            "path": path, "offset": first_line, "limit": self.limit,
            "truncated": self.has_more, "totalLines": total_lines,
        });
        if let (true, Some(fields)) = (self.has_more, shown.as_object_mut()) {
            let lines = memchr_iter(b'\n', &self.content).count() as u64;
            if self.content.ends_with(b"\n") && self.byte_offset.is_none() {
                fields.insert("nextOffset".to_owned(), json!(first_line + lines));
            } else {
                fields.insert("nextByteOffset".to_owned(), json!(start + self.content.len() as u64));
            }
        }
        if let Some(fields) = shown.as_object_mut() {
            fields.insert("content".to_owned(), String::from_utf8_lossy(&self.content).into());
        }
        shown
    }

    /// Ends the content with a line, or where one line is all of it, with a character.
    fn end_well(&mut self) {
        let is_within_a_line = !self.content.ends_with(b"\n");
        match memchr::memrchr(b'\n', &self.content) {
            Some(end) if is_within_a_line => self.content.truncate(end + 1),
            None => self.content.truncate(whole_characters(&self.content)),
            Some(_) => {}
        }
    }
}

/// What the agent is told of a file that is not as it knows it.
pub(super) fn stale(shown: &str, known: Known) -> Option<Failure> {
    match known {
        Known::Same => None,
        Known::Changed => Some(Failure::new(format!(
            "{shown:?} was changed since you last saw it, by a command or by somebody else; nothing was written. Read it again with fs_read"
        ))),
        Known::Unseen => Some(Failure::new(format!(
            "{shown:?} is there already and you have not read it; nothing was written. Read it first with fs_read"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(text: &str, chunk: usize, arguments: &Arguments) -> Value {
        let mut reading = Reading::new(arguments);
        text.as_bytes().chunks(chunk).for_each(|chunk| reading.take(chunk));
        reading.finish("a")
    }

    fn wish(offset: Option<u64>, limit: u64, byte_offset: Option<u64>) -> Arguments {
        Arguments { path: "a".to_owned(), offset, limit: Some(limit), byte_offset }
    }

    proptest! {
        #[test]
        fn pages_of_lines_make_the_file_however_it_is_read(
            text in "[ab\\n]{0,60}", chunk in 1_usize..20, limit in 1_u64..6,
        ) {
            let (mut whole, mut offset) = (String::new(), 1);
            loop {
                let page = page(&text, chunk, &wish(Some(offset), limit, None));
                prop_assert_eq!(&page["totalLines"], text.lines().count());
                prop_assert_eq!(&page["offset"], offset.min(text.lines().count() as u64 + 1));
                whole.push_str(page["content"].as_str().unwrap());
                match page["nextOffset"].as_u64() {
                    Some(next) => offset = next,
                    None => break,
                }
            }
            prop_assert_eq!(whole, text);
        }

        #[test]
        fn pages_from_bytes_make_the_file_however_it_is_read(
            text in "[a\\n]{0,60}", chunk in 1_usize..20, limit in 1_u64..6,
        ) {
            let (mut whole, mut next) = (String::new(), Some(0));
            while let Some(offset) = next {
                let page = page(&text, chunk, &wish(None, limit, Some(offset)));
                whole.push_str(page["content"].as_str().unwrap());
                next = page["nextByteOffset"].as_u64();
            }
            prop_assert_eq!(whole, text);
        }
    }
}

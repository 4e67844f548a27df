//! `fs_grep`: lines by what is in them. Searched by the libraries of ripgrep, whose expressions never run away.

use std::fs::File;
use std::io::{self, Read};

use grep_matcher::Matcher;
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder, Sink, SinkMatch};
use rustix::fs::FileType;
use seawall_engine::EffectClass;
use seawall_types::Effect;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::blocking::{Blocking, Work};
use super::fs_glob::Sought;
use super::{FILE_TIME, described, spec};
use crate::Failure;
use crate::place::{Located, Visit, Walk};

/// So many lines are given where nobody says how many, and at most.
const LINES: usize = 200;
const MOST_LINES: usize = 1_000;
/// So much of a line is shown.
const PREVIEW: usize = 300;
/// The lines that are shown take at most so much.
const MOST_BYTES: usize = 44 * 1024;
/// A file with a longer line is left out from there on.
const LONGEST_LINE: usize = 8 * 1024 * 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    pattern: String,
    path: Option<String>,
    #[serde(default)]
    regex: bool,
    case_sensitive: Option<bool>,
    #[serde(default)]
    dot: bool,
    #[serde(default)]
    ignored: bool,
    max_results: Option<usize>,
}

pub(super) fn tool() -> Blocking<impl serde::de::DeserializeOwned + std::fmt::Debug + Send> {
    let parameters = json!({
        "type": "object",
        "properties": {
            "pattern": { "type": "string", "minLength": 1, "description": "What is sought, within a line" },
            "path": {
                "type": "string",
                "description": "A file, a folder or a glob such as src/**/*.rs, from the working folder (default: all of that)"
            },
            "regex": { "type": "boolean", "description": "The pattern is a regular expression, as in ripgrep (default: false)" },
            "case_sensitive": { "type": "boolean", "description": "Whether A is another letter than a (default: true)" },
            "dot": { "type": "boolean", "description": "Also what begins with a dot (default: false)" },
            "ignored": { "type": "boolean", "description": "Also what .gitignore names (default: false)" },
            "max_results": { "type": "integer", "minimum": 1, "maximum": MOST_LINES, "description": "How many lines (default: 200)" },
        },
        "required": ["pattern"],
        "additionalProperties": false,
    });
    let description = "Finds lines in text files. Gives matches (path, line, column, preview), and truncated: whether there \
        are more.";
    let spec = spec(EffectClass::Pure, false, FILE_TIME);
    let description = described("fs_grep", description, parameters, spec)
        .touching(Effect::FsRead, &["path"])
        .texts(&["pattern"]);
    Blocking::new(description, perform)
}

fn perform(work: &Work, arguments: &Arguments) -> Result<Value, Failure> {
    let path = arguments.path.as_deref().unwrap_or(".");
    let mut hunt = Hunt {
        matcher: matcher(arguments)?,
        searcher: searcher(),
        most: arguments.max_results.unwrap_or(LINES),
        bytes: 0,
        matches: Vec::new(),
        is_full: false,
    };
    let all = match file(work, path) {
        Some((located, file)) => {
            hunt.search(Unless { file, stop: &work.stop }, &located.shown);
            true
        }
        None => hunt.search_below(work, path, arguments)?,
    };
    Ok(json!({
        "pattern": arguments.pattern, "path": path,
        "matches": hunt.matches, "truncated": !all || hunt.is_full,
    }))
}

fn matcher(arguments: &Arguments) -> Result<RegexMatcher, Failure> {
    let mut builder = RegexMatcherBuilder::new();
    builder.case_insensitive(arguments.case_sensitive == Some(false)).line_terminator(Some(b'\n'));
    builder.fixed_strings(!arguments.regex);
    builder.build(&arguments.pattern).map_err(|error| {
        Failure::new(format!("{:?} can't be sought: {error}; it is matched line by line", arguments.pattern))
    })
}

fn searcher() -> Searcher {
    SearcherBuilder::new()
        .line_number(true)
        .binary_detection(BinaryDetection::quit(0))
        .heap_limit(Some(LONGEST_LINE))
        .build()
}

/// The file, if the path is that of one.
fn file(work: &Work, path: &str) -> Option<(Located, File)> {
    let located = work.place.locate(Effect::FsRead, path).ok()?;
    let file = work.place.open_to_read(&located).ok()?;
    file.metadata().is_ok_and(|metadata| metadata.is_file()).then_some((located, file))
}

/// A search and what it has found.
struct Hunt {
    matcher: RegexMatcher,
    searcher: Searcher,
    most: usize,
    bytes: usize,
    matches: Vec<Value>,
    is_full: bool,
}

impl Hunt {
    /// Searches a folder, or the files that a glob means; whether all of them.
    fn search_below(&mut self, work: &Work, path: &str, arguments: &Arguments) -> Result<bool, Failure> {
        let is_glob = path.contains(['*', '?', '[', '{']);
        let sought = if is_glob { Sought::read(path, ".")? } else { Sought::read("**", path)? };
        let begin = work.place.locate(Effect::FsRead, &sought.folder)?;
        let walk = Walk::begin(&work.place, &begin, arguments.dot, arguments.ignored)?;
        walk.each(&work.stop, |entry| {
            if entry.kind != FileType::RegularFile || !sought.matches(entry.path) {
                return Ok(Visit::GoOn);
            }
            let Some(file) = walk.open(entry.path) else { return Ok(Visit::GoOn) };
            self.search(
                Unless { file, stop: &work.stop },
                &work.place.shown(&walk.base_path().join(entry.path)),
            );
            Ok(if self.is_full { Visit::Enough } else { Visit::GoOn })
        })
    }

    fn search(&mut self, file: Unless<'_>, shown: &str) {
        let Self { matcher, searcher, most, bytes, matches, is_full } = self;
        let lines = Lines { matcher, shown, most: *most, bytes, matches, is_full };
        // What can't be read to its end has shown what it has.
        let _unreadable = searcher.search_reader(&*matcher, file, lines);
    }
}

/// A file that is read unless nobody wants it any more.
struct Unless<'a> {
    file: File,
    stop: &'a CancellationToken,
}

impl Read for Unless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_cancelled() { Err(io::Error::other("interrupted")) } else { self.file.read(buffer) }
    }
}

/// Takes the lines of one file.
struct Lines<'a> {
    matcher: &'a RegexMatcher,
    shown: &'a str,
    most: usize,
    bytes: &'a mut usize,
    matches: &'a mut Vec<Value>,
    is_full: &'a mut bool,
}

impl Sink for Lines<'_> {
    type Error = io::Error;

    fn matched(&mut self, _searcher: &Searcher, found: &SinkMatch<'_>) -> Result<bool, io::Error> {
        if self.matches.len() >= self.most || *self.bytes >= MOST_BYTES {
            *self.is_full = true;
            return Ok(false);
        }
        let line = found.bytes().strip_suffix(b"\n").unwrap_or_else(|| found.bytes());
        let start = self.matcher.find(line).ok().flatten().map_or(0, |found| found.start());
        let preview = preview(line, start);
        *self.bytes += preview.len() + self.shown.len() + 64;
        let column = String::from_utf8_lossy(line.get(..start).unwrap_or_default()).chars().count() + 1;
        self.matches.push(json!({
            "path": self.shown, "line": found.line_number(), "column": column, "preview": preview,
        }));
        Ok(true)
    }
}

/// The line, or of a long one the part around what was found.
fn preview(line: &[u8], start: usize) -> String {
    let from = if line.len() <= PREVIEW { 0 } else { start.saturating_sub(PREVIEW / 3) };
    let part = line.get(from..line.len().min(from + PREVIEW)).unwrap_or_default();
    let text = String::from_utf8_lossy(part);
    let before = if from > 0 { "…" } else { "" };
    let after = if from + PREVIEW < line.len() { "…" } else { "" };
    format!("{before}{}{after}", text.trim_matches('\u{fffd}').trim_end_matches('\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_shows_what_was_found() {
        let line = format!("{}needle{}", "a".repeat(1_000), "b".repeat(1_000));
        let shown = preview(line.as_bytes(), 1_000);
        assert!(shown.starts_with('…') && shown.ends_with('…') && shown.contains("needle"), "{shown}");
        assert!(shown.len() < PREVIEW + 10);
        assert_eq!(preview(b"short\r", 0), "short");
    }
}

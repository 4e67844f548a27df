//! The log of an agent as a file: the truth, from which everything else in its folder follows.
//!
//! ```text
//! {"n":…,"c":"…","log":{"version":1,"agent":"writer","run":"…","owner":{}}}     once, as the first line
//! {"n":…,"c":"…","e":{"v":1,"seq":1,…}}                                  an event, as it was decided
//! {"n":…,"c":"…","blob":{"seq":4,"last_seq":5,…,"blob":"HASH"}}          an event that is too large for a line
//! {"n":…,"c":"…","end":{"seq":5,"lines":3,"bytes":912,"c":"…"}}          what was appended at once ends here
//! ```
//!
//! What is appended at once is one write, and counts from the moment that its last line is there: the line says how many
//! lines and bytes go before it, with their checksum. Appends follow each other only when the one before is on the disk, so
//! what is not whole can only be the last one ([`survey`]).

mod lines;
mod survey;

use std::fs::File;
use std::io;

use seawall_engine::{AgentId, Event};
use seawall_store::StoreError;
use seawall_store::agents::{Append, BlobId, Body, INLINE, Owner};
use seawall_types::{RunId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::folder::{Folder, failed};
use crate::frame;
use crate::search::{Key, floor};

pub(crate) use lines::Lines;
pub(crate) use survey::{Survey, Tail, survey};

/// The version of the log that is written.
const VERSION: u32 = 1;

/// Bytes that no line of a log has: what follows that long without a line feed is none.
pub(crate) const LONGEST_LINE: u64 = INLINE as u64 * 4;

/// The first line of a log: what its events don't say of the agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Header {
    version: u32,
    pub(crate) agent: AgentId,
    /// The agent's, which no other one of its name has had.
    pub(crate) run: RunId,
    pub(crate) owner: Owner,
}

/// An event that is kept as a blob.
#[derive(Debug, Serialize, Deserialize)]
struct Pointer {
    seq: u64,
    last_seq: u64,
    at: Timestamp,
    kind: String,
    blob: String,
}

/// The last line of what was appended at once.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    seq: u64,
    lines: u64,
    bytes: u64,
    c: String,
}

/// What was appended at once.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) events: Vec<Body>,
    /// Where the next one begins.
    pub(crate) end: u64,
}

/// Lines that nobody can have written so.
#[derive(Debug)]
pub(crate) enum Broken {
    /// A line, where it and its append begin, and what is wrong with it.
    Line { group: u64, at: u64, why: String },
    /// The file can't be read.
    Io(io::Error),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The bytes of an append; those of an agent's first one say whose it is.
pub(crate) fn encode(append: &Append, owner: Option<&Owner>) -> Result<Vec<u8>, StoreError> {
    let mut out = Vec::with_capacity(4096);
    encode_into(&mut out, append, owner).map_err(|error| StoreError::Corrupt {
        reason: format!("an append of agent {} can't be written as JSON: {error}", append.agent),
    })?;
    Ok(out)
}

fn encode_into(out: &mut Vec<u8>, append: &Append, owner: Option<&Owner>) -> serde_json::Result<()> {
    if let Some(owner) = owner {
        let (version, agent, run) = (VERSION, append.agent.clone(), append.row.run);
        frame::push_value(out, "log", &Header { version, agent, run, owner: owner.clone() })?;
    }
    for event in &append.events {
        match &event.body {
            Body::Inline(json) => frame::push(out, "e", json),
            Body::Blob(id) => {
                let (seq, last_seq, at) = (event.seq, event.last_seq, event.at);
                let (kind, blob) = (event.kind.to_owned(), id.to_string());
                frame::push_value(out, "blob", &Pointer { seq, last_seq, at, kind, blob })?;
            }
        }
    }
    let seq = append.events.last().map_or(0, |event| event.last_seq);
    let mark = Mark::of(seq, out);
    frame::push_value(out, "end", &mark)
}

impl Mark {
    fn of(seq: u64, bytes: &[u8]) -> Self {
        let lines = memchr::memchr_iter(b'\n', bytes).count();
        Self {
            seq,
            lines: u64::try_from(lines).unwrap_or(u64::MAX),
            bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            c: format!("{:08x}", crc32c::crc32c(bytes)),
        }
    }
}

/// Whole appends from one place of a log to another, in order, until a line is wrong.
#[derive(Debug)]
pub(crate) struct Groups<'a> {
    lines: Lines<'a>,
    /// Where the append at hand begins.
    group: u64,
}

impl<'a> Groups<'a> {
    /// `from` is where an append begins, `to` where one ends.
    pub(crate) fn new(file: &'a File, from: u64, to: u64) -> Self {
        Self { lines: Lines::new(file, from, to, LONGEST_LINE), group: from }
    }

    /// The next append; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Group>, Broken> {
        let (mut events, mut count, mut sum) = (Vec::new(), 0_u64, 0);
        let group = self.group;
        loop {
            let Some((at, line)) = self.lines.next()? else {
                let why = "what was appended with it is missing".to_owned();
                return if count == 0 { Ok(None) } else { Err(Broken::Line { group, at: group, why }) };
            };
            let broken = |why: String| Broken::Line { group, at, why };
            let end = at.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
            match read_line(line, at == 0).map_err(broken)? {
                Kind::Header => {}
                Kind::Event(body) => events.push(body),
                Kind::End(mark) => {
                    let is_it = mark.lines == count
                        && mark.bytes == at.saturating_sub(group)
                        && mark.c == format!("{sum:08x}");
                    if !is_it {
                        return Err(broken(
                            "the lines before it are not those that it was written for".into(),
                        ));
                    }
                    self.group = end;
                    return Ok(Some(Group { events, end }));
                }
            }
            count = count.saturating_add(1);
            sum = crc32c::crc32c_append(sum, line);
        }
    }
}

/// What a line of a log says.
enum Kind {
    Header,
    Event(Body),
    End(Mark),
}

fn read_line(line: &[u8], is_first: bool) -> Result<Kind, String> {
    if line.last() != Some(&b'\n') {
        return Err(frame::Flaw::Unfinished.to_string());
    }
    let frame::Line { key, value } = frame::read(line).map_err(|flaw| flaw.to_string())?;
    let kind = match (key, is_first) {
        ("log", true) => return Ok(Kind::Header),
        ("e", false) => return Ok(Kind::Event(Body::Inline(value.to_vec()))),
        ("end", false) => serde_json::from_slice(value).map(Kind::End),
        ("blob", false) => {
            let pointer: Pointer = serde_json::from_slice(value).map_err(|error| error.to_string())?;
            let id: BlobId = pointer.blob.parse().map_err(|error| format!("{error}"))?;
            return Ok(Kind::Event(Body::Blob(id)));
        }
        _ => return Err(format!("a record {key:?} can't stand there")),
    };
    kind.map_err(|error| error.to_string())
}

/// The first line of a log. What a newer program wrote is refused, whatever it looks like.
pub(crate) fn header(folder: &Folder, file: &File, length: u64) -> Result<Header, StoreError> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let broken = |why: String| tell(folder, file, Broken::Line { group: 0, at: 0, why });
    let mut lines = Lines::new(file, 0, length, LONGEST_LINE);
    let first = lines.next().map_err(|error| tell(folder, file, error.into()))?;
    let Some((_, line)) = first else { return Err(broken("there is nothing in it".to_owned())) };
    read_line(line, true).map_err(broken)?;
    let value = frame::read(line).map_err(|flaw| broken(flaw.to_string()))?.value;
    let foreign = |error: serde_json::Error| broken(error.to_string());
    let Versioned { version: found } = serde_json::from_slice(value).map_err(foreign)?;
    if found > VERSION {
        return Err(StoreError::Newer { found, known: VERSION });
    }
    serde_json::from_slice(value).map_err(foreign)
}

/// The event that a line or a blob has.
pub(crate) fn event(folder: &Folder, body: &Body) -> Result<Event, StoreError> {
    let read = |json: &[u8]| {
        Event::read(json)
            .map_err(|error| StoreError::Corrupt { reason: format!("{}: {error}", folder.log().display()) })
    };
    match body {
        Body::Inline(json) => read(json),
        Body::Blob(id) => match folder.blob(id)? {
            Some(json) => read(&json),
            None => Err(StoreError::Corrupt {
                reason: format!("{} names the blob {id}, which is missing", folder.log().display()),
            }),
        },
    }
}

/// Events of which the last number is above `after`, from a log of so many bytes.
pub(crate) fn events(folder: &Folder, length: u64, after: u64, most: u32) -> Result<Vec<Event>, StoreError> {
    let path = folder.log();
    let file = File::open(&path).map_err(failed(&path))?;
    let told = |broken| tell(folder, &file, broken);
    // The event before the first one with a higher number may have more numbers than one.
    let from = floor(&file, length, LONGEST_LINE, after, number).map_err(told)?;
    let mut lines = Lines::new(&file, from, length, LONGEST_LINE);
    let mut events = Vec::new();
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    while events.len() < most {
        let Some((at, line)) = lines.next().map_err(|error| told(error.into()))? else { break };
        let broken = |why| told(Broken::Line { group: at, at, why });
        if let Kind::Event(body) = read_line(line, at == 0).map_err(broken)? {
            let event = event(folder, &body)?;
            if event.last_seq() > after {
                events.push(event);
            }
        }
    }
    Ok(events)
}

/// The number by which a line of a log is found.
fn number(line: &[u8], at: u64) -> Result<Key, String> {
    #[derive(Deserialize)]
    struct Numbered {
        seq: u64,
    }
    let frame::Line { key, value } = frame::read(line).map_err(|flaw| flaw.to_string())?;
    if key == "log" && at == 0 {
        return Ok(0);
    }
    let numbered: Numbered = serde_json::from_slice(value).map_err(|error| error.to_string())?;
    Ok(numbered.seq)
}

/// Says which line of which file is wrong, and what to do.
pub(crate) fn tell(folder: &Folder, file: &File, broken: Broken) -> StoreError {
    match broken {
        Broken::Io(error) => failed(&folder.log())(error),
        Broken::Line { at, why, .. } => {
            let line = lines::count(file, at).unwrap_or(0).saturating_add(1);
            let event = lines::event_number(file, at)
                .map_or_else(String::new, |seq| format!(", which is or was event {seq}"));
            let path = folder.log();
            let reason = format!(
                "{}, line {line} (byte {at}){event}: {why}. Nothing was changed; put back what stood there",
                path.display()
            );
            StoreError::Corrupt { reason }
        }
    }
}

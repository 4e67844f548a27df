//! Checking a piece of a file: everything that can be said about its lines without those before it.
//!
//! This is the part that runs on several threads; [`super::scan`] joins the pieces in order.

use seawall_types::RunId;

use super::Link;
use crate::chain::Hex;
use crate::line::Envelope;

/// What every line is held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    /// The run that all lines belong to, as it is written in them.
    pub(super) run: Option<[u8; 36]>,
    /// The line whose hash is wanted.
    pub(super) head_seq: Option<u64>,
}

impl Expected {
    pub(super) fn new(run: Option<RunId>, head_seq: Option<u64>) -> Self {
        let run = run.map(|run| {
            let mut text = [0; 36];
            run.encode(&mut text);
            text
        });
        Self { run, head_seq }
    }
}

/// What a piece of a file is.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// Lines that are good, as far as this piece goes.
    pub(super) good: u64,
    /// The number and `prev` of the first one.
    pub(super) first: Option<(u64, Hex)>,
    /// What the next piece must follow.
    pub(super) last: Option<Link>,
    /// The hash of the wanted line, when it is here.
    pub(super) at_head: Option<Hex>,
    /// Why the line after the good ones is bad.
    pub(super) bad: Option<String>,
}

/// Checks whole lines, each with its line feed.
pub(super) fn check(bytes: &[u8], expected: &Expected) -> Checked {
    let mut checked = Checked::default();
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', bytes) {
        let line = bytes.get(start..end).unwrap_or_default();
        start = end + 1;
        match check_line(line, expected, checked.last.as_ref()) {
            Ok(envelope) => checked.accept(&envelope, expected),
            Err(reason) => {
                checked.bad = Some(reason);
                break;
            }
        }
    }
    checked
}

impl Checked {
    fn accept(&mut self, envelope: &Envelope<'_>, expected: &Expected) {
        self.good += 1;
        self.first.get_or_insert((envelope.seq, envelope.prev));
        self.last = Some(Link::of(envelope));
        if expected.head_seq == Some(envelope.seq) {
            self.at_head = Some(envelope.hash);
        }
    }
}

fn check_line<'a>(
    line: &'a [u8],
    expected: &Expected,
    before: Option<&Link>,
) -> Result<Envelope<'a>, String> {
    let envelope = Envelope::parse(line)?;
    if !envelope.is_sealed() {
        return Err("it was changed: its hash is not that of its bytes".to_owned());
    }
    if expected.run.is_some_and(|run| run != envelope.run.as_bytes()) {
        return Err(format!("it belongs to another run: {}", envelope.run));
    }
    if let Some(link) = before {
        link.leads_to(envelope.seq, &envelope.prev)?;
    }
    if std::str::from_utf8(line).is_err() || serde_json::from_slice::<serde::de::IgnoredAny>(line).is_err() {
        return Err("its hash is right, but it is not JSON".to_owned());
    }
    Ok(envelope)
}

//! One line of a trace: how it is written, and how its fixed parts are found again without parsing all of it.
//!
//! What is inside `actor` and `data` is foreign: it is parsed in [`crate::read`], not here.

use seawall_types::{Actor, Event};

use crate::chain::{self, Hex};
use crate::totals::Tip;

/// The longest line that is read, in bytes: more than the largest request body that the gateway takes.
pub(crate) const MAX_LINE: usize = 128 << 20;
/// The longest `data` that is written, in bytes; so that every written line can be read.
const MAX_DATA: usize = MAX_LINE - (1 << 20);

/// `","hash":"`, the hash, `"}`: what stands behind the hashed bytes.
const SEAL: usize = 9 + 64 + 2;

/// Appends the event as the next line behind `tip`, and moves `tip` to it.
pub(crate) fn encode(out: &mut Vec<u8>, tip: &mut Tip, event: &Event) {
    let start = out.len();
    let substitute = too_long(&event.data);
    let data = substitute.as_deref().unwrap_or(&event.data);
    out.extend_from_slice(br#"{"v":1,"seq":"#);
    push_decimal(out, tip.next_seq);
    out.extend_from_slice(br#","ts":""#);
    out.extend_from_slice(&event.ts.to_rfc3339_bytes());
    out.extend_from_slice(br#"","run":""#);
    let mut id = [0; 36];
    out.extend_from_slice(event.run.encode(&mut id).as_bytes());
    out.extend_from_slice(br#"","kind":""#);
    out.extend_from_slice(event.kind.as_str().as_bytes());
    out.extend_from_slice(br#"","action":"#);
    push_id(out, event.action.map(|action| action.encode(&mut id)));
    out.extend_from_slice(br#","parent":"#);
    push_id(out, event.parent.map(|parent| parent.encode(&mut id)));
    out.extend_from_slice(br#","actor":"#);
    push_actor(out, &event.actor);
    out.extend_from_slice(br#","data":"#);
    out.extend_from_slice(data.as_bytes());
    out.extend_from_slice(br#","prev":""#);
    out.extend_from_slice(&tip.hash);
    out.push(b'"');
    let hash = chain::hash(&tip.hash, out.get(start..).unwrap_or_default());
    out.extend_from_slice(br#","hash":""#);
    out.extend_from_slice(&hash);
    out.extend_from_slice(b"\"}\n");
    tip.totals.count(event.kind, event.charged);
    tip.next_seq += 1;
    tip.hash = hash;
}

/// What is written in place of `data` that is too long; `None` when it is not.
fn too_long(data: &str) -> Option<String> {
    (data.len() > MAX_DATA)
        .then(|| format!(r#"{{"omitted":"the data is too long for a trace","bytes":{}}}"#, data.len()))
}

fn push_id(out: &mut Vec<u8>, id: Option<&str>) {
    let Some(id) = id else { return out.extend_from_slice(b"null") };
    out.push(b'"');
    out.extend_from_slice(id.as_bytes());
    out.push(b'"');
}

fn push_actor(out: &mut Vec<u8>, actor: &Actor) {
    let start = out.len();
    let nobody = actor.key.is_none() && actor.tenant.is_none() && actor.agent.is_none();
    if nobody || serde_json::to_writer(&mut *out, actor).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"{}");
    }
}

fn push_decimal(out: &mut Vec<u8>, mut number: u64) {
    let start = out.len();
    loop {
        out.push(b'0' + u8::try_from(number % 10).unwrap_or(0));
        number /= 10;
        if number == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}

/// The parts of a line that stand before `actor` and behind `data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Envelope<'a> {
    pub(crate) seq: u64,
    pub(crate) run: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) action: Option<&'a str>,
    pub(crate) prev: Hex,
    pub(crate) hash: Hex,
    /// The hashed bytes.
    body: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Finds the parts of a line (without its line feed), or says in plain words why it is none.
    pub(crate) fn parse(line: &'a [u8]) -> Result<Self, &'static str> {
        let rest =
            line.strip_prefix(br#"{"v":1,"seq":"#).ok_or("it does not begin like a line of a trace")?;
        let (digits, rest) = until(rest, b',').ok_or("it has no sequence number")?;
        let seq = digits.parse().map_err(|_| "its sequence number is not a number")?;
        let (_ts, rest) = quoted(rest, br#""ts":"#).ok_or("it has no time")?;
        let (run, rest) = quoted(rest, br#","run":"#).ok_or("it names no run")?;
        let (kind, rest) = quoted(rest, br#","kind":"#).ok_or("it names no kind")?;
        let (action, _) = nullable(rest, br#","action":"#).ok_or("it names no action")?;
        let (prev, hash, body) = Self::links(line).ok_or("it does not end with its hashes")?;
        Ok(Self { seq, run, kind, action, prev, hash, body })
    }

    fn links(line: &'a [u8]) -> Option<(Hex, Hex, &'a [u8])> {
        let (body, seal) = line.split_at_checked(line.len().checked_sub(SEAL)?)?;
        let hash = seal.strip_prefix(br#","hash":""#)?.strip_suffix(b"\"}")?.try_into().ok()?;
        let (before, prev) = body.strip_suffix(b"\"")?.split_last_chunk::<64>()?;
        before.ends_with(br#","prev":""#).then_some((*prev, hash, body))
    }

    /// Whether the line's hash is that of its bytes.
    pub(crate) fn is_sealed(&self) -> bool {
        chain::hash(&self.prev, self.body) == self.hash
    }
}

fn until(bytes: &[u8], end: u8) -> Option<(&str, &[u8])> {
    let (text, rest) = bytes.split_at_checked(memchr::memchr(end, bytes)?)?;
    Some((std::str::from_utf8(text).ok()?, rest.get(1..)?))
}

fn quoted<'a>(bytes: &'a [u8], name: &[u8]) -> Option<(&'a str, &'a [u8])> {
    until(bytes.strip_prefix(name)?.strip_prefix(b"\"")?, b'"')
}

fn nullable<'a>(bytes: &'a [u8], name: &[u8]) -> Option<(Option<&'a str>, &'a [u8])> {
    match bytes.strip_prefix(name)?.strip_prefix(b"null") {
        Some(rest) => Some((None, rest)),
        None => quoted(bytes, name).map(|(text, rest)| (Some(text), rest)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use seawall_types::{ActionId, EventKind, RunId, Timestamp};
    use serde_json::{Value, json};

    use super::*;

    fn event(data: &Value) -> Event {
        let run = RunId::from_parts(1_700_000_000_000, &[1; 10]);
        Event::new(Timestamp::from_micros(7), run, EventKind::Note, data)
    }

    fn line(event: &Event) -> String {
        let mut out = Vec::new();
        encode(&mut out, &mut { Tip::START }, event);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_is_the_documented_envelope() {
        let action = ActionId::from_parts(1_700_000_000_000, &[2; 10]);
        let actor = Actor { key: Some("ci".into()), ..Actor::default() };
        let text = line(&event(&json!({ "a": 1 })).about(action, Arc::new(actor)));
        let (body, seal) = text.split_once(r#","hash":"#).unwrap();
        assert_eq!(
            body,
            format!(
                r#"{{"v":1,"seq":0,"ts":"1970-01-01T00:00:00.000007Z","run":"{}","kind":"note","action":"{action}","parent":null,"actor":{{"key":"ci"}},"data":{{"a":1}},"prev":"{}""#,
                event(&json!({})).run,
                "0".repeat(64),
            )
        );
        let hash = blake3::hash(format!("{}{body}", "0".repeat(64)).as_bytes());
        assert_eq!(seal, format!("\"{hash}\"}}\n"));
    }

    #[test]
    fn data_too_long_to_be_read_back_is_left_out() {
        let text = line(&event(&json!({ "text": "x".repeat(MAX_DATA) })));
        assert!(text.contains(r#""data":{"omitted":"the data is too long for a trace","bytes":"#));
    }

    proptest! {
        #[test]
        fn every_number_is_written_as_the_standard_library_does(number: u64) {
            let mut out = Vec::new();
            push_decimal(&mut out, number);
            prop_assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }

        #[test]
        fn a_line_is_found_again_whatever_is_in_it(seq: u64, text: String, key: Option<String>) {
            let seq = seq.min(u64::MAX - 1);
            let actor = Actor { key: key.map(Into::into), ..Actor::default() };
            let event = Event {
                actor: Arc::new(actor),
                ..event(&json!({ &text: &text }))
            };
            let (mut out, mut tip) = (Vec::new(), Tip { next_seq: seq, ..Tip::START });
            encode(&mut out, &mut tip, &event);
            prop_assert_eq!(out.pop(), Some(b'\n'));
            prop_assert!(memchr::memchr(b'\n', &out).is_none());
            let envelope = Envelope::parse(&out).unwrap();
            prop_assert!(envelope.is_sealed());
            prop_assert_eq!(envelope.seq, seq);
            prop_assert_eq!(envelope.run, event.run.to_string());
            prop_assert_eq!(envelope.hash, tip.hash);
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok());
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
            let _ = Envelope::parse(&bytes);
            let _ = Envelope::parse(&[br#"{"v":1,"seq":"#.as_slice(), &bytes].concat());
        }
    }
}

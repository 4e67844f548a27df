//! The SSE splitter: no byte is lost or changed however the stream is cut, the limit holds, and the events are those of
//! the WHATWG standard, which is written out here a second time in the plainest way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seawall_fuzz::{Input, pieces};
use seawall_llm::{RawEvent, Splitter};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let limit = match input.decision() {
        0 => usize::MAX,
        limit => usize::from(limit),
    };
    let cut = input.decision();
    let stream = input.rest();
    keeps_every_byte_and_the_limit(stream, cut, limit);
    reads_what_the_standard_says(stream, cut);
});

fn keeps_every_byte_and_the_limit(stream: &[u8], cut: u8, limit: usize) {
    let mut splitter = Splitter::new(limit);
    let mut passed = Vec::new();
    let mut refused = false;
    for piece in pieces(stream, cut) {
        splitter.push(piece);
        while !refused {
            match splitter.next_event() {
                Ok(Some(event)) => {
                    assert!(event.bytes.len() <= limit, "an event is larger than allowed");
                    passed.extend_from_slice(&event.bytes);
                }
                Ok(None) => {
                    assert!(splitter.pending() <= limit, "more is held back than allowed");
                    break;
                }
                Err(error) => {
                    assert_eq!(error.limit, limit);
                    assert!(stream.len() - passed.len() > limit, "refused although everything fits");
                    refused = true;
                }
            }
        }
    }
    passed.extend(splitter.finish().unwrap_or_default());
    assert_eq!(passed, stream, "bytes were lost, added or changed");
}

fn reads_what_the_standard_says(stream: &[u8], cut: u8) {
    let mut splitter = Splitter::new(usize::MAX);
    let mut events = Vec::new();
    for piece in pieces(stream, cut) {
        splitter.push(piece);
        while let Ok(Some(event)) = splitter.next_event() {
            if let Some(span) = event.data_span() {
                assert_eq!(&event.bytes[span], &*event.data(), "the span is not where the data is");
            }
            if !event.is_comment_only() {
                events.push((name(&event), event.data().into_owned()));
            }
        }
    }
    assert_eq!(events, standard(stream));
}

fn name(event: &RawEvent) -> Option<Vec<u8>> {
    event.event().map(|name| name.as_bytes().to_vec())
}

/// The events of a stream, by <https://html.spec.whatwg.org/multipage/server-sent-events.html>.
fn standard(stream: &[u8]) -> Vec<(Option<Vec<u8>>, Vec<u8>)> {
    let stream = stream.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(stream);
    let mut events = Vec::new();
    let (mut name, mut data) = (None, Vec::new());
    for line in lines(stream) {
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            None if line.is_empty() => {
                let (name, mut data) = (name.take(), std::mem::take(&mut data));
                // The data buffer ends each of its lines; the last line end is taken off.
                if data.pop().is_some() {
                    events.push((name, data));
                }
                continue;
            }
            None => (&line[..], &[][..]),
            Some(colon) => {
                (&line[..colon], line[colon + 1..].strip_prefix(b" ").unwrap_or(&line[colon + 1..]))
            }
        };
        match field {
            // A name that is no text is no name to us.
            b"event" => name = std::str::from_utf8(value).is_ok().then(|| value.to_vec()),
            b"data" => {
                data.extend_from_slice(value);
                data.push(b'\n');
            }
            _ => {}
        }
    }
    events
}

/// The lines that have ended.
fn lines(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    let mut line = Vec::new();
    let mut bytes = stream.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\n' | b'\r' => {
                bytes.next_if(|next| byte == b'\r' && *next == b'\n');
                lines.push(std::mem::take(&mut line));
            }
            other => line.push(other),
        }
    }
    lines
}

//! The splitter follows the WHATWG rules, keeps every byte, and does not care where chunks end.

use bytes::Bytes;
use proptest::prelude::*;
use seawall_llm::sse::{EventTooLarge, RawEvent, Splitter};

type Dispatched = Vec<(Option<String>, Vec<u8>)>;

/// All events of `stream`, cut into chunks of the given lengths (the last takes the rest), and what is left.
fn split(stream: &[u8], lengths: &[usize]) -> (Vec<RawEvent>, Option<Bytes>) {
    let mut splitter = Splitter::new(usize::MAX / 2);
    let (mut events, mut rest) = (Vec::new(), stream);
    for length in lengths.iter().chain([&usize::MAX]) {
        let (chunk, after) = rest.split_at((*length).min(rest.len()));
        rest = after;
        splitter.push(Bytes::copy_from_slice(chunk));
        while let Some(event) = splitter.next_event().unwrap() {
            events.push(event);
        }
    }
    (events, splitter.finish())
}

fn dispatched(events: &[RawEvent]) -> Dispatched {
    let real = events.iter().filter(|event| !event.is_comment_only());
    real.map(|event| (event.event().map(str::to_owned), event.data().into_owned())).collect()
}

/// The standard's algorithm, word for word, on the whole stream at once.
fn by_the_standard(stream: &[u8]) -> Dispatched {
    let stream = stream.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(stream);
    let (mut lines, mut line, mut at) = (Vec::new(), Vec::new(), 0);
    while at < stream.len() {
        match stream[at] {
            b'\r' | b'\n' => {
                at += usize::from(stream[at] == b'\r' && stream.get(at + 1) == Some(&b'\n'));
                lines.push(std::mem::take(&mut line));
            }
            byte => line.push(byte),
        }
        at += 1;
    }
    let (mut events, mut name, mut data) = (Vec::new(), None, None::<Vec<u8>>);
    for line in lines {
        if line.is_empty() {
            if let Some(data) = data.take() {
                events.push((name.take(), data));
            }
            name = None;
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"event" => name = String::from_utf8(value.to_vec()).ok(),
            b"data" => match &mut data {
                None => data = Some(value.to_vec()),
                Some(data) => data.extend(b"\n".iter().chain(value)),
            },
            _ => {}
        }
    }
    events
}

#[test]
fn events_are_read_as_the_standard_says() {
    for (stream, events) in [
        ("data: a\n\n", vec![(None, "a")]),
        ("data:a\n\ndata:  b\n\n", vec![(None, "a"), (None, " b")]),
        ("data: a\r\n\r\ndata: b\r\rdata: c\n\n", vec![(None, "a"), (None, "b"), (None, "c")]),
        ("event: x\ndata: a\ndata: b\n\n", vec![(Some("x"), "a\nb")]),
        ("data: a\nevent: late\n\n", vec![(Some("late"), "a")]),
        (": keep-alive\n\ndata: a\n\n", vec![(None, "a")]),
        ("\u{feff}data: a\n\n", vec![(None, "a")]),
        ("\n\n\ndata: a\n\n\n", vec![(None, "a")]),
        ("data\n\n", vec![(None, "")]),
        ("id: 1\nretry: 5\nunknown: x\n\n", vec![]),
        ("data: no blank line\n", vec![]),
        ("data: é\u{2028}\n\n", vec![(None, "é\u{2028}")]),
    ] {
        let expected: Dispatched =
            events.into_iter().map(|(name, data)| (name.map(str::to_owned), data.into())).collect();
        assert_eq!(dispatched(&split(stream.as_bytes(), &[]).0), expected, "{stream:?}");
    }
}

#[test]
fn an_event_inside_one_chunk_is_not_copied() {
    let chunk = Bytes::from_static(b"data: one\n\ndata: two\n\ndata: thr");
    let mut splitter = Splitter::new(1 << 20);
    splitter.push(chunk.clone());
    for start in [0, 11] {
        let event = splitter.next_event().unwrap().unwrap();
        assert_eq!(event.bytes.as_ptr(), chunk[start..].as_ptr());
    }
    assert_eq!(splitter.next_event(), Ok(None));
    assert_eq!(splitter.pending(), "data: thr".len());
}

#[test]
fn what_has_no_blank_line_after_it_is_given_back_at_the_end() {
    let (events, left) = split(b"data: a\n\ndata: [DO", &[3]);
    assert_eq!(events.len(), 1);
    assert_eq!(left.as_deref(), Some(&b"data: [DO"[..]));
    assert_eq!(split(b"data: a\n\n", &[]).1, None);
}

#[test]
fn an_event_does_not_wait_for_the_newline_of_its_last_line_end() {
    let mut splitter = Splitter::new(1 << 10);
    splitter.push(Bytes::from_static(b"data: a\r\n\r"));
    assert_eq!(*splitter.next_event().unwrap().unwrap().data(), *b"a");
    splitter.push(Bytes::from_static(b"\ndata: b\r\n\r\n"));
    let second = splitter.next_event().unwrap().unwrap();
    assert_eq!((&*second.data(), &*second.bytes), (&b"b"[..], &b"\ndata: b\r\n\r\n"[..]));
}

#[test]
fn an_event_that_is_too_large_is_refused_before_it_is_held() {
    let mut splitter = Splitter::new(16);
    splitter.push(Bytes::from_static(b"data: short\n\n"));
    assert!(splitter.next_event().unwrap().is_some());
    splitter.push(Bytes::from_static(b"data: 89ab"));
    assert_eq!(splitter.next_event(), Ok(None));
    splitter.push(Bytes::from_static(b"cdef0"));
    assert_eq!(splitter.next_event(), Ok(None));
    splitter.push(Bytes::from_static(b"12"));
    assert_eq!(splitter.next_event(), Err(EventTooLarge { limit: 16 }));
}

fn any_stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"\n"[..],
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\r\n\r\n",
        b"data: ",
        b"data:",
        b"data",
        b"event: x",
        b"event",
        b": comment",
        b"id: 7",
        b"{\"a\":1}",
        "é😀".as_bytes(),
        b"\xff",
        b" ",
        b":",
        b"\xEF\xBB\xBF",
        b"[DONE]",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn where_chunks_end_changes_nothing(
        stream in any_stream(),
        lengths in prop::collection::vec(0_usize..8, 0..60),
    ) {
        let (events, left) = split(&stream, &lengths);
        prop_assert_eq!(dispatched(&events), by_the_standard(&stream));
        prop_assert_eq!(dispatched(&split(&stream, &vec![1; stream.len()]).0), dispatched(&events));
        let mut bytes: Vec<u8> = events.iter().flat_map(|event| event.bytes.to_vec()).collect();
        bytes.extend(left.unwrap_or_default());
        prop_assert_eq!(bytes, stream);
    }
}

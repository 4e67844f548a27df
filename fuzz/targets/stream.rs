//! Streams of every wire format: reading never panics, and what goes to the client is what came, but for the usage that
//! the client did not ask for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seawall_fuzz::{Input, WIRES, pieces};
use seawall_llm::{Object, RawEvent, Splitter, Step, StreamReader, estimate_tokens};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let wire = input.pick(&WIRES);
    let strip = input.flag();
    let cut = input.decision();
    let stream = input.rest();
    let mut splitter = Splitter::new(usize::MAX);
    let mut reader = StreamReader::new(wire, strip);
    let mut sent = Vec::new();
    let (mut deltas, mut output) = (0, 0);
    for piece in pieces(stream, cut) {
        splitter.push(piece);
        while let Ok(Some(event)) = splitter.next_event() {
            match reader.event(&event) {
                Step::Pass => sent.extend_from_slice(&event.bytes),
                Step::Drop => assert!(says_usage(&event), "something other than usage was kept back"),
                Step::Replace(bytes) => {
                    only_usage_is_gone(&event, &RawEvent::new(bytes.clone()));
                    sent.extend_from_slice(&bytes);
                }
            }
            assert!(reader.deltas() >= deltas && reader.answer().output_bytes >= output, "a count went back");
            (deltas, output) = (reader.deltas(), reader.answer().output_bytes);
        }
    }
    sent.extend(splitter.finish().unwrap_or_default());
    if !strip {
        assert_eq!(sent, stream, "bytes were lost, added or changed");
    }
    assert!(estimate_tokens(output) <= output);
    assert_eq!(reader.first_token_seen(), deltas > 0);
    let _ = (reader.is_complete(), reader.is_garbage());
});

/// What the provider adds for us alone: usage, and no choice.
fn says_usage(event: &RawEvent) -> bool {
    let data = event.data();
    let says_usage = |object: &Object<'_>| object.some("usage").is_some();
    let chooses =
        |object: &Object<'_>| object.get("choices").is_some_and(|all| all.elements().next().is_some());
    Object::parse(&data, usize::MAX).is_ok_and(|object| says_usage(&object) && !chooses(&object))
}

fn only_usage_is_gone(before: &RawEvent, after: &RawEvent) {
    let (before, after) = (before.data(), after.data());
    let (Ok(before), Ok(after)) = (Object::parse(&before, usize::MAX), Object::parse(&after, usize::MAX))
    else {
        panic!("the event that is sent in the place of another is no object");
    };
    assert!(before.get("usage").is_some_and(|usage| usage.is_null()) && after.get("usage").is_none());
    let rest = before.iter().filter(|(key, _)| key != "usage").map(|(key, value)| (key, value.raw()));
    assert!(rest.eq(after.iter().map(|(key, value)| (key, value.raw()))), "more than usage is gone");
}

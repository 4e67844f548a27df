//! Whole answers of every wire format can be read whatever they are, and our own error answers are always JSON that is read
//! as a failure.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seawall_fuzz::{Input, WIRES};
use seawall_llm::{Object, Splitter, StreamReader, Value, WireError, error_body, error_event, read_answer};
use seawall_types::Code;

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let wire = input.pick(&WIRES);
    let code = input.pick(Code::ALL);
    let body = input.rest();
    let answer = read_answer(wire, body);
    // A byte that is no UTF-8 is read as the sign for that, which is longer.
    let text = String::from_utf8_lossy(body);
    assert!(answer.output_bytes <= text.len() as u64, "more was written than has come");
    if Value::parse(text.as_bytes(), usize::MAX).is_err() {
        assert_eq!(answer, Default::default(), "facts were read in what is no JSON");
    }
    let error = WireError {
        status: code.http_status(),
        code,
        message: String::from_utf8_lossy(body),
        remedy: "ask again",
        extra: Default::default(),
    };
    let refusal = error_body(wire.dialect(), &error);
    assert!(Object::parse(&refusal, usize::MAX).is_ok());
    assert!(read_answer(wire, &refusal).failed, "a refusal of ours is read as an answer");
    let mut splitter = Splitter::new(usize::MAX);
    splitter.push(error_event(wire, &error));
    let Ok(Some(event)) = splitter.next_event() else { panic!("the error event does not end") };
    assert_eq!(splitter.pending(), 0, "the error event is more than one");
    let mut reader = StreamReader::new(wire, true);
    reader.event(&event);
    assert!(reader.answer().failed && !reader.is_garbage());
});

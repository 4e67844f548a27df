//! What a client gathers from a screened answer, in every wire format.

mod calls;
mod gather;
mod judge;
mod prompt;
mod property;
mod script;
mod text;

use bytes::Bytes;
use seawall_llm::Wire;
use seawall_llm::screen::{Progress, Screen};
use seawall_llm::sse::Splitter;

use self::judge::Word;

/// The events of `stream` that go to the client, one after another.
fn screened(wire: Wire, stream: &str) -> Vec<String> {
    screened_by(wire, stream, Word::default(), || false)
}

/// The same by a judge that takes its time, and knows what to say whenever `answers` says so.
fn screened_by(wire: Wire, stream: &str, judge: Word, mut answers: impl FnMut() -> bool) -> Vec<String> {
    let mut screen = Screen::new(wire, judge);
    let mut splitter = Splitter::new(1 << 24);
    splitter.push(Bytes::copy_from_slice(stream.as_bytes()));
    let mut out = Vec::new();
    while let Some(event) = splitter.next_event().unwrap() {
        screen.event(&event, &mut out).unwrap();
        if answers() {
            screen.judge_mut().answer();
            screen.resume(&mut out).unwrap();
        }
    }
    while screen.finish(&mut out).unwrap() == Progress::Waits {
        assert_ne!(screen.judge_mut().answer(), 0, "it waits for nothing");
        screen.resume(&mut out).unwrap();
    }
    assert_eq!(screen.held_bytes(), 0);
    out.iter().map(|event| String::from_utf8(event.to_vec()).unwrap()).collect()
}

fn events(datas: &[&str]) -> String {
    datas.iter().map(|data| format!("data: {data}\n\n")).collect()
}

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
use seawall_llm::screen::Screen;
use seawall_llm::sse::Splitter;

use self::judge::Word;

/// The events of `stream` that go to the client, one after another.
fn screened(wire: Wire, stream: &str) -> Vec<String> {
    let mut screen = Screen::new(wire, Word::default());
    let mut splitter = Splitter::new(1 << 24);
    splitter.push(Bytes::copy_from_slice(stream.as_bytes()));
    let mut out = Vec::new();
    while let Some(event) = splitter.next_event().unwrap() {
        screen.event(&event, &mut out).unwrap();
    }
    screen.finish(&mut out).unwrap();
    assert_eq!(screen.held_bytes(), 0);
    out.iter().map(|event| String::from_utf8(event.to_vec()).unwrap()).collect()
}

fn events(datas: &[&str]) -> String {
    datas.iter().map(|data| format!("data: {data}\n\n")).collect()
}

//! Talking to models: what is written, what is heard, and what a failure is called.

mod cassettes;
mod failure;
mod hear;
mod history;
mod request;
mod schema;

use bytes::Bytes;
use seawall_llm::dialogue::{Call, Failure, Format, Heard, Hearer, Input, Reply, Said};
use serde_json::Value;

const ALL: [Format; 4] = [Format::OpenAiChat, Format::OpenAiResponses, Format::Anthropic, Format::Gemini];

/// Hears a stream in these pieces.
fn hear_pieces<'a>(
    format: Format,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Heard>, Result<Reply, Failure>) {
    let mut hearer = Hearer::new(format);
    let heard = pieces.into_iter().flat_map(|piece| hearer.hear(Bytes::copy_from_slice(piece))).collect();
    (heard, hearer.finish())
}

fn hear(format: Format, stream: &str) -> Result<Reply, Failure> {
    hear_pieces(format, [stream.as_bytes()]).1
}

/// Data lines of a stream.
fn stream(datas: &[&str]) -> String {
    datas.iter().map(|data| format!("data: {data}\n\n")).collect()
}

fn text(text: &str) -> Said {
    Said::Text(text.to_owned())
}

fn call(id: Option<&str>, name: &str, input: Value) -> Said {
    let Value::Object(input) = input else { panic!("arguments are an object") };
    Said::Call(Call {
        provider_id: id.map(str::to_owned),
        name: name.to_owned(),
        input: Input::Object(input),
    })
}

//! What the simulated provider really sends, as recorded with the providers' own SDKs.

use seawall_llm::dialogue::{Failure, FailureClass, Format, Reply, Stop, hear_whole};
use serde_json::Value;

use super::hear_pieces;

const RECORDED: [(Format, &str); 4] = [
    (Format::OpenAiChat, include_str!("../../../../llm-client/tests/cassettes/openai_chat.jsonl")),
    (Format::OpenAiResponses, include_str!("../../../../llm-client/tests/cassettes/openai_responses.jsonl")),
    (Format::Anthropic, include_str!("../../../../llm-client/tests/cassettes/anthropic_messages.jsonl")),
    (Format::Gemini, include_str!("../../../../llm-client/tests/cassettes/gemini.jsonl")),
];

/// One call: what was asked, how it was answered, and what is heard of that.
struct Heard {
    format: Format,
    request: Value,
    is_stream: bool,
    result: Result<Reply, Failure>,
}

fn recordings() -> Vec<Heard> {
    let lines = RECORDED.into_iter().flat_map(|(format, tape)| tape.lines().map(move |line| (format, line)));
    lines.map(|(format, line)| heard(format, &serde_json::from_str(line).unwrap())).collect()
}

fn heard(format: Format, call: &Value) -> Heard {
    let chunks = call["response"]["chunks"].as_array().unwrap();
    let chunks: Vec<&[u8]> = chunks.iter().map(|chunk| chunk["text"].as_str().unwrap().as_bytes()).collect();
    let content_type = call["response"]["headers"]["content-type"].as_str().unwrap();
    let is_stream = content_type.starts_with("text/event-stream");
    let result = match call["response"]["status"].as_u64().unwrap() {
        200 if is_stream => hear_pieces(format, chunks).1,
        200 => hear_whole(format, &chunks.concat()),
        status => Err(Failure::from_answer(u16::try_from(status).unwrap(), |_| None, &chunks.concat())),
    };
    Heard { format, request: call["request"].clone(), is_stream, result }
}

#[test]
fn every_recorded_answer_is_heard() {
    let recordings = recordings();
    assert!(recordings.len() > 25 && recordings.iter().filter(|heard| heard.is_stream).count() > 8);
    for Heard { format, request, is_stream, result } in recordings {
        match result {
            Ok(reply) => {
                assert!(!reply.parts.is_empty(), "{request}");
                assert!(!matches!(reply.stop, Stop::Other(_)), "{:?} {request}", reply.stop);
                let asked = request["body"]["stream_options"]["include_usage"] == true;
                let is_told = asked || !is_stream || format != Format::OpenAiChat;
                assert_eq!(reply.usage.estimated, !is_told, "{request}");
                assert!(!is_told || (reply.usage.input > 0 && reply.usage.output > 0), "{request}");
            }
            Err(failure) => {
                let expected = match format {
                    Format::OpenAiChat => FailureClass::RateLimit,
                    Format::Anthropic => FailureClass::Unavailable,
                    Format::Gemini | Format::OpenAiResponses => FailureClass::Invalid,
                };
                assert_eq!(failure.class, expected, "{request}");
            }
        }
    }
}

#[test]
fn what_was_asked_for_is_what_is_heard() {
    let mut seen = 0;
    for Heard { format, request, result, .. } in recordings() {
        let asked = request.to_string();
        let Some(words) = asked.split("sim:text ").nth(1).filter(|_| !asked.contains("sim:tool")) else {
            continue;
        };
        let first = words.split(' ').next().unwrap();
        let reply = result.unwrap();
        assert!(reply.text().starts_with(first), "{format:?}: {:?} for {words}", reply.text());
        seen += 1;
    }
    assert!(seen >= 8, "{seen}");
    let calls = recordings()
        .iter()
        .filter_map(|heard| heard.result.as_ref().ok().map(|reply| reply.calls().count()))
        .sum::<usize>();
    assert!(calls >= 8, "{calls}");
}

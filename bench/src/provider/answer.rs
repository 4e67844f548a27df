//! The fixed texts: a document of about a kilobyte, and the events of a stream.

use bytes::{BufMut, Bytes, BytesMut};

use super::Wanted;
use crate::stamp;

/// The chat completion that is no stream. The text carries the prompt's usual mix of words, numbers and punctuation.
pub(super) const fn document() -> &'static [u8] {
    concat!(
        r#"{"id":"chatcmpl-bench0000000000000000001","object":"chat.completion","created":1700000000,"#,
        r#""model":"gpt-4o-mini","system_fingerprint":"fp_bench","choices":[{"index":0,"message":{"role":"assistant","content":""#,
        "The report covers four quarters. Revenue rose by a tenth in the first and stayed flat after that, while costs ",
        "followed the price of energy closely.\\n\\n1. Sales: the northern region carried most of the growth; two large ",
        "customers renewed early and one left.\\n2. Costs: freight came down again, wages went up as agreed, and the ",
        "new plant is now written off over twelve years instead of eight.\\n3. Cash: working capital was released in ",
        "spring and bound again before winter, so that the year ends about where it began.\\n\\nTaken together the ",
        "picture is steady rather than bright. The margin depends on energy, the order book depends on three names, and ",
        "both are outside of the company's hands. A sensible next step is to ask for the breakdown by product, since the ",
        "total hides that one line earns nearly everything and two lines earn nothing at all. It would also help to know which of the contracts end ",
        "before the summer, because two of them carry a clause that lets the price follow the index only once a year. \\\"Wait and see\\\" is not ",
        r#"a plan.","refusal":null},"logprobs":null,"finish_reason":"stop"}],"#,
        r#""usage":{"prompt_tokens":512,"completion_tokens":210,"total_tokens":722,"prompt_tokens_details":{"cached_tokens":0}}}"#,
    )
    .as_bytes()
}

const HEAD: &str = concat!(
    r#"data: {"id":"chatcmpl-bench0000000000000000001","object":"chat.completion.chunk","created":1700000000,"#,
    r#""model":"gpt-4o-mini","system_fingerprint":"fp_bench","choices":["#,
);
const DELTA: &str = r#"{"index":0,"delta":{"content":" wo"#;
const DELTA_END: &str = r#" rd"},"logprobs":null,"finish_reason":null}]"#;
const FINISH: &str = r#"{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]"#;
const NO_USAGE: &str = r#","usage":null"#;
const END: &str = "}\n\n";

/// One event with a few letters of text, stamped with `now`.
pub(super) fn delta(wanted: &Wanted, now: u64) -> Bytes {
    let mut event = BytesMut::with_capacity(320);
    event.put_slice(HEAD.as_bytes());
    event.put_slice(DELTA.as_bytes());
    event.put_slice(&stamp::encode(now));
    event.put_slice(DELTA_END.as_bytes());
    end(&mut event, wanted);
    event.freeze()
}

/// What ends a stream of so many deltas: the reason, usage if it was asked for, and `[DONE]`.
pub(super) fn ending(wanted: &Wanted) -> Bytes {
    let mut events = BytesMut::with_capacity(1_024);
    events.put_slice(HEAD.as_bytes());
    events.put_slice(FINISH.as_bytes());
    end(&mut events, wanted);
    if wanted.usage {
        let written = wanted.events;
        let usage = format!(
            r#"],"usage":{{"prompt_tokens":512,"completion_tokens":{written},"total_tokens":{}}}}}"#,
            u64::from(written) + 512
        );
        events.put_slice(HEAD.as_bytes());
        events.put_slice(usage.as_bytes());
        events.put_slice(b"\n\n");
    }
    events.put_slice(b"data: [DONE]\n\n");
    events.freeze()
}

fn end(event: &mut BytesMut, wanted: &Wanted) {
    if wanted.usage {
        event.put_slice(NO_USAGE.as_bytes());
    }
    event.put_slice(END.as_bytes());
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;

    use super::*;

    #[test]
    fn the_document_is_json_of_about_a_kilobyte() {
        let answer: Value = serde_json::from_slice(document()).unwrap();
        let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
        assert!((900..1_100).contains(&text.len()), "{}", text.len());
    }

    #[test]
    fn every_event_is_json_and_usage_comes_only_where_it_was_asked_for() {
        for usage in [true, false] {
            let wanted = Wanted { events: 3, gap: Duration::ZERO, usage };
            let stream = [delta(&wanted, 1), ending(&wanted)].concat();
            let text = String::from_utf8(stream).unwrap();
            let mut data: Vec<&str> =
                text.split_terminator("\n\n").map(|line| line.strip_prefix("data: ").unwrap()).collect();
            assert_eq!(data.pop(), Some("[DONE]"));
            let events: Vec<Value> = data.iter().map(|data| serde_json::from_str(data).unwrap()).collect();
            assert_eq!(events.len(), if usage { 3 } else { 2 });
            assert_eq!(events.iter().any(|event| event["usage"].is_object()), usage);
            assert_eq!(events.iter().all(|event| event.get("usage").is_some()), usage);
        }
    }
}

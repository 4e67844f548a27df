//! What holds for every text, every cut and every wire format.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use proptest::prelude::*;
use seawall_llm_client::sim::Sim;
use serde_json::{Value, json};

use crate::sim_support::{
    CHAT, COMPLETIONS, GENERATE, GENERATE_STREAM, MESSAGES, RESPONSES, ask, chat, chat_stream, generate,
    messages, post, responses, sim, stream, strings, with,
};

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

/// A wire format: whole and streamed, where the text stands, and where the number of tokens written stands.
struct Wire {
    path: &'static str,
    stream_path: &'static str,
    body: fn(&str) -> Value,
    stream_options: fn() -> Value,
    text: &'static str,
    delta: &'static str,
    output_tokens: &'static str,
    stream_output_tokens: &'static str,
}

const WIRES: [Wire; 5] = [
    Wire {
        path: CHAT,
        stream_path: CHAT,
        body: chat,
        stream_options: || json!({"stream": true, "stream_options": {"include_usage": true}}),
        text: "/choices/0/message/content",
        delta: "/choices/0/delta/content",
        output_tokens: "/usage/completion_tokens",
        stream_output_tokens: "/usage/completion_tokens",
    },
    Wire {
        path: COMPLETIONS,
        stream_path: COMPLETIONS,
        body: |text| json!({"model": "sim-1", "prompt": text}),
        stream_options: || json!({"stream": true, "stream_options": {"include_usage": true}}),
        text: "/choices/0/text",
        delta: "/choices/0/text",
        output_tokens: "/usage/completion_tokens",
        stream_output_tokens: "/usage/completion_tokens",
    },
    Wire {
        path: RESPONSES,
        stream_path: RESPONSES,
        body: responses,
        stream_options: || json!({"stream": true}),
        text: "/output/0/content/0/text",
        delta: "/delta",
        output_tokens: "/usage/output_tokens",
        stream_output_tokens: "/response/usage/output_tokens",
    },
    Wire {
        path: MESSAGES,
        stream_path: MESSAGES,
        body: messages,
        stream_options: || json!({"stream": true}),
        text: "/content/0/text",
        delta: "/delta/text",
        output_tokens: "/usage/output_tokens",
        stream_output_tokens: "/usage/output_tokens",
    },
    Wire {
        path: GENERATE,
        stream_path: GENERATE_STREAM,
        body: generate,
        stream_options: || json!({}),
        text: "/candidates/0/content/parts/0/text",
        delta: "/candidates/0/content/parts/0/text",
        output_tokens: "/usageMetadata/candidatesTokenCount",
        stream_output_tokens: "/usageMetadata/candidatesTokenCount",
    },
];

async fn holds(wire: &Wire, text: &str, directives: &str) {
    let body = (wire.body)(directives);
    let (whole_sim, stream_sim) = (sim(), sim());
    let answer = ask(&whole_sim, wire.path, &body).await;
    let events = stream(&stream_sim, wire.stream_path, &with(body, &(wire.stream_options)())).await;
    let data = || events.iter().map(|(_, data)| data);
    assert_eq!(answer.pointer(wire.text), Some(&json!(text)), "{}", wire.path);
    assert_eq!(strings(data(), wire.delta).concat(), text, "{}", wire.path);
    let tokens = u64::try_from(text.len()).unwrap().div_ceil(4);
    assert_eq!(answer.pointer(wire.output_tokens), Some(&json!(tokens)));
    let said = data().filter_map(|data| data.pointer(wire.stream_output_tokens)).next_back();
    assert_eq!(said, Some(&json!(tokens)), "{}", wire.path);
    for sim in [whole_sim, stream_sim] {
        assert_eq!((sim.stats().output_tokens, sim.stats().completed), (tokens, 1));
    }
}

/// Takes so many frames of a stream; the pieces of text in them.
async fn taken(sim: &Sim, prompt: &str, count: usize) -> String {
    let mut body = post(sim, CHAT, &chat_stream(prompt)).await.into_body();
    let mut pieces = String::new();
    for _ in 0..count {
        let Some(frame) = body.frame().await else { break };
        pieces.push_str(&piece(&frame.unwrap().into_data().unwrap()));
    }
    pieces
}

fn piece(frame: &Bytes) -> String {
    let data: Option<Value> = serde_json::from_slice(frame.strip_prefix(b"data: ").unwrap()).ok();
    let text = data.as_ref().and_then(|data| data.pointer("/choices/0/delta/content")?.as_str());
    text.unwrap_or_default().to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_stream_says_what_the_whole_answer_says_and_both_are_counted_as_they_are_billed(
        text in "[a-zé漢😀\"\\\\\u{2028}][ a-zé漢😀\"\\\\{}\u{2028}]{0,60}[a-zé漢😀\"\\\\]",
        chunk in 0_usize..7,
    ) {
        let chunk = if chunk == 0 { String::new() } else { format!("sim:chunk {chunk}\n") };
        let directives = format!("{chunk}sim:text {text}");
        run(async {
            for wire in &WIRES {
                holds(wire, &text, &directives).await;
            }
        });
    }

    #[test]
    fn a_client_that_leaves_has_paid_for_what_it_took(words in 1_usize..30, chunk in 1_usize..6, count in 0_usize..60) {
        let sim = sim();
        let text = run(taken(&sim, &format!("sim:chunk {chunk}\nsim:repeat {words} abc"), count));
        let stats = sim.stats();
        prop_assert_eq!(stats.output_tokens, u64::try_from(text.len()).unwrap().div_ceil(4));
        prop_assert_eq!(stats.completed + stats.cancelled, 1);
        prop_assert_eq!(stats.in_flight, 0);
    }
}

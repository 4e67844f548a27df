//! What the directives do to an answer.

use std::io::Read as _;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use seawall_llm_client::sim::{Options, Sim, SimBody};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::sim_support::{
    CHAT, GENERATE, GENERATE_STREAM, MESSAGES, RESPONSES, ask, bytes, chat, chat_stream, clock, frames,
    generate, messages, post, request, responses, scripted, sim, stream, strings, whole, with,
};

async fn text(sim: &Sim, prompt: &str) -> String {
    let answer = ask(sim, CHAT, &chat(prompt)).await;
    answer["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn texts_are_said_as_directed() {
    for (prompt, said) in [
        ("sim:text one\nand so on", "one"),
        ("sim:repeat 3 ho", "ho ho ho"),
        ("first line\nsim:echo", "first line\nsim:echo"),
    ] {
        assert_eq!(text(&sim(), prompt).await, said);
    }
}

#[tokio::test]
async fn without_a_directive_the_same_request_gets_the_same_answer_and_another_another() {
    let (one, again, other) = (text(&sim(), "a").await, text(&sim(), "a").await, text(&sim(), "b").await);
    assert_eq!(one, again);
    assert_ne!(one, other);
}

#[tokio::test]
async fn a_made_up_secret_looks_like_one() {
    let said = text(&sim(), "sim:secret").await;
    let key = said.split_whitespace().find(|word| word.starts_with("AKIA")).unwrap();
    assert_eq!(key.len(), 20);
    assert!(key.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
}

#[tokio::test]
async fn a_header_says_more_than_the_prompt() {
    let request = Request::post(CHAT).header("x-sim", "sim:chunk 1").header("x-sim", "sim:text ab");
    let response =
        sim().call(request.body(Full::from(chat_stream("sim:text no").to_string())).unwrap()).await;
    let events = crate::sim_support::events(response).await;
    assert_eq!(strings(events.iter().map(|(_, data)| data), "/choices/0/delta/content"), ["", "a", "b"]);
}

#[tokio::test]
async fn a_script_answers_where_the_prompt_does_not_say() {
    let sim = scripted("- match: weather\n  answer: sim:tool look {}\n- answer: sunny\n");
    assert_eq!(text(&sim, "hello").await, "sunny");
    let call = ask(&sim, CHAT, &chat("the weather?")).await;
    assert_eq!(call["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(text(&sim, "sim:text mine").await, "mine");
    assert_eq!(text(&sim, "and now?").await, "sunny");
    sim.reset();
    assert_eq!(ask(&sim, CHAT, &chat("the weather?")).await["choices"][0]["finish_reason"], "tool_calls");
}

#[tokio::test]
async fn errors_have_the_providers_shape() {
    let sim = sim();
    for (path, body, status, expected) in [
        (
            CHAT,
            chat("sim:error 429 retry-after=7"),
            429,
            json!({"error": {
                "message": "simulated error 429", "type": "requests", "param": null, "code": "rate_limit_exceeded"}}),
        ),
        (
            RESPONSES,
            responses("sim:error 500 retry-after=7"),
            500,
            json!({"error": {"message": "simulated error 500", "type": "server_error", "param": null, "code": null}}),
        ),
        (
            GENERATE,
            generate("sim:error 503 retry-after=7"),
            503,
            json!({"error": {"code": 503, "message": "simulated error 503", "status": "UNAVAILABLE"}}),
        ),
    ] {
        let response = post(&sim, path, &body).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["retry-after"], "7");
        assert_eq!(whole(response).await, expected);
    }
    let response = post(&sim, MESSAGES, &with(messages("sim:error 529"), &json!({"stream": true}))).await;
    assert_eq!(response.status(), 529);
    assert!(response.headers().get("retry-after").is_none());
    let id = response.headers()["request-id"].to_str().unwrap().to_owned();
    let error = json!({"type": "overloaded_error", "message": "simulated error 529"});
    assert_eq!(whole(response).await, json!({"type": "error", "error": error, "request_id": id}));
}

#[tokio::test]
async fn an_incomplete_directive_is_a_bad_request_that_says_so() {
    let response = post(&sim(), CHAT, &chat("sim:tool read not-json")).await;
    assert_eq!(response.status(), 400);
    let message = whole(response).await["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("sim:tool needs a JSON object"), "{message}");
}

#[tokio::test]
async fn a_request_fails_so_many_times_and_then_succeeds() {
    let sim = sim();
    let body = chat("sim:fail 2 503\nsim:text at last");
    for status in [503, 503, 200, 200] {
        assert_eq!(post(&sim, CHAT, &body).await.status(), status);
    }
    assert_eq!(post(&sim, CHAT, &chat("sim:fail 1 500\nsim:text other")).await.status(), 500);
}

#[tokio::test(start_paused = true)]
async fn a_delay_and_the_latency_pass_before_the_head() {
    let sim = Sim::new(Options { latency: Duration::from_millis(30), ..Options::default() }, clock());
    let began = Instant::now();
    post(&sim, CHAT, &chat("sim:delay 20ms\nsim:text x")).await;
    assert_eq!(began.elapsed(), Duration::from_millis(50));
}

#[tokio::test(start_paused = true)]
async fn deltas_keep_the_pace() {
    for (prompt, tokens_per_second, took) in [
        ("sim:pace 10\nsim:text a b c", None, 30),
        ("sim:chunk 4\nsim:text abcdefghijkl", Some(100), 30),
        ("sim:pace 1s\nsim:text a b", Some(100), 2_000),
    ] {
        let sim = Sim::new(Options { tokens_per_second, ..Options::default() }, clock());
        let began = Instant::now();
        stream(&sim, CHAT, &chat_stream(prompt)).await;
        assert_eq!(began.elapsed().as_millis(), took, "{prompt}");
    }
}

#[tokio::test]
async fn a_chunk_is_so_many_characters_and_never_cuts_one() {
    let events = stream(&sim(), CHAT, &chat_stream("sim:chunk 1\nsim:text aé漢😀")).await;
    let deltas = strings(events.iter().map(|(_, data)| data), "/choices/0/delta/content");
    assert_eq!(deltas, ["", "a", "é", "漢", "😀"]);
}

/// The frames before the body broke; none when it came to its end.
async fn until_it_broke(response: Response<SimBody>) -> Option<Vec<Bytes>> {
    let mut body = response.into_body();
    let mut frames = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => frames.push(frame.into_data().unwrap()),
            Err(_) => return Some(frames),
        }
    }
    None
}

#[tokio::test]
async fn a_stream_breaks_off_after_so_many_deltas() {
    for (after, expected_deltas) in [(0, 0), (1, 1), (3, 3), (9, 3)] {
        let prompt = format!("sim:disconnect after={after}\nsim:text a b c");
        let frames = until_it_broke(post(&sim(), CHAT, &chat_stream(&prompt)).await).await.unwrap();
        let is_delta = |frame: &&Bytes| frame.windows(12).any(|text| text == b"{\"content\":\"");
        let deltas = frames.iter().filter(is_delta);
        assert_eq!(deltas.count(), expected_deltas, "after {after}");
    }
    let half = until_it_broke(post(&sim(), CHAT, &chat("sim:disconnect\nsim:text a")).await).await.unwrap();
    assert!(half[0].starts_with(b"{\"id\""));
    assert!(serde_json::from_slice::<Value>(&half[0]).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_stream_falls_silent_after_so_many_deltas_and_a_hanging_request_has_no_head() {
    let mut body = post(&sim(), CHAT, &chat_stream("sim:stall after=2\nsim:text a b c")).await.into_body();
    for _ in 0..3 {
        body.frame().await.unwrap().unwrap();
    }
    assert!(tokio::time::timeout(Duration::from_secs(3600), body.frame()).await.is_err());
    let sim = sim();
    let hanging = chat("sim:hang");
    assert!(tokio::time::timeout(Duration::from_secs(3600), post(&sim, CHAT, &hanging)).await.is_err());
    assert_eq!(sim.stats().cancelled, 1);
}

#[tokio::test]
async fn garbage_is_an_event_that_is_no_json() {
    let frames = frames(post(&sim(), CHAT, &chat_stream("sim:garbage\nsim:text a b")).await).await;
    let broken: Vec<_> = frames
        .iter()
        .filter_map(|frame| frame.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]\n\n" && serde_json::from_str::<Value>(data).is_err())
        .collect();
    assert_eq!(broken.len(), 1);
    let whole = bytes(post(&sim(), CHAT, &chat("sim:garbage")).await).await;
    assert!(serde_json::from_slice::<Value>(&whole).is_err());
}

fn inflated(bytes: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text
}

#[tokio::test]
async fn gzip_is_one_stream_that_is_flushed_at_every_event() {
    let response = post(&sim(), CHAT, &chat_stream("sim:gzip\nsim:text a b")).await;
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let mut body = response.into_body();
    let mut packed = Vec::new();
    let mut sizes = Vec::new();
    while let Some(frame) = body.frame().await {
        let data = frame.unwrap().into_data().unwrap();
        sizes.push(data.len());
        packed.extend_from_slice(&data);
    }
    assert!(sizes.iter().all(|size| *size > 0));
    assert!(inflated(&packed).ends_with("data: [DONE]\n\n"));
    let whole = bytes(post(&sim(), CHAT, &chat("sim:gzip\nsim:text packed")).await).await;
    assert!(inflated(&whole).contains("packed"));
}

#[tokio::test]
async fn usage_is_left_out_where_it_is_not_wanted_and_counted_all_the_same() {
    let sim = sim();
    let answer = ask(&sim, CHAT, &chat("sim:nousage\nsim:text abcd")).await;
    assert!(answer.get("usage").is_none());
    let events = stream(&sim, CHAT, &chat_stream("sim:nousage\nsim:text abcd")).await;
    assert!(events.iter().all(|(_, data)| data.get("usage").is_none()));
    let message = ask(&sim, MESSAGES, &messages("sim:nousage\nsim:text abcd")).await;
    assert!(message.get("usage").is_none());
    let generated = stream(&sim, GENERATE_STREAM, &generate("sim:nousage\nsim:text abcd")).await;
    assert!(generated.iter().all(|(_, data)| data.get("usageMetadata").is_none()));
    assert_eq!(sim.stats().output_tokens, 4);
}

#[tokio::test]
async fn raw_bytes_are_the_body_whole_or_cut() {
    // "data: x\n\n"
    let cut = frames(post(&sim(), CHAT, &chat_stream("sim:chunk 4\nsim:raw ZGF0YTogeAoK")).await).await;
    assert_eq!(cut, ["data", ": x\n", "\n"]);
    assert_eq!(bytes(post(&sim(), CHAT, &chat("sim:raw ZGF0YTogeAoK")).await).await, "data: x\n\n");
}

#[tokio::test]
async fn a_compressed_request_is_understood() {
    use std::io::Write as _;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(chat("sim:text unpacked").to_string().as_bytes()).unwrap();
    let packed = gzip.finish().unwrap();
    let packed = Request::post(CHAT).header("content-encoding", "gzip").body(Full::from(packed)).unwrap();
    assert_eq!(whole(sim().call(packed).await).await["choices"][0]["message"]["content"], "unpacked");
    let unknown = Request::post(CHAT).header("content-encoding", "br").body(Full::from("x")).unwrap();
    assert_eq!(sim().call(unknown).await.status(), 415);
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    for (method, path, body, status) in [
        (Method::POST, CHAT, "{", 400),
        (Method::POST, CHAT, "[]", 400),
        (Method::POST, CHAT, r#"{"messages":[]}"#, 400),
        (Method::POST, CHAT, r#"{"model":"m"}"#, 400),
        (
            Method::POST,
            CHAT,
            "{\"model\":\"\\u0001\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
            400,
        ),
        (Method::POST, CHAT, r#"{"model":"m","n":0,"messages":[{"role":"user","content":"x"}]}"#, 400),
        (Method::POST, MESSAGES, r#"{"model":"m"}"#, 400),
        (Method::POST, RESPONSES, r#"{"model":"m"}"#, 400),
        (Method::POST, GENERATE, "{}", 400),
        (Method::GET, CHAT, "", 405),
        (Method::POST, "/v1/nothing", "{}", 404),
        (Method::GET, "/sim/nothing", "", 404),
        (Method::GET, "/sim/reset", "", 405),
    ] {
        let response = request(&sim(), method.clone(), path, body).await;
        assert_eq!(response.status(), status, "{method} {path} {body}");
        assert!(whole(response).await.get("error").is_some(), "{method} {path}");
    }
}

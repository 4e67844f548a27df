//! What a call is charged whose cost does not simply stand in its answer: never less than it can have cost.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use seawall_types::{Usd, Window};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::support::client::{self, Call};
use crate::support::eventually;
use crate::support::format::Format;
use crate::support::program::{Program, Setup, one_upstream};
use crate::support::raw::{self, Answer};
use crate::support::trace::Trace;
use crate::support::upstream::{Reply, Upstream};

const CHAT: &str = "/v1/chat/completions";
const IMAGES: &str = "/v1/images/generations";

fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A strict proxy with a budget before this upstream.
fn strict(upstream: &Upstream, config: &str, budget: &str) -> Program {
    let config = format!("{config}\n{}", one_upstream(&upstream.url()));
    Setup::proxy(&config).args(["--mode", "strict", "--budget", budget]).start()
}

fn code(answer: &Answer) -> Value {
    answer.json()["error"]["seawall"]["code"].clone()
}

async fn spent(proxy: &Program) -> Usd {
    proxy.settled("global", Window::Total).await.spent_usd
}

/// The trace of one call, once it is settled there.
async fn trace_of_one(proxy: &Program) -> Trace {
    let trace = eventually("the call is settled", async || {
        let trace = Trace::of(&proxy.setup);
        if trace.count("action.settled") > 0 { Ok(trace) } else { Err("nothing is settled") }
    });
    let trace = trace.await;
    assert_eq!(trace.count("action.admitted"), 1);
    trace
}

fn chunk(value: &Value) -> String {
    format!("data: {value}\n\n")
}

fn said(model: &str, text: &str) -> String {
    chunk(&json!({ "model": model, "choices": [{ "index": 0, "delta": { "content": text } }] }))
}

fn stopped(model: &str) -> String {
    chunk(&json!({ "model": model, "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] }))
}

fn used(model: &str, input: u64, output: u64) -> String {
    let usage = json!({ "prompt_tokens": input, "completion_tokens": output });
    chunk(&json!({ "model": model, "choices": [], "usage": usage }))
}

fn answer(model: &str, input: u64, output: u64) -> Value {
    json!({
        "model": model,
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": "hi" }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": input, "completion_tokens": output },
    })
}

fn ask(model: &str, stream: bool) -> String {
    let messages = json!([{ "role": "user", "content": "hi" }]);
    json!({ "model": model, "stream": stream, "max_completion_tokens": 1000, "messages": messages })
        .to_string()
}

/// Begins a stream, reads until `last` has come, hangs up, and gives what was settled.
async fn hung_up_at(proxy: &Program, model: &str, last: &str) -> Value {
    let mut answering = client::begin(proxy.address, Call::post(CHAT, ask(model, true))).await;
    let mut seen = String::new();
    while !seen.contains(last) {
        let piece = answering.piece().await.expect("more of the stream");
        seen.push_str(std::str::from_utf8(&piece).unwrap());
    }
    drop(answering);
    trace_of_one(proxy).await.of_kind("action.settled").next().unwrap().data.clone()
}

#[tokio::test]
async fn strict_mode_refuses_what_nobody_can_price_where_a_budget_would_pay() {
    let upstream = Upstream::always(Reply::json("{}"));
    let proxy = strict(&upstream, "", "10");
    for path in [IMAGES, "/v1/messages/batches", "/v1/engines/gpt-4o/completions", "/v1/realtime/sessions"] {
        let answer = proxy.ask(raw::post(path, r#"{"model":"gpt-image-1"}"#)).await;
        assert_eq!(answer.status, 403, "{path}: {answer:?}");
        assert!(answer.text().contains("prices.other_request"), "{answer:?}");
    }
    let refused = proxy.ask(raw::post(IMAGES, r#"{"model":"gpt-image-1"}"#)).await;
    assert_eq!(code(&refused), "PRICE_UNKNOWN");
    assert!(upstream.seen().is_empty());
    for (method, path) in [
        ("GET", "/v1/models"),
        ("GET", "/v1/batches/b1"),
        ("DELETE", "/v1/files/f1"),
        ("POST", "/v1/moderations"),
        ("POST", "/v1/messages/count_tokens"),
        ("POST", "/v1/files"),
    ] {
        let body = if method == "POST" { "{}" } else { "" };
        assert_eq!(proxy.ask(raw::request(method, path, &[], body)).await.status, 200, "{method} {path}");
    }
    assert_eq!(spent(&proxy).await, Usd::ZERO);
}

#[tokio::test]
async fn without_a_budget_or_in_warn_mode_what_nobody_can_price_passes() {
    let upstream = Upstream::always(Reply::json("{}"));
    let request = raw::post(IMAGES, r#"{"model":"gpt-image-1"}"#);
    let free = Setup::proxy(&one_upstream(&upstream.url())).args(["--mode", "strict"]).start();
    assert_eq!(free.ask(&request).await.status, 200);
    let warn = Setup::proxy(&one_upstream(&upstream.url())).args(["--budget", "10"]).start();
    assert_eq!(warn.ask(&request).await.status, 200);
    assert_eq!(spent(&warn).await, Usd::ZERO, "it tells of no usage");
    warn.wait_for_metric("seawall_unpriced_total", &[("upstream", "main")], 1.0).await;
}

/// A path that no wire format claims, and what is asked there.
const ENGINE: &str = "/v1/engines/gpt-4o/completions";

fn ask_engine() -> Vec<u8> {
    raw::post(ENGINE, r#"{"model":"gpt-4o","prompt":"hi"}"#)
}

#[tokio::test]
async fn what_a_path_that_nobody_can_price_tells_is_charged_in_warn_mode_and_at_no_flat_price() {
    for (prices, mode) in [("", "warn"), ("prices: { other_request: \"0\" }\n", "strict")] {
        let upstream = Upstream::always(Reply::json(answer("gpt-4o", 10, 100_000).to_string()));
        let config = format!("{prices}{}", one_upstream(&upstream.url()));
        let proxy = Setup::proxy(&config).args(["--mode", mode, "--budget", "1.5"]).start();
        assert_eq!(proxy.ask(ask_engine()).await.status, 200, "{mode}");
        assert_eq!(spent(&proxy).await, usd("1.000025"), "{mode}");
        let settled = trace_of_one(&proxy).await;
        let told: Usd = settled.of_kind("action.settled").map(|event| event.usd("cost_usd")).sum();
        assert_eq!(told, usd("1.000025"), "the trace and the ledger agree in {mode}");
        assert_eq!(proxy.ask(ask_engine()).await.status, 200, "{mode}");
        assert_eq!(spent(&proxy).await, usd("2.00005"), "{mode}");
        let refused = proxy.ask(ask_engine()).await;
        assert_eq!((refused.status, code(&refused)), (402, "BUDGET_EXCEEDED".into()), "{mode}: {refused:?}");
        assert_eq!(upstream.seen().len(), 2, "{mode}");
    }
}

#[tokio::test]
async fn a_budget_that_can_pay_for_no_token_refuses_what_nobody_can_price() {
    for budget in ["0", "0.0000001"] {
        let upstream = Upstream::always(Reply::json("{}"));
        let proxy = Setup::proxy(&one_upstream(&upstream.url())).args(["--budget", budget]).start();
        let refused = proxy.ask(ask_engine()).await;
        assert_eq!(
            (refused.status, code(&refused)),
            (402, "BUDGET_EXCEEDED".into()),
            "{budget}: {refused:?}"
        );
        assert!(upstream.seen().is_empty());
    }
}

#[tokio::test]
async fn a_budget_of_tokens_pays_for_what_nobody_can_price() {
    let upstream = Upstream::always(Reply::json(answer("gpt-4o", 10, 100_000).to_string()));
    let config = format!(
        "budgets: [ {{ scope: global, window: total, tokens: 1000 }} ]\n{}",
        one_upstream(&upstream.url())
    );
    let proxy = Setup::proxy(&config).args(["--mode", "strict"]).start();
    assert_eq!(proxy.ask(ask_engine()).await.status, 200);
    assert_eq!(proxy.settled("global", Window::Total).await.spent_tokens, 100_010);
    let refused = proxy.ask(ask_engine()).await;
    assert_eq!((refused.status, code(&refused)), (402, "TOKENS_EXCEEDED".into()), "{refused:?}");
}

#[tokio::test]
async fn a_flat_price_is_reserved_and_charged_at_least() {
    let upstream = Upstream::in_turn(vec![
        Reply::json("{}"),
        Reply::whole(400, &[("content-type", "application/json")], "{}"),
        Reply::json(r#"{"model":"gpt-4o","usage":{"input_tokens":0,"output_tokens":50000}}"#),
    ]);
    let proxy = strict(&upstream, "prices: { other_request: \"0.40\" }", "1.00");
    let ask = || proxy.ask(raw::post(IMAGES, r#"{"model":"gpt-image-1"}"#));
    assert_eq!(ask().await.status, 200);
    assert_eq!(spent(&proxy).await, usd("0.40"), "nothing is told, so the flat price is charged");
    assert_eq!(ask().await.status, 400);
    assert_eq!(spent(&proxy).await, usd("0.40"), "what is refused costs nothing");
    assert_eq!(ask().await.status, 200);
    assert_eq!(spent(&proxy).await, usd("0.90"), "what is told and more is charged");
    let refused = ask().await;
    assert_eq!((refused.status, code(&refused)), (402, "BUDGET_EXCEEDED".into()), "{refused:?}");
    assert_eq!(upstream.seen().len(), 3);
}

#[tokio::test]
async fn usage_is_read_from_streams_that_no_wire_format_claims() {
    let events = [
        "event: x\ndata: not even JSON\n\n".to_owned(),
        chunk(&json!({ "model": "gpt-4o", "usage": { "input_tokens": 1000, "output_tokens": 500 } })),
    ];
    let upstream = Upstream::always(Reply::events(events.clone()));
    let proxy = strict(&upstream, "prices: { other_request: \"0.001\" }", "10");
    let answer = proxy.ask(raw::post("/v1/audio/transcriptions", r#"{"model":"gpt-4o"}"#)).await;
    assert_eq!(answer.text(), events.concat());
    assert_eq!(spent(&proxy).await, usd("0.0075"));
}

#[tokio::test]
async fn a_compressed_answer_that_is_passed_through_is_charged_by_what_it_says() {
    let part = json!([{ "modelVersion": "gemini-2.5-flash", "usageMetadata":
        { "promptTokenCount": 1_000_000, "candidatesTokenCount": 1_000_000 } }]);
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    let upstream = Upstream::always(Reply::whole(200, &headers, gzip(&part.to_string())));
    let proxy = strict(&upstream, "", "10");
    let path = "/v1beta/models/gemini-2.5-flash:streamGenerateContent";
    assert_eq!(proxy.ask(raw::post(path, r#"{"contents":[]}"#)).await.status, 200);
    assert_eq!(spent(&proxy).await, usd("2.80"));
}

#[tokio::test]
async fn compaction_is_reserved_for_and_charged() {
    let reply =
        json!({ "model": "gpt-4o", "output": [], "usage": { "input_tokens": 1000, "output_tokens": 500 } });
    let upstream = Upstream::always(Reply::json(reply.to_string()));
    let proxy = strict(&upstream, "", "0.50");
    let body = r#"{"model":"gpt-4o","input":"hi"}"#;
    assert_eq!(proxy.ask(raw::post("/v1/responses/compact", body)).await.status, 200);
    assert_eq!(spent(&proxy).await, usd("0.0075"));
    assert_eq!(upstream.only().text(), body, "it takes no output limit");
    let poor = strict(&upstream, "", "0.01");
    assert_eq!(poor.ask(raw::post("/v1/responses/compact", body)).await.status, 402);
}

#[tokio::test]
async fn googles_openai_paths_lead_to_google_at_its_prices() {
    let upstream = Upstream::always(Reply::json(answer("gemini-2.5-flash", 1_000_000, 0).to_string()));
    let config = format!(
        "upstreams:\n  - {{ name: g, kind: gemini, base_url: \"{}\", api_key: their-key }}\n",
        upstream.url()
    );
    let proxy = Setup::proxy(&config).args(["--budget", "10"]).start();
    let path = "/v1beta/openai/chat/completions";
    assert_eq!(proxy.ask(raw::post(path, ask("gemini-2.5-flash", false))).await.status, 200);
    assert_eq!(upstream.only().header("authorization"), Some("Bearer their-key"));
    assert_eq!(spent(&proxy).await, usd("0.30"));
}

#[tokio::test]
async fn a_failure_of_the_upstream_costs_the_prompt_and_a_refusal_nothing() {
    for (status, is_charged) in
        [(500, true), (502, true), (503, true), (429, false), (400, false), (404, false)]
    {
        let upstream = Upstream::always(Reply::whole(status, &[], "no"));
        let proxy = strict(&upstream, "", "10");
        assert_eq!(proxy.ask(raw::post(CHAT, ask("gpt-4o", false))).await.status, status);
        let cost = spent(&proxy).await;
        assert_eq!(cost > Usd::ZERO, is_charged, "{status}: {cost}");
        assert!(cost < usd("0.001"), "{status}: {cost} is more than the prompt");
    }
}

#[tokio::test]
async fn the_prompts_of_all_tries_are_held() {
    let upstream = Upstream::always(Reply::whole(500, &[("retry-after", "0")], "no"));
    let config = |attempts: u32| {
        format!(
            "upstreams:\n  - name: main\n    base_url: \"{}\"\n    retries: {{ attempts: {attempts}, budget: 1 }}\n",
            upstream.url()
        )
    };
    let mut reserved = Vec::new();
    for attempts in [0, 2] {
        let proxy = Setup::proxy(&config(attempts)).args(["--budget", "10"]).start();
        assert_eq!(proxy.ask(raw::post(CHAT, ask("gpt-4o", false))).await.status, 500);
        let cost = spent(&proxy).await;
        let admitted = trace_of_one(&proxy).await.reserved();
        assert!(cost <= admitted, "{cost} of {admitted}");
        reserved.push((admitted, cost));
    }
    let [(one, prompt), (three, prompts)] = reserved[..] else { unreachable!("two proxies") };
    assert_eq!(prompts, prompt.times(3), "each try may have been billed");
    assert_eq!(three, one.saturating_add(prompt.times(2)));
}

#[tokio::test]
async fn who_hangs_up_on_a_model_that_may_reason_pays_what_it_had_the_time_to_write() {
    for (model, may_reason) in [("gpt-5", true), ("nobody-knows-it", true), ("gpt-4o", false)] {
        let thinking = Duration::from_millis(150);
        let reply = Reply::begin_events([said(model, "")]).pause(thinking).chunk(said(model, "hello")).hang();
        let upstream = Upstream::always(reply);
        let proxy = Setup::proxy(&one_upstream(&upstream.url())).args(["--budget", "10"]).start();
        let data = hung_up_at(&proxy, model, "hello").await;
        let output = data["usage"]["output_tokens"].as_u64().unwrap();
        assert_eq!(output >= 150, may_reason, "{model}: {data}");
        assert!(may_reason || output < 100, "{model}: {data}");
        assert!(output < 1000, "less than was reserved: {model}: {data}");
    }
}

/// What is settled when an upstream falls silent after this, on a call that may have 1000 tokens.
async fn fell_silent(model: &str, stream: bool, reply: Reply) -> Value {
    let upstream = Upstream::always(reply.hang());
    let config = format!("{}    timeouts: {{ idle: 250ms }}\n", one_upstream(&upstream.url()));
    let proxy = Setup::proxy(&config).args(["--budget", "10"]).start();
    proxy.ask(raw::post(CHAT, ask(model, stream))).await;
    let trace = trace_of_one(&proxy).await;
    let settled = trace.of_kind("action.settled").next().unwrap();
    assert_eq!(settled.data["ended"], "cut", "{settled:?}");
    assert_eq!(spent(&proxy).await, settled.usd("cost_usd"));
    assert!(settled.usd("cost_usd") <= trace.reserved(), "{settled:?}");
    settled.data.clone()
}

#[tokio::test]
async fn a_stream_that_is_cut_before_its_first_word_pays_what_the_model_had_the_time_to_write() {
    for model in ["gpt-5", "gpt-4o"] {
        let data = fell_silent(model, true, Reply::begin_events([said(model, "")])).await;
        let output = data["usage"]["output_tokens"].as_u64().unwrap();
        assert!((250..=1000).contains(&output), "{model}: {data}");
    }
}

#[tokio::test]
async fn a_stream_that_falls_silent_after_its_headers_pays_what_the_model_had_the_time_to_write() {
    for (attempts, tries) in [(0, 1), (1, 2)] {
        let headers = Reply::chunked(200, &[("content-type", "text/event-stream")]);
        let upstream = Upstream::always(headers.hang());
        let config = format!(
            "upstreams:\n  - name: main\n    base_url: \"{}\"\n    retries: {{ attempts: {attempts}, budget: 1 }}\n    timeouts: {{ idle: 250ms }}\n",
            upstream.url()
        );
        let proxy = Setup::proxy(&config).args(["--budget", "10"]).start();
        assert_eq!(proxy.ask(raw::post(CHAT, ask("gpt-5", true))).await.status, 504);
        assert_eq!(upstream.seen().len(), tries);
        let trace = trace_of_one(&proxy).await;
        let settled = trace.of_kind("action.settled").next().unwrap();
        let output = settled.data["usage"]["output_tokens"].as_u64().unwrap();
        assert!((250..=1000).contains(&output), "{settled:?}");
        assert!(settled.usd("cost_usd") <= trace.reserved(), "{settled:?}");
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_pays_for_what_its_model_may_have_thought() {
    for (model, may_reason) in [("gpt-5", true), ("gpt-4o", false)] {
        let data = fell_silent(model, true, Reply::begin_events([said(model, "hello")])).await;
        let output = data["usage"]["output_tokens"].as_u64().unwrap();
        assert_eq!(output >= 250, may_reason, "{model}: {data}");
        assert!(may_reason || output < 50, "{model}: {data}");
    }
}

#[tokio::test]
async fn an_answer_in_one_piece_that_is_cut_pays_what_it_can_have_cost() {
    let begun = |body: &str| Reply::chunked(200, &[("content-type", "application/json")]).chunk(body);
    for (model, reply, is_all) in [
        ("gpt-5", Reply::chunked(200, &[("content-type", "application/json")]), true),
        ("gpt-4o", Reply::chunked(200, &[("content-type", "application/json")]), true),
        ("gpt-5", begun("{\"choices\":["), true),
        ("gpt-4o", begun("{\"choices\":["), false),
    ] {
        let data = fell_silent(model, false, reply).await;
        let output = data["usage"]["output_tokens"].as_u64().unwrap();
        assert!(if is_all { output == 1000 } else { (32..50).contains(&output) }, "{model}: {data}");
    }
}

#[tokio::test]
async fn who_hangs_up_before_anything_came_pays_what_was_reserved() {
    let upstream = Upstream::always(Reply::nothing().hang());
    let proxy = Setup::proxy(&one_upstream(&upstream.url())).args(["--budget", "10"]).start();
    let call = client::try_begin(proxy.address, Call::post(CHAT, ask("gpt-4o", false)));
    tokio::select! {
        _ = call => unreachable!("the upstream says nothing"),
        () = upstream.wait_for_requests(1) => {}
    }
    assert_eq!(spent(&proxy).await, trace_of_one(&proxy).await.reserved());
}

/// A call whose answer is made in the background.
fn ask_in_background(stream: bool) -> String {
    json!({ "model": "gpt-5", "background": true, "stream": stream, "max_output_tokens": 100_000, "input": "hi" })
        .to_string()
}

#[tokio::test]
async fn who_leaves_a_call_in_the_background_before_its_headers_pays_all_that_was_reserved() {
    for stream in [false, true] {
        let upstream = Upstream::always(Reply::nothing().hang());
        let proxy = Setup::proxy(&one_upstream(&upstream.url())).args(["--budget", "10"]).start();
        let call = client::try_begin(proxy.address, Call::post("/v1/responses", ask_in_background(stream)));
        tokio::select! {
            _ = call => unreachable!("the upstream says nothing"),
            () = upstream.wait_for_requests(1) => {}
        }
        assert_eq!(spent(&proxy).await, trace_of_one(&proxy).await.reserved(), "stream: {stream}");
    }
}

#[tokio::test]
async fn each_try_of_a_call_in_the_background_is_reserved_and_charged_in_full_when_nobody_answers() {
    let upstreams = [(); 2].map(|()| Upstream::always(Reply::nothing().hang()));
    let entry = |upstream: &Upstream| {
        format!(
            "  - {{ name: \"{0}\", base_url: \"{0}\", timeouts: {{ first_byte: 200ms }} }}\n",
            upstream.url()
        )
    };
    for count in [1, 2] {
        let config = format!("upstreams:\n{}", upstreams[..count].iter().map(entry).collect::<String>());
        let proxy = Setup::proxy(&config).args(["--budget", "10"]).start();
        let answer = proxy.ask(raw::post("/v1/responses", ask_in_background(false))).await;
        assert_eq!(answer.status, 504, "{answer:?}");
        let trace = trace_of_one(&proxy).await;
        let settled = &trace.of_kind("action.settled").next().unwrap().data;
        assert_eq!(settled["usage"]["output_tokens"], 100_000 * count, "{settled}");
        let cost = spent(&proxy).await;
        assert!(cost <= trace.reserved(), "{cost} of {}", trace.reserved());
    }
}

#[tokio::test]
async fn a_call_in_the_background_without_a_limit_gets_what_the_budget_can_pay_for_in_every_try() {
    let upstream = Upstream::always(Reply::json(
        r#"{"model":"gpt-5","status":"completed","output":[],"usage":{"input_tokens":1,"output_tokens":1}}"#,
    ));
    let config = format!(
        "upstreams:\n  - {{ name: main, base_url: \"{}\", retries: {{ attempts: 2, budget: 1 }} }}\n",
        upstream.url()
    );
    let proxy = Setup::proxy(&config).args(["--budget", "0.5"]).start();
    let body = r#"{"model":"gpt-5","background":true,"input":"hi"}"#;
    assert_eq!(proxy.ask(raw::post("/v1/responses", body)).await.status, 200);
    let sent: Value = serde_json::from_slice(&upstream.only().body).unwrap();
    let limit = sent["max_output_tokens"].as_u64().unwrap();
    // Three tries at ten dollars for a million tokens; the prompts take less than a tenth of it.
    assert!((15_000..=16_667).contains(&limit), "{sent}");
}

/// A listener that takes connections and never says a word: no handshake of TLS comes to its end.
async fn mute() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = one_upstream(&format!("https://{}", listener.local_addr().unwrap()));
    (listener, config)
}

#[tokio::test]
async fn a_call_that_was_never_sent_costs_nothing_when_its_client_leaves() {
    for stream in [false, true] {
        let (listener, config) = mute().await;
        let proxy = Setup::proxy(&config).args(["--budget", "10"]).start();
        let call = client::try_begin(proxy.address, Call::post(CHAT, ask("gpt-5", stream)));
        let handshake = async {
            let (mut peer, _) = listener.accept().await.unwrap();
            peer.read_u8().await.unwrap();
            peer
        };
        let _peer = tokio::select! {
            _ = call => unreachable!("the upstream says nothing"),
            peer = handshake => peer,
        };
        let trace = trace_of_one(&proxy).await;
        let settled = trace.of_kind("action.settled").next().unwrap();
        assert_eq!(settled.data["status"], 499, "{settled:?}");
        assert_eq!(settled.usd("cost_usd"), Usd::ZERO, "{settled:?}");
        assert_eq!(spent(&proxy).await, Usd::ZERO);
    }
}

#[tokio::test]
async fn a_call_that_was_never_sent_costs_nothing_when_its_time_is_over() {
    for timeouts in ["first_byte: 300ms", "connect: 300ms", "total: 300ms"] {
        let (_listener, config) = mute().await;
        let config = format!("{config}    timeouts: {{ {timeouts} }}\n");
        let proxy = Setup::proxy(&config).args(["--budget", "10"]).start();
        let answer = proxy.ask(raw::post(CHAT, ask("gpt-5", false))).await;
        assert!(matches!(answer.status, 502 | 504), "{timeouts}: {answer:?}");
        assert_eq!(spent(&proxy).await, Usd::ZERO, "{timeouts}");
    }
}

#[tokio::test]
async fn an_answer_that_nests_deep_or_is_not_quite_utf8_is_charged_by_what_it_tells() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
    let strange = |extra: &[u8]| {
        let usage = r#","usage":{"prompt_tokens":10,"completion_tokens":900}}"#;
        [br#"{"model":"gpt-4o","choices":[],"extra":"#, extra, usage.as_bytes()].concat()
    };
    for (extra, output, estimated) in
        [(nested(600), 900, false), (b"\"\xff\"".to_vec(), 900, false), (nested(100_000), 1000, true)]
    {
        let body = strange(&extra);
        let upstream = Upstream::always(Reply::json(&body));
        let proxy = Setup::proxy(&one_upstream(&upstream.url())).args(["--budget", "10"]).start();
        let answer = proxy.ask(raw::post(CHAT, ask("gpt-4o", false))).await;
        assert_eq!((answer.status, &answer.body), (200, &body), "it is the client's to judge");
        let trace = trace_of_one(&proxy).await;
        let usage = &trace.of_kind("action.settled").next().unwrap().data["usage"];
        assert_eq!(
            (&usage["output_tokens"], &usage["estimated"]),
            (&output.into(), &estimated.into()),
            "{usage}"
        );
        assert!(spent(&proxy).await >= usd("0.009"));
    }
}

#[tokio::test]
async fn the_usage_after_the_last_word_is_waited_for_when_the_client_has_gone() {
    let reply = Reply::begin_events([said("gpt-5", "hello"), stopped("gpt-5")])
        .pause(Duration::from_millis(150))
        .chunk(used("gpt-5", 10, 700))
        .chunk("data: [DONE]\n\n")
        .end();
    let upstream = Upstream::always(reply);
    let proxy = Setup::proxy(&one_upstream(&upstream.url())).args(["--budget", "10"]).start();
    let data = hung_up_at(&proxy, "gpt-5", "stop").await;
    assert_eq!(data["usage"]["output_tokens"], 700, "{data}");
    assert_eq!(data["usage"]["estimated"], false, "{data}");
}

#[tokio::test]
async fn a_usage_that_does_not_come_after_the_last_word_is_not_waited_for_long() {
    let upstream = Upstream::always(Reply::begin_events([said("gpt-5", "hello"), stopped("gpt-5")]).hang());
    let proxy = Setup::proxy(&one_upstream(&upstream.url())).args(["--budget", "10"]).start();
    let data = hung_up_at(&proxy, "gpt-5", "stop").await;
    assert_eq!(data["usage"]["output_tokens"], 1000, "{data}");
    upstream.wait_for_hang_ups(1).await;
}

#[tokio::test]
async fn a_stream_that_breaks_between_its_last_word_and_its_usage_is_charged_as_cut() {
    for (model, may_reason) in [("gpt-5", true), ("gpt-4o", false)] {
        let usage = used(model, 10, 700);
        let reply = Reply::begin_events([said(model, "hello"), stopped(model)])
            .pause(Duration::from_millis(150))
            .chunk(&usage[..usage.len() / 2])
            .close();
        let upstream = Upstream::always(reply);
        let proxy = Setup::proxy(&one_upstream(&upstream.url())).args(["--budget", "10"]).start();
        let answer = proxy.ask(raw::post(CHAT, ask(model, true))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(
            answer.text(),
            [said(model, "hello"), stopped(model)].concat(),
            "whole events, and no error after the last word"
        );
        let data = trace_of_one(&proxy).await.of_kind("action.settled").next().unwrap().data.clone();
        assert_eq!(data["ended"], "cut", "{data}");
        let output = data["usage"]["output_tokens"].as_u64().unwrap();
        assert!(output >= if may_reason { 150 } else { 32 } && output < 1000, "{model}: {data}");
    }
}

#[tokio::test]
async fn a_faster_service_is_charged_as_such() {
    let body = |model: &str, tier: &str| {
        json!({ "model": model, "service_tier": tier, "max_completion_tokens": 10, "messages": [] })
            .to_string()
    };
    let tell = |model: &str, tier: &str| {
        let mut reply = answer(model, 1_000_000, 0);
        reply["service_tier"] = tier.into();
        Reply::json(reply.to_string())
    };
    // gpt-4o costs 2.50, and 4.25 with priority, which nobody need have asked for; gpt-4-turbo's is not known.
    for (model, asked, got, cost) in [
        ("gpt-4o", "priority", "priority", "4.25"),
        ("gpt-4o", "priority", "default", "2.50"),
        ("gpt-4o", "auto", "priority", "4.25"),
        ("gpt-4-turbo", "priority", "priority", "60"),
    ] {
        let upstream = Upstream::always(tell(model, got));
        let proxy = Setup::proxy(&one_upstream(&upstream.url())).args(["--budget", "100"]).start();
        assert_eq!(proxy.ask(raw::post(CHAT, body(model, asked))).await.status, 200);
        assert_eq!(spent(&proxy).await, usd(cost), "{model} {asked} {got}");
    }
    let upstream = Upstream::always(tell("gpt-4-turbo", "priority"));
    let proxy = strict(&upstream, "", "100");
    let refused = proxy.ask(raw::post(CHAT, body("gpt-4-turbo", "priority"))).await;
    assert_eq!(code(&refused), "PRICE_UNKNOWN", "{refused:?}");
}

#[tokio::test]
async fn the_providers_searches_are_charged_one_by_one() {
    let claude = json!({
        "model": "claude-opus-4-8", "type": "message", "content": [], "stop_reason": "end_turn",
        "usage": { "input_tokens": 0, "output_tokens": 0, "server_tool_use": { "web_search_requests": 3 } },
    });
    let gpt = json!({
        "model": "gpt-5", "output": vec![json!({ "type": "web_search_call" }); 3],
        "usage": { "input_tokens": 0, "output_tokens": 0 },
    });
    let gemini = json!({
        "modelVersion": "gemini-2.5-flash", "usageMetadata": { "promptTokenCount": 0, "candidatesTokenCount": 0 },
        "candidates": [{ "groundingMetadata": { "webSearchQueries": ["a", "b", "c"] }, "finishReason": "STOP" }],
    });
    let gemini_path = "/v1beta/models/gemini-2.5-flash:generateContent";
    for (path, tool, reply, fees) in [
        ("/v1/messages", json!({ "type": "web_search_20250305", "name": "web_search" }), claude, "0.03"),
        ("/v1/responses", json!({ "type": "web_search" }), gpt, "0.03"),
        (gemini_path, json!({ "googleSearch": {} }), gemini, "0.105"),
    ] {
        let upstream = Upstream::always(Reply::json(reply.to_string()));
        let proxy = strict(&upstream, "", "100");
        let mut body = json!({ "max_tokens": 10, "max_output_tokens": 10, "messages": [], "tools": [tool] });
        body["model"] = reply["model"].clone();
        let answer = proxy.ask(raw::post(path, body.to_string())).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(spent(&proxy).await, usd(fees), "{path}");
    }
}

#[tokio::test]
async fn a_fee_that_is_not_known_is_a_price_that_is_not_known() {
    let output = |kind: &str| vec![json!({ "type": kind }); 10];
    // gpt-4o has no fee for searches in the table, gpt-5 has one, and no model has one for anything else.
    for (model, tool, item, fee) in [
        ("gpt-4o", "web_search", "web_search_call", "0.35"),
        ("gpt-5", "code_interpreter", "code_interpreter_call", "0.35"),
        ("gpt-5", "file_search", "file_search_call", "0.35"),
        ("gpt-5", "image_generation", "image_generation_call", "0.35"),
    ] {
        let reply = json!({ "model": model, "output": output(item), "usage": { "input_tokens": 0, "output_tokens": 0 } });
        let upstream = Upstream::always(Reply::json(reply.to_string()));
        let body =
            json!({ "model": model, "max_output_tokens": 10, "input": "hi", "tools": [{ "type": tool }] });
        let ask = async |proxy: &Program| proxy.ask(raw::post("/v1/responses", body.to_string())).await;
        let poor = strict(&upstream, "", "100");
        let refused = ask(&poor).await;
        assert_eq!((refused.status, code(&refused)), (403, "PRICE_UNKNOWN".into()), "{tool}: {refused:?}");
        assert!(upstream.seen().is_empty(), "{tool}");
        let warn = Setup::proxy(&one_upstream(&upstream.url())).args(["--budget", "100"]).start();
        assert_eq!(ask(&warn).await.status, 200, "{tool}");
        assert_eq!(spent(&warn).await, usd(fee), "{model} {tool}");
        assert!(trace_of_one(&warn).await.reserved() > usd(fee), "{model} {tool}");
        warn.wait_for_metric("seawall_unpriced_total", &[("upstream", "main")], 1.0).await;
    }
}

#[tokio::test]
async fn a_chat_tells_of_no_tools_so_one_run_is_charged() {
    for (tools, fee) in [
        (json!({ "web_search_options": {} }), "0.025"),
        (json!({ "tools": [{ "type": "x_search" }] }), "0.035"),
        (json!({ "tools": [{ "type": "function" }] }), "0"),
    ] {
        let upstream = Upstream::always(Reply::json(answer("gpt-4.1", 0, 0).to_string()));
        let proxy = Setup::proxy(&one_upstream(&upstream.url())).args(["--budget", "100"]).start();
        let mut body: Value = serde_json::from_str(&ask("gpt-4.1", false)).unwrap();
        body.as_object_mut().unwrap().extend(tools.as_object().unwrap().clone());
        assert_eq!(proxy.ask(raw::post(CHAT, body.to_string())).await.status, 200);
        assert_eq!(spent(&proxy).await, usd(fee), "{tools}");
    }
}

#[tokio::test]
async fn a_tool_of_the_provider_that_costs_its_tokens_alone_passes_in_strict_mode() {
    let upstream = Upstream::always(Reply::json(r#"{"model":"gpt-4o","output":[{"type":"mcp_call"}]}"#));
    let proxy = strict(&upstream, "", "100");
    for tools in [r#"[{"type":"mcp"}]"#, r#"[{"type":"function","name":"f"}]"#] {
        let body = format!(r#"{{"model":"gpt-4o","max_output_tokens":9,"input":"hi","tools":{tools}}}"#);
        assert_eq!(proxy.ask(raw::post("/v1/responses", body)).await.status, 200, "{tools}");
    }
}

#[tokio::test]
async fn a_call_is_charged_at_the_prices_that_it_began_with() {
    let upstream = Upstream::always(
        Reply::begin_events([said("m", "hello")])
            .pause(Duration::from_secs(1))
            .chunk(stopped("m"))
            .chunk(used("m", 0, 1_000_000))
            .end(),
    );
    let setup = Setup::proxy("");
    let prices = |dollars: u32| format!("{{\"models\":{{\"m\":{{\"in\":{dollars},\"out\":{dollars}}}}}}}");
    let file = setup.write("prices.json", &prices(1));
    let config = format!("prices: {{ file: {file:?} }}\n{}", one_upstream(&upstream.url()));
    let proxy = setup.config(&config).args(["--budget", "100"]).start();
    let mut answering = client::begin(proxy.address, Call::post(CHAT, ask("m", true))).await;
    answering.piece().await.expect("the beginning");
    std::fs::write(&file, prices(50)).unwrap();
    proxy.signal(rustix::process::Signal::HUP);
    let rest = answering.rest().await;
    assert!(rest.text().contains("stop"), "{rest:?}");
    assert_eq!(spent(&proxy).await, usd("1"));
}

#[tokio::test]
async fn an_upstream_gets_the_output_limit_under_the_name_that_it_knows() {
    let body = r#"{"model":"sim-x","stream":true,"messages":[]}"#;
    for (settings, wanted, usage) in [
        ("", "max_tokens", true),
        ("output_limit: max_completion_tokens", "max_completion_tokens", true),
        ("include_usage: false", "max_tokens", false),
    ] {
        let events =
            [said("sim-x", "hi"), stopped("sim-x"), used("sim-x", 1, 1), "data: [DONE]\n\n".to_owned()];
        let upstream = Upstream::always(Reply::events(events));
        let config = format!("{}    {settings}\n", one_upstream(&upstream.url()));
        let proxy = Setup::proxy(&config).args(["--budget", "10"]).start();
        let answer = proxy.ask(raw::post(CHAT, body)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let seen: Value = serde_json::from_slice(&upstream.only().body).unwrap();
        let limits = ["max_tokens", "max_completion_tokens"].map(|name| seen.get(name).map(|_| name));
        assert_eq!(limits.iter().flatten().collect::<Vec<_>>(), [&wanted], "{settings}: {seen}");
        assert_eq!(seen.get("stream_options").is_some(), usage, "{settings}: {seen}");
        assert_eq!(
            answer.text().contains("usage"),
            !usage,
            "only what we asked for is taken out: {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_limit_of_the_clients_reaches_the_upstream_under_the_name_that_it_knows() {
    let body = |limits: &str| format!(r#"{{"model":"gpt-4o",{limits},"messages":[]}}"#);
    let (old, new) = (r#""max_tokens":7"#, r#""max_completion_tokens":7"#);
    let budget = ["--budget", "10"];
    let policy = "policy: { models: { max_output_tokens: 50 } }\n";
    for (known, sent, before, args, wanted) in [
        ("max_tokens", new, "", &budget[..], body(old)),
        ("max_tokens", new, policy, &[], body(old)),
        ("max_completion_tokens", old, "", &budget, body(new)),
        ("max_completion_tokens", old, policy, &[], body(new)),
        ("max_tokens", old, policy, &budget, body(old)),
        ("max_tokens", new, "", &[], body(new)),
    ] {
        let upstream = Upstream::always(Reply::json(answer("gpt-4o", 1, 1).to_string()));
        let config = format!("{before}{}    output_limit: {known}\n", one_upstream(&upstream.url()));
        let proxy = Setup::proxy(&config).args(args.iter().copied()).start();
        let answer = proxy.ask(raw::post(CHAT, body(sent))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(upstream.only().text(), wanted, "{known}, {before:?} {args:?}");
        assert_eq!(answer.header("x-seawall-output-limit"), None, "it is the client's own: {answer:?}");
    }
}

#[tokio::test]
async fn a_key_for_some_models_opens_no_path_whose_model_cannot_be_seen() {
    let upstream = Upstream::always(Reply::json("{}"));
    let setup = Setup::proxy(&one_upstream(&upstream.url()));
    let key = format!("Bearer {}", setup.key(&["--name", "ci", "--models", "gpt-4o-mini"]));
    let proxy = setup.start();
    let form = |model: &str| {
        format!(
            "--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nabc\r\n--xx\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--xx--\r\n"
        )
    };
    let (json, multipart) = ("application/json", "multipart/form-data; boundary=xx");
    let transcribe = "/v1/audio/transcriptions";
    for (path, kind, encoding, body, status) in [
        (IMAGES, json, "identity", br#"{"model":"gpt-4o-mini"}"#.to_vec(), 200),
        (IMAGES, json, "identity", br#"{"model":"gpt-image-1"}"#.to_vec(), 403),
        (IMAGES, json, "identity", b"{}".to_vec(), 403),
        (IMAGES, json, "identity", br#"{"model":"gpt-4o-mini","model":"gpt-image-1"}"#.to_vec(), 400),
        (IMAGES, json, "identity", br#"{"model":"gpt-4o-mini","Model":"gpt-image-1"}"#.to_vec(), 400),
        (IMAGES, json, "identity", b"\xef\xbb\xbf{}".to_vec(), 400),
        (IMAGES, json, "gzip", gzip(r#"{"model":"gpt-image-1"}"#), 403),
        (IMAGES, json, "gzip", gzip(r#"{"model":"gpt-4o-mini"}"#), 200),
        (IMAGES, json, "br", b"whatever".to_vec(), 400),
        (IMAGES, "text/plain", "identity", b"model=gpt-4o-mini".to_vec(), 403),
        (transcribe, multipart, "identity", form("gpt-4o-mini").into_bytes(), 200),
        (transcribe, multipart, "identity", form("whisper-1").into_bytes(), 403),
        (
            transcribe,
            multipart,
            "identity",
            form("gpt-4o-mini").replace("\"model\"", "model").into_bytes(),
            400,
        ),
        (
            transcribe,
            "multipart/form-data; boundary=xx; boundary=yy",
            "identity",
            [form("gpt-4o-mini"), form("whisper-1").replace("--xx", "--yy")].concat().into_bytes(),
            403,
        ),
        (
            transcribe,
            multipart,
            "identity",
            [form("whisper-1").replace("--xx", "--yy"), form("gpt-4o-mini")].concat().into_bytes(),
            403,
        ),
        (transcribe, multipart, "identity", b"--xx--\r\n".to_vec(), 403),
        ("/v1/files", multipart, "identity", b"--xx--\r\n".to_vec(), 200),
        ("/v1beta/models/veo-3:predict", json, "identity", b"{}".to_vec(), 403),
        ("/v1beta/models/gpt-4o-mini:predict", json, "identity", b"{}".to_vec(), 200),
    ] {
        let headers =
            [("authorization", key.as_str()), ("content-type", kind), ("content-encoding", encoding)];
        let answer = proxy.ask(raw::request("POST", path, &headers, &body)).await;
        assert_eq!(
            answer.status,
            status,
            "{path} {kind} {encoding} {:?}: {answer:?}",
            String::from_utf8_lossy(&body)
        );
    }
    let twice = [
        ("authorization", key.as_str()),
        ("content-type", multipart),
        ("content-type", "multipart/form-data; boundary=yy"),
    ];
    assert_eq!(proxy.ask(raw::request("POST", transcribe, &twice, form("gpt-4o-mini"))).await.status, 403);
    let listed = raw::request("GET", "/v1/models", &[("authorization", key.as_str())], "");
    assert_eq!(proxy.ask(listed).await.status, 200);
}

#[tokio::test]
async fn a_body_that_upstreams_may_read_in_two_ways_is_refused_with_a_remedy() {
    let server = Setup::simulated("").start();
    for format in Format::ALL {
        let body = format.body("hi", false);
        let twice =
            format!("{},\"Messages\":[],\"Contents\":[]}}", body.trim_end().strip_suffix('}').unwrap());
        let answer = server.ask(raw::post(format.path(false), twice)).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(format.error(&answer)["remedy"].as_str().unwrap().contains("same case"), "{answer:?}");
    }
}

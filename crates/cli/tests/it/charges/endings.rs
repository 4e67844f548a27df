//! How a call ends: complete, broken off, failed, never sent; each has its charge.

use super::*;

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

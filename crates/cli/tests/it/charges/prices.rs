//! At which prices: tiers, searches and tools of the provider, the table that a call began with, and the limit it relies on.

use super::*;

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

//! What no wire format claims: reserved at a flat price, charged by what it tells, refused where nobody can price it.

use super::*;

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

//! Which headers, cookies, queries and credentials pass, and what is passed through without being read.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::format::Format;
use crate::support::program::{Program, Setup, one_upstream};
use crate::support::raw;
use crate::support::trace::Trace;
use crate::support::upstream::{Reply, Upstream};

const JSON: (&str, &str) = ("content-type", "application/json");

fn proxy(upstream: &Upstream) -> Program {
    Setup::proxy(&one_upstream(&upstream.url())).start()
}

fn with(upstream: &Upstream, more: &str) -> Setup {
    Setup::proxy(&format!("upstreams: [ {{ name: main, base_url: \"{}\", {more} }} ]", upstream.url()))
}

fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn headers_of_one_hop_stay_there_and_all_others_pass() {
    let upstream = Upstream::always(Reply::whole(
        200,
        &[
            JSON,
            ("connection", "x-hop, keep-alive"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-authenticate", "Basic"),
            ("set-cookie", "a=1; Path=/"),
            ("set-cookie", "b=2"),
            ("x-request-id", "theirs"),
            ("openai-processing-ms", "12"),
            ("x-odd", "caf\u{e9}"),
        ],
        Format::Chat.answer(),
    ));
    let server = proxy(&upstream);
    let headers = [
        JSON,
        ("connection", "keep-alive, x-mine"),
        ("x-mine", "1"),
        ("te", "trailers"),
        ("trailer", "x-t"),
        ("proxy-authorization", "Basic abc"),
        ("proxy-connection", "keep-alive"),
        ("x-seawall-run", "forged"),
        ("x-stainless-lang", "python"),
        ("x-twice", "1"),
        ("x-twice", "2"),
        ("user-agent", "OpenAI/Python 1.0"),
        ("openai-organization", "org"),
        ("cookie", "c=3"),
    ];
    let answer = server
        .ask(raw::request("POST", "/v1/chat/completions", &headers, Format::Chat.body("hi", false)))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = upstream.only();
    for name in ["x-mine", "te", "trailer", "proxy-authorization", "proxy-connection", "x-seawall-run"] {
        assert_eq!(seen.headers(name), Vec::<&str>::new(), "{name}");
    }
    assert_eq!(seen.headers("x-twice"), ["1", "2"]);
    assert_eq!(seen.header("x-stainless-lang"), Some("python"));
    assert_eq!(seen.header("user-agent"), Some("OpenAI/Python 1.0"));
    assert_eq!(seen.header("cookie"), Some("c=3"), "the client's own");
    assert_eq!(seen.headers("host"), [upstream.url().strip_prefix("http://").unwrap()]);

    for name in ["x-hop", "keep-alive", "proxy-authenticate"] {
        assert_eq!(answer.headers(name), Vec::<&str>::new(), "{name}");
    }
    assert_eq!(answer.headers("set-cookie"), ["a=1; Path=/", "b=2"]);
    assert_eq!(answer.headers("x-request-id"), ["theirs"]);
    assert_eq!(answer.header("openai-processing-ms"), Some("12"));
    assert_eq!(answer.header("x-seawall-cost-usd"), Some("0.000007"));
    assert_eq!(answer.header("x-seawall-verdict"), Some("allow"));
}

#[tokio::test]
async fn one_clients_cookies_are_not_kept_for_another() {
    let upstream =
        Upstream::always(Reply::whole(200, &[JSON, ("set-cookie", "session=alice")], Format::Chat.answer()));
    let server = proxy(&upstream);
    for _ in 0..3 {
        server.ask(Format::Chat.request("hi", false)).await;
    }
    assert!(upstream.seen().iter().all(|seen| seen.headers("cookie").is_empty()));
}

#[tokio::test]
async fn the_query_string_passes_as_it_is() {
    for query in ["?beta=true", "?a=%20b&c&d=1+2&a=again", "?x=%e4%bd%a0"] {
        let upstream = Upstream::always(Reply::json(Format::Messages.answer()));
        let path = format!("/v1/messages{query}");
        proxy(&upstream).ask(raw::post(&path, Format::Messages.body("hi", false))).await;
        assert_eq!(upstream.only().line(), format!("POST {path} HTTP/1.1"));
    }
}

#[tokio::test]
async fn what_no_wire_format_claims_is_passed_through() {
    let binary: Vec<u8> = (0..=255).collect();
    let upstream = Upstream::start({
        let binary = binary.clone();
        move |seen, _| match seen.line() {
            line if line.starts_with("HEAD") => {
                Reply::nothing().send("HTTP/1.1 200 OK\r\ncontent-type: text/x\r\ncontent-length: 99\r\n\r\n")
            }
            line if line.starts_with("DELETE") => Reply::nothing().send("HTTP/1.1 204 No Content\r\n\r\n"),
            line if line.contains("/redirect") => Reply::whole(307, &[("location", "/v1/elsewhere")], ""),
            line if line.contains("/gz") => {
                Reply::whole(200, &[JSON, ("content-encoding", "gzip")], gzip("{}"))
            }
            _ => Reply::whole(201, &[("content-type", "application/octet-stream")], &binary),
        }
    });
    let server = proxy(&upstream);

    let answer = server.get("/v1/models?limit=2").await;
    assert_eq!((answer.status, answer.body.as_slice()), (201, binary.as_slice()));
    assert_eq!(answer.header("x-seawall-upstream"), Some("main"));

    let answer = server.ask(raw::request("HEAD", "/v1/models", &[], "")).await;
    assert_eq!(
        (answer.status, answer.header("content-type"), answer.header("content-length")),
        (200, Some("text/x"), Some("99"))
    );

    let answer = server.ask(raw::request("DELETE", "/v1/files/f-1", &[], "")).await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));

    let answer = server.get("/v1/redirect").await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (307, Some("/v1/elsewhere")),
        "it is the client's to follow"
    );

    let answer = server.get("/v1/gz").await;
    assert_eq!(
        (answer.body.as_slice(), answer.header("content-encoding")),
        (gzip("{}").as_slice(), Some("gzip"))
    );

    let upload =
        raw::request("POST", "/v1/files", &[("content-type", "multipart/form-data; boundary=x")], &binary);
    assert_eq!(server.ask(upload).await.status, 201);
    let seen = upstream.seen();
    assert_eq!(seen.last().unwrap().body, binary);
    assert_eq!(seen[0].line(), "GET /v1/models?limit=2 HTTP/1.1");

    let metrics = server.metrics().await;
    assert_eq!(metrics.sum("seawall_requests_total", &[("status", "201")]), 2.0);
}

#[tokio::test]
async fn what_is_behind_a_prefix_goes_on_whatever_its_version_and_is_metered_under_each() {
    let upstream = Upstream::always(Reply::json(Format::Chat.answer()));
    let server = proxy(&upstream);
    let cost = async |path: &str| {
        let answer = server.ask(raw::post(path, Format::Chat.body("hi", false))).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.header("x-seawall-cost-usd").map(str::to_owned)
    };
    let known = cost("/u/main/v1/chat/completions").await;
    assert!(known.as_ref().is_some_and(|cost| cost != "0.000000"), "{known:?}");
    assert_eq!(cost("/u/main/v4/chat/completions").await, known);
    cost("/openai/v2/rerank").await;
    let lines: Vec<String> = upstream.seen().iter().map(|seen| seen.line().to_owned()).collect();
    for (line, path) in lines.iter().zip(["/v1/chat/completions", "/v4/chat/completions", "/v2/rerank"]) {
        assert_eq!(line, &format!("POST {path} HTTP/1.1"));
    }
    for path in ["/v2/rerank", "/u/main/v2/../v1/models", "/openai/v2//x"] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn what_is_free_says_so() {
    let upstream = Upstream::start(|seen, _| match seen.line() {
        line if line.contains("count_tokens") => Reply::json(r#"{"input_tokens":1}"#),
        line if line.contains("missing") => Reply::whole(404, &[JSON], "{}"),
        _ => Reply::json("{}"),
    });
    let server = proxy(&upstream);
    let counted =
        server.ask(raw::post("/v1/messages/count_tokens", Format::Messages.body("hi", false))).await;
    let (looked, missing) = (server.get("/v1/models").await, server.get("/v1/models/missing").await);
    for (answer, status) in [(counted, 200), (looked, 200), (missing, 404)] {
        assert_eq!((answer.status, answer.header("x-seawall-cost-usd")), (status, Some("0.000000")));
    }
}

#[tokio::test]
async fn what_an_error_has_cost_is_told_as_it_is_written_down() {
    let setup = Setup::simulated("");
    let server = setup.start();
    let mut told = Vec::new();
    for (text, status) in [("sim:error 500", 500), ("sim:error 404", 404), ("sim:disconnect", 502)] {
        let answer = server.ask(Format::Chat.request(text, false)).await;
        assert_eq!(answer.status, status, "{text}: {answer:?}");
        let cost = answer.header("x-seawall-cost-usd").expect("what it has cost").to_owned();
        told.push((answer.header("x-seawall-action").unwrap().to_owned(), cost));
    }
    let refused = server.ask(raw::post("/v1/chat/completions", "{")).await;
    assert_eq!((refused.status, refused.header("x-seawall-cost-usd")), (400, Some("0.000000")));
    assert!(server.stop().success());
    let trace = Trace::of(&setup);
    for (action, cost) in &told {
        let settled = trace.about(action, "action.settled").unwrap();
        assert_eq!(&settled.data["cost_usd"], &cost.as_str(), "{settled:?}");
    }
    assert!(told.iter().any(|(_, cost)| cost != "0.000000"), "{told:?}");
}

#[tokio::test]
async fn the_api_key_of_the_configuration_replaces_the_callers() {
    for (format, header, value) in [
        (Format::Chat, "authorization", "Bearer sk-real"),
        (Format::Messages, "x-api-key", "sk-real"),
        (Format::Gemini, "x-goog-api-key", "sk-real"),
    ] {
        let upstream = Upstream::always(Reply::json(format.answer()));
        let server = with(&upstream, "api_key: \"${REAL_KEY}\"").env("REAL_KEY", "sk-real").start();
        let headers = [
            JSON,
            ("authorization", "Bearer sk-client"),
            ("x-api-key", "sk-client"),
            ("x-goog-api-key", "sk-client"),
        ];
        let path = format.path(false).to_owned() + "?key=sk-client";
        let answer = server.ask(raw::request("POST", &path, &headers, format.body("hi", false))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let seen = upstream.only();
        assert_eq!(seen.header(header), Some(value));
        assert!(!format!("{seen:?}").contains("sk-client"), "{seen:?}");
    }
}

#[tokio::test]
async fn a_callers_own_credentials_pass_only_where_they_are_meant_to() {
    for (auth, passes) in [("auth: passthrough", true), ("auth: none", false), ("weight: 1", true)] {
        let upstream = Upstream::always(Reply::json(Format::Chat.answer()));
        let headers = [JSON, ("authorization", "Bearer sk-client"), ("x-goog-api-key", "g-client")];
        let request = raw::request(
            "POST",
            "/v1/chat/completions?key=q-client",
            &headers,
            Format::Chat.body("hi", false),
        );
        assert_eq!(with(&upstream, auth).start().ask(request).await.status, 200);
        let seen = upstream.only();
        assert_eq!(seen.header("authorization"), passes.then_some("Bearer sk-client"), "{auth}");
        assert_eq!(seen.header("x-goog-api-key"), passes.then_some("g-client"), "{auth}");
        assert_eq!(seen.line().contains("q-client"), passes, "{auth}: {}", seen.line());
    }
}

#[tokio::test]
async fn a_key_of_ours_never_reaches_an_upstream() {
    for auth in ["auth: passthrough", "auth: none", "api_key: sk-real"] {
        let upstream = Upstream::always(Reply::json("{}"));
        let setup = with(&upstream, auth);
        let key = setup.key(&["--name", "ci"]);
        let server = setup.start();
        let bearer = format!("Bearer {key}");
        for (path, headers) in [
            ("/v1/chat/completions", vec![("authorization", bearer.as_str())]),
            ("/v1/chat/completions", vec![("authorization", key.as_str())]),
            ("/v1/messages", vec![("x-api-key", key.as_str())]),
            (
                "/v1/messages",
                vec![
                    ("x-api-key", key.as_str()),
                    ("authorization", bearer.as_str()),
                    ("x-goog-api-key", key.as_str()),
                ],
            ),
            ("/v1beta/models/sim-g:generateContent", vec![("x-goog-api-key", key.as_str())]),
            ("/v1/images/generations", vec![("authorization", bearer.as_str())]),
        ] {
            let answer =
                server.ask(raw::request("POST", path, &headers, Format::Messages.body("hi", false))).await;
            assert_eq!(answer.status, 200, "{path} {headers:?}: {answer:?}");
        }
        for path in [
            format!("/v1beta/models/sim-g:generateContent?key={key}&alt=x"),
            format!("/v1/moderations?key={key}"),
        ] {
            let answer = server.ask(raw::request("POST", &path, &[], Format::Gemini.body("hi", false))).await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
        }
        let seen = upstream.seen();
        assert_eq!(seen.len(), 8);
        assert!(!format!("{seen:?}").contains(&key), "{auth}: {seen:#?}");
        assert!(seen[6].line().contains("?alt=x"), "{}", seen[6].line());
    }
}

#[tokio::test]
async fn a_connection_to_an_upstream_is_used_again() {
    let upstream = Upstream::always(Reply::json(Format::Chat.answer()));
    let server = proxy(&upstream);
    let mut client = server.connect().await;
    for _ in 0..5 {
        client.send(Format::Chat.request("hi", false)).await;
        assert_eq!(client.answer().await.status, 200);
    }
    let connections: Vec<usize> = upstream.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0; 5]);
}

#[tokio::test]
async fn a_key_of_ours_that_the_provider_refuses_is_not_shown_to_the_client() {
    let body = r#"{"error":{"message":"Incorrect API key provided: sk-operator-secret-123"}}"#;
    let upstream = Upstream::always(Reply::whole(401, &[JSON], body));
    let config = format!(
        "upstreams: [ {{ name: a, kind: any, base_url: \"{}\", api_key: sk-operator-secret-123 }} ]",
        upstream.url()
    );
    let server = Setup::proxy(&config).start();
    for format in Format::ALL {
        let answer = server.ask(format.request("hi", false)).await;
        assert_eq!(answer.status, 502, "{answer:?}");
        assert!(!format!("{answer:?}").contains("operator-secret"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_key_in_the_header_of_azures_sdk_is_checked_and_stays_here() {
    let upstream = Upstream::always(Reply::json(Format::Chat.answer()));
    let setup = with(&upstream, "auth: passthrough");
    let key = setup.key(&["--name", "ci"]);
    let server = setup.start();
    let call = |key: &str| {
        raw::request(
            "POST",
            "/v1/chat/completions?api_key=%73k-sw-in-a-query&x=1",
            &[("api-key", key), ("x-litellm-api-key", key)],
            Format::Chat.body("hi", false),
        )
    };
    let answer = server.ask(call("sk-sw-0123456789abcdefghijklmnopqrstuvwxyz")).await;
    assert_eq!((answer.status, Format::Chat.error(&answer)["code"].as_str()), (401, Some("UNAUTHENTICATED")));
    assert_eq!(server.ask(call(&key)).await.status, 200);
    let seen = upstream.only();
    assert!(!seen.head.contains("k-sw-"), "{}", seen.head);
    assert_eq!(seen.line(), "POST /v1/chat/completions?x=1 HTTP/1.1");
}

#[tokio::test]
async fn with_our_key_an_upstream_hears_nothing_of_the_caller() {
    let upstream = Upstream::always(Reply::json(Format::Chat.answer()));
    let server = with(&upstream, "api_key: sk-ours, headers: { openai-organization: org-ours }").start();
    let headers = [
        ("cookie", "c=3"),
        ("x-forwarded-for", "192.0.2.1"),
        ("referer", "http://127.0.0.1/page"),
        ("openai-organization", "org-theirs"),
        ("openai-project", "theirs"),
        ("openai-beta", "x"),
    ];
    let answer = server
        .ask(raw::request("POST", "/v1/chat/completions", &headers, Format::Chat.body("hi", false)))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = upstream.only();
    for name in ["cookie", "x-forwarded-for", "referer", "openai-project"] {
        assert_eq!(seen.header(name), None, "{}", seen.head);
    }
    assert_eq!(seen.headers("openai-organization"), ["org-ours"]);
    assert_eq!(seen.header("openai-beta"), Some("x"));
}

#[tokio::test]
async fn tenants_do_not_reach_each_others_files_and_a_list_says_what_passes() {
    let upstream = Upstream::always(Reply::json("{}"));
    let setup = with(&upstream, "api_key: sk-ours");
    let (tenants, teams) = (setup.key(&["--name", "a", "--tenant", "acme"]), setup.key(&["--name", "b"]));
    let server = setup.start();
    let get = async |server: &Program, key: &str, path: &str| {
        let bearer = format!("Bearer {key}");
        server.ask(raw::request("GET", path, &[("authorization", &bearer)], "")).await
    };
    let answer = get(&server, &tenants, "/v1/files").await;
    assert_eq!((answer.status, Format::Chat.error(&answer)["code"].as_str()), (404, Some("NOT_FOUND")));
    assert!(answer.text().contains("gateway.passthrough"), "{answer:?}");
    let bearer = format!("Bearer {tenants}");
    let upgrade = [("authorization", bearer.as_str()), ("connection", "upgrade"), ("upgrade", "websocket")];
    let answer = server.ask(raw::request("GET", "/v1/files", &upgrade, "")).await;
    assert_eq!(
        answer.status, 404,
        "an upstream may answer as if nobody had asked for a websocket: {answer:?}"
    );
    assert!(upstream.seen().is_empty());
    assert_eq!(get(&server, &tenants, "/v1/models").await.status, 200);
    assert_eq!(get(&server, &teams, "/v1/files").await.status, 200);

    let setup = Setup::proxy(&format!(
        "gateway: {{ passthrough: [\"/v1/files*\"] }}\nupstreams: [ {{ name: main, base_url: \"{}\" }} ]",
        upstream.url()
    ));
    let server = setup.start();
    assert_eq!(server.get("/v1/files/file-1").await.status, 200);
    assert_eq!(server.get("/v1/models").await.status, 404);
    let call = server.ask(Format::Chat.request("hi", false)).await;
    assert_eq!(call.status, 200, "what a wire format claims is no pass-through: {call:?}");
}

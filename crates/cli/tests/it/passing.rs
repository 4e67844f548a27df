//! What passes through unchanged, in both directions, and what must not pass.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use crate::support::format::Format;
use crate::support::program::{Program, Setup, one_upstream};
use crate::support::raw;
use crate::support::upstream::{Reply, Upstream};

const JSON: (&str, &str) = ("content-type", "application/json");
const SSE: (&str, &str) = ("content-type", "text/event-stream");

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

fn deflate(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// A body that no serializer would write so: odd white space, escapes, unknown fields, numbers that floats can't hold.
fn odd(format: Format, stream: bool) -> String {
    let odd = " \"x_unknown\" : [1e2, 1.0, 12345678901234567890, \"\\u00e9\\ud83d\\ude00 é😀\\/\"] ,\r\n\t\"null\":null ";
    let flag = if stream { "\"stream\" :true , " } else { "" };
    let text = "größe 你好 🙂 \\\"quoted\\\" \\u0000";
    match format {
        Format::Chat => format!(
            "\n{{ {flag}\"stream_options\":{{\"include_usage\": true,\"x\":1}},{odd},\"messages\" : [ {{\"role\":\"user\", \"content\":\"{text}\",\"x\":0.10}} ],\"model\":\"sim-c\"}}\n "
        ),
        Format::Messages => format!(
            "{{{odd},{flag}\"max_tokens\":  7,\"model\":\"sim-m\",\"messages\":[{{\"content\":\"{text}\",\"role\":\"user\"}}]}}  "
        ),
        Format::Gemini => format!(
            "{{\"contents\":[{{\"parts\":[{{\"text\":\"{text}\"}}]}}],{odd},\"generationConfig\":{{\"maxOutputTokens\":7}}}}"
        ),
    }
}

#[tokio::test]
async fn a_request_reaches_the_upstream_byte_for_byte() {
    for format in Format::ALL {
        for stream in [false, true] {
            let upstream = Upstream::always(Reply::events(format.events(true)));
            let server = proxy(&upstream);
            let body = odd(format, stream);
            let answer = server.ask(raw::post(format.path(stream), &body)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(upstream.only().text(), body, "{format:?} {stream}");
            let length = body.len().to_string();
            assert_eq!(upstream.only().header("content-length"), Some(length.as_str()));
        }
    }
}

#[tokio::test]
async fn an_answer_reaches_the_client_byte_for_byte() {
    for format in Format::ALL {
        let body =
            format!(" \r\n{}, \"x\" : [1e2,1.0, \"\\u00e9é😀\"] }}\n", format.answer().trim_end_matches('}'));
        let balanced = if format == Format::Chat {
            format!("{}\n", format.answer())
        } else {
            format!("\t{} ", format.answer())
        };
        for body in [body, balanced] {
            if serde_json::from_str::<serde_json::Value>(&body).is_err() {
                continue;
            }
            let upstream = Upstream::always(Reply::json(&body));
            let answer = proxy(&upstream).ask(format.request("hi", false)).await;
            assert_eq!(answer.text(), body, "{format:?}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
    }
}

#[tokio::test]
async fn a_stream_reaches_the_client_byte_for_byte_however_it_is_cut() {
    for format in Format::ALL {
        let odd = ": a comment\n\n";
        let events = format.events(false);
        let (head, tail) = events.split_at(2.min(events.len() - 1));
        let text = format!("{}{odd}{}", head.concat(), tail.concat()).replace("hello", "größe 🙂\\u00e9");
        for size in [1, 2, 3, 7, 1_000] {
            let reply = text.as_bytes().chunks(size).fold(Reply::chunked(200, &[SSE]), Reply::chunk);
            let upstream = Upstream::always(reply.end());
            // The client asks for usage itself, so that nothing is to be taken out.
            let answer = proxy(&upstream).ask(raw::post(format.path(true), self::odd(format, true))).await;
            assert_eq!(answer.text(), text, "{format:?} in pieces of {size}");
        }
    }
}

#[tokio::test]
async fn the_usage_that_we_ask_for_is_all_that_is_added_and_is_taken_out_again() {
    let format = Format::Chat;
    for body in [
        r#" { "model":"sim-c" , "messages":[ {"role":"user","content":"hi"} ] ,"stream" : true , "max_tokens": 9 } "#,
        r#"{"stream":true,"stream_options":{"include_obfuscation":false},"model":"sim-c","messages":[],"max_tokens":9}"#,
        r#"{"stream":true,"stream_options":{"include_usage":false},"model":"sim-c","messages":[],"max_tokens":9}"#,
        r#"{"stream":true,"stream_options":null,"model":"sim-c","messages":[],"max_tokens":9}"#,
    ] {
        let upstream = Upstream::always(Reply::events(format.events(true)));
        let server = proxy(&upstream);
        let answer = server.ask(raw::post(format.path(true), body)).await;
        assert_eq!(answer.text(), format.events(false).concat(), "what it would have seen without us");

        let sent = upstream.only();
        let (mut sent_json, mut body_json): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(sent.text()).unwrap(), serde_json::from_str(body).unwrap());
        assert_eq!(sent_json["stream_options"]["include_usage"], true);
        for json in [&mut sent_json, &mut body_json] {
            json.as_object_mut().unwrap().remove("stream_options");
        }
        assert_eq!(sent_json, body_json);
        // Apart from one stretch, every byte is the client's.
        let same = |a: &mut dyn Iterator<Item = u8>, b: &mut dyn Iterator<Item = u8>| {
            a.zip(b).take_while(|(a, b)| a == b).count()
        };
        let head = same(&mut sent.body.iter().copied(), &mut body.bytes());
        let tail = same(&mut sent.body.iter().rev().copied(), &mut body.bytes().rev());
        assert!(head + tail + "\"stream_options\":null".len() >= body.len(), "{}\n{body}", sent.text());
    }
}

#[tokio::test]
async fn usage_that_the_client_asked_for_stays() {
    let format = Format::Chat;
    let upstream = Upstream::always(Reply::events(format.events(true)));
    let answer = proxy(&upstream).ask(raw::post(format.path(true), odd(format, true))).await;
    assert_eq!(answer.text(), format.events(true).concat());
}

#[tokio::test]
async fn compressed_answers_are_read_and_passed_on_plain() {
    for format in Format::ALL {
        for (name, compress) in [("gzip", gzip as fn(String) -> Vec<u8>), ("deflate", deflate)] {
            let upstream = Upstream::always(Reply::whole(
                200,
                &[JSON, ("content-encoding", name)],
                compress(format.answer()),
            ));
            let server = proxy(&upstream);
            let asked = raw::request(
                "POST",
                format.path(false),
                &[JSON, ("accept-encoding", "gzip, br")],
                format.body("hi", false),
            );
            let answer = server.ask(asked).await;
            assert_eq!(
                (answer.text(), answer.header("content-encoding")),
                (format.answer().as_str(), None),
                "{format:?} {name}"
            );
            assert_eq!(
                upstream.only().header("accept-encoding"),
                Some("identity"),
                "what we can't read we don't ask for"
            );

            let compressed = compress(format.events(true).concat());
            let reply = compressed
                .chunks(11)
                .fold(Reply::chunked(200, &[SSE, ("content-encoding", name)]), Reply::chunk);
            let upstream = Upstream::always(reply.end());
            let answer = proxy(&upstream).ask(format.request("hi", true)).await;
            assert_eq!(
                (answer.text(), answer.header("content-encoding")),
                (format.events(false).concat().as_str(), None),
                "{format:?} {name}"
            );
        }
    }
}

#[tokio::test]
async fn an_answer_in_an_unknown_encoding_or_a_broken_one_is_a_502() {
    let format = Format::Messages;
    let cut = gzip(format.answer());
    for (name, body) in [
        ("br", b"whatever".to_vec()),
        ("gzip", b"not gzip".to_vec()),
        ("gzip", cut[..cut.len() / 2].to_vec()),
    ] {
        let upstream = Upstream::always(Reply::whole(200, &[JSON, ("content-encoding", name)], body));
        let answer = proxy(&upstream).ask(format.request("hi", false)).await;
        assert_eq!(
            (answer.status, format.error(&answer)["code"].as_str()),
            (502, Some("UPSTREAM_BROKEN")),
            "{name}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_compressed_request_arrives_as_it_came() {
    for format in Format::ALL {
        let upstream = Upstream::always(Reply::json(format.answer()));
        let compressed = gzip(format.body("hi", false));
        let request =
            raw::request("POST", format.path(false), &[JSON, ("content-encoding", "gzip")], &compressed);
        let answer = proxy(&upstream).ask(request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let seen = upstream.only();
        assert_eq!(
            (seen.body.as_slice(), seen.header("content-encoding")),
            (compressed.as_slice(), Some("gzip"))
        );
    }
    // Where something is to be changed in it, it goes on plain.
    let upstream = Upstream::always(Reply::events(Format::Chat.events(true)));
    let compressed = gzip(Format::Chat.body("hi", true));
    let request =
        raw::request("POST", "/v1/chat/completions", &[JSON, ("content-encoding", "gzip")], compressed);
    assert_eq!(proxy(&upstream).ask(request).await.status, 200);
    let seen = upstream.only();
    assert_eq!(seen.header("content-encoding"), None);
    assert!(seen.text().contains("include_usage"));
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

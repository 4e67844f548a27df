//! Bodies pass byte for byte, in both directions; what is added for our own sake is taken out again.

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
        Format::Responses => format!(
            "\t{{{odd},\"input\" :[ {{\"content\":\"{text}\",\"role\" : \"user\",\"x\":0.10}} ] ,{flag}\"model\":\"sim-c\"}}"
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

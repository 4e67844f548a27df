//! Bodies that no honest client sends: each gets its own refusal in the provider's shape, the process lives on, and its
//! memory stays bounded.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use crate::support::format::Format;
use crate::support::guarded::{guarded, is_alive, refused};
use crate::support::program::{Setup, one_upstream};
use crate::support::raw;
use crate::support::upstream::{Reply, Upstream};

const MIB: usize = 1024 * 1024;
const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn a_body_that_is_no_json_object_is_a_400_with_the_position() {
    let (server, upstream) = guarded("");
    for format in Format::ALL {
        for (body, place) in [
            ("", "byte 0"),
            ("{", "byte 1"),
            ("{\n \"model\": }", "line 2, column 11"),
            ("{\"model\":\"a\",}", "byte 13"),
            ("{\"model\" \"a\"}", "byte 9"),
            ("[]", "byte 0"),
            ("\"text\"", "byte 0"),
            ("{} {}", "byte 3"),
            ("{\"model\":\"a", "byte"),
            ("{\"model\":nul}", "byte"),
            ("{\"n\":01}", "byte"),
            ("{\"model\":\"\\x\"}", "byte"),
            ("<html>", "byte 0"),
        ] {
            let answer = server.ask(raw::post(format.path(false), body)).await;
            refused(format, &answer, 400, "BAD_REQUEST");
            assert!(answer.text().contains(place), "{body:?}: {answer:?}");
        }
    }
    assert!(upstream.seen().is_empty());
    is_alive(&server).await;
}

#[tokio::test]
async fn bytes_that_are_not_utf8_are_a_400() {
    let (server, upstream) = guarded("");
    for format in Format::ALL {
        let bodies: [&[u8]; 4] = [
            b"{\"model\":\"\xff\"}",
            b"{\"\xc3\x28\":1}",
            b"\xef\xbb\xbf{\"model\":\"a\"}",
            b"{\"model\":\"\xed\xa0\x80\"}",
        ];
        for body in bodies {
            let answer = server.ask(raw::post(format.path(false), body)).await;
            refused(format, &answer, 400, "BAD_REQUEST");
        }
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn the_same_key_twice_is_a_400_however_it_is_written() {
    let (server, upstream) = guarded("");
    for format in Format::ALL {
        for body in [
            r#"{"model":"a","messages":[],"model":"b"}"#,
            r#"{"max_tokens":1,"max\u005ftokens":100000,"model":"a"}"#,
            r#"{"x":1,"x":1}"#,
        ] {
            let answer = server.ask(raw::post(format.path(false), body)).await;
            refused(format, &answer, 400, "BAD_REQUEST");
            assert!(answer.text().contains("twice"), "{answer:?}");
        }
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn deep_nesting_is_a_400_and_what_people_write_is_not() {
    let (server, upstream) = guarded("");
    for format in Format::ALL {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            for depth in [129, 1_000_000] {
                let body =
                    format!("{{\"model\":\"sim-x\",\"x\":{}1{}}}", open.repeat(depth), close.repeat(depth));
                let answer = server.ask(raw::post(format.path(false), body)).await;
                refused(format, &answer, 400, "BAD_REQUEST");
                assert!(answer.text().contains("nested too deep"), "{answer:?}");
            }
            let body = format!("{{\"model\":\"sim-x\",\"x\":{}1{}}}", open.repeat(60), close.repeat(60));
            assert_eq!(server.ask(raw::post(format.path(false), body)).await.status, 200);
        }
        let unclosed = format!("{{\"x\":{}", "[".repeat(1_000_000));
        refused(format, &server.ask(raw::post(format.path(false), unclosed)).await, 400, "BAD_REQUEST");
    }
    assert_eq!(upstream.seen().len(), 8);
    is_alive(&server).await;
}

#[tokio::test]
async fn a_body_of_40_mb_is_a_413_that_a_client_which_writes_first_can_read() {
    let (server, upstream) = guarded("");
    let body = vec![b' '; 40 * MIB];
    for format in Format::ALL {
        // With its length in the head, and in chunks that don't say how many are to come.
        let answer = server.ask(raw::post(format.path(false), &body)).await;
        refused(format, &answer, 413, "BODY_TOO_LARGE");

        let head = raw::request("POST", format.path(false), &[JSON, ("transfer-encoding", "chunked")], "");
        let mut connection = server.connect().await;
        connection.send(head).await;
        for chunk in body.chunks(MIB) {
            connection.send(format!("{:x}\r\n", chunk.len())).await;
            connection.send(chunk).await;
            connection.send("\r\n").await;
        }
        connection.send("0\r\n\r\n").await;
        refused(format, &connection.answer().await, 413, "BODY_TOO_LARGE");
    }
    assert!(upstream.seen().is_empty());
    is_alive(&server).await;
    let peak = server.peak_memory() / (MIB as u64);
    assert!(peak < 200, "{peak} MiB for bodies of at most 32");
}

#[tokio::test]
async fn a_small_limit_holds_to_the_byte() {
    let (server, _upstream) = guarded("gateway: { limits: { body: 2K } }");
    let body = |size: usize| {
        let frame = "{\"model\":\"sim-x\",\"x\":\"\"}";
        frame.replace("\"\"", &format!("\"{}\"", "x".repeat(size - frame.len())))
    };
    assert_eq!(server.ask(raw::post("/v1/chat/completions", body(2_048))).await.status, 200);
    refused(
        Format::Chat,
        &server.ask(raw::post("/v1/chat/completions", body(2_049))).await,
        413,
        "BODY_TOO_LARGE",
    );
}

fn bomb(size: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(b"{\"x\":\"").unwrap();
    let zeros = vec![b'0'; MIB];
    (0..size / MIB).for_each(|_| encoder.write_all(&zeros).unwrap());
    encoder.write_all(b"\"}").unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_zip_bomb_is_a_413_and_takes_no_memory() {
    let (server, upstream) = guarded("");
    let before = server.peak_memory();
    let gzipped = bomb(512 * MIB);
    assert!(gzipped.len() < MIB);
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(&vec![b'0'; 200 * MIB]).unwrap();
    let deflated = zlib.finish().unwrap();
    for format in Format::ALL {
        for (encoding, body) in [("gzip", &gzipped), ("x-gzip", &gzipped), ("deflate", &deflated)] {
            let request =
                raw::request("POST", format.path(false), &[JSON, ("content-encoding", encoding)], body);
            refused(format, &server.ask(request).await, 413, "BODY_TOO_LARGE");
        }
    }
    assert!(upstream.seen().is_empty());
    is_alive(&server).await;
    let grown = (server.peak_memory() - before) / (MIB as u64);
    // Written out, one of them would take 128 MiB before it is too much; the allocator takes 32 at a time.
    assert!(grown < 96, "{grown} MiB");
}

#[tokio::test]
async fn an_encoding_that_is_broken_or_unknown_is_a_400() {
    let (server, upstream) = guarded("");
    let whole = bomb(MIB);
    for format in Format::ALL {
        for (encoding, body) in [
            ("gzip", b"not gzip at all".to_vec()),
            ("gzip", whole[..whole.len() / 2].to_vec()),
            ("zstd", b"{}".to_vec()),
            ("br", b"{}".to_vec()),
            ("gzip, gzip", whole.clone()),
        ] {
            let request =
                raw::request("POST", format.path(false), &[JSON, ("content-encoding", encoding)], body);
            refused(format, &server.ask(request).await, 400, "BAD_REQUEST");
        }
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_flood_of_bad_input_leaves_memory_as_it_was() {
    let upstream = Upstream::always(Reply::json("{}"));
    let config = format!("gateway: {{ limits: {{ body: 1M }} }}\n{}", one_upstream(&upstream.url()));
    // Each worker keeps what its largest request needed; with one, that is soon reached.
    let server = Setup::proxy(&config).args(["--workers", "1"]).start();
    let large = vec![b'x'; 2 * MIB];
    let deep = format!("{{\"x\":{}", "[".repeat(500_000));
    let bomb = bomb(200 * MIB);
    let flood = async |rounds: usize| {
        for _ in 0..rounds {
            server.ask(raw::post("/v1/chat/completions", &large)).await;
            server.ask(raw::post("/v1/messages", &deep)).await;
            server.ask(raw::request("POST", "/v1/messages", &[("content-encoding", "gzip")], &bomb)).await;
        }
        server.peak_memory() / (MIB as u64)
    };
    let before = flood(4).await;
    let after = flood(30).await;
    assert!(after < before + 64, "{before} MiB, then {after} MiB");
    is_alive(&server).await;
    let metrics = server.metrics().await;
    assert_eq!(
        (metrics.sum("seawall_in_flight", &[]), metrics.sum("seawall_buffered_bytes", &[])),
        (0.0, 0.0)
    );
}

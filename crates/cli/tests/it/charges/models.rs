//! A key for some models, and bodies in which the model can't be seen or can be read in two ways.

use super::*;

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

//! Who may call: keys that are good, expired, revoked or unknown, from where, for what.

use crate::support::eventually;
use crate::support::format::Format;
use crate::support::guarded::refused;
use crate::support::program::{Program, Setup, one_upstream};
use crate::support::raw::{self, Answer};

/// A request with a key where the SDK of this format puts it.
fn with_key(format: Format, key: &str) -> Vec<u8> {
    let bearer = format!("Bearer {key}");
    let header = match format {
        Format::Chat | Format::Responses => ("authorization", bearer.as_str()),
        Format::Messages => ("x-api-key", key),
        Format::Gemini => ("x-goog-api-key", key),
    };
    raw::request("POST", format.path(false), &[header], format.body("hi", false))
}

#[tokio::test]
async fn an_unknown_key_is_a_401_wherever_it_stands() {
    let server = Setup::simulated("").start();
    for format in Format::ALL {
        let unknown = "sk-sw-0123456789abcdefghijklmnopqrstuvwxyz";
        let answer = server.ask(with_key(format, unknown)).await;
        refused(format, &answer, 401, "UNAUTHENTICATED");
        assert!(!answer.text().contains("0123456789"), "no answer shows a key: {answer:?}");
        let path = format!("{}?key={unknown}", format.path(false));
        refused(
            format,
            &server.ask(raw::post(&path, format.body("hi", false))).await,
            401,
            "UNAUTHENTICATED",
        );
    }
}

#[tokio::test]
async fn a_good_key_opens_where_one_is_required_and_no_key_does_not() {
    let setup = Setup::simulated("auth: { mode: required }");
    let key = setup.key(&["--name", "ci"]);
    let server = setup.start();
    for format in Format::ALL {
        refused(format, &server.ask(format.request("hi", false)).await, 401, "UNAUTHENTICATED");
        let foreign = raw::request(
            "POST",
            format.path(false),
            &[("x-api-key", "sk-ant-theirs")],
            format.body("hi", false),
        );
        refused(format, &server.ask(foreign).await, 401, "UNAUTHENTICATED");
        assert_eq!(server.ask(with_key(format, &key)).await.status, 200);
        let path = format!("{}?key={key}", format.path(false));
        assert_eq!(server.ask(raw::post(&path, format.body("hi", false))).await.status, 200);
    }
    assert_eq!(server.get("/v1/models").await.status, 401, "what is passed through too");
}

#[tokio::test]
async fn a_key_that_has_expired_is_a_401_that_says_when() {
    let setup = Setup::simulated("");
    let key = setup.key(&["--name", "brief", "--expires", "1s"]);
    let server = setup.start();
    let answer = eventually("the key expires", async || {
        let answer = server.ask(with_key(Format::Chat, &key)).await;
        if answer.status == 401 { Ok(answer) } else { Err(answer) }
    })
    .await;
    refused(Format::Chat, &answer, 401, "KEY_EXPIRED");
    for format in [Format::Messages, Format::Gemini] {
        refused(format, &server.ask(with_key(format, &key)).await, 401, "KEY_EXPIRED");
    }
}

#[tokio::test]
async fn a_revoked_key_is_a_401_and_a_rotated_one_works() {
    let setup = Setup::simulated("");
    let (first, other) = (setup.key(&["--name", "first"]), setup.key(&["--name", "other"]));
    let server = setup.start();
    assert_eq!(server.ask(with_key(Format::Chat, &first)).await.status, 200);
    assert!(server.setup.cli(&["keys", "revoke", "first"]).status.success());
    let rotated = server.setup.cli_json(&["keys", "rotate", "other"])["key"].as_str().unwrap().to_owned();
    for format in Format::ALL {
        for (old, code) in [(&first, "KEY_REVOKED"), (&other, "KEY_EXPIRED")] {
            let answer = eventually("the key is good no more", async || {
                let answer = server.ask(with_key(format, old)).await;
                if answer.status == 401 { Ok(answer) } else { Err(answer) }
            })
            .await;
            refused(format, &answer, 401, code);
        }
        assert_eq!(server.ask(with_key(format, &rotated)).await.status, 200);
    }
}

async fn from(server: &Program, key: &str, forwarded: &str) -> Answer {
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str()), ("x-forwarded-for", forwarded)];
    server.ask(raw::request("POST", "/v1/chat/completions", &headers, Format::Chat.body("hi", false))).await
}

#[tokio::test]
async fn a_key_is_good_only_from_its_addresses() {
    let setup = Setup::simulated("");
    let (here, elsewhere) = (
        setup.key(&["--name", "here", "--ip", "127.0.0.0/8,::1"]),
        setup.key(&["--name", "elsewhere", "--ip", "10.0.0.0/8"]),
    );
    let server = setup.start();
    for format in Format::ALL {
        assert_eq!(server.ask(with_key(format, &here)).await.status, 200);
        let answer = server.ask(with_key(format, &elsewhere)).await;
        refused(format, &answer, 403, "FORBIDDEN");
        assert!(answer.text().contains("127.0.0.1"), "{answer:?}");
    }
    let answer = from(&server, &elsewhere, "10.1.2.3").await;
    refused(Format::Chat, &answer, 403, "FORBIDDEN");
}

#[tokio::test]
async fn only_a_trusted_proxy_is_believed_about_addresses() {
    let setup = Setup::simulated("gateway: { trusted_proxies: [127.0.0.1/32, 192.168.0.0/16] }");
    let key = setup.key(&["--name", "elsewhere", "--ip", "10.0.0.0/8"]);
    let server = setup.start();
    for (forwarded, status) in [
        ("10.1.2.3", 200),
        ("8.8.8.8, 10.1.2.3", 200),
        ("10.1.2.3, 192.168.7.7", 200),
        ("10.1.2.3, 8.8.8.8", 403),
        ("10.1.2.3, junk", 403),
        ("8.8.8.8", 403),
    ] {
        let answer = from(&server, &key, forwarded).await;
        assert_eq!(answer.status, status, "{forwarded}: {answer:?}");
    }
}

#[tokio::test]
async fn a_key_calls_only_the_models_it_may() {
    let setup = Setup::simulated("");
    let key = setup.key(&["--name", "narrow", "--models", "sim-c,claude-*"]);
    let server = setup.start();
    assert_eq!(server.ask(with_key(Format::Chat, &key)).await.status, 200);
    for format in [Format::Messages, Format::Gemini] {
        let answer = server.ask(with_key(format, &key)).await;
        refused(format, &answer, 403, "FORBIDDEN");
        assert!(answer.text().contains("claude-*"), "says what it may: {answer:?}");
    }
}

#[tokio::test]
async fn our_own_routes_want_a_role_as_soon_as_there_are_keys() {
    let open = Setup::simulated("").start();
    assert_eq!(open.get("/api/budgets").await.status, 200, "on loopback, with no key, it is open");

    let setup = Setup::simulated("");
    let plain = setup.key(&["--name", "plain"]);
    let viewer = setup.key(&["--name", "viewer", "--role", "viewer"]);
    let admin = setup.key(&["--name", "admin", "--role", "admin"]);
    let server = setup.start();
    let ask = async |method: &str, path: &str, key: Option<&str>| {
        let bearer = format!("Bearer {}", key.unwrap_or_default());
        let headers = key.map(|_| ("authorization", bearer.as_str()));
        let answer = server.ask(raw::request(method, path, headers.as_slice(), "")).await;
        if answer.status != 200 {
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
        }
        answer.status
    };
    assert_eq!(ask("GET", "/api/budgets", None).await, 401);
    assert_eq!(ask("GET", "/api/budgets", Some("sk-sw-unknown")).await, 401);
    assert_eq!(ask("GET", "/api/budgets", Some(&plain)).await, 403);
    assert_eq!(ask("GET", "/api/budgets", Some(&viewer)).await, 200);
    assert_eq!(ask("POST", "/admin/reload", Some(&viewer)).await, 403);
    assert_eq!(ask("POST", "/admin/reload", Some(&admin)).await, 200);
    for path in ["/health", "/ready", "/metrics", "/openapi.json", "/docs", "/"] {
        assert_eq!(ask("GET", path, None).await, 200, "{path}");
    }
}

#[tokio::test]
async fn beyond_loopback_a_key_is_required() {
    let setup = Setup::new("proxy").config(&one_upstream("sim:")).args(["--listen", "0.0.0.0:0"]);
    let key = setup.key(&["--name", "ci"]);
    let server = setup.start();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], server.address.port()));
    let answer = raw::exchange(address, Format::Chat.request("hi", false)).await;
    refused(Format::Chat, &answer, 401, "UNAUTHENTICATED");
    assert_eq!(raw::exchange(address, with_key(Format::Chat, &key)).await.status, 200);

    let server = Setup::new("proxy")
        .config(&one_upstream("sim:"))
        .args(["--listen", "0.0.0.0:0", "--insecure"])
        .start();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], server.address.port()));
    assert_eq!(
        raw::exchange(address, Format::Chat.request("hi", false)).await.status,
        200,
        "as was asked for"
    );
}

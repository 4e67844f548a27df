//! Tokens of an issuer that is trusted: who holds one is known, pays and is bound like the holder of a key; who holds a bad
//! one is refused; and no upstream ever sees either.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair};
use rustix::process::Signal;
use seawall_base::clock::SystemClock;
use seawall_types::{Clock, Usd, Window};
use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::format::Format;
use crate::support::program::{Program, Setup, one_upstream};
use crate::support::raw::{self, Answer};
use crate::support::upstream::{Reply, Upstream, refusing};

const SECRET: &str = "a secret that both sides know, and nobody else";

/// An issuer of tokens, by its Ed25519 key.
struct Issuer(Ed25519KeyPair);

impl Issuer {
    fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    fn pem(&self) -> String {
        let prefix = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        let der = [&prefix, self.0.public_key().as_ref()].concat();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }

    fn key_set(&self, kid: &str) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key());
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x }] }).to_string()
    }

    /// A token with these claims over those of a good one.
    fn token(&self, claims: &Value) -> String {
        signed(&json!({ "alg": "EdDSA", "kid": "a" }), claims, |message| {
            self.0.sign(message).as_ref().to_vec()
        })
    }
}

fn signed(header: &Value, changes: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let now = SystemClock::new().now().as_secs();
    let mut claims =
        json!({ "iss": "https://id.example", "aud": "seawall", "sub": "alice", "exp": now + 600 });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(header), encode(&claims));
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(sign(message.as_bytes())))
}

fn by_secret(secret: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    signed(&json!({ "alg": "HS256" }), &json!({}), |message| hmac::sign(&key, message).as_ref().to_vec())
}

/// A configuration that trusts the issuer by these keys.
fn trusting(keys: &str) -> String {
    format!(
        "auth: {{ jwt: {{ issuer: https://id.example, audience: seawall, algorithms: [EdDSA, HS256], keys: [{keys}] }} }}\n"
    )
}

/// A proxy that trusts this issuer, in front of this upstream.
fn proxy(issuer: &Issuer, upstream: &Upstream) -> Program {
    let config = trusting("{ kid: a, public_key: id.pem }, { secret: \"${JWT_SECRET}\" }");
    let setup = Setup::proxy(&format!("{config}{}", one_upstream(&upstream.url()))).env("JWT_SECRET", SECRET);
    setup.write("id.pem", &issuer.pem());
    setup.start()
}

fn ask(format: Format, credential: (&str, &str)) -> Vec<u8> {
    let headers = [("content-type", "application/json"), credential];
    raw::request("POST", format.path(false), &headers, format.body("hi", false))
}

async fn call(server: &Program, token: &str) -> Answer {
    server.ask(ask(Format::Chat, ("authorization", &format!("Bearer {token}")))).await
}

async fn api(server: &Program, method: &str, path: &str, token: &str) -> u16 {
    let headers = [("authorization", &*format!("Bearer {token}")), ("content-type", "application/json")];
    server.ask(raw::request(method, path, &headers, "")).await.status
}

#[tokio::test]
async fn a_good_token_is_taken_wherever_an_sdk_puts_it_and_never_passed_on() {
    let issuer = Issuer::new(1);
    let upstream = Upstream::start(|seen, _| match seen.line() {
        line if line.contains("/v1/messages") => Reply::json(Format::Messages.answer()),
        line if line.contains("/v1beta") => Reply::json(Format::Gemini.answer()),
        _ => Reply::json(Format::Chat.answer()),
    });
    let server = proxy(&issuer, &upstream);
    for token in [issuer.token(&json!({})), by_secret(SECRET.as_bytes())] {
        for (format, header) in [
            (Format::Chat, ("authorization", &*format!("Bearer {token}"))),
            (Format::Messages, ("x-api-key", token.as_str())),
            (Format::Gemini, ("x-goog-api-key", token.as_str())),
        ] {
            let answer = server.ask(ask(format, header)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        let path = format!("{}?alt=json&key={token}", Format::Gemini.path(false));
        let answer = server.ask(raw::post(&path, Format::Gemini.body("hi", false))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let seen = upstream.seen();
    assert_eq!(seen.len(), 8);
    for request in seen {
        assert!(!request.head.contains("eyJ"), "{}", request.head);
    }
}

#[tokio::test]
async fn a_bad_token_is_refused_in_the_providers_shape_and_reaches_nobody() {
    let (issuer, stranger) = (Issuer::new(1), Issuer::new(2));
    let upstream = Upstream::always(Reply::json(Format::Chat.answer()));
    let server = proxy(&issuer, &upstream);
    let good = issuer.token(&json!({}));
    let unsigned = signed(&json!({ "alg": "none" }), &json!({}), |_| Vec::new());
    for (token, reason) in [
        (unsigned, "algorithm that is not allowed"),
        (stranger.token(&json!({})), "signature is wrong"),
        (by_secret(issuer.pem().as_bytes()), "signature is wrong"),
        (issuer.token(&json!({ "exp": 1_000 })), "expired at 1970-01-01T00:16:40"),
        (issuer.token(&json!({ "nbf": 99_999_999_999_u64 })), "not valid before"),
        (issuer.token(&json!({ "iss": "https://evil.example" })), "\"iss\" is not the configured issuer"),
        (issuer.token(&json!({ "aud": "another" })), "\"aud\" does not name"),
        (issuer.token(&json!({ "sub": "a\nb" })), "\"sub\" has control characters"),
        (issuer.token(&json!({ "sub": "x".repeat(129) })), "\"sub\" is longer than 128 bytes"),
        (issuer.token(&json!({ "x": "x".repeat(9_000) })), "longer than 8192 bytes"),
        (format!("{good}x"), "malformed"),
    ] {
        for format in Format::ALL {
            let answer = server.ask(ask(format, ("authorization", &format!("Bearer {token}")))).await;
            assert_eq!(answer.status, 401, "{reason}: {answer:?}");
            assert_eq!(format.error(&answer)["code"], "UNAUTHENTICATED");
            let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
            assert!(message.contains(reason), "{message}");
        }
    }
    assert_eq!(upstream.seen().len(), 0);
    assert_eq!(call(&server, &good).await.status, 200);
}

#[tokio::test]
async fn where_no_issuer_is_configured_a_token_is_the_providers_business() {
    let upstream = Upstream::always(Reply::json(Format::Chat.answer()));
    let server = Setup::proxy(&one_upstream(&upstream.url())).start();
    let token = Issuer::new(1).token(&json!({}));
    assert_eq!(call(&server, &token).await.status, 200);
    assert_eq!(upstream.only().header("authorization"), Some(&*format!("Bearer {token}")));
}

#[tokio::test]
async fn other_credentials_pass_as_before() {
    let upstream = Upstream::always(Reply::json(Format::Chat.answer()));
    let server = proxy(&Issuer::new(1), &upstream);
    assert_eq!(call(&server, "sk-of-the-provider").await.status, 200);
    assert_eq!(upstream.only().header("authorization"), Some("Bearer sk-of-the-provider"));
}

#[tokio::test]
async fn the_budgets_of_holder_and_tenant_pay() {
    let issuer = Issuer::new(1);
    let config = "budgets: [ { scope: \"key:jwt:alice\", usd: \"1\" }, { scope: \"tenant:acme\", usd: \"1\" }, { scope: \"key:jwt:poor\", usd: \"0\" } ]";
    let config = format!("{}{config}", trusting("{ public_key: id.pem }"));
    let setup = Setup::simulated(&config);
    setup.write("id.pem", &issuer.pem());
    let server = setup.start();
    let alice = issuer.token(&json!({ "tenant": "acme" }));
    assert_eq!(call(&server, &alice).await.status, 200);
    let poor = call(&server, &issuer.token(&json!({ "sub": "poor" }))).await;
    assert_eq!(poor.status, 402, "{poor:?}");
    assert_eq!(Format::Chat.error(&poor)["scope"], "key:jwt:poor");
    assert!(server.stop().success());
    let spent = |scope| server.setup.budget(scope, Window::Total).spent_usd;
    assert!(spent("key:jwt:alice") > Usd::ZERO);
    assert_eq!(spent("key:jwt:alice"), spent("tenant:acme"));
    assert_eq!(spent("key:jwt:poor"), Usd::ZERO);
    let events = server.setup.events();
    let settled = events.iter().find(|event| event["kind"] == "action.settled").unwrap();
    assert_eq!(settled["actor"], json!({ "key": "jwt:alice", "tenant": "acme" }));
}

#[tokio::test]
async fn models_and_roles_are_those_of_the_claims() {
    let issuer = Issuer::new(1);
    let setup = Setup::simulated(&trusting("{ public_key: id.pem }"));
    setup.write("id.pem", &issuer.pem());
    let server = setup.start();
    assert_eq!(call(&server, &issuer.token(&json!({ "models": ["sim-*"] }))).await.status, 200);
    for models in [json!(["gpt-*"]), json!([])] {
        let answer = call(&server, &issuer.token(&json!({ "models": models }))).await;
        assert_eq!(
            (answer.status, &*Format::Chat.error(&answer)["code"].to_string()),
            (403, "\"FORBIDDEN\"")
        );
    }
    for (roles, read, change, admin) in [
        (json!([]), 403, 403, 403),
        (json!(["dean"]), 403, 403, 403),
        (json!(["viewer"]), 200, 403, 403),
        (json!(["viewer", "operator"]), 200, 400, 403),
        (json!(["admin"]), 200, 400, 200),
    ] {
        let token = issuer.token(&json!({ "roles": roles }));
        assert_eq!(api(&server, "GET", "/api/budgets", &token).await, read, "{roles}");
        assert_eq!(api(&server, "PUT", "/api/budgets", &token).await, change, "{roles}");
        assert_eq!(api(&server, "POST", "/admin/reload", &token).await, admin, "{roles}");
    }
    let stranger = Issuer::new(2).token(&json!({ "roles": ["admin"] }));
    assert_eq!(api(&server, "GET", "/api/budgets", &stranger).await, 401);
    assert_eq!(server.get("/api/budgets").await.status, 401, "authentication exists, so it is wanted");
}

#[tokio::test]
async fn beyond_loopback_a_token_is_enough_and_wanted() {
    let issuer = Issuer::new(1);
    let config = format!("{}{}", trusting("{ public_key: id.pem }"), one_upstream("sim:"));
    let setup = Setup::new("proxy").config(&config).args(["--listen", "0.0.0.0:0"]);
    setup.write("id.pem", &issuer.pem());
    let server = setup.start();
    let local = |request| raw::exchange(([127, 0, 0, 1], server.address.port()).into(), request);
    let bearer = |token: &str| ask(Format::Chat, ("authorization", &format!("Bearer {token}")));
    assert_eq!(local(bearer(&issuer.token(&json!({})))).await.status, 200);
    assert_eq!(local(bearer("sk-anything")).await.status, 401);
    assert_eq!(local(Format::Chat.request("hi", false)).await.status, 401);
}

#[tokio::test]
async fn a_replaced_key_file_takes_over_on_reload() {
    let (old, new) = (Issuer::new(1), Issuer::new(2));
    let setup = Setup::simulated(&trusting("{ public_key: id.pem }"));
    setup.write("id.pem", &old.pem());
    let server = setup.start();
    assert_eq!(call(&server, &old.token(&json!({}))).await.status, 200);
    server.setup.write("id.pem", &new.pem());
    server.signal(Signal::HUP);
    eventually("the new key", async || match call(&server, &new.token(&json!({}))).await.status {
        200 => Ok(()),
        status => Err(status),
    })
    .await;
    assert_eq!(call(&server, &old.token(&json!({}))).await.status, 401);
}

#[tokio::test]
async fn a_published_key_is_there_when_the_server_says_that_it_is_ready() {
    let issuer = Issuer::new(1);
    let publisher = Upstream::always(Reply::json(issuer.key_set("a")));
    let url = format!("{}/jwks.json", publisher.url());
    let server = Setup::simulated(&trusting(&format!("{{ jwks_url: \"{url}\" }}"))).start();
    assert_eq!(call(&server, &issuer.token(&json!({}))).await.status, 200);
    let other = signed(&json!({ "alg": "EdDSA", "kid": "b" }), &json!({}), |_| vec![0; 64]);
    assert_eq!(call(&server, &other).await.status, 401);
    // A reload keeps what was read, and a key that is not known is not asked for more than once a minute.
    server.signal(Signal::HUP);
    server.stderr.wait_for("configuration reloaded").expect("a reload");
    assert_eq!(call(&server, &issuer.token(&json!({}))).await.status, 200);
    assert_eq!(publisher.seen().len(), 1);
    assert!(publisher.only().line().starts_with("GET /jwks.json "), "{}", publisher.only().line());
}

#[tokio::test]
async fn a_key_set_that_cannot_be_read_is_told_counted_and_tried_again() {
    let issuer = Issuer::new(1);
    let publisher = Upstream::in_turn(vec![
        Reply::whole(500, &[], ""),
        Reply::json("<html>sorry</html>"),
        Reply::json(issuer.key_set("a")),
    ]);
    let server = Setup::simulated(&trusting(&format!("{{ jwks_url: \"{}\" }}", publisher.url()))).start();
    let token = issuer.token(&json!({}));
    let refused = call(&server, &token).await;
    assert_eq!(refused.status, 401, "{refused:?}");
    eventually("the third attempt", async || match call(&server, &token).await.status {
        200 => Ok(()),
        status => Err(status),
    })
    .await;
    assert!(server.metrics().await.sum("seawall_jwt_refresh_failures_total", &[]) >= 2.0);
    assert!(server.stderr.wait_for("a key set can't be read").is_some());
    let server = Setup::simulated(&trusting(&format!("{{ jwks_url: \"{}\" }}", refusing()))).start();
    assert_eq!(call(&server, &token).await.status, 401, "it serves, and refuses what it can't check");
}

#[tokio::test]
async fn a_token_is_kept_nowhere() {
    let issuer = Issuer::new(1);
    let upstream = Upstream::always(Reply::json(Format::Chat.answer()));
    let server = proxy(&issuer, &upstream);
    let token = issuer.token(&json!({}));
    for token in [&token, &format!("{token}x")] {
        call(&server, token).await;
    }
    assert!(server.stop().success());
    let signature = token.rsplit('.').next().unwrap();
    let said = server.stderr.all() + &server.stdout.all() + &json!(server.setup.events()).to_string();
    for secret in [signature, SECRET] {
        assert!(!said.contains(secret), "{said}");
    }
    let shown =
        Setup::new("config").args(["--config", server.setup.path("config.yaml").to_str().unwrap(), "show"]);
    let shown = shown.env("JWT_SECRET", SECRET).run();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("auth.jwt.keys[1].secret") && !shown.contains(SECRET), "{shown}");
}

#[test]
fn what_is_wrong_with_the_keys_is_said_at_once() {
    let config = "
auth:
  jwt:
    issuer: https://id.example
    algorithms: [none, HS512]
    keys:
      - { kid: a, secret: short }
      - { public_key: nowhere.pem }
      - { public_key: empty.pem, secret: also }
      - { public_key: \"-----BEGIN PUBLIC KEY-----\" }
      - { jwks_url: \"http://id.example/keys\" }
      - { kid: b }
";
    let setup = Setup::proxy(config);
    setup.write("empty.pem", "");
    let output = setup.run();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let folder = setup.path("");
    let said = String::from_utf8(output.stderr).unwrap().replace(folder.to_str().unwrap(), "");
    insta::assert_snapshot!(said, @r#"
    seawall: config.yaml: auth.jwt.audience: required and not set; expected text
    config.yaml: auth.jwt.algorithms: "none" is not one of HS256, EdDSA, RS256, ES256
    config.yaml: auth.jwt.algorithms: "HS512" is not one of HS256, EdDSA, RS256, ES256
    config.yaml: auth.jwt.keys[0].secret: a secret must have at least 32 bytes; make one with `openssl rand -base64 48`
    config.yaml: auth.jwt.keys[2]: a key has one of secret, public_key and jwks_url; write each as a key of its own
    config.yaml: auth.jwt.keys[3].public_key: there is no PEM with `-----BEGIN PUBLIC KEY-----` in it; write the issuer's public key, or the path of its file
    config.yaml: auth.jwt.keys[4].jwks_url: a key set is read over https, or over http from this machine itself; for example https://id.example/.well-known/jwks.json
    config.yaml: auth.jwt.keys[5]: a key has one of secret, public_key and jwks_url; write each as a key of its own
    config.yaml: auth.jwt.keys[1].public_key: nowhere.pem: No such file or directory (os error 2)
    "#);
}

//! Tokens from an issuer, from strangers, and from nobody at all.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair};
use seawall_types::Secret;
use serde_json::{Value, json};

use super::JwtKey;
use super::*;

const SECRET: &str = "a secret that both sides know, and nobody else";
const URL: &str = "https://id.example/keys";

/// An issuer of tokens, by its Ed25519 key.
struct Issuer(Ed25519KeyPair);

impl Issuer {
    fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    fn public(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    fn pem(&self) -> String {
        let der = [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00], self.public()]
            .concat();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }

    fn jwk(&self, kid: &str) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": URL_SAFE_NO_PAD.encode(self.public()) })
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        signed(header, claims, |message| self.0.sign(message).as_ref().to_vec())
    }

    /// A good token with this `kid`.
    fn token(&self, kid: &str) -> String {
        self.sign(&json!({ "alg": "EdDSA", "kid": kid }), &claims())
    }
}

fn signed(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(header), encode(claims));
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(sign(message.as_bytes())))
}

/// Signed with HMAC, by these bytes.
fn by_secret(header: &Value, secret: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    signed(header, &claims(), |message| hmac::sign(&key, message).as_ref().to_vec())
}

fn claims() -> Value {
    json!({ "iss": "https://id.example", "aud": "seawall", "sub": "alice", "exp": 2_000, "nbf": 500 })
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn verifier(algorithms: &[Algorithm], keys: Vec<JwtKey>) -> Tokens {
    let claims = ClaimNames { tenant: "tenant".into(), roles: "roles".into(), models: "models".into() };
    let settings = JwtSettings {
        issuer: "https://id.example".into(),
        audience: "seawall".into(),
        algorithms: algorithms.to_vec(),
        keys,
        claims,
    };
    Tokens::new(&settings, |_| Err(std::io::ErrorKind::NotFound.into())).unwrap()
}

fn here(key: Key) -> JwtKey {
    JwtKey { index: 0, kid: None, source: KeySource::Here(key) }
}

fn pem(kid: Option<&str>, issuer: &Issuer) -> JwtKey {
    here(Key::from_pem(kid, &issuer.pem()).unwrap())
}

fn secret(kid: Option<&str>) -> JwtKey {
    here(Key::from_secret(kid, &Secret::new(SECRET.to_owned())).unwrap())
}

fn published() -> JwtKey {
    JwtKey { index: 0, kid: None, source: KeySource::Url(Uri::from_static(URL)) }
}

fn publish(tokens: &Tokens, keys: &[Value]) {
    let document = json!({ "keys": keys }).to_string();
    tokens.replace_keys(&Uri::from_static(URL), document.as_bytes()).unwrap();
}

fn eddsa(keys: Vec<JwtKey>) -> Tokens {
    verifier(&[Algorithm::EdDsa], keys)
}

fn refusal(tokens: &Tokens, token: &str) -> TokenError {
    tokens.verify(token, at(1_000)).unwrap_err()
}

#[test]
fn a_good_token_is_taken_again_and_again_until_it_ends() {
    let issuer = Issuer::new(1);
    let tokens = eddsa(vec![pem(Some("a"), &issuer)]);
    let token = issuer.token("a");
    for now in [470, 1_000, 1_000, 2_029] {
        assert_eq!(tokens.verify(&token, at(now)).unwrap().actor.key.as_deref(), Some("jwt:alice"), "{now}");
    }
    let kept = tokens.verify(&token, at(1_000)).unwrap();
    assert!(Arc::ptr_eq(&kept, &tokens.verify(&token, at(1_001)).unwrap()), "it is verified once");
    assert_eq!(tokens.verify(&token, at(2_030)).unwrap_err(), TokenError::Expired(at(2_000)));
    assert_eq!(tokens.verify(&token, at(469)).unwrap_err(), TokenError::NotYetValid(at(500)));
}

#[test]
fn a_token_that_nobody_signed_is_refused() {
    let issuer = Issuer::new(1);
    let tokens = verifier(&[Algorithm::EdDsa, Algorithm::Hs256], vec![pem(None, &issuer), secret(None)]);
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let unsigned = signed(&json!({ "alg": alg }), &claims(), |_| Vec::new());
        assert!(looks_like_token(&unsigned), "ours to refuse");
        assert_eq!(refusal(&tokens, &unsigned), TokenError::Algorithm, "{alg:?}");
    }
    for alg in ["EdDSA", "HS256"] {
        let unsigned = signed(&json!({ "alg": alg }), &claims(), |_| Vec::new());
        assert_eq!(refusal(&tokens, &unsigned), TokenError::Signature, "{alg}");
    }
}

#[test]
fn a_public_key_is_never_a_shared_secret() {
    let issuer = Issuer::new(1);
    let (text, key) = (issuer.pem(), issuer.public().to_vec());
    let both = vec![pem(Some("a"), &issuer), secret(Some("b"))];
    let tokens = verifier(&[Algorithm::EdDsa, Algorithm::Hs256], both);
    for forged_with in [text.as_bytes(), text.trim().as_bytes(), &key] {
        let named = by_secret(&json!({ "alg": "HS256", "kid": "a" }), forged_with);
        assert_eq!(refusal(&tokens, &named), TokenError::Algorithm);
        let unnamed = by_secret(&json!({ "alg": "HS256" }), forged_with);
        assert_eq!(refusal(&tokens, &unnamed), TokenError::Signature);
        assert_eq!(refusal(&eddsa(vec![pem(Some("a"), &issuer)]), &named), TokenError::Algorithm);
    }
    assert!(
        tokens
            .verify(&by_secret(&json!({ "alg": "HS256", "kid": "b" }), SECRET.as_bytes()), at(1_000))
            .is_ok()
    );
}

#[test]
fn an_algorithm_that_is_not_configured_is_refused_whoever_signed() {
    let tokens = eddsa(vec![pem(None, &Issuer::new(1)), secret(None)]);
    assert_eq!(
        refusal(&tokens, &by_secret(&json!({ "alg": "HS256" }), SECRET.as_bytes())),
        TokenError::Algorithm
    );
}

#[test]
fn an_unknown_name_of_a_key_is_refused_and_has_the_set_read_again() {
    let (issuer, stranger) = (Issuer::new(1), Issuer::new(2));
    let tokens = eddsa(vec![published()]);
    let set = &tokens.key_sets()[0];
    let seconds = std::time::Duration::from_secs;
    assert!(set.is_due(seconds(0)));
    publish(&tokens, &[issuer.jwk("a")]);
    assert_eq!(refusal(&tokens, &stranger.token("a")), TokenError::Signature);
    assert!(!set.is_due(seconds(60)), "that key is known");
    assert_eq!(refusal(&tokens, &stranger.token("b")), TokenError::UnknownKey);
    assert!(!set.is_due(seconds(59)) && set.is_due(seconds(60)));
    publish(&tokens, &[issuer.jwk("a"), stranger.jwk("b")]);
    assert!(tokens.verify(&stranger.token("b"), at(1_000)).is_ok());
}

#[test]
fn without_a_name_every_key_of_the_kind_is_tried() {
    let (old, new, stranger) = (Issuer::new(1), Issuer::new(2), Issuer::new(3));
    let tokens = eddsa(vec![pem(Some("old"), &old), pem(Some("new"), &new)]);
    let unnamed = |issuer: &Issuer| issuer.sign(&json!({ "alg": "EdDSA" }), &claims());
    assert!(
        tokens.verify(&unnamed(&old), at(1_000)).is_ok() && tokens.verify(&unnamed(&new), at(1_000)).is_ok()
    );
    assert_eq!(refusal(&tokens, &unnamed(&stranger)), TokenError::Signature);
    let any_name = eddsa(vec![pem(None, &old)]);
    assert!(any_name.verify(&old.token("whatever"), at(1_000)).is_ok());
    assert_eq!(refusal(&any_name, &new.token("whatever")), TokenError::Signature);
}

#[test]
fn old_and_new_keys_overlap_and_a_withdrawn_one_ends_at_once() {
    let (old, new) = (Issuer::new(1), Issuer::new(2));
    let tokens = eddsa(vec![published()]);
    let good = |issuer: &Issuer, kid| tokens.verify(&issuer.token(kid), at(1_000)).is_ok();
    publish(&tokens, &[old.jwk("1")]);
    assert!(good(&old, "1") && !good(&new, "2"));
    publish(&tokens, &[old.jwk("1"), new.jwk("2")]);
    assert!(good(&old, "1") && good(&new, "2"));
    publish(&tokens, &[new.jwk("2")]);
    assert!(!good(&old, "1") && good(&new, "2"), "what was verified before is forgotten with its key");
}

#[test]
fn a_reload_keeps_what_was_read() {
    let issuer = Issuer::new(1);
    let before = eddsa(vec![published()]);
    publish(&before, &[issuer.jwk("a")]);
    let after = eddsa(vec![published()]);
    assert!(after.verify(&issuer.token("a"), at(1_000)).is_err());
    after.inherit(&before);
    assert!(after.verify(&issuer.token("a"), at(1_000)).is_ok());
}

#[test]
fn garbage_is_refused() {
    let issuer = Issuer::new(1);
    let tokens = eddsa(vec![pem(None, &issuer)]);
    let good = issuer.token("a");
    let (head, signature) = good.rsplit_once('.').unwrap();
    for token in [
        "".to_owned(),
        ".".to_owned(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        head.to_owned(),
        format!("{head}."),
        format!("{good}."),
        format!("{good}="),
        format!("{good}AA"),
        format!(" {good}"),
        format!("{head}.{}", &signature[4..]),
        format!("{head}.{signature}{signature}"),
        issuer.sign(&json!({ "alg": 7 }), &claims()),
        issuer.sign(&json!(["alg"]), &claims()),
        issuer.sign(&json!({ "alg": "EdDSA", "crit": ["exp"] }), &claims()),
        issuer.sign(&json!({ "alg": "EdDSA" }), &json!([1])),
        issuer.sign(&json!({ "alg": "EdDSA" }), &json!({})),
    ] {
        assert!(tokens.verify(&token, at(1_000)).is_err(), "{token}");
    }
}

#[test]
fn a_huge_token_is_refused_before_it_is_looked_at() {
    let issuer = Issuer::new(1);
    let tokens = eddsa(vec![pem(None, &issuer)]);
    let with = |length| {
        let mut claims = claims();
        claims["x"] = "x".repeat(length).into();
        issuer.sign(&json!({ "alg": "EdDSA" }), &claims)
    };
    assert!(tokens.verify(&with(5_000), at(1_000)).is_ok());
    assert_eq!(refusal(&tokens, &with(7_000)), TokenError::TooLong);
    assert_eq!(refusal(&tokens, &"x".repeat(10_000_000)), TokenError::TooLong);
}

#[test]
fn a_key_file_that_cannot_be_used_is_named() {
    let settings = |algorithms: &[Algorithm]| JwtSettings {
        issuer: "i".into(),
        audience: "a".into(),
        algorithms: algorithms.to_vec(),
        keys: vec![
            secret(None),
            JwtKey { index: 1, kid: None, source: KeySource::File("keys/id.pem".into()) },
        ],
        claims: ClaimNames { tenant: String::new(), roles: String::new(), models: String::new() },
    };
    let error = |algorithms: &[Algorithm], text: &str| {
        Tokens::new(&settings(algorithms), |_| Ok(text.to_owned())).unwrap_err()[0].to_string()
    };
    let pem = Issuer::new(1).pem();
    assert!(Tokens::new(&settings(&[Algorithm::EdDsa]), |_| Ok(pem.clone())).is_ok());
    assert_eq!(
        error(&[Algorithm::EdDsa], "nothing"),
        "auth.jwt.keys[1].public_key: keys/id.pem: there is no PEM with `-----BEGIN PUBLIC KEY-----` in it"
    );
    assert_eq!(
        error(&[Algorithm::Hs256], &pem),
        "auth.jwt.keys[1].public_key: keys/id.pem: the key is for EdDSA; add it to auth.jwt.algorithms"
    );
}

proptest! {
    #[test]
    fn no_flip_of_a_byte_makes_another_good_token(at_byte in any::<prop::sample::Index>(), flip in 1_u8..) {
        let issuer = Issuer::new(1);
        let tokens = eddsa(vec![pem(None, &issuer)]);
        let mut bytes = issuer.token("a").into_bytes();
        let index = at_byte.index(bytes.len());
        bytes[index] ^= flip;
        prop_assume!(std::str::from_utf8(&bytes).is_ok());
        let token = String::from_utf8(bytes).unwrap();
        prop_assert!(tokens.verify(&token, at(1_000)).is_err(), "{}", token);
    }

    #[test]
    fn no_text_is_taken_for_a_token_by_chance(text in "\\PC{0,200}", parts in "[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,90}") {
        let tokens = eddsa(vec![pem(None, &Issuer::new(1))]);
        prop_assert!(tokens.verify(&text, at(1_000)).is_err() && tokens.verify(&parts, at(1_000)).is_err());
    }
}

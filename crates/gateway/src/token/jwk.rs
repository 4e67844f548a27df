//! Key sets as issuers publish them (RFC 7517 §5, RFC 8037 §2).

use serde::Deserialize;
use serde_json::Value;

use super::compact::decode;
use super::key::{Key, Material};

/// More keys than any issuer has at a time: without a `kid` each of them may have to be tried.
const MAX_KEYS: usize = 64;

/// The document is no key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Not JSON with a list of `keys`.
    #[error("this is no JSON Web Key Set (an object with a list of keys)")]
    NotAKeySet,
    /// More keys than are looked at.
    #[error("the set has more than {MAX_KEYS} keys")]
    TooMany,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

/// The public keys of a set that can check signatures here. Others are passed over: sets hold keys for encryption and of
/// kinds to come. So are secrets: what is published is none.
pub(super) fn parse(document: &[u8]) -> Result<Vec<Key>, KeySetError> {
    let document: Document = serde_json::from_slice(document).map_err(|_withheld| KeySetError::NotAKeySet)?;
    if document.keys.len() > MAX_KEYS {
        return Err(KeySetError::TooMany);
    }
    Ok(document
        .keys
        .into_iter()
        .filter_map(|key| serde_json::from_value(key).ok())
        .filter_map(usable)
        .collect())
}

fn usable(jwk: Jwk) -> Option<Key> {
    if jwk.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let field = |text: &Option<String>| decode(text.as_deref()?);
    let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("OKP", Some("Ed25519")) => Material::ed25519(&field(&jwk.x)?),
        ("EC", Some("P-256")) => Material::p256(&[vec![4], field(&jwk.x)?, field(&jwk.y)?].concat()),
        ("RSA", None) => Material::rsa(&field(&jwk.n)?, &field(&jwk.e)?),
        _ => return None,
    };
    let key = Key::new(jwk.kid.as_deref(), material.ok()?);
    // The issuer may have made it for another algorithm, such as RSA with PSS.
    jwk.alg.is_none_or(|alg| alg == key.algorithm().as_str()).then_some(key)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::token::Algorithm;

    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn algorithms(keys: &Value) -> Vec<Algorithm> {
        let document = json!({ "keys": keys }).to_string();
        parse(document.as_bytes()).unwrap().iter().map(Key::algorithm).collect()
    }

    #[test]
    fn keys_for_other_ends_are_passed_over() {
        let good =
            json!({ "kty": "OKP", "crv": "Ed25519", "kid": "a", "x": X, "use": "sig", "alg": "EdDSA" });
        let with = |name: &str, value: Value| {
            let mut key = good.clone();
            key[name] = value;
            key
        };
        assert_eq!(algorithms(&json!([good])), [Algorithm::EdDsa]);
        let passed_over = json!([
            with("use", json!("enc")),
            with("alg", json!("HS256")),
            with("crv", json!("Ed448")),
            with("kty", json!("AKP")),
            with("x", json!("AAAA")),
            with("x", json!(7)),
            with("kid", json!(7)),
            { "kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "alg": "HS256" },
            { "kty": "RSA", "n": "AQAB", "e": "AQAB" },
            { "kty": "EC", "crv": "P-256", "x": X },
            7,
        ]);
        assert_eq!(algorithms(&passed_over), []);
    }

    #[test]
    fn what_is_no_key_set_is_refused() {
        for text in ["", "[]", "{}", "<html>", r#"{"keys":{}}"#, r#"{"keys":"x"}"#] {
            assert_eq!(parse(text.as_bytes()).unwrap_err(), KeySetError::NotAKeySet, "{text}");
        }
        let many = json!({ "keys": vec![json!({ "kty": "oct" }); MAX_KEYS + 1] }).to_string();
        assert_eq!(parse(many.as_bytes()).unwrap_err(), KeySetError::TooMany);
        assert_eq!(parse(br#"{"keys":[]}"#).unwrap().len(), 0);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_key_set_or_refused(
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..100),
            texts in proptest::collection::vec("[A-Za-z0-9_-]{0,90}", 4),
        ) {
            let _refused = parse(&bytes);
            for (kty, crv) in [("OKP", json!("Ed25519")), ("EC", json!("P-256")), ("RSA", Value::Null)] {
                let key = json!({ "kty": kty, "crv": crv, "x": texts[0], "y": texts[1], "n": texts[2], "e": texts[3] });
                for key in parse(json!({ "keys": [key] }).to_string().as_bytes()).unwrap() {
                    proptest::prop_assert!(!key.has_signed(&bytes, &bytes));
                }
            }
        }
    }
}

//! The examples of the RFCs, and everything that is nearly one of them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::token::compact::Compact;
use crate::token::jwk;

/// RFC 7515 A.1.
const HS256: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const HS256_KEY: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
/// RFC 7515 A.2, and its key as PEM.
const RS256: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const RS256_PEM: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJj
NiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEz
P1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo
9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTB
EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxX
FvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp
oQIDAQAB
-----END PUBLIC KEY-----
";
const RS256_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
/// RFC 7515 A.3, and its key as PEM.
const ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
const ES256_PEM: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7
6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==
-----END PUBLIC KEY-----
";
/// RFC 8037 A.4, whose payload is no JSON, and its key as PEM.
const EDDSA: [&str; 2] = [
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
];
const EDDSA_PEM: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
";

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn pem(text: &str) -> Key {
    Key::from_pem(None, text).unwrap()
}

fn hmac_of_the_rfc() -> Key {
    // It has bytes that no text has, so it comes in by the side door.
    Key::new(None, Material::Secret(hmac::Key::new(hmac::HMAC_SHA256, &decode(HS256_KEY))))
}

fn is_signed(token: &str, key: &Key) -> bool {
    Compact::parse(token).is_ok_and(|token| key.has_signed(token.signed.as_bytes(), &token.signature))
}

#[test]
fn the_examples_of_the_rfcs_verify() {
    assert!(is_signed(HS256, &hmac_of_the_rfc()));
    assert!(is_signed(RS256, &pem(RS256_PEM)));
    assert!(is_signed(ES256, &pem(ES256_PEM)));
    assert!(pem(EDDSA_PEM).has_signed(EDDSA[0].as_bytes(), &decode(EDDSA[1])));
}

#[test]
fn keys_of_a_set_are_the_same_keys_as_in_pem() {
    let set = json!({ "keys": [
        { "kty": "RSA", "n": RS256_N, "e": "AQAB" },
        { "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" },
        { "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" },
    ] });
    let keys = jwk::parse(set.to_string().as_bytes()).unwrap();
    assert_eq!(
        keys.iter().map(Key::algorithm).collect::<Vec<_>>(),
        [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa]
    );
    assert!(is_signed(RS256, &keys[0]) && is_signed(ES256, &keys[1]));
    assert!(keys[2].has_signed(EDDSA[0].as_bytes(), &decode(EDDSA[1])));
}

#[test]
fn no_key_verifies_what_another_kind_has_signed() {
    let keys = [hmac_of_the_rfc(), pem(RS256_PEM), pem(ES256_PEM), pem(EDDSA_PEM)];
    for (token, own) in [(HS256, 0), (RS256, 1), (ES256, 2)] {
        for (index, key) in keys.iter().enumerate() {
            assert_eq!(is_signed(token, key), index == own, "{token} by {key:?}");
        }
    }
}

#[test]
fn text_around_a_pem_does_no_harm() {
    let text = format!("the key of our issuer\r\n\n{ES256_PEM}\n# that was all\n");
    assert!(is_signed(ES256, &pem(&text)));
}

#[test]
fn what_is_no_key_is_refused() {
    let p384 = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE1+QlZ7vScHT0sWJDbwtQYm067i8H7Iq2
gGJlYkfsTPRbpgYY3lOY7+OkVdz3LvqybfawtSU3AJ91q4opr5cGlyqzzcvKnE7N
fYFHY3QFaStItRCIQyDW0BrDezyFrPaM
-----END PUBLIC KEY-----";
    let rsa1024 = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCpaRxnb39mfQoHivwNOHsETS+g
vIh/PD0TIjRX62t48GO4n/Fv2h/Pz0LXlClO60DCj62srLY6UX4Xm3rhr1IVHeKQ
DCE9wWr+xUWjOom9alesqw7/JcFeNndc5A9dtD9pOFzBPug5RZTZj2MpkE+lUADm
gxDXC0VcAeD7s+GokwIDAQAB
-----END PUBLIC KEY-----";
    for (text, error) in [
        ("", KeyError::NotPem),
        ("-----BEGIN PUBLIC KEY-----\nMCow\n", KeyError::NotPem),
        ("-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----", KeyError::Unsupported),
        ("-----BEGIN CERTIFICATE-----\nMCow\n-----END CERTIFICATE-----", KeyError::NotPem),
        (p384, KeyError::Unsupported),
        (rsa1024, KeyError::RsaSize),
    ] {
        assert_eq!(Key::from_pem(None, text).unwrap_err(), error, "{text}");
    }
    let short = Secret::new("x".repeat(31));
    assert_eq!(Key::from_secret(None, &short).unwrap_err(), KeyError::ShortSecret);
}

#[test]
fn a_key_shows_its_name_and_kind_alone() {
    let key = Key::from_secret(Some("2026"), &Secret::new("hush".repeat(8))).unwrap();
    assert_eq!(format!("{key:?}"), r#"Key { kid: Some("2026"), algorithm: Hs256, .. }"#);
}

proptest! {
    #[test]
    fn no_flip_of_a_byte_verifies(at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let keys = [hmac_of_the_rfc(), pem(RS256_PEM), pem(ES256_PEM)];
        for (token, key) in [HS256, RS256, ES256].into_iter().zip(&keys) {
            let mut bytes = token.as_bytes().to_vec();
            bytes[at.index(token.len())] ^= flip;
            if let Ok(text) = String::from_utf8(bytes) {
                prop_assert!(!is_signed(&text, key), "{}", text);
            }
        }
    }

    #[test]
    fn any_bytes_are_a_key_or_refused(der in prop::collection::vec(any::<u8>(), 0..200), cut in 0_usize..300) {
        let base64 = base64::engine::general_purpose::STANDARD;
        let whole: String = RS256_PEM.lines().filter(|line| !line.starts_with('-')).collect();
        let mut cut_off = base64.decode(whole).unwrap();
        cut_off.truncate(cut.min(cut_off.len() - 1));
        for der in [der, cut_off] {
            let text = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", base64.encode(der));
            prop_assert!(Key::from_pem(None, &text).is_err());
        }
    }
}

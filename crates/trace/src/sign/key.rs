//! The two halves of a key, and the texts in which they are given: PEM, base64, or hexadecimal.
//!
//! A PEM is PKCS#8 (`PRIVATE KEY`, RFC 8410) or SubjectPublicKeyInfo (`PUBLIC KEY`), as `openssl` writes them.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use seawall_types::Secret;

/// What stands before the seed in the PKCS#8 of an Ed25519 key, RFC 8410 §10.3.
const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// What stands before the key in its SubjectPublicKeyInfo, RFC 8410 §10.1.
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
const PRIVATE: &str = "PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";

/// The text is no key. Says nothing of what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not the secret half.
    #[error(
        "this is no Ed25519 key to sign with: give a PEM with `-----BEGIN PRIVATE KEY-----`, or a seed of 32 bytes in base64 or \
         hexadecimal; `seawall trace key new FILE` makes one"
    )]
    Private,
    /// Not the public half.
    #[error(
        "this is no Ed25519 public key: give a PEM with `-----BEGIN PUBLIC KEY-----`, or 32 bytes in base64 or hexadecimal; \
         `seawall trace key public FILE` prints the one of a key"
    )]
    Public,
}

/// The secret half: signs.
pub struct SignKey(Ed25519KeyPair);

/// The public half: checks. Written as base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl fmt::Debug for SignKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl SignKey {
    /// Reads a key.
    ///
    /// # Errors
    /// When the text is none.
    pub fn parse(text: &Secret<String>) -> Result<Self, KeyError> {
        let text = text.expose();
        let key = match (pem(text, PRIVATE), thirty_two_bytes(text)) {
            (Some(pkcs8), _) => Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8),
            (None, Some(seed)) => Ed25519KeyPair::from_seed_unchecked(&seed),
            (None, None) => return Err(KeyError::Private),
        };
        key.map(Self).map_err(|_| KeyError::Private)
    }

    /// The PEM of the key with this seed, which must come from a source of randomness.
    #[must_use]
    pub fn pem(seed: &[u8; 32]) -> Secret<String> {
        Secret::new(to_pem(PRIVATE, &[PKCS8.as_slice(), seed].concat()))
    }

    /// The other half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        for (slot, byte) in bytes.iter_mut().zip(self.0.public_key().as_ref()) {
            *slot = *byte;
        }
        PublicKey(bytes)
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut bytes = [0; 64];
        for (slot, byte) in bytes.iter_mut().zip(self.0.sign(message).as_ref()) {
            *slot = *byte;
        }
        bytes
    }
}

impl PublicKey {
    /// The key as a PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        to_pem(PUBLIC, &[SPKI.as_slice(), &self.0].concat())
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = match pem(text, PUBLIC) {
            Some(spki) => spki.strip_prefix(&SPKI).and_then(|key| key.try_into().ok()),
            None => thirty_two_bytes(text),
        };
        bytes.map(Self).ok_or(KeyError::Public)
    }
}

/// What stands in the PEM with this label; `None` when there is none in the text.
fn pem(text: &str, label: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    STANDARD.decode(body.split_ascii_whitespace().collect::<String>()).ok()
}

fn to_pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn thirty_two_bytes(text: &str) -> Option<[u8; 32]> {
    let text = text.trim();
    let bytes = if text.len() == 64 { from_hex(text)? } else { STANDARD.decode(text).ok()? };
    bytes.try_into().ok()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    pairs.iter().map(|[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8032 §7.1, test 1.
    const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    const PUBLIC_HALF: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    const SIGNATURE: &str = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";

    fn key(text: &str) -> Result<SignKey, KeyError> {
        SignKey::parse(&Secret::new(text.to_owned()))
    }

    #[test]
    fn a_key_is_the_same_in_every_text() {
        let seed: [u8; 32] = from_hex(SEED).unwrap().try_into().unwrap();
        let public: PublicKey = PUBLIC_HALF.parse().unwrap();
        for text in [SEED.to_owned(), STANDARD.encode(seed), SignKey::pem(&seed).expose().clone()] {
            assert_eq!(key(&text).unwrap().public(), public);
        }
        assert_eq!(public.to_string().parse(), Ok(public));
        assert_eq!(public.to_pem().parse(), Ok(public));
    }

    #[test]
    fn signatures_are_those_of_the_standard() {
        let signature: [u8; 64] = from_hex(SIGNATURE).unwrap().try_into().unwrap();
        assert_eq!(key(SEED).unwrap().sign(b""), signature);
        assert!(key(SEED).unwrap().public().verify(b"", &signature));
        assert!(!key(SEED).unwrap().public().verify(b"x", &signature));
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        let secret = "c2VjcmV0";
        for text in ["", secret, &SEED[1..], "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"] {
            let error = key(text).unwrap_err();
            assert!(text.is_empty() || !error.to_string().contains(text), "{error}");
            assert_eq!(text.parse::<PublicKey>(), Err(KeyError::Public));
        }
        assert_eq!(format!("{:?}", key(SEED).unwrap()), "[secret]");
    }
}

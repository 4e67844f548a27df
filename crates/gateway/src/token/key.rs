//! Keys that tokens are checked with, and the check of a signature itself. The cryptography is ring's, which TLS uses too.

use std::fmt;
use std::sync::Arc;

use ring::hmac;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use seawall_types::Secret;

use super::{Algorithm, spki};

/// A secret shorter than the hash is weaker than it (RFC 7518 §3.2).
const MIN_SECRET: usize = 32;
/// 2,048 to 8,192 bits: below is breakable, above is a way to waste our time.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// A key that tokens are checked with.
#[derive(Clone)]
pub struct Key {
    /// Which tokens name it; `None`: it is tried for every token of its kind.
    kid: Option<Arc<str>>,
    material: Material,
}

/// The key itself.
#[derive(Clone)]
pub(super) enum Material {
    Secret(hmac::Key),
    Ed25519([u8; 32]),
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    P256([u8; 65]),
}

/// The text is no key that can be used. Says nothing of what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The shared secret can be guessed.
    #[error("a secret must have at least {MIN_SECRET} bytes")]
    ShortSecret,
    /// There is no `PUBLIC KEY` in the text.
    #[error("there is no PEM with `-----BEGIN PUBLIC KEY-----` in it")]
    NotPem,
    /// A key of another kind, or damaged.
    #[error("this is no Ed25519, P-256 or RSA public key")]
    Unsupported,
    /// An RSA key of another size.
    #[error("an RSA key must have 2048 to 8192 bits")]
    RsaSize,
}

impl Key {
    /// A secret shared with the issuer, for `HS256`.
    ///
    /// # Errors
    /// When it is too short.
    pub fn from_secret(kid: Option<&str>, secret: &Secret<String>) -> Result<Self, KeyError> {
        let secret = secret.expose().as_bytes();
        if secret.len() < MIN_SECRET {
            return Err(KeyError::ShortSecret);
        }
        Ok(Self::new(kid, Material::Secret(hmac::Key::new(hmac::HMAC_SHA256, secret))))
    }

    /// The issuer's public key as PEM, for the algorithm that its kind is made for.
    ///
    /// # Errors
    /// When it can't be read, or is of a kind or size that is not taken.
    pub fn from_pem(kid: Option<&str>, text: &str) -> Result<Self, KeyError> {
        Ok(Self::new(kid, spki::from_pem(text)?))
    }

    pub(super) fn new(kid: Option<&str>, material: Material) -> Self {
        Self { kid: kid.map(Arc::from), material }
    }

    /// The one algorithm that this key is for. A key is never used with another, whatever a token says: that is what
    /// makes the swap of algorithms fail (RFC 8725 §3.1).
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Secret(_) => Algorithm::Hs256,
            Material::Ed25519(_) => Algorithm::EdDsa,
            Material::Rsa(_) => Algorithm::Rs256,
            Material::P256(_) => Algorithm::Es256,
        }
    }

    /// Whether the issuer may have meant this key: the same `kid`, or one side names none.
    pub(super) fn may_be(&self, kid: Option<&str>) -> bool {
        match (self.kid.as_deref(), kid) {
            (Some(ours), Some(wanted)) => ours == wanted,
            _ => true,
        }
    }

    /// Whether it has exactly this name.
    pub(super) fn is_named(&self, kid: &str) -> bool {
        self.kid.as_deref() == Some(kid)
    }

    /// Whether `signature` over `message` was made by the other half of this key.
    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Secret(key) => hmac::verify(key, message, signature).is_ok(),
            Material::Ed25519(key) => {
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
            }
            Material::Rsa(key) => key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok(),
            Material::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

impl Material {
    pub(super) fn ed25519(key: &[u8]) -> Result<Self, KeyError> {
        key.try_into().map(Self::Ed25519).map_err(|_| KeyError::Unsupported)
    }

    /// An uncompressed point, `04 ‖ x ‖ y`.
    pub(super) fn p256(point: &[u8]) -> Result<Self, KeyError> {
        let point: [u8; 65] = point.try_into().map_err(|_| KeyError::Unsupported)?;
        if point[0] == 4 { Ok(Self::P256(point)) } else { Err(KeyError::Unsupported) }
    }

    /// Modulus and exponent, big-endian. A sign byte that the encoding puts before them is taken off.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        let unsigned =
            |bytes: &[u8]| bytes.iter().skip_while(|byte| **byte == 0).copied().collect::<Vec<u8>>();
        let (n, e) = (unsigned(modulus), unsigned(exponent));
        if !RSA_BYTES.contains(&n.len()) {
            return Err(KeyError::RsaSize);
        }
        Ok(Self::Rsa(RsaPublicKeyComponents { n, e }))
    }
}

#[cfg(test)]
mod tests;

//! Public keys as they stand in PEM files: `SubjectPublicKeyInfo` (RFC 5280 §4.1), in DER.
//!
//! Only the three kinds of key that tokens are signed with are read, each in the one encoding that it has.

use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;

use super::key::{KeyError, Material};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;

/// Ed25519 (RFC 8410 §4): everything before the 32 bytes of the key.
const ED25519: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// `rsaEncryption` with its NULL (RFC 3279 §2.3.1), as the contents of the algorithm's sequence.
const RSA: [u8; 13] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
/// `id-ecPublicKey` on `prime256v1` (RFC 5480 §2.1): everything before the 65 bytes of the uncompressed point.
const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The key of a PEM text with a `PUBLIC KEY` in it.
pub(super) fn from_pem(text: &str) -> Result<Material, KeyError> {
    let der =
        SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).map_err(|_withheld| KeyError::NotPem)?;
    from_der(&der)
}

fn from_der(der: &[u8]) -> Result<Material, KeyError> {
    if let Some(key) = der.strip_prefix(&ED25519) {
        return Material::ed25519(key);
    }
    if let Some(point) = der.strip_prefix(&P256) {
        return Material::p256(point);
    }
    let (modulus, exponent) = rsa(der).ok_or(KeyError::Unsupported)?;
    Material::rsa(modulus, exponent)
}

/// Modulus and exponent of an RSA key, both as they are encoded.
fn rsa(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (info, []) = element(der, SEQUENCE)? else { return None };
    let (algorithm, rest) = element(info, SEQUENCE)?;
    let (bits, []) = element(rest, BIT_STRING)? else { return None };
    // The first byte tells how many bits of the last one do not count: none.
    let (key, []) = element(bits.strip_prefix(&[0])?, SEQUENCE)? else { return None };
    let (modulus, rest) = element(key, INTEGER)?;
    let (exponent, []) = element(rest, INTEGER)? else { return None };
    (algorithm == RSA).then_some((modulus, exponent))
}

/// The contents of the element with this tag at the beginning, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let rest = der.strip_prefix(&[tag])?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // Two bytes of length are 65,535: no key is longer.
        0x81 | 0x82 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

//! `auth.jwt` as it is configured: whose tokens are taken, and by which keys they are checked.

use http::Uri;
use http::uri::Scheme;
use seawall_config::Reader;
use seawall_types::Secret;

use super::{Algorithm, ClaimNames, Key, UnknownAlgorithm};

/// `auth.jwt`.
#[derive(Debug, Clone)]
pub struct JwtSettings {
    /// What `iss` must be.
    pub issuer: String,
    /// What `aud` must name.
    pub audience: String,
    /// The algorithms that are taken.
    pub algorithms: Vec<Algorithm>,
    /// Where the keys are.
    pub keys: Vec<JwtKey>,
    /// The names of our own claims.
    pub claims: ClaimNames,
}

impl JwtSettings {
    /// The files that keys are in.
    pub fn key_files(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().filter_map(|key| match &key.source {
            KeySource::File(path) => Some(path.as_str()),
            KeySource::Here(_) | KeySource::Url(_) => None,
        })
    }
}

/// `auth.jwt.keys[]`.
#[derive(Debug, Clone)]
pub struct JwtKey {
    /// Which of the keys it is, from 0.
    pub index: usize,
    /// The name by which tokens choose it.
    pub kid: Option<String>,
    /// The key, or where it is.
    pub source: KeySource,
}

/// Where a key is.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// In the configuration.
    Here(Key),
    /// In a PEM file.
    File(String),
    /// In a key set that the issuer publishes.
    Url(Uri),
}

pub(crate) fn declare(reader: &mut Reader<'_>) -> JwtSettings {
    let issuer = reader.required_text("issuer", "What `iss` must be, exactly.");
    let audience =
        reader.required_text("audience", "What `aud` must be or contain: the name of this server.");
    let algorithms = algorithms(reader);
    let doc = "The keys; several at a time while one takes the place of another.";
    let mut indices = 0..;
    let keys =
        reader.list("keys", doc, |key| declare_key(key, indices.next().unwrap_or_default(), &algorithms));
    if keys.is_empty() {
        reader.error("keys", "there is no key to check a token with", "add keys: [{ jwks_url: https://… }]");
    }
    let claims =
        reader.section("claims", "Names of claims; with a `/` before them, JSON pointers.", |claims| {
            ClaimNames {
                tenant: claims.text("tenant", "The tenant whose budgets pay too: a text.", "tenant"),
                roles: claims.text(
                    "roles",
                    "Roles on our own API: a list of viewer, operator, admin.",
                    "roles",
                ),
                models: claims.text("models", "Models that may be called: a list; absent: any.", "models"),
            }
        });
    JwtSettings { issuer, audience, algorithms, keys: keys.into_iter().flatten().collect(), claims }
}

fn algorithms(reader: &mut Reader<'_>) -> Vec<Algorithm> {
    let names = reader.strings("algorithms", "The algorithms that are taken: HS256, EdDSA, RS256, ES256.");
    if names.is_empty() {
        let message = "the algorithms must be named; a token does not get to choose";
        reader.error("algorithms", message, "for example algorithms: [EdDSA]");
    }
    let mut parse = |name: &String| {
        let refuse = |error: UnknownAlgorithm| reader.error("algorithms", format!("{name:?} is {error}"), "");
        name.parse().map_err(refuse).ok()
    };
    names.iter().filter_map(&mut parse).collect()
}

fn declare_key(reader: &mut Reader<'_>, index: usize, algorithms: &[Algorithm]) -> Option<JwtKey> {
    let kid = reader.optional_text("kid", "The `kid` of the tokens that it is for; default: any.");
    let secret = reader.secret("secret", "For HS256: at least 32 bytes; write ${VARIABLE}.");
    let public_key =
        reader.optional_text("public_key", "For the others: a PEM text, or the path of a PEM file.");
    let doc =
        "The issuer's key set (JWKS); read every 10 minutes, and when a token names a key that is not in it.";
    let jwks_url = reader.optional_parsed::<Uri>("jwks_url", doc);
    let source = match (secret, public_key, jwks_url) {
        (Some(secret), None, None) => from_secret(reader, kid.as_deref(), &secret),
        (None, Some(text), None) if text.contains("-----BEGIN") => from_pem(reader, kid.as_deref(), &text),
        (None, Some(path), None) => Some(KeySource::File(path)),
        (None, None, Some(url)) => from_url(reader, kid.as_deref(), url),
        _ => {
            reader.error(
                "",
                "a key has one of secret, public_key and jwks_url",
                "write each as a key of its own",
            );
            None
        }
    }?;
    if let KeySource::Here(key) = &source
        && !algorithms.contains(&key.algorithm())
    {
        let message = format!("the key is for {}, which is not among the algorithms", key.algorithm());
        reader.error("", message, "add it to auth.jwt.algorithms, or take the key out");
    }
    Some(JwtKey { index, kid, source })
}

fn from_secret(reader: &mut Reader<'_>, kid: Option<&str>, secret: &Secret<String>) -> Option<KeySource> {
    let hint = "make one with `openssl rand -base64 48`";
    Key::from_secret(kid, secret)
        .map(KeySource::Here)
        .map_err(|error| reader.error("secret", error.to_string(), hint))
        .ok()
}

fn from_pem(reader: &mut Reader<'_>, kid: Option<&str>, text: &str) -> Option<KeySource> {
    let hint = "write the issuer's public key, or the path of its file";
    Key::from_pem(kid, text)
        .map(KeySource::Here)
        .map_err(|error| reader.error("public_key", error.to_string(), hint))
        .ok()
}

/// Keys that come over plain http could be anybody's who stands on the way.
fn from_url(reader: &mut Reader<'_>, kid: Option<&str>, url: Uri) -> Option<KeySource> {
    if kid.is_some() {
        reader.error("kid", "the keys of a set have names of their own", "leave kid out beside jwks_url");
    }
    let is_local = url.host().is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host));
    if url.scheme() == Some(&Scheme::HTTPS) || (url.scheme() == Some(&Scheme::HTTP) && is_local) {
        return Some(KeySource::Url(url));
    }
    let message = "a key set is read over https, or over http from this machine itself";
    reader.error("jwks_url", message, "for example https://id.example/.well-known/jwks.json");
    None
}

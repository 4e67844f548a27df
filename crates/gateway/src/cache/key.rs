//! What makes two requests the same.

use http::{HeaderMap, HeaderName};
use seawall_llm::json::{Digest, digest};

use crate::accepted::Accepted;
use crate::{Caller, header};

/// Headers that change what a provider answers.
const TELLING: [HeaderName; 6] = [
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("openai-beta"),
    HeaderName::from_static("openai-organization"),
    HeaderName::from_static("openai-project"),
    HeaderName::from_static("x-goog-user-project"),
];

/// Stands for a request: who asks, what, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key(pub(super) Digest);

impl Key {
    /// The key of a request. What identifies users stays in the body, so that theirs are told apart. Which upstream will
    /// answer is left out, unless the path names it: a route is one thing to its callers. The policy by which the answer
    /// was judged is in it, by its number: what one lets through, another may not. So is how often the configuration was
    /// changed: what is under way when that happens is answered by the old one, and is not for those who come after.
    ///
    /// `None` when the body is no JSON.
    pub(crate) fn of(
        accepted: &Accepted,
        caller: &Caller,
        policy: u64,
        generation: u64,
        text: &[u8],
        json_depth: usize,
    ) -> Option<Self> {
        let mut parts = Parts::default();
        parts.add_caller(caller, accepted);
        parts.add(&generation.to_le_bytes());
        parts.add(&policy.to_le_bytes());
        parts.add(accepted.wire.name().as_bytes());
        parts.add(accepted.upstream.as_deref().unwrap_or_default().as_bytes());
        parts.add(&[accepted.kind as u8]);
        parts.add(accepted.path.as_bytes());
        let query = accepted.query.as_deref().unwrap_or_default().split('&');
        parts.add(query.filter(|pair| !is_credential(pair)).collect::<Vec<_>>().join("&").as_bytes());
        parts.add_headers(&accepted.headers, &TELLING);
        parts.add(&digest(text, json_depth).ok()?);
        Some(Self(parts.0.finalize().into()))
    }
}

fn is_credential(pair: &str) -> bool {
    pair.starts_with("key=")
}

/// Parts of a key, each with its length, so that no two lists of them look alike.
#[derive(Default)]
struct Parts(blake3::Hasher);

impl Parts {
    fn add(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    /// The tenant of a caller that we know, else the caller; of one that we don't know the credentials for the provider,
    /// since nobody is to have the answers of another's account.
    fn add_caller(&mut self, caller: &Caller, accepted: &Accepted) {
        match (&caller.actor.tenant, caller.id) {
            (Some(tenant), _) => {
                self.add(b"tenant");
                self.add(tenant.as_bytes());
            }
            (None, Some(id)) => {
                self.add(b"caller");
                self.add(&id.into_bytes());
            }
            (None, None) => {
                self.add(b"anonymous");
                self.add_headers(&accepted.headers, &header::CREDENTIALS);
                let query = accepted.query.as_deref().unwrap_or_default();
                query
                    .split('&')
                    .filter(|pair| is_credential(pair))
                    .for_each(|pair| self.add(pair.as_bytes()));
            }
        }
        self.add(b".");
    }

    fn add_headers(&mut self, headers: &HeaderMap, names: &[HeaderName]) {
        for name in names {
            for value in headers.get_all(name) {
                self.add(name.as_str().as_bytes());
                self.add(value.as_bytes());
            }
        }
        self.add(b".");
    }
}

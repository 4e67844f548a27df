//! Who may call: where callers show what they have, and what is said of it. The gateway's routes and the server's own ask
//! here, so that a key is as good, or as bad, on one as on the other.
//!
//! What to do with those who show nothing is not decided here.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use seawall_store::KEY_PREFIX;
use seawall_types::{Code, Timestamp};
use smallvec::SmallVec;

use crate::token::{TokenError, looks_like_token};
use crate::{Caller, KeyRing, Tokens, header};

/// What a caller shows is not good enough.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// No key of ours.
    #[error("the API key is not known here")]
    UnknownKey,
    /// It was revoked.
    #[error("the API key was revoked")]
    Revoked,
    /// Its time is over.
    #[error("the API key expired at {0}")]
    Expired(Timestamp),
    /// It is for other addresses.
    #[error("the API key may not be used from {0}")]
    Address(IpAddr),
    /// Its policy can't be read, so that it is not known what it may do.
    #[error("the policy of the API key can't be read")]
    Policy,
    /// A token that is not good.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl CredentialError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::UnknownKey | Self::Token(_) => Code::Unauthenticated,
            Self::Revoked => Code::KeyRevoked,
            Self::Expired(_) => Code::KeyExpired,
            Self::Address(_) | Self::Policy => Code::Forbidden,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::UnknownKey => "check it with `seawall keys list`",
            Self::Revoked | Self::Expired(_) => "make another with `seawall keys create`",
            Self::Address(_) => "call from an address that the key allows",
            Self::Policy => "the operator finds the reason in the server's log, or makes another key",
            Self::Token(error) => error.remedy(),
        }
    }
}

/// What is known of callers.
#[derive(Debug, Clone, Copy)]
pub struct Register<'a> {
    /// The API keys.
    pub keys: &'a KeyRing,
    /// What verifies tokens, where an issuer is configured.
    pub tokens: Option<&'a Tokens>,
}

impl Register<'_> {
    /// The holder of the first key of ours, or else of the first token, among what is `presented`; `None` when there is
    /// neither.
    ///
    /// # Errors
    /// When it is not known or not good, now and from this address.
    pub fn identify(
        self,
        presented: &[&str],
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Option<Arc<Caller>>, CredentialError> {
        if let Some(key) = presented.iter().find(|text| text.starts_with(KEY_PREFIX)) {
            let caller = self.keys.find(key).ok_or(CredentialError::UnknownKey)?;
            caller.verify(now, address)?;
            return Ok(Some(Arc::clone(caller)));
        }
        let Some(tokens) = self.tokens else { return Ok(None) };
        let token = presented.iter().find(|text| looks_like_token(text));
        Ok(token.map(|token| tokens.verify(token, now)).transpose()?)
    }
}

/// Everything that a request shows in headers, each SDK after its own habit, without `Bearer`.
pub fn presented(headers: &HeaderMap) -> SmallVec<[&str; 2]> {
    header::CREDENTIALS
        .into_iter()
        .flat_map(|name| headers.get_all(name))
        .filter_map(|value| value.to_str().ok())
        .map(header::without_scheme)
        .collect()
}

//! Why a token is not taken. No message quotes the token: what is in it was written by whoever sends it.

use seawall_types::Timestamp;

/// A token is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than any token of an honest issuer.
    #[error("the token is longer than {} bytes", super::MAX_TOKEN)]
    TooLong,
    /// Not three parts of base64url with JSON in the first two, or with a header that must be understood and is not.
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// `none`, an algorithm that the configuration does not name, or one that fits no key.
    #[error("the token is signed by an algorithm that is not allowed here")]
    Algorithm,
    /// No key of this `kid`, and none without one.
    #[error("the token is signed by a key that is not known here")]
    UnknownKey,
    /// The signature is not that of any key which may have made it.
    #[error("the token's signature is wrong")]
    Signature,
    /// `exp` is over.
    #[error("the token expired at {0}")]
    Expired(Timestamp),
    /// `nbf` is still to come.
    #[error("the token is not valid before {0}")]
    NotYetValid(Timestamp),
    /// A claim is absent, is of another type, or says something that is not accepted.
    #[error("the token's claim {claim:?} {problem}")]
    Claim {
        /// Its name, as the configuration has it.
        claim: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl TokenError {
    /// What its holder can do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Expired(_) => "get another token from the issuer",
            Self::NotYetValid(_) => "use it later, or set the clocks of issuer and server",
            Self::UnknownKey => {
                "check the kid against auth.jwt.keys; a key set is read again within a minute"
            }
            Self::Algorithm => "sign with one of auth.jwt.algorithms, and with a key of its kind",
            Self::TooLong | Self::Malformed(_) | Self::Signature | Self::Claim { .. } => {
                "get a token from the configured issuer, for the configured audience"
            }
        }
    }
}

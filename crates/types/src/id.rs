//! Identifiers: UUIDv7, so that they sort by the time they were made in.
//!
//! Making one needs a clock and randomness, which this crate has not: `seawall_base::id` does it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an identifier (a UUID like 01890a5d-ac96-774b-bcce-b302099a8057)")]
pub struct ParseIdError(String);

macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A UUIDv7 (RFC 9562 §5.7) from milliseconds since the epoch and ten random bytes.
            #[must_use]
            pub fn from_parts(unix_millis: u64, random: &[u8; 10]) -> Self {
                Self(uuid::Builder::from_unix_timestamp_millis(unix_millis, random).into_uuid())
            }

            /// The sixteen bytes, as stored in journals and databases.
            #[must_use]
            pub const fn into_bytes(self) -> [u8; 16] {
                self.0.into_bytes()
            }

            /// The identifier with these sixteen bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// Writes the 36 characters into `buffer` and gives them back, without an allocation.
            pub fn encode(self, buffer: &mut [u8; 36]) -> &str {
                self.0.hyphenated().encode_lower(buffer)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::from_str(text).map(Self).map_err(|_| ParseIdError(text.to_owned()))
            }
        }
    )*};
}

identifiers! {
    /// One unit of work: a proxy session, a guarded block, an agent, a loop, an analysis.
    RunId;
    /// One action that passed, or was refused at, the checkpoint.
    ActionId;
    /// One reservation in the ledger.
    HoldId;
    /// One API key of a caller (not the key itself).
    KeyId;
    /// One question to a person whether an action may happen.
    ApprovalId;
    /// One HTTP request.
    RequestId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_identifiers_sort_after_earlier_ones() {
        assert!(RunId::from_parts(1, &[0xff; 10]) < RunId::from_parts(2, &[0; 10]));
    }

    #[test]
    fn an_identifier_is_read_back_as_it_was_shown() {
        let id = ActionId::from_parts(1_700_000_000_000, &[7; 10]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(ActionId::from_bytes(id.into_bytes()), id);
        assert!("not-an-id".parse::<ActionId>().is_err());
    }
}

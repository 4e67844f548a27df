//! What a policy says about texts: which detectors read them, and what a finding leads to.
//!
//! The texts themselves are scanned by whoever has them, since most arrive piece by piece.

use std::fmt;
use std::str::FromStr;

use seawall_config::nearest;
use seawall_types::{Code, Verdict};

/// What is looked for in texts that go one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextRules {
    /// What a secret leads to; `Allow`: it is not looked for.
    pub secrets: Verdict,
    /// What personal data leads to.
    pub pii: Verdict,
    /// Which personal data.
    pub kinds: Vec<PiiKind>,
    /// What a text that tries to instruct the model leads to.
    pub injection: Verdict,
}

impl TextRules {
    /// Nothing is looked for.
    #[must_use]
    pub fn off() -> Self {
        Self { secrets: Verdict::Allow, pii: Verdict::Allow, kinds: Vec::new(), injection: Verdict::Allow }
    }

    /// Whether there is anything to look for.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.secrets == Verdict::Allow && self.pii == Verdict::Allow && self.injection == Verdict::Allow
    }

    /// What a finding with this code leads to, before the mode.
    #[must_use]
    pub fn verdict(&self, code: Code) -> Verdict {
        match code {
            Code::SecretFound => self.secrets,
            Code::PiiFound => self.pii,
            Code::InjectionSuspected => self.injection,
            _ => Verdict::Allow,
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// A kind of personal data.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum PiiKind {$($(#[$doc])* $name,)*}

        impl PiiKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name that policies have for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {$(Self::$name => $text,)*}
            }
        }
    };
}

kinds! {
    /// An address of electronic mail.
    Email = "email";
    /// A telephone number.
    Phone = "phone";
    /// The number of a payment card (Luhn).
    Card = "card";
    /// An international bank account number (mod 97).
    Iban = "iban";
    /// A social security number of the United States.
    Ssn = "ssn";
    /// A Chinese resident identity number (with its checksum).
    CnId = "cn_id";
    /// An IP address.
    IpAddress = "ip";
}

/// The text names no kind of personal data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no such kind of personal data; {0}")]
pub struct ParsePiiKindError(String);

impl FromStr for PiiKind {
    type Err = ParsePiiKindError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let names = || Self::ALL.iter().map(|kind| kind.as_str());
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or_else(|| {
            ParsePiiKindError(nearest(text, names()).map_or_else(
                || format!("known: {}", names().collect::<Vec<_>>().join(", ")),
                |name| format!("did you mean {name}?"),
            ))
        })
    }
}

impl fmt::Display for PiiKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

//! Which kinds of personal data are looked for.

macro_rules! pii {
    ($($name:ident = $text:literal, $doc:literal;)*) => {
        /// A kind of personal data.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum PiiKind {$(
            #[doc = $doc]
            $name,
        )*}

        impl PiiKind {
            /// Every kind, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name in policies.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {$(Self::$name => $text,)*}
            }
        }
    };
}

pii! {
    Email = "email", "An e-mail address.";
    Phone = "phone", "A telephone number: international with `+`, North American, Chinese mobile.";
    Card = "card", "The number of a payment card.";
    Iban = "iban", "An international bank account number.";
    Ssn = "ssn", "A US social security number.";
    CnId = "cn_id", "A Chinese resident identity number.";
    Ip = "ip", "An IPv4 or IPv6 address.";
}

impl PiiKind {
    /// The kind of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of kinds of personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PiiKinds(u8);

impl PiiKinds {
    /// None.
    #[must_use]
    pub const fn none() -> Self {
        Self(0)
    }

    /// Every kind.
    #[must_use]
    pub fn all() -> Self {
        PiiKind::ALL.iter().copied().collect()
    }

    /// This set and one kind more.
    #[must_use]
    pub const fn with(self, kind: PiiKind) -> Self {
        Self(self.0 | kind.bit())
    }

    /// Whether the kind is in the set.
    #[must_use]
    pub const fn has(self, kind: PiiKind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// Whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<PiiKind> for PiiKinds {
    fn from_iter<I: IntoIterator<Item = PiiKind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::none(), Self::with)
    }
}

//! What the checkpoint decided, and why.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whether findings refuse or are only recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Record findings and let pass; only budgets, authentication and resource limits refuse.
    #[default]
    Warn,
    /// Enforce.
    Strict,
}

/// What is to happen with an action. Ordered by gravity: the gravest of several wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It may happen.
    #[default]
    Allow,
    /// It may happen; something was noticed.
    Warn,
    /// It may happen with parts taken out.
    Redact,
    /// A person must approve it first.
    Ask,
    /// It must not happen.
    Deny,
}

impl Verdict {
    /// The name used in traces, headers, metrics and policies.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Warn => "warn",
            Self::Redact => "redact",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Worth a look.
    Medium,
    /// Should not happen.
    High,
    /// Must not happen.
    Critical,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// The stable codes of findings and refusals. A page of the documentation explains each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Code {$(
            $(#[$doc])*
            #[serde(rename = $text)]
            $name,
        )*}

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code as it is written in answers, traces and metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {$(Self::$name => $text,)*}
            }
        }
    };
}

codes! {
    /// The model is not on the list of allowed ones.
    ModelNotAllowed = "MODEL_NOT_ALLOWED";
    /// A budget in money has not enough left.
    BudgetExceeded = "BUDGET_EXCEEDED";
    /// A budget in money per minute has not enough left.
    BurnRateExceeded = "BURN_RATE_EXCEEDED";
    /// A budget in tokens has not enough left.
    TokensExceeded = "TOKENS_EXCEEDED";
    /// Too many requests or tokens a minute.
    RateLimited = "RATE_LIMITED";
    /// The price of the model is not known and the configuration says to refuse then.
    PriceUnknown = "PRICE_UNKNOWN";
    /// The trace cannot be written and the configuration says to refuse then.
    TraceUnavailable = "TRACE_UNAVAILABLE";
    /// The ledger cannot be written and the budget says to refuse then.
    LedgerUnavailable = "LEDGER_UNAVAILABLE";
    /// No credentials, or none that we know.
    Unauthenticated = "UNAUTHENTICATED";
    /// The API key has expired.
    KeyExpired = "KEY_EXPIRED";
    /// The API key was revoked.
    KeyRevoked = "KEY_REVOKED";
    /// The caller is known and may not do this (address, model, role).
    Forbidden = "FORBIDDEN";
    /// The request cannot be understood.
    BadRequest = "BAD_REQUEST";
    /// The body, or what it inflates to, is too large.
    BodyTooLarge = "BODY_TOO_LARGE";
    /// The request's headers are too large.
    HeadersTooLarge = "HEADERS_TOO_LARGE";
    /// The client took too long to send its request.
    RequestTimeout = "REQUEST_TIMEOUT";
    /// There is no such path.
    NotFound = "NOT_FOUND";
    /// The path exists, the method does not.
    MethodNotAllowed = "METHOD_NOT_ALLOWED";
    /// A websocket is not passed through here; plain HTTP is.
    WebsocketRefused = "WEBSOCKET_REFUSED";
    /// Too many requests in flight, or too many bytes buffered.
    Overloaded = "OVERLOADED";
    /// The server is shutting down.
    Draining = "DRAINING";
    /// No upstream could be reached.
    UpstreamUnreachable = "UPSTREAM_UNREACHABLE";
    /// The upstream took too long.
    UpstreamTimeout = "UPSTREAM_TIMEOUT";
    /// The upstream's answer broke off, or was no answer.
    UpstreamBroken = "UPSTREAM_BROKEN";
    /// All upstreams for the model are resting after failures.
    UpstreamUnavailable = "UPSTREAM_UNAVAILABLE";
    /// No upstream serves the model.
    NoUpstream = "NO_UPSTREAM";
    /// A fault of ours.
    Internal = "INTERNAL";
}

impl Code {
    /// The HTTP status of an answer that says this, on every surface of ours.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthenticated | Self::KeyExpired | Self::KeyRevoked => 401,
            Self::BudgetExceeded | Self::TokensExceeded => 402,
            Self::ModelNotAllowed | Self::PriceUnknown | Self::Forbidden => 403,
            Self::NotFound | Self::NoUpstream => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::BodyTooLarge => 413,
            Self::WebsocketRefused => 426,
            Self::BurnRateExceeded | Self::RateLimited => 429,
            Self::HeadersTooLarge => 431,
            Self::Internal => 500,
            Self::UpstreamUnreachable | Self::UpstreamBroken => 502,
            Self::TraceUnavailable
            | Self::LedgerUnavailable
            | Self::Overloaded
            | Self::Draining
            | Self::UpstreamUnavailable => 503,
            Self::UpstreamTimeout => 504,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One reason of a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule that found it.
    pub rule: String,
    /// What kind of thing it is.
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// What was found, without the thing itself when that is a secret.
    pub message: String,
    /// Where: a JSON pointer into the action.
    #[serde(rename = "where")]
    pub location: String,
    /// What to do about it.
    pub remedy: String,
}

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
    /// A path leads upwards, or is written so that it may.
    FsTraversal = "FS_TRAVERSAL";
    /// A path leads to a place that the policy does not open.
    FsOutsideRoot = "FS_OUTSIDE_ROOT";
    /// A link inside the root leads out of it.
    FsSymlinkEscape = "FS_SYMLINK_ESCAPE";
    /// A device, a socket, a pipe, or a window into the kernel.
    FsDevice = "FS_DEVICE";
    /// The file is larger than the policy allows.
    FsTooLarge = "FS_TOO_LARGE";
    /// The address is private, or otherwise not reachable from the internet.
    NetPrivateAddress = "NET_PRIVATE_ADDRESS";
    /// The address or name is that of a cloud's metadata service.
    NetMetadataService = "NET_METADATA_SERVICE";
    /// The host is not on the list of allowed ones.
    NetHostNotAllowed = "NET_HOST_NOT_ALLOWED";
    /// The scheme is not allowed, or the text is no URL.
    NetScheme = "NET_SCHEME";
    /// The port is not allowed.
    NetPort = "NET_PORT";
    /// The name led to another address than the one that was checked.
    NetRebinding = "NET_REBINDING";
    /// The name leads to no address, so that none could be checked.
    NetUnresolved = "NET_UNRESOLVED";
    /// The command is on the list of forbidden ones.
    CmdForbidden = "CMD_FORBIDDEN";
    /// The command is not on the list of allowed ones.
    CmdNotAllowed = "CMD_NOT_ALLOWED";
    /// The command uses the shell in a way that hides what it runs.
    CmdShellMeta = "CMD_SHELL_META";
    /// A secret: a key, a token, a password.
    SecretFound = "SECRET_FOUND";
    /// Data about a person.
    PiiFound = "PII_FOUND";
    /// A text that tries to instruct the model.
    InjectionSuspected = "INJECTION_SUSPECTED";
    /// Data of a sensitive source on its way out.
    TaintLeak = "TAINT_LEAK";
    /// The tool may not be called.
    ToolNotAllowed = "TOOL_NOT_ALLOWED";
    /// A tool's arguments or result are not what its contract says.
    ToolContract = "TOOL_CONTRACT";
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
    /// A tool gave more than the policy allows.
    OutputTooLarge = "OUTPUT_TOO_LARGE";
    /// A tool took longer than the policy allows.
    Timeout = "TIMEOUT";
    /// A person must approve the action first.
    ApprovalRequired = "APPROVAL_REQUIRED";
    /// A person has refused the action.
    ApprovalDenied = "APPROVAL_DENIED";
    /// Nobody decided on the action in time.
    ApprovalExpired = "APPROVAL_EXPIRED";
    /// The run does what the runs before it did not.
    Drift = "DRIFT";
    /// A confined program tried what it may not.
    SandboxViolation = "SANDBOX_VIOLATION";
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
    /// Something stands against it that came first: the opposite was decided already.
    Conflict = "CONFLICT";
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
    /// There is no such agent, or it is another tenant's.
    AgentNotFound = "AGENT_NOT_FOUND";
    /// There is another agent of this name.
    AgentExists = "AGENT_EXISTS";
    /// The agent was put away.
    AgentArchived = "AGENT_ARCHIVED";
    /// The agent is at another point of its work.
    AgentBusy = "AGENT_BUSY";
    /// Too many messages wait for the agent, or too many agents for a worker.
    AgentQueueFull = "AGENT_QUEUE_FULL";
    /// Nobody in the room is called so.
    MemberNotFound = "MEMBER_NOT_FOUND";
    /// The agent of the room's member was removed or put away.
    MemberGone = "MEMBER_GONE";
    /// The idempotency key stands for another message already.
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED";
    /// The store of agents can't be read or written.
    StoreUnavailable = "STORE_UNAVAILABLE";
    /// A fault of ours.
    Internal = "INTERNAL";
}

impl Code {
    /// The HTTP status of an answer that says this, on every surface of ours.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::ApprovalRequired => 202,
            Self::BadRequest => 400,
            Self::Unauthenticated | Self::KeyExpired | Self::KeyRevoked => 401,
            Self::BudgetExceeded | Self::TokensExceeded => 402,
            Self::FsTraversal
            | Self::FsOutsideRoot
            | Self::FsSymlinkEscape
            | Self::FsDevice
            | Self::FsTooLarge
            | Self::NetPrivateAddress
            | Self::NetMetadataService
            | Self::NetHostNotAllowed
            | Self::NetScheme
            | Self::NetPort
            | Self::NetRebinding
            | Self::NetUnresolved
            | Self::CmdForbidden
            | Self::CmdNotAllowed
            | Self::CmdShellMeta
            | Self::SecretFound
            | Self::PiiFound
            | Self::InjectionSuspected
            | Self::TaintLeak
            | Self::ToolNotAllowed
            | Self::ToolContract
            | Self::OutputTooLarge
            | Self::ApprovalDenied
            | Self::ApprovalExpired
            | Self::Drift
            | Self::SandboxViolation
            | Self::ModelNotAllowed
            | Self::PriceUnknown
            | Self::Forbidden => 403,
            Self::NotFound | Self::NoUpstream | Self::AgentNotFound | Self::MemberNotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::Conflict | Self::AgentExists | Self::AgentArchived | Self::AgentBusy | Self::MemberGone => {
                409
            }
            Self::BodyTooLarge => 413,
            Self::IdempotencyKeyReused => 422,
            Self::WebsocketRefused => 426,
            Self::BurnRateExceeded | Self::RateLimited | Self::AgentQueueFull => 429,
            Self::HeadersTooLarge => 431,
            Self::Internal => 500,
            Self::UpstreamUnreachable | Self::UpstreamBroken => 502,
            Self::TraceUnavailable
            | Self::LedgerUnavailable
            | Self::StoreUnavailable
            | Self::Overloaded
            | Self::Draining
            | Self::UpstreamUnavailable => 503,
            Self::Timeout | Self::UpstreamTimeout => 504,
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

//! What went wrong with a model call, in one set of classes for all providers, and whether another try is worth it.
//!
//! How long to wait between tries, and how often to try, is the caller's.

mod classify;
mod report;

use std::fmt;
use std::time::Duration;

use seawall_types::mask;

use self::report::Report;

/// The longest message that is kept, in bytes: providers quote whole requests.
const LONGEST_MESSAGE: usize = 1_024;

/// What kind of failure it is: by what can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// Too many requests or tokens for now. Wait.
    RateLimit,
    /// The answer took too long.
    Timeout,
    /// The provider is out of reach, overloaded or broken, or the answer broke off.
    Unavailable,
    /// The credentials are missing, wrong, or not good for this.
    Authentication,
    /// The account with the provider has nothing left.
    Quota,
    /// The conversation is longer than the model can read. Make it shorter.
    ContextLength,
    /// The provider refuses the request as it is.
    Invalid,
    /// A filter of the provider's refuses the prompt or the answer.
    ContentFilter,
    /// A policy of ours refuses the call.
    Denied,
    /// A budget of ours has not enough left.
    Budget,
    /// There is no such model, or nobody serves it.
    ModelNotFound,
    /// Anything else.
    Other,
}

impl FailureClass {
    /// Every class, in the order of the documentation.
    pub const ALL: [Self; 12] = [
        Self::RateLimit,
        Self::Timeout,
        Self::Unavailable,
        Self::Authentication,
        Self::Quota,
        Self::ContextLength,
        Self::Invalid,
        Self::ContentFilter,
        Self::Denied,
        Self::Budget,
        Self::ModelNotFound,
        Self::Other,
    ];

    /// The name used in events and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateLimit => "rate_limit",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Authentication => "authentication",
            Self::Quota => "quota",
            Self::ContextLength => "context_length",
            Self::Invalid => "invalid",
            Self::ContentFilter => "content_filter",
            Self::Denied => "denied",
            Self::Budget => "budget",
            Self::ModelNotFound => "model_not_found",
            Self::Other => "other",
        }
    }

    /// Whether the same request may succeed a little later.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::RateLimit | Self::Timeout | Self::Unavailable)
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{class}: {message}")]
pub struct Failure {
    /// What kind of failure it is.
    pub class: FailureClass,
    /// What happened, in the provider's words where it has any; bounded, with every credential masked.
    pub message: String,
    /// Our own code, where the refusal is the gateway's.
    pub code: Option<seawall_types::Code>,
    /// How long the provider asks us to wait.
    pub retry_after: Option<Duration>,
    /// Whether the same request may succeed when it is sent again.
    pub retryable: bool,
}

impl Failure {
    /// A failure of a class, in words. Whether another try is worth it goes by the class.
    #[must_use]
    pub fn new(class: FailureClass, message: &str) -> Self {
        // Masked first: half a key would not be known for one.
        let mut message = mask(message).into_owned();
        message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
        Self { class, message, code: None, retry_after: None, retryable: class.is_transient() }
    }

    /// The answer broke off or is none: what of it was heard must not be taken for whole.
    pub(super) fn broken(message: &str) -> Self {
        Self::new(FailureClass::Unavailable, message)
    }

    /// What an answer with a status that means failure says. `header` looks one up by its name in small letters.
    #[must_use]
    pub fn from_answer<'h>(status: u16, header: impl Fn(&str) -> Option<&'h str>, body: &[u8]) -> Self {
        let report = Report::read(body);
        let message = report.message(status, body);
        let class = classify::class(Some(status), &report);
        let mut failure = Self { code: report.seawall, ..Self::new(class, &message) };
        failure.retry_after = wait(&header).or(report.retry_after);
        failure.retryable = classify::is_retryable(class, &report);
        // The provider knows better, where it says so.
        match header("x-should-retry") {
            Some("true") => failure.retryable = true,
            Some("false") => failure.retryable = false,
            _ => {}
        }
        failure
    }

    /// What an event or an answer says that reports an error under a status that means success.
    #[must_use]
    pub fn from_event(data: &[u8]) -> Self {
        let report = Report::read(data);
        let class = classify::class(report.status, &report);
        let message = report.message(report.status.unwrap_or(200), data);
        let retryable = classify::is_retryable(class, &report);
        Self {
            code: report.seawall,
            retry_after: report.retry_after,
            retryable,
            ..Self::new(class, &message)
        }
    }
}

/// `retry-after-ms`, or `Retry-After` in seconds (RFC 9110 §10.2.3; no provider uses the form with a date).
fn wait<'h>(header: &impl Fn(&str) -> Option<&'h str>) -> Option<Duration> {
    let number = |name| header(name)?.trim().parse::<f64>().ok();
    let seconds = number("retry-after-ms").map(|millis| millis / 1e3).or_else(|| number("retry-after"))?;
    Duration::try_from_secs_f64(seconds).ok()
}

//! Why a try came to nothing, and what may be done about it.

use std::time::Duration;

use http::{Response, StatusCode};
use seawall_llm_client::{
    AnswerBody, Credentials, SendError, Upstream, UpstreamSettings, retry_after, status_is_retryable,
};
use seawall_types::Code;

use crate::meter::Meter;
use crate::refusal::Refusal;

/// A try that came to nothing, with the meter to go on with.
pub(super) struct Failure {
    pub(super) meter: Box<Meter>,
    pub(super) refusal: Refusal,
    pub(super) cause: Cause,
    /// How long the provider asks to be left alone.
    pub(super) wait: Option<Duration>,
    /// The provider's own answer, to be passed on when nothing better comes.
    pub(super) answer: Option<Response<AnswerBody>>,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The request can't be made for this upstream.
    Request,
    /// The upstream has as many calls under way as it may have.
    Full,
    /// No connection came about.
    Connect,
    /// The connection or the answer broke.
    Broken,
    /// No answer in time.
    Timeout,
    /// There is no memory left here for its answer.
    NoMemory,
    /// An answer that is an error worth another try.
    Status(StatusCode),
    /// A stream that began with nothing but the news that the provider is overloaded.
    Overloaded,
}

impl Cause {
    /// What the metrics call it.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Full => "full",
            Self::Connect => "connect",
            Self::Broken => "broken",
            Self::Timeout => "timeout",
            Self::NoMemory => "memory",
            Self::Overloaded => "overloaded",
            Self::Status(status) => match status.as_u16() {
                401 | 403 => "credential",
                408 => "408",
                409 => "409",
                429 => "429",
                529 => "overloaded",
                _ => "5xx",
            },
        }
    }

    /// Whether trying the same upstream again may help. A time-out of ours would take as long again.
    pub(super) fn again(self) -> bool {
        match self {
            Self::Connect | Self::Broken | Self::Overloaded => true,
            Self::Status(status) => status_is_retryable(status),
            Self::Request | Self::Full | Self::Timeout | Self::NoMemory => false,
        }
    }

    /// Whether another upstream may do better.
    pub(super) fn elsewhere(self) -> bool {
        !matches!(self, Self::Request | Self::NoMemory)
    }

    /// Whether nothing of the request can have reached the upstream.
    pub(super) fn is_before_sending(self) -> bool {
        matches!(self, Self::Request | Self::Full | Self::Connect)
    }

    /// Whether it was the upstream's doing: its breaker counts it, once for all tries of a call. `None`: it was never
    /// asked, or not heard out, so there is nothing to tell.
    pub(super) fn upstream_failed(self) -> Option<bool> {
        match self {
            Self::Request | Self::Full | Self::NoMemory => None,
            Self::Connect | Self::Broken | Self::Timeout | Self::Overloaded => Some(true),
            Self::Status(status) => Some(status.is_server_error()),
        }
    }

    /// An upstream that failed or fell silent after it got the request may have worked on it, and bill that. What it
    /// refuses it does not bill.
    pub(super) fn may_be_billed(self) -> bool {
        match self {
            Self::Broken | Self::Timeout | Self::Overloaded | Self::NoMemory => true,
            Self::Status(status) => status.is_server_error(),
            Self::Request | Self::Full | Self::Connect => false,
        }
    }
}

impl Failure {
    /// Whether the request may be sent again, here or elsewhere: what is done twice when it is sent twice goes out once.
    pub(super) fn may_be_sent_again(&self) -> bool {
        self.cause.is_before_sending() || self.meter.accepted().is_repeatable()
    }

    /// Nothing came that could be passed on.
    pub(super) fn new(meter: Box<Meter>, refusal: Refusal, cause: Cause) -> Self {
        Self { meter, refusal, cause, wait: None, answer: None }
    }

    /// No answer at all.
    pub(super) fn unanswered(meter: Box<Meter>, upstream: &Upstream, error: &SendError) -> Self {
        let cause = match error {
            SendError::Connect(_) => Cause::Connect,
            SendError::Broken(_) => Cause::Broken,
            SendError::FirstByteTimeout(_) => Cause::Timeout,
        };
        Self::new(meter, unanswered(upstream, error), cause)
    }

    /// An answer that is an error.
    pub(super) fn answered(meter: Box<Meter>, upstream: &Upstream, response: Response<AnswerBody>) -> Self {
        let status = response.status();
        // What a provider says of a key often repeats it, and this one is ours, not the client's.
        let tellable = status != StatusCode::UNAUTHORIZED;
        Self {
            meter,
            refusal: refused_by_provider(upstream, status),
            cause: Cause::Status(status),
            wait: retry_after(response.headers()),
            answer: tellable.then_some(response),
        }
    }
}

/// Whether an answer with this status is a failure that another try may mend. A provider that refuses the key that the
/// configuration gave us is one: the client can't mend that, another upstream may.
pub(super) fn is_failure(upstream: &Upstream, status: StatusCode) -> bool {
    let refuses_us = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        && matches!(upstream.settings.credentials, Credentials::Key(_));
    refuses_us || status_is_retryable(status)
}

/// Nobody can be asked.
pub(super) fn all_resting(wait: Duration) -> Refusal {
    Refusal::new(
        Code::UpstreamUnavailable,
        "every upstream for this model rests after failures",
        "try again later; seawall_breaker_state shows which",
    )
    .retry_after(wait)
}

/// The upstream has no place for another call.
pub(super) fn full(upstream: &Upstream) -> Refusal {
    let UpstreamSettings { name, max_in_flight, .. } = &upstream.settings;
    let message = format!("upstream {name:?} has {max_in_flight} calls under way already");
    Refusal::new(Code::Overloaded, message, "try again shortly, or raise the upstream's max_in_flight")
        .retry_after(Duration::from_secs(1))
}

fn unanswered(upstream: &Upstream, error: &SendError) -> Refusal {
    let name = &upstream.settings.name;
    let (code, remedy) = match error {
        SendError::Connect(_) => {
            (Code::UpstreamUnreachable, "check that the upstream runs and its base_url is right")
        }
        SendError::Broken(_) => {
            (Code::UpstreamBroken, "try again; check the upstream's own log if it goes on")
        }
        SendError::FirstByteTimeout(_) => {
            (Code::UpstreamTimeout, "try again, or raise the upstream's time-outs (first_byte, total)")
        }
    };
    Refusal::new(code, format!("upstream {name:?}: {error}"), remedy)
}

fn refused_by_provider(upstream: &Upstream, status: StatusCode) -> Refusal {
    let name = &upstream.settings.name;
    if status == StatusCode::UNAUTHORIZED {
        let message = format!("upstream {name:?} refuses the key that this server has for it");
        return Refusal::new(
            Code::UpstreamUnreachable,
            message,
            "the operator must check the upstream's api_key",
        );
    }
    let message = format!("upstream {name:?} answered {status}");
    Refusal::new(Code::UpstreamUnavailable, message, "see the provider's answer")
}

//! HTTP transport to model providers, and the simulated provider.
//!
//! An [`Upstream`] is a place that answers model calls: a base URL with credentials, time-outs, a breaker and a retry
//! budget, or the [simulated provider](sim) in this process. It sends one attempt at a time and says what became of
//! it; which upstream to try, and how often, is the gateway's decision. Nothing here reads or meters an answer.

mod body;
mod breaker;
mod client;
mod connect;
mod dispatch;
mod fetch;
mod http1;
mod post;
mod requester;
mod retry;
pub mod sim;
mod tls;
mod upstream;

pub use body::{AnswerBody, BodyError};
pub use breaker::{Admission, Breaker, BreakerSettings, BreakerState};
pub use client::SendError;
pub use dispatch::Dispatch;
pub use fetch::{FetchError, FetchLimits, fetch};
pub use http1::Http1Body;
pub use post::{Posted, Poster};
pub use requester::Requester;
pub use retry::{RetryBudget, backoff, retry_after, status_is_retryable};
pub use tls::{TlsError, client_config};
pub use upstream::{
    BaseUrl, BaseUrlError, Credentials, Place, Timeouts, Transport, Upstream, UpstreamSettings,
};

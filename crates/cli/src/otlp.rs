//! Sending spans to a collector over OTLP/HTTP: where to, one request at a time, and trying again.
//!
//! Protocol: <https://opentelemetry.io/docs/specs/otlp/#otlphttp>. [`live`] does it while the server runs;
//! `seawall trace export --otlp URL` does it afterwards.

pub(crate) mod live;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, Uri};
use seawall_base::backoff::Backoff;
use seawall_llm_client::{FetchLimits, Posted, Poster, TlsError, client_config};
use serde::Deserialize;
use serde_json::Value;

/// Spans of one request: what OpenTelemetry's own exporters send at most.
pub(crate) const BATCH: usize = 512;
/// Each exchange; the default of OpenTelemetry's exporters.
const LIMITS: FetchLimits = FetchLimits { time: Duration::from_secs(10), bytes: 64 * 1024 };
/// How often one request is sent before it is given up: about half a minute at most.
const TRIES: u32 = 6;
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Where spans are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint(Uri);

impl FromStr for Endpoint {
    type Err = String;

    /// The base URL of a collector, to which the path of traces is added, or the URL with that path.
    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || "this is no URL of a collector; for example: http://localhost:4318".to_owned();
        let url: Uri = text.parse().map_err(|_| refused())?;
        let authority = url.authority().ok_or_else(refused)?;
        if !matches!(url.scheme_str(), Some("http" | "https")) || url.query().is_some() {
            return Err(refused());
        }
        if authority.as_str().contains('@') {
            return Err(
                "a URL with a name and a password in it would end up in logs; leave them out".to_owned()
            );
        }
        if url.path().ends_with("/v1/traces") {
            return Ok(Self(url));
        }
        format!("{}/v1/traces", text.trim_end_matches('/')).parse().map(Self).map_err(|_| refused())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a request was given up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Undelivered {
    /// The collector won't have it, whenever it is sent.
    #[error("the collector refuses the spans: {0}")]
    Refused(String),
    /// It could not be reached, or asked to be left alone, each time.
    #[error("the collector takes no spans now: {0}")]
    Unavailable(String),
}

/// What came of sending a request once.
#[derive(Debug)]
enum Sent {
    /// The collector has it, but for so many spans.
    Taken { rejected: u64 },
    /// It may be sent again.
    Later { after: Option<Duration>, why: String },
    /// It must not be sent again.
    Refused(String),
}

/// A collector.
#[derive(Debug, Clone)]
pub(crate) struct Collector {
    poster: Poster,
}

impl Collector {
    pub(crate) fn new(endpoint: &Endpoint) -> Result<Self, TlsError> {
        Ok(Self { poster: Poster::new(endpoint.0.clone(), &client_config()?, LIMITS) })
    }

    /// Sends a request until it is taken, refused, or given up; gives back how many of its spans were rejected.
    pub(crate) async fn deliver(&self, request: String) -> Result<u64, Undelivered> {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT, u64::from(std::process::id()));
        let request = Bytes::from(request);
        loop {
            match self.send(request.clone()).await {
                Sent::Taken { rejected } => return Ok(rejected),
                Sent::Refused(why) => return Err(Undelivered::Refused(why)),
                Sent::Later { after, why } => {
                    let wait = backoff.next_delay();
                    if backoff.attempts() >= TRIES {
                        return Err(Undelivered::Unavailable(why));
                    }
                    tokio::time::sleep(after.unwrap_or(wait).min(LONGEST_WAIT)).await;
                }
            }
        }
    }

    async fn send(&self, request: Bytes) -> Sent {
        match self.poster.post("application/json", request).await {
            Ok(posted) => judge(&posted),
            Err(error) => Sent::Later { after: None, why: error.to_string() },
        }
    }
}

/// What an answer means: these four statuses may be tried again, no others.
fn judge(posted: &Posted) -> Sent {
    let again = [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::BAD_GATEWAY,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::GATEWAY_TIMEOUT,
    ];
    match posted.status {
        status if status.is_success() => Sent::Taken { rejected: rejected(&posted.body) },
        status if again.contains(&status) => {
            Sent::Later { after: posted.retry_after, why: format!("it answered {status}") }
        }
        status => Sent::Refused(format!("it answered {status}")),
    }
}

/// How many spans were not taken, as the answer says. Some collectors write the number as a string and some don't.
fn rejected(body: &[u8]) -> u64 {
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct Answer {
        partial_success: Partial,
    }
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct Partial {
        rejected_spans: Value,
    }
    match serde_json::from_slice::<Answer>(body).unwrap_or_default().partial_success.rejected_spans {
        Value::Number(number) => number.as_u64().unwrap_or_default(),
        Value::String(text) => text.parse().unwrap_or_default(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_base_url_or_the_whole_one() {
        for (text, url) in [
            ("http://localhost:4318", "http://localhost:4318/v1/traces"),
            ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
            ("https://otel.example.com/base", "https://otel.example.com/base/v1/traces"),
            ("https://otel.example.com/v1/traces", "https://otel.example.com/v1/traces"),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), url);
        }
        for text in
            ["", "localhost:4318", "last", "grpc://x:4317", "http://u:p@host", "http://x/?a=b", "file:///x"]
        {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_answer_says_whether_to_try_again() {
        let answer = |status: u16, body: &'static str| Posted {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: Some(Duration::from_secs(3)),
            body: Bytes::from_static(body.as_bytes()),
        };
        let rejected = |body| match judge(&answer(200, body)) {
            Sent::Taken { rejected } => rejected,
            other => panic!("{other:?}"),
        };
        assert_eq!(rejected(""), 0);
        assert_eq!(rejected(r#"{"partialSuccess":{"rejectedSpans":"7","errorMessage":"x"}}"#), 7);
        assert_eq!(rejected(r#"{"partialSuccess":{"rejectedSpans":7}}"#), 7);
        for status in [429, 502, 503, 504] {
            let after = Some(Duration::from_secs(3));
            assert!(matches!(judge(&answer(status, "")), Sent::Later { after: is, .. } if is == after));
        }
        for status in [301, 400, 401, 404, 500] {
            assert!(matches!(judge(&answer(status, "")), Sent::Refused(_)), "{status}");
        }
    }
}

//! A place that answers model calls.

use std::fmt;
use std::pin::pin;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri};
use http_body_util::Full;
use seawall_llm::request::LimitName;
use seawall_llm::wire::{Dialect, is_version};
use seawall_types::{Pattern, Secret};
use tokio::time::{Instant, timeout_at};

use crate::client::HttpClient;
use crate::http1::Pool;
use crate::sim::Sim;
use crate::{AnswerBody, Breaker, BreakerSettings, Dispatch, RetryBudget, SendError};

/// Where credentials of an upstream come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// This key is sent, in the header that the provider wants; the caller's is dropped.
    Key(Secret<String>),
    /// What the caller sent is passed through, unless it is a key of ours.
    Passthrough,
    /// None are sent.
    None,
}

/// How long to wait for an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// From the request until the answer begins.
    pub first_byte: Duration,
    /// Between two pieces of the answer.
    pub idle: Duration,
    /// For the whole call.
    pub total: Duration,
}

/// What the configuration says of an upstream.
#[derive(Debug, Clone, PartialEq)]
pub struct UpstreamSettings {
    /// The name, for routes, metrics and the trace.
    pub name: String,
    /// Whose wire formats it speaks; `None`: all of them (a relay, or the simulated provider).
    pub dialect: Option<Dialect>,
    /// Credentials.
    pub credentials: Credentials,
    /// Models that it serves. Empty: any.
    pub models: Vec<Pattern>,
    /// Its share among upstreams of the same priority.
    pub weight: u32,
    /// Lower is tried first.
    pub priority: u32,
    /// Headers that every request gets.
    pub headers: HeaderMap,
    /// Calls at the same time, at most.
    pub max_in_flight: usize,
    /// Time-outs.
    pub timeouts: Timeouts,
    /// Tries after the first, at most.
    pub retry_attempts: u32,
    /// Retries for each request, over all of them.
    pub retry_budget: f64,
    /// When to rest.
    pub breaker: BreakerSettings,
    /// What it calls the most tokens of a chat's answer.
    pub output_limit: LimitName,
    /// Whether it may be asked for usage in streams.
    pub include_usage: bool,
}

/// What carries a request to an upstream.
pub enum Transport {
    /// HTTP to this address; one pool for each worker thread.
    Http {
        /// The address.
        base: BaseUrl,
        /// TLS for it.
        tls: Arc<rustls::ClientConfig>,
    },
    /// The simulated provider in this process.
    Sim(Sim),
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { base, .. } => write!(f, "Http({base})"),
            Self::Sim(_) => f.write_str("Sim"),
        }
    }
}

#[derive(Debug)]
enum Carrier {
    Http(Box<Network>),
    Sim(Sim),
}

/// What carries requests over the network: connections for each worker, and those that are upgraded.
#[derive(Debug)]
struct Network {
    base: BaseUrl,
    roads: Vec<Road>,
    upgrades: HttpClient,
}

/// How a worker's requests go.
#[derive(Debug)]
enum Road {
    /// In clear, which is HTTP/1.1.
    Clear(Pool),
    /// Over TLS, where both sides agree on the version.
    Tls(Box<HttpClient>),
}

/// A place that answers model calls, with its state of health. Shared by all workers.
#[derive(Debug)]
pub struct Upstream {
    /// What the configuration says.
    pub settings: UpstreamSettings,
    /// Whether it rests.
    pub breaker: Breaker,
    /// The retries it can still afford.
    pub retries: RetryBudget,
    carrier: Carrier,
    in_flight: AtomicUsize,
}

/// A place among the calls that an upstream takes at the same time. Given back when dropped.
#[derive(Debug)]
pub struct Place(Arc<Upstream>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Upstream {
    /// An upstream with connection pools for `workers` threads.
    #[must_use]
    pub fn new(settings: UpstreamSettings, transport: Transport, workers: usize) -> Self {
        let carrier = match transport {
            Transport::Http { base, tls } => {
                let connect = settings.timeouts.connect;
                let road = || {
                    if base.is_clear() {
                        Road::Clear(Pool::new(connect))
                    } else {
                        Road::Tls(Box::new(HttpClient::new(&tls, connect)))
                    }
                };
                let roads = std::iter::repeat_with(road).take(workers.max(1)).collect();
                let upgrades = HttpClient::for_upgrades(&tls, connect);
                Carrier::Http(Box::new(Network { base, roads, upgrades }))
            }
            Transport::Sim(sim) => Carrier::Sim(sim),
        };
        let (breaker, retries) = (Breaker::new(settings.breaker), RetryBudget::new(settings.retry_budget));
        Self { settings, breaker, retries, carrier, in_flight: AtomicUsize::new(0) }
    }

    /// Whether it serves this model. A request without a model is served by any.
    #[must_use]
    pub fn serves(&self, model: Option<&str>) -> bool {
        let models = &self.settings.models;
        models.is_empty() || model.is_none_or(|model| models.iter().any(|pattern| pattern.matches(model)))
    }

    /// A place among the calls that it takes at the same time; `None` when all are taken.
    #[must_use]
    pub fn enter(self: &Arc<Self>) -> Option<Place> {
        let most = self.settings.max_in_flight;
        let add = |calls: usize| (calls < most).then_some(calls + 1);
        self.in_flight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok()?;
        Some(Place(Arc::clone(self)))
    }

    /// Whether it is what this configuration would make: the same settings at the same address; `None` is the simulated
    /// provider. Then its connections, its breaker and its counts are worth keeping.
    #[must_use]
    pub fn is_as(&self, settings: &UpstreamSettings, base: Option<&BaseUrl>) -> bool {
        let own = match &self.carrier {
            Carrier::Http(network) => Some(&network.base),
            Carrier::Sim(_) => None,
        };
        self.settings == *settings && own == base
    }

    /// Whether this is the simulated provider in this process.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        matches!(self.carrier, Carrier::Sim(_))
    }

    /// Sends one attempt and waits for the beginning of the answer, `until` then at the latest. `request.uri` is a path with
    /// a query; address and credentials are put in here, in the header that its kind wants (where it is of any kind,
    /// `dialect`). `dispatch` tells from then on whether it has gone out. Dropping the future cancels the call.
    ///
    /// # Errors
    /// When no answer begins, with the reason. Nothing is retried here.
    pub async fn send(
        &self,
        worker: usize,
        dialect: Dialect,
        mut request: Request<Bytes>,
        until: Instant,
        dispatch: &Dispatch,
    ) -> Result<Response<AnswerBody>, SendError> {
        self.prepare(dialect, &mut request);
        match &self.carrier {
            Carrier::Sim(sim) => self.simulated(sim, request, until, dispatch).await,
            Carrier::Http(network) => {
                self.in_time(until, pin!(network.send(worker, request, dispatch))).await
            }
        }
    }

    /// Sends a request for a protocol upgrade, on a connection of its own, and waits for the answer's head. After a 101,
    /// `hyper::upgrade::on` the answer gives the connection. The simulated provider upgrades to nothing.
    ///
    /// # Errors
    /// As [`Upstream::send`].
    pub async fn send_upgrade(
        &self,
        dialect: Dialect,
        mut request: Request<Bytes>,
        until: Instant,
        dispatch: &Dispatch,
    ) -> Result<Response<AnswerBody>, SendError> {
        self.prepare(dialect, &mut request);
        match &self.carrier {
            Carrier::Sim(sim) => self.simulated(sim, request, until, dispatch).await,
            Carrier::Http(network) => {
                self.in_time(until, Box::pin(network.send_upgrade(request, dispatch))).await
            }
        }
    }

    /// In a box, since it is several times as large as a call over the network, which would carry the room for it.
    async fn simulated(
        &self,
        sim: &Sim,
        request: Request<Bytes>,
        until: Instant,
        dispatch: &Dispatch,
    ) -> Result<Response<AnswerBody>, SendError> {
        dispatch.begin();
        let request = request.map(Full::new);
        let call = Box::pin(async { Ok(sim.call(request).await.map(AnswerBody::Sim)) });
        self.in_time(until, call).await
    }

    /// What comes first: the answer, or the end of the time for its first byte or for the whole call. One timer for both.
    /// The call stays where it is: moved in here it would take its room twice.
    async fn in_time<T>(
        &self,
        until: Instant,
        call: impl Future<Output = Result<T, SendError>> + Unpin,
    ) -> Result<T, SendError> {
        let Timeouts { first_byte, total, .. } = self.settings.timeouts;
        let (end, allowed) = match Instant::now() + first_byte {
            end if end <= until => (end, first_byte),
            _ => (until, total),
        };
        timeout_at(end, call).await.unwrap_or(Err(SendError::FirstByteTimeout(allowed)))
    }

    /// Puts our credentials and configured headers in. The caller has already dropped what must not pass.
    fn prepare(&self, dialect: Dialect, request: &mut Request<Bytes>) {
        // Where Google speaks OpenAI's wire formats it wants its key in OpenAI's manner.
        let is_compatible = request
            .uri()
            .path()
            .get(..OPENAI_AT_GOOGLE.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(OPENAI_AT_GOOGLE));
        let kind = self.settings.dialect.unwrap_or(dialect);
        let kind = if is_compatible { Dialect::OpenAi } else { kind };
        let headers = request.headers_mut();
        for (name, value) in &self.settings.headers {
            headers.insert(name.clone(), value.clone());
        }
        if let Credentials::Key(key) = &self.settings.credentials {
            let (name, value) = credential(kind, key);
            if let Ok(mut value) = HeaderValue::from_str(&value) {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
    }
}

impl Network {
    async fn send(
        &self,
        worker: usize,
        mut request: Request<Bytes>,
        dispatch: &Dispatch,
    ) -> Result<Response<AnswerBody>, SendError> {
        match self.roads.get(worker % self.roads.len()) {
            Some(Road::Clear(pool)) => {
                let target = self.base.join(path_and_query(request.uri()));
                let sent = pool.send(&self.base.address, &self.base.host, &target, request, dispatch);
                Ok(sent.await?.map(AnswerBody::Http1))
            }
            Some(Road::Tls(client)) => {
                self.base.apply(&mut request)?;
                Ok(client.send(request, dispatch).await?.map(AnswerBody::Http))
            }
            None => Err(SendError::Connect("no connection pool".to_owned())),
        }
    }

    async fn send_upgrade(
        &self,
        mut request: Request<Bytes>,
        dispatch: &Dispatch,
    ) -> Result<Response<AnswerBody>, SendError> {
        self.base.apply(&mut request)?;
        Ok(self.upgrades.send(request, dispatch).await?.map(AnswerBody::Http))
    }
}

fn path_and_query(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |path| path.as_str())
}

/// The beginning of the paths under which Google speaks OpenAI's wire formats.
const OPENAI_AT_GOOGLE: &str = "/v1beta/openai/";

/// The header that carries a key to a provider of this dialect.
fn credential(dialect: Dialect, key: &Secret<String>) -> (HeaderName, String) {
    match dialect {
        Dialect::OpenAi => (AUTHORIZATION, format!("Bearer {}", key.expose())),
        Dialect::Anthropic => (HeaderName::from_static("x-api-key"), key.expose().clone()),
        Dialect::Gemini => (HeaderName::from_static("x-goog-api-key"), key.expose().clone()),
    }
}

/// The text is no address of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// Not an absolute http or https URL.
    #[error("not a URL like https://api.openai.com/v1")]
    NotAUrl,
    /// It carries a user name, a query or a fragment.
    #[error("an upstream's URL has no user name, query or fragment; put the key into api_key")]
    Extra,
}

/// The address of an upstream: scheme, authority and the path before the provider's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    /// Scheme and authority, with the path `/`.
    address: Uri,
    /// The authority as every request names it.
    host: HeaderValue,
    prefix: String,
}

impl BaseUrl {
    /// The host, without a port.
    #[must_use]
    pub fn host(&self) -> &str {
        self.address.host().unwrap_or("")
    }

    /// Whether it is called without TLS.
    fn is_clear(&self) -> bool {
        self.address.scheme() == Some(&Scheme::HTTP)
    }

    /// Makes the request's URI absolute and its `Host` that of the upstream.
    fn apply(&self, request: &mut Request<Bytes>) -> Result<(), SendError> {
        let refused = |error: &dyn fmt::Display| {
            SendError::Connect(format!("the request's path can't be sent: {error}"))
        };
        let path = self.join(path_and_query(request.uri()));
        let mut parts = self.address.clone().into_parts();
        parts.path_and_query = Some(path.parse().map_err(|error| refused(&error))?);
        *request.uri_mut() = Uri::from_parts(parts).map_err(|error| refused(&error))?;
        request.headers_mut().insert(HOST, self.host.clone());
        Ok(())
    }

    /// The path at the upstream. People write base URLs with and without the version (`/v1`), and it must not stand there twice.
    /// Where the base ends in another number (`/api/paas/v4`), that is what this provider calls the `/v1` that every client of
    /// OpenAI's asks for. Nothing else of a path is changed: it would lead elsewhere than was judged.
    fn join(&self, path: &str) -> String {
        // Gemini takes files at /upload/v1beta/files.
        let (upload, rest) = path.split_at(if path.starts_with("/upload/") { "/upload".len() } else { 0 });
        let asked =
            rest.get(1..).and_then(|rest| rest.split(['/', '?']).next()).filter(|word| is_version(word));
        let written = self.prefix.rsplit_once('/').filter(|(_, last)| is_version(last));
        match (asked, written) {
            (Some("v1"), Some((before, version))) if is_number(version) => {
                let behind = rest.get("/v1".len()..).unwrap_or_default();
                format!("{before}{upload}/{version}{behind}")
            }
            (Some(_), Some((before, _))) => format!("{before}{path}"),
            _ => format!("{}{path}", self.prefix),
        }
    }
}

/// Whether a version is a number alone: `v4`.
fn is_number(version: &str) -> bool {
    version.bytes().skip(1).all(|byte| byte.is_ascii_digit())
}

impl FromStr for BaseUrl {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('#') || text.contains('?') {
            return Err(BaseUrlError::Extra);
        }
        let parts = text.parse::<Uri>().map_err(|_| BaseUrlError::NotAUrl)?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(BaseUrlError::NotAUrl);
        };
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err(BaseUrlError::NotAUrl);
        }
        if authority.as_str().contains('@') {
            return Err(BaseUrlError::Extra);
        }
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| BaseUrlError::NotAUrl)?;
        let prefix = parts
            .path_and_query
            .map_or_else(String::new, |path| path.path().trim_end_matches('/').to_owned());
        let address = Uri::builder().scheme(scheme).authority(authority).path_and_query("/").build();
        Ok(Self { address: address.map_err(|_| BaseUrlError::NotAUrl)?, host, prefix })
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.address.scheme_str().unwrap_or("");
        let authority = self.address.authority().map_or("", Authority::as_str);
        write!(f, "{scheme}://{authority}{}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_never_stands_twice() {
        for (base, path, expected) in [
            ("https://api.openai.com/v1", "/v1/chat/completions", "/v1/chat/completions"),
            ("https://api.openai.com", "/v1/chat/completions", "/v1/chat/completions"),
            ("https://api.openai.com/v1/", "/v1/models?x=1", "/v1/models?x=1"),
            ("https://host/proxy/v1", "/v1/models", "/proxy/v1/models"),
            ("https://host/v1beta", "/v1beta/models/m:generateContent", "/v1beta/models/m:generateContent"),
            ("https://host/v1beta", "/v1/models", "/v1/models"),
            ("https://host/api/paas/v4", "/v1/chat/completions?x=1", "/api/paas/v4/chat/completions?x=1"),
            ("https://host/api/paas/v4/", "/v1", "/api/paas/v4"),
            ("https://host/v1", "/v2/rerank", "/v2/rerank"),
            ("https://host/v1beta", "/v1alpha/models", "/v1alpha/models"),
            ("https://host/v1/acme/google", "/v1/models/m:predict", "/v1/acme/google/v1/models/m:predict"),
            ("https://host/v4", "/upload/v1/files", "/upload/v4/files"),
            ("https://host/video", "/v1/models", "/video/v1/models"),
            ("https://host/x", "/files", "/x/files"),
            ("https://host/v1beta", "/upload/v1beta/files", "/upload/v1beta/files"),
            ("https://host", "/upload/v1beta/files?x=1", "/upload/v1beta/files?x=1"),
        ] {
            assert_eq!(base.parse::<BaseUrl>().unwrap().join(path), expected, "{base} + {path}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in
            ["", "api.openai.com", "ftp://x/", "/v1", "https://u:p@host/", "https://host/?key=1", "http://"]
        {
            assert!(text.parse::<BaseUrl>().is_err(), "{text}");
        }
    }
}

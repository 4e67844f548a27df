//! A connection to addresses that were judged before, and to no others: no name is looked up a second time.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Ready, ready};
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, USER_AGENT};
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;
use tower_service::Service;
use url::Url;

use crate::Failure;

/// How long a connection may take, all addresses together.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// Where a request goes.
#[derive(Debug, Clone)]
pub(super) struct Pinned(Vec<SocketAddr>);

impl Pinned {
    pub(super) fn to(addresses: &[IpAddr]) -> Self {
        // The connector puts the URL's port in.
        Self(addresses.iter().map(|address| SocketAddr::new(*address, 0)).collect())
    }

    /// Asks for a document; gives the answer's head. No proxy, no credentials, no cookies, no compression.
    pub(super) async fn get(
        &self,
        tls: &rustls::ClientConfig,
        url: &Url,
    ) -> Result<Response<Incoming>, Failure> {
        let uri: Uri = url.as_str().parse().map_err(|error| Failure::new(format!("no URL: {error}")))?;
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(USER_AGENT, HeaderValue::from_static("seawall"));
        let mut tcp = HttpConnector::new_with_resolver(self.clone());
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_TIME));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = legacy::Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        client.request(request).await.map_err(|error| {
            Failure::new(format!(
                "{} gave no answer: {}",
                url.host_str().unwrap_or_default(),
                innermost(&error)
            ))
        })
    }
}

impl Service<Name> for Pinned {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _name: Name) -> Self::Future {
        ready(Ok(self.0.clone().into_iter()))
    }
}

/// The text of the innermost cause: the outer ones repeat that a request failed.
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

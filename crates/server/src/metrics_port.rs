//! `/metrics` on a port of its own, for those who keep it away from the callers of models.
//!
//! It is served beside the workers, also while they are busy or stop.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::listener::{BindError, PAUSE, listen, resolve};
use crate::service::own;
use crate::{App, api};

/// Scrapers at the same time: a handful is usual.
const CONNECTIONS: usize = 64;
/// How long one may take, from its connection to the last byte of its answer. Each connection is for one request, so that
/// nobody keeps the others out.
const PATIENCE: Duration = Duration::from_secs(10);

/// A listening socket for scrapers.
#[derive(Debug)]
pub(crate) struct MetricsPort {
    listener: std::net::TcpListener,
}

impl MetricsPort {
    /// Listens; `wanted` is an address and a port.
    pub(crate) fn bind(wanted: &str) -> Result<Self, BindError> {
        let wanted = resolve(wanted)?;
        let refused = |error| BindError::Refused { key: "metrics.listen", address: wanted, cause: error };
        let listener = listen(wanted).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        tracing::info!(url = format!("http://{address}/metrics"), "metrics have a port of their own");
        Ok(Self { listener })
    }

    /// Answers scrapers until it is dropped.
    pub(crate) async fn serve(self, app: Arc<App>) {
        let listener = match TcpListener::from_std(self.listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "metrics can't be served"),
        };
        let routes = api::metrics_routes(&app);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                Some(_ended) = connections.join_next() => {}
                accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                    Ok((stream, peer)) => { connections.spawn(scrape(stream, peer, routes.clone())); }
                    Err(_) => tokio::time::sleep(PAUSE).await,
                },
            }
        }
    }
}

/// One connection of a scraper.
async fn scrape(stream: TcpStream, peer: SocketAddr, routes: Router) {
    let answer = service_fn(|request: hyper::Request<Incoming>| {
        let routes = routes.clone();
        async move { Ok::<_, Infallible>(own(routes, request.map(axum::body::Body::new)).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer);
    let ended = tokio::time::timeout(PATIENCE, connection).await;
    tracing::trace!(%peer, ?ended, "scraper's connection ended");
}

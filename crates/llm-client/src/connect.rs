//! The time for a connection: all of it, from the name's address to the end of the TLS handshake.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use tokio::time::timeout;
use tower_service::Service;

type BoxError = Box<dyn Error + Send + Sync>;

/// A connector that gives up in time, whatever it is that takes so long.
#[derive(Debug, Clone)]
pub(crate) struct InTime<C> {
    connector: C,
    time: Duration,
}

impl<C> InTime<C> {
    pub(crate) const fn new(connector: C, time: Duration) -> Self {
        Self { connector, time }
    }
}

impl<C> Service<Uri> for InTime<C>
where
    C: Service<Uri>,
    C::Error: Into<BoxError>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let (connecting, time) = (self.connector.call(address), self.time);
        Box::pin(async move {
            match timeout(time, connecting).await {
                Ok(connected) => connected.map_err(Into::into),
                Err(_elapsed) => Err(too_slow(time).into()),
            }
        })
    }
}

fn too_slow(time: Duration) -> io::Error {
    let message = format!("no connection within {}s", time.as_secs_f64());
    io::Error::new(io::ErrorKind::TimedOut, message)
}

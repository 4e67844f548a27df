//! Looking up names.

use std::fmt;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

/// Looks up names.
pub trait Resolver: Send + Sync + fmt::Debug {
    /// Every address that a name leads to. May block.
    ///
    /// # Errors
    /// When that can't be found out; it is treated as a name that leads nowhere.
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The resolver of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
    }
}

/// The addresses of a name, none where there is no telling.
pub(super) async fn resolve(resolver: &Arc<dyn Resolver>, host: &str) -> Vec<IpAddr> {
    let (resolver, host) = (Arc::clone(resolver), host.to_owned());
    let looked_up = tokio::task::spawn_blocking(move || resolver.resolve(&host)).await;
    looked_up.ok().and_then(Result::ok).unwrap_or_default()
}

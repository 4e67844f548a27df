//! The system's own look-up of names.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};

use seawall_checkpoint::tool::Resolver;

/// Asks the system, as any program would. Blocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        // The port is of no account here.
        let mut addresses: Vec<IpAddr> = (host, 0).to_socket_addrs()?.map(|address| address.ip()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        Ok(addresses)
    }
}

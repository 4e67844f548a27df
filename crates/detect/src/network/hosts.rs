//! Hosts as policies write them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use super::lookalikes::looks;

/// `example.com` (that name), `*.example.com` (every name below it, not itself), `*` (every name), an address, or a
/// network (`10.0.0.0/8`). Names are compared in ASCII and lower case, so `bücher.example` is `xn--bcher-kva.example`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// Every name and every address.
    Any,
    /// That name, and what it looks like.
    Name { name: String, looks: String },
    /// What ends in this, which begins with a dot, and what it looks like.
    Below { suffix: String, looks: String },
    /// Those addresses; a single one is a network of one.
    Network(IpNet),
}

/// How an address stands in a list of hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Listed {
    /// As part of a network.
    InNetwork,
    /// By itself.
    Alone,
}

/// The text is no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no host; write a name, `*.` and a name, an address or a network, without scheme, port and path"
)]
pub struct ParseHostPatternError(String);

impl HostPattern {
    /// Whether a target's host is meant: `host` in ASCII and lower case, `literal` its address when it is one.
    #[must_use]
    pub fn matches(&self, host: &str, literal: Option<IpAddr>) -> bool {
        match (&self.0, literal) {
            (Kind::Any, _) => true,
            (Kind::Network(network), Some(address)) => network.contains(&address),
            (Kind::Name { name, .. }, None) => name == host,
            (Kind::Below { suffix, .. }, None) => {
                host.len() > suffix.len() && host.ends_with(suffix.as_str())
            }
            (Kind::Network(_), None) | (Kind::Name { .. } | Kind::Below { .. }, Some(_)) => false,
        }
    }

    /// Whether it is this name, and no other.
    pub(super) fn is_name(&self, host: &str) -> bool {
        matches!(&self.0, Kind::Name { name, .. } if name == host)
    }

    /// Whether a name with this look (see `lookalikes`) could be taken for one that is meant.
    pub(super) fn looks_like(&self, name_looks: &str) -> bool {
        match &self.0 {
            Kind::Name { looks, .. } => looks == name_looks,
            Kind::Below { looks, .. } => name_looks.ends_with(looks.as_str()),
            Kind::Any | Kind::Network(_) => false,
        }
    }

    /// How the address is listed.
    pub(super) fn lists(&self, address: IpAddr) -> Option<Listed> {
        match &self.0 {
            Kind::Network(network) if network.contains(&address) => {
                Some(if network.prefix_len() == network.max_prefix_len() {
                    Listed::Alone
                } else {
                    Listed::InNetwork
                })
            }
            Kind::Network(_) | Kind::Any | Kind::Name { .. } | Kind::Below { .. } => None,
        }
    }
}

impl FromStr for HostPattern {
    type Err = ParseHostPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ParseHostPatternError(text.to_owned());
        if text == "*" {
            return Ok(Self(Kind::Any));
        }
        if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return Ok(Self(Kind::Network(IpNet::from(address))));
        }
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self(Kind::Network(network.trunc())));
        }
        let (name, below) = text.strip_prefix("*.").map_or((text, false), |name| (name, true));
        match url::Host::parse(name) {
            Ok(url::Host::Domain(name)) if !name.contains('*') && !name.is_empty() => {
                Ok(Self(named(name.trim_end_matches('.'), below)))
            }
            _ => Err(refuse()),
        }
    }
}

fn named(name: &str, below: bool) -> Kind {
    let shown = idna::domain_to_unicode(name).0;
    if below {
        Kind::Below { suffix: format!(".{name}"), looks: looks(&format!(".{shown}")) }
    } else {
        Kind::Name { name: name.to_owned(), looks: looks(&shown) }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Any => f.write_str("*"),
            Kind::Name { name, .. } => f.write_str(name),
            Kind::Below { suffix, .. } => write!(f, "*{suffix}"),
            Kind::Network(network) if network.prefix_len() == network.max_prefix_len() => {
                write!(f, "{}", network.addr())
            }
            Kind::Network(network) => write!(f, "{network}"),
        }
    }
}

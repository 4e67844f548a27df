//! URLs that an agent names, and the addresses that their hosts lead to.
//!
//! [`NetworkRules::judge_url`] decides everything that needs no look-up; the caller then resolves the name once and shows
//! every address to [`NetworkRules::judge_addresses`], connects to one of those and to no other (a second look-up could
//! give another answer), and starts again at every redirect. Nothing here resolves or connects.

use std::net::{IpAddr, Ipv4Addr};

use seawall_types::{Code, Severity};

use crate::Found;

mod embedded;
mod hosts;
mod lookalikes;
mod metadata;
mod names;
mod ranges;
mod written;

use hosts::Listed;
pub use hosts::{HostPattern, ParseHostPatternError};
use lookalikes::Suspicion;
use written::Written;

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
        let written = match written::read(url) {
            Ok(written) => written,
            Err(misread) => return JudgedUrl { target: None, found: vec![misread.found()] },
        };
        let mut found: Vec<Found> = written.misread.iter().map(|misread| misread.found()).collect();
        self.judge_scheme_and_port(&written, &mut found);
        self.judge_host(&written, &mut found);
        match written.literal {
            Some(address) => self.judge_address(&written.host, address, &mut found),
            None => self.judge_name(&written.host, &mut found),
        }
        let Written { scheme, host, port, literal, misread, .. } = written;
        JudgedUrl { target: misread.is_empty().then_some(Target { scheme, host, port, literal }), found }
    }

    /// Judges what the target's name led to. Every address must pass; none at all is `NET_UNRESOLVED`, and another than
    /// the one that the URL itself names is `NET_REBINDING`.
    #[must_use]
    pub fn judge_addresses(&self, target: &Target, addresses: &[IpAddr]) -> Vec<Found> {
        let mut found = Vec::new();
        if addresses.is_empty() {
            let message = format!("{} leads to no address", target.host);
            note(&mut found, Code::NetUnresolved, Severity::High, message, "check the name");
        }
        for address in addresses.iter().map(IpAddr::to_canonical) {
            if target.literal.is_some_and(|literal| literal.to_canonical() != address) {
                let message = format!("{} was to be connected to, not {address}", target.host);
                note(
                    &mut found,
                    Code::NetRebinding,
                    Severity::Critical,
                    message,
                    "connect to what was checked",
                );
            }
            self.judge_address(&target.host, address, &mut found);
        }
        found
    }

    fn judge_scheme_and_port(&self, written: &Written, found: &mut Vec<Found>) {
        let Written { scheme, port, .. } = written;
        if self.schemes.as_ref().is_some_and(|schemes| !schemes.contains(scheme)) {
            let message = format!("the scheme {scheme} is not allowed");
            note(
                found,
                Code::NetScheme,
                Severity::High,
                message,
                "use one of the policy's `network.schemes`",
            );
        }
        if self.ports.as_ref().is_some_and(|ports| !ports.contains(port)) {
            let message = format!("the port {port} is not allowed");
            note(found, Code::NetPort, Severity::High, message, "use one of the policy's `network.ports`");
        }
    }

    fn judge_host(&self, written: &Written, found: &mut Vec<Found>) {
        let patterns = self.hosts.as_deref().unwrap_or_default();
        let host = &written.host;
        let is_listed = patterns.iter().any(|pattern| pattern.matches(host, written.literal));
        if self.hosts.is_some() && !is_listed {
            let message = format!("the host {host} is not on the list of allowed ones");
            note(
                found,
                Code::NetHostNotAllowed,
                Severity::High,
                message,
                "add it to the policy's `network.hosts`",
            );
        }
        let Some(unicode) = written.unicode.as_deref().filter(|_| !self.lists_alone(host)) else { return };
        let looks = lookalikes::looks(unicode);
        let like = patterns.iter().find(|pattern| pattern.looks_like(&looks) && !pattern.matches(host, None));
        let message = match (like, lookalikes::suspicion(unicode)) {
            (Some(pattern), _) => format!("the host {host} looks like {pattern}, and is another"),
            (None, Some(Suspicion::MixedScripts)) => {
                format!("the host {host} mixes scripts, to look like another")
            }
            (None, Some(Suspicion::LooksLikeAscii)) => {
                format!("the host {host} looks like one in plain letters")
            }
            (None, None) => return,
        };
        note(
            found,
            Code::NetHostNotAllowed,
            Severity::High,
            message,
            "list the host by itself, if it is meant",
        );
    }

    fn judge_name(&self, host: &str, found: &mut Vec<Found>) {
        if self.lists_alone(host) {
            return;
        }
        if let Some(owner) = metadata::owner_of_name(host) {
            return note_metadata(found, host, owner);
        }
        if let Some(address) = names::address_in(host) {
            self.judge_address(host, address, found);
        }
        if self.private == Private::Deny && names::is_local(host) {
            let message = format!("{host} is a name of this machine or its network");
            note(found, Code::NetPrivateAddress, Severity::High, message, OPEN_PRIVATE);
        }
    }

    /// Judges an address that `host` is or leads to.
    fn judge_address(&self, host: &str, address: IpAddr, found: &mut Vec<Found>) {
        let opened = self.opened(address);
        // A metadata service's own name may lead to it, once that name stands in the list by itself.
        let is_meant = metadata::owner_of_name(host).is_some() && self.lists_alone(host);
        if opened == Some(Listed::Alone) || is_meant {
            return;
        }
        let embedded = || embedded_in(address).map(IpAddr::V4);
        if let Some(owner) = std::iter::once(address).chain(embedded()).find_map(metadata::owner_of_address) {
            return note_metadata(found, host, owner);
        }
        if opened.is_some() || self.private == Private::Allow {
            return;
        }
        if let Some(purpose) = std::iter::once(address).chain(embedded()).find_map(ranges::purpose) {
            let message = format!("{host} leads to {address}, which is not the internet's ({purpose})");
            note(found, Code::NetPrivateAddress, Severity::High, message, OPEN_PRIVATE);
        }
    }

    /// Whether the name stands in the list, not only one that covers it.
    fn lists_alone(&self, host: &str) -> bool {
        self.hosts.iter().flatten().any(|pattern| pattern.is_name(host))
    }

    /// How the address stands in the list.
    fn opened(&self, address: IpAddr) -> Option<Listed> {
        self.hosts.iter().flatten().filter_map(|pattern| pattern.lists(address)).max()
    }
}

const OPEN_PRIVATE: &str =
    "use a public host, list the address in the policy's `network.hosts`, or set `private: allow`";

fn embedded_in(address: IpAddr) -> impl Iterator<Item = Ipv4Addr> {
    let version6 = match address {
        IpAddr::V6(address) => Some(address),
        IpAddr::V4(_) => None,
    };
    version6.into_iter().flat_map(embedded::embedded)
}

fn note_metadata(found: &mut Vec<Found>, host: &str, owner: &str) {
    let message =
        format!("{host} is a metadata service ({owner}), which hands out the machine's credentials");
    let remedy = "keep agents away from it; if it is meant, list its address or name by itself";
    note(found, Code::NetMetadataService, Severity::Critical, message, remedy);
}

fn note(found: &mut Vec<Found>, code: Code, severity: Severity, message: String, remedy: &str) {
    let new = Found { code, severity, message, remedy: remedy.to_owned() };
    if !found.contains(&new) {
        found.push(new);
    }
}

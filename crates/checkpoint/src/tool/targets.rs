//! The hosts that a call leads to: looked up once, every address checked.

use std::fmt;
use std::io;
use std::net::IpAddr;

use seawall_detect::Found;
use seawall_detect::network::{NetworkRules, Target};
use seawall_policy::rule_of;
use seawall_types::Finding;

/// Looks up names.
pub trait Resolver: Send + Sync + fmt::Debug {
    /// Every address that a name leads to. May block.
    ///
    /// # Errors
    /// When that can't be found out; it is treated as a name that leads nowhere.
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// A host and what it led to when it was checked. Whoever connects goes to one of the addresses and looks nothing up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The name, in lower case, or the address as it was written.
    pub host: String,
    /// The port that was judged.
    pub port: u16,
    /// The addresses, all of them allowed; none where the policy has no rules about the network.
    pub addresses: Vec<IpAddr>,
}

/// Looks the targets up and says what speaks against them.
pub(super) fn resolve(
    rules: &NetworkRules,
    targets: &[Target],
    resolver: &dyn Resolver,
) -> (Vec<Resolved>, Vec<Finding>) {
    let (mut resolved, mut findings): (Vec<Resolved>, Vec<Finding>) = (Vec::new(), Vec::new());
    for target in targets {
        if resolved.iter().any(|known| known.host == target.host && known.port == target.port) {
            continue;
        }
        let known = resolved.iter().find(|known| known.host == target.host);
        let addresses = match (known, target.literal) {
            (Some(known), _) => known.addresses.clone(),
            (None, Some(literal)) => vec![literal],
            (None, None) => resolver.resolve(&target.host).unwrap_or_default(),
        };
        for finding in rules.judge_addresses(target, &addresses).into_iter().map(finding) {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
        resolved.push(Resolved { host: target.host.clone(), port: target.port, addresses });
    }
    (resolved, findings)
}

/// What was found, under the key of the policy that it comes from.
pub(super) fn finding(found: Found) -> Finding {
    let Found { code, severity, message, remedy } = found;
    Finding { rule: rule_of(code).to_owned(), code, severity, message, location: String::new(), remedy }
}

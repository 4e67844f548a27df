//! What a tool is seen to do while it runs, whatever its arguments said.
//!
//! Whoever watches the tool (hooks of its interpreter, a tracer) asks before it lets it happen. This judges what was seen
//! and nothing else: what can't be watched is held by a sandbox or not at all.

use std::net::IpAddr;
use std::sync::Arc;

use seawall_base::id;
use seawall_detect::Found;
use seawall_detect::network::NetworkRules;
use seawall_types::{ActionKind, Code, Effect, Event, EventKind, Finding, Mode, Severity, Verdict};
use serde::Serialize;

use super::targets::finding;
use super::{Resolver, ToolPermit};
use crate::{Denial, record};

/// So many addresses are remembered for one call.
const MOST_ADDRESSES: usize = 1_000;

/// Something that a tool is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observed<'a> {
    /// It opens, makes or removes a file. The path is absolute, or relative to the policy's root; a path relative to the
    /// working folder must be made absolute first.
    Path {
        /// What it does with it.
        effect: Effect,
        /// Which.
        path: &'a str,
    },
    /// It looks a name up.
    Name(&'a str),
    /// It connects.
    Connection {
        /// Where.
        address: IpAddr,
        /// To which port.
        port: u16,
    },
    /// It starts a program with these words.
    Command(&'a [&'a str]),
}

impl Observed<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Path { effect, .. } => effect.as_str(),
            Self::Name(_) => "resolve",
            Self::Connection { .. } => "connect",
            Self::Command(_) => Effect::Exec.as_str(),
        }
    }
}

impl ToolPermit {
    /// Judges what the tool is about to do.
    ///
    /// # Errors
    /// When the policy is against it and enforced: the tool must not do it. It is written down as a refused action whose
    /// parent is the call. Where findings don't refuse, they are written down as a note.
    pub fn observe(&self, seen: Observed<'_>, resolver: &dyn Resolver) -> Result<(), Denial> {
        let found = self.judge_observed(seen, resolver);
        if found.is_empty() {
            return Ok(());
        }
        let refuses = found.iter().any(|found| found.severity > Severity::Low);
        let findings: Vec<Finding> = found.into_iter().map(finding).collect();
        let verdict = self.policy().in_mode(if refuses { Verdict::Deny } else { Verdict::Warn });
        let (checkpoint, actor) = (self.checkpoint(), self.actor());
        if verdict == Verdict::Deny {
            let denial = Denial::by_policy(findings);
            let action = id::new_action(&**checkpoint.clock());
            let data = record::Denied {
                kind: ActionKind::ToolCall,
                name: &format!("{}: {}", self.name(), seen.name()),
                verdict,
                status: denial.code.http_status(),
                code: denial.code,
                findings: &denial.findings,
            };
            let event = Event::new(checkpoint.clock().now(), self.run(), EventKind::ActionDenied, &data);
            let event = Event { parent: Some(self.action()), ..event.about(action, Arc::clone(actor)) };
            checkpoint.trace().record(event);
            return Err(denial);
        }
        let data = Noted { observed: seen.name(), verdict, findings: &findings };
        let event = Event::new(checkpoint.clock().now(), self.run(), EventKind::Note, &data);
        checkpoint.trace().record(event.about(self.action(), Arc::clone(actor)));
        Ok(())
    }

    /// Whether the policy has nothing to say about the tool's doing this with the file of this path. Nothing is written down.
    #[must_use]
    pub fn lets_pass(&self, effect: Effect, path: &str) -> bool {
        self.policy().files().is_none_or(|rules| rules.judge(effect, path).found.is_empty())
    }

    fn judge_observed(&self, seen: Observed<'_>, resolver: &dyn Resolver) -> Vec<Found> {
        let policy = Arc::clone(self.policy());
        match seen {
            Observed::Path { effect, path } => {
                policy.files().map_or_else(Vec::new, |rules| rules.judge(effect, path).found)
            }
            Observed::Name(host) => {
                policy.network().map_or_else(Vec::new, |rules| self.judge_name(rules, host, resolver))
            }
            Observed::Connection { address, port } => {
                policy.network().map_or_else(Vec::new, |rules| self.judge_connection(rules, address, port))
            }
            Observed::Command(words) => {
                policy.commands().map_or_else(Vec::new, |rules| rules.judge_argv(words))
            }
        }
    }

    /// A name that is allowed is looked up here as well, so that the connection that follows can be told from others.
    fn judge_name(&self, rules: &NetworkRules, host: &str, resolver: &dyn Resolver) -> Vec<Found> {
        let written = match host.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            _ => host.to_owned(),
        };
        let judged = rules.judge_url(&format!("{}://{written}/", scheme(rules)));
        let mut found = judged.found;
        // Which port will be connected to is seen later.
        found.retain(|found| {
            judged.target.is_none() || !matches!(found.code, Code::NetPort | Code::NetScheme)
        });
        let Some(target) = judged.target.filter(|_| found.is_empty() || self.policy().mode == Mode::Warn)
        else {
            return found;
        };
        let addresses = match target.literal {
            Some(literal) => vec![literal],
            None => resolver.resolve(&target.host).unwrap_or_default(),
        };
        let refused = rules.judge_addresses(&target, &addresses);
        if !refused.is_empty() && !addresses.is_empty() {
            found.extend(self.rebound(&target.host, &addresses));
        }
        found.extend(refused);
        if found.is_empty() {
            let mut known = self.observed_addresses();
            let room = MOST_ADDRESSES.saturating_sub(known.len());
            known.extend(addresses.into_iter().take(room));
        }
        found
    }

    /// What it means that a name leads to addresses that are refused, when it led to others as the call was admitted.
    fn rebound(&self, host: &str, addresses: &[IpAddr]) -> Option<Found> {
        let before = self.addresses().iter().find(|resolved| resolved.host == host)?;
        let listed =
            |addresses: &[IpAddr]| addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
        Some(Found {
            code: Code::NetRebinding,
            severity: Severity::Critical,
            message: format!(
                "{host} led to {} when the call was admitted, and now to {}",
                listed(&before.addresses),
                listed(addresses)
            ),
            remedy: "connect to the address that was checked; find out who changes that name".to_owned(),
        })
    }

    fn judge_connection(&self, rules: &NetworkRules, address: IpAddr, port: u16) -> Vec<Found> {
        let written = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let judged = rules.judge_url(&format!("{}://{written}:{port}/", scheme(rules)));
        let mut found = judged.found;
        found.retain(|found| found.code != Code::NetScheme);
        // The address stands for a name that was allowed, if it is one of those that the name led to.
        let is_known =
            self.addresses().iter().flat_map(|resolved| &resolved.addresses).any(|known| *known == address)
                || self.observed_addresses().contains(&address);
        found.retain(|found| !is_known || found.code != Code::NetHostNotAllowed);
        found
    }
}

/// A scheme that the rules allow: at this depth none can be seen.
fn scheme(rules: &NetworkRules) -> &str {
    rules.schemes.as_ref().and_then(|schemes| schemes.first()).map_or("https", String::as_str)
}

/// `data` of a note about what was seen and let through.
#[derive(Serialize)]
struct Noted<'a> {
    observed: &'a str,
    verdict: Verdict,
    #[serde(serialize_with = "crate::findings::without_secrets")]
    findings: &'a [Finding],
}

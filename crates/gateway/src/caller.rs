//! Who calls: whoever holds an API key, looked up here by its hash, or a token, verified in `token`.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use seawall_budget::rate::Rate;
use seawall_policy::Policy;
use seawall_store::KeyRow;
use seawall_types::{Actor, KeyId, ParsePatternError, Pattern, RunId, Scope, Timestamp};
use smallvec::SmallVec;

use crate::CredentialError;
use crate::address::Network;

/// Whoever makes a request: the holder of an API key or a token, or nobody in particular.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    /// What rates count by: the key, or the holder of a token; `None`: the caller is anonymous.
    pub id: Option<KeyId>,
    /// How the trace names the caller.
    pub actor: Arc<Actor>,
    /// Requests and tokens a minute.
    pub rate: Rate,
    /// The policy for what is done on the caller's behalf; `None`: that of the configuration.
    pub policy: Option<Arc<Policy>>,
    /// The policy that the key names can't be read, so the key is good for nothing.
    pub lacks_policy: bool,
    /// Models that may be called; `None`: any.
    pub models: Option<Vec<Pattern>>,
    /// Addresses that may call; empty: any.
    pub addresses: Vec<IpNet>,
    /// When the key ends.
    pub expires_at: Option<Timestamp>,
    /// When the key was revoked.
    pub revoked_at: Option<Timestamp>,
    /// What else the key may do: `admin`, `operator`, `viewer`.
    pub roles: Vec<String>,
}

/// A key in the store can't be used as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallerError {
    /// One of its address ranges is none.
    #[error("key {name:?}: {address:?} is not an address range like 10.0.0.0/8")]
    Address {
        /// The key's name.
        name: String,
        /// What stands there.
        address: String,
    },
    /// One of its models is none.
    #[error("key {name:?}: model {model:?}: {source}")]
    Model {
        /// The key's name.
        name: String,
        /// What stands there.
        model: String,
        /// What is wrong with it.
        source: ParsePatternError,
    },
}

impl Caller {
    /// Whoever calls without a key of ours.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            id: None,
            actor: Arc::default(),
            rate: Rate { requests: None, tokens: None },
            policy: None,
            lacks_policy: false,
            models: None,
            addresses: Vec::new(),
            expires_at: None,
            revoked_at: None,
            roles: Vec::new(),
        }
    }

    fn from_row(row: &KeyRow, policy: Option<Result<Arc<Policy>, String>>) -> Result<Self, CallerError> {
        let network = |text: &String| {
            let refused = || CallerError::Address { name: row.name.clone(), address: text.clone() };
            text.parse().map(|Network(network)| network).map_err(|_| refused())
        };
        let model = |text: &String| {
            let refused = |source| CallerError::Model { name: row.name.clone(), model: text.clone(), source };
            text.parse().map_err(refused)
        };
        let models: Vec<Pattern> = row.models.iter().map(model).collect::<Result<_, _>>()?;
        Ok(Self {
            id: Some(row.id),
            actor: Arc::new(Actor {
                key: Some(row.name.as_str().into()),
                tenant: row.tenant.as_deref().map(Into::into),
                agent: None,
            }),
            rate: Rate { requests: row.rpm, tokens: row.tpm },
            lacks_policy: policy.as_ref().is_some_and(Result::is_err),
            policy: policy.and_then(Result::ok),
            models: Some(models).filter(|models| !models.is_empty()),
            addresses: row.ips.iter().map(network).collect::<Result<_, _>>()?,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            roles: row.scopes.clone(),
        })
    }

    /// Every scope whose budget pays for what this caller does in `run`.
    #[must_use]
    pub fn scopes(&self, run: RunId) -> SmallVec<[Scope; 4]> {
        let mut scopes = SmallVec::from_iter([Scope::Run(run), Scope::Global]);
        scopes.extend(self.actor.key.clone().map(Scope::Key));
        scopes.extend(self.actor.tenant.clone().map(Scope::Tenant));
        scopes
    }

    /// The caller's own policy, or else this one.
    pub(crate) fn policy_or<'a>(&'a self, configured: &'a Arc<Policy>) -> &'a Arc<Policy> {
        self.policy.as_ref().unwrap_or(configured)
    }

    /// Whether the caller may use this model.
    #[must_use]
    pub fn may_call(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.iter().any(|pattern| pattern.matches(model)))
    }

    /// Whether the key is good, now and from this address.
    ///
    /// # Errors
    /// Why it is not.
    pub fn verify(&self, now: Timestamp, address: IpAddr) -> Result<(), CredentialError> {
        self.verify_at(now)?;
        if self.may_call_from(address) { Ok(()) } else { Err(CredentialError::Address(address)) }
    }

    /// Whether the key is good now, for what comes from no address: an agent that was made with it acts within the server.
    ///
    /// # Errors
    /// Why it is not.
    pub fn verify_at(&self, now: Timestamp) -> Result<(), CredentialError> {
        if self.revoked_at.is_some_and(|at| at <= now) {
            return Err(CredentialError::Revoked);
        }
        if let Some(at) = self.expires_at.filter(|&at| at <= now) {
            return Err(CredentialError::Expired(at));
        }
        if self.lacks_policy { Err(CredentialError::Policy) } else { Ok(()) }
    }

    /// Whether the caller may come from this address.
    fn may_call_from(&self, address: IpAddr) -> bool {
        self.addresses.is_empty() || self.addresses.iter().any(|network| network.contains(&address))
    }
}

/// All API keys, by the BLAKE3 hash of the key. Immutable; a change makes a new ring.
#[derive(Clone, Default)]
pub struct KeyRing(HashMap<[u8; 32], Arc<Caller>>);

impl KeyRing {
    /// The ring of these keys. `policy` gives the policy of a name; where it can't, the key is known and good for nothing.
    ///
    /// # Errors
    /// When a key has an address range or a model that can't be read: it is not guessed at, since it keeps others out.
    pub fn new(
        rows: &[KeyRow],
        policy: impl Fn(&str) -> Result<Arc<Policy>, String>,
    ) -> Result<Self, CallerError> {
        let holder = |row: &KeyRow| {
            let caller = Caller::from_row(row, row.policy.as_deref().map(&policy))?;
            Ok((row.hash, Arc::new(caller)))
        };
        rows.iter().map(holder).collect::<Result<_, _>>().map(Self)
    }

    /// The holder of this key. The key is 32 random bytes and looked up by its hash, so that neither the time nor the
    /// outcome tells how near a guess is.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<&Arc<Caller>> {
        self.0.get(blake3::hash(key.as_bytes()).as_bytes())
    }

    /// The key of this name: the one that is good, if one is.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Arc<Caller>> {
        let is_named = |caller: &&Arc<Caller>| caller.actor.key.as_deref() == Some(name);
        self.0.values().filter(is_named).max_by_key(|caller| (caller.revoked_at.is_none(), caller.expires_at))
    }

    /// Whether there is any key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({} keys)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_for_some_addresses_is_good_within_the_server() {
        let addresses = vec!["10.0.0.0/8".parse().unwrap()];
        let revoked_at = Some(Timestamp::from_micros(10));
        let caller = Caller { addresses, revoked_at, ..Caller::anonymous() };
        let (now, later) = (Timestamp::from_micros(5), Timestamp::from_micros(10));
        let loopback = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(caller.verify(now, IpAddr::from([10, 1, 2, 3])), Ok(()));
        assert_eq!(caller.verify(now, loopback), Err(CredentialError::Address(loopback)));
        assert_eq!(caller.verify_at(now), Ok(()));
        assert_eq!(caller.verify_at(later), Err(CredentialError::Revoked));
    }
}

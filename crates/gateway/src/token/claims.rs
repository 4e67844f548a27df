//! What a token must say (RFC 7519 §4.1, RFC 8725 §3.8 to §3.10), and who its holder is.
//!
//! Only claims whose signature was checked come here. A claim of the wrong type is never passed over: a token whose tenant
//! can't be read would else be charged to nobody's budget.

use std::sync::Arc;
use std::time::Duration;

use seawall_budget::rate::Rate;
use seawall_types::{Actor, KeyId, Pattern, Timestamp};
use serde_json::{Map, Value};

use super::TokenError;
use crate::Caller;

/// How far the clocks of issuer and server may be apart.
const LEEWAY: Duration = Duration::from_secs(30);
/// The longest name of a caller or a tenant, in bytes: names stand in budgets, traces and metrics.
const MAX_NAME: usize = 128;
/// How the names of token holders begin, so that no token can take the name, and the budget, of an API key.
const PREFIX: &str = "jwt:";

/// Where a token tells what only we ask for. A name that begins with `/` is a JSON pointer, for claims within claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// The tenant, a text.
    pub tenant: String,
    /// What the holder may do on our own API, a list.
    pub roles: String,
    /// The models that the holder may call, a list.
    pub models: String,
}

/// What every token must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rules {
    pub(super) issuer: String,
    pub(super) audience: String,
    pub(super) names: ClaimNames,
}

/// While a token is good, leeway included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    from: Timestamp,
    until: Timestamp,
}

impl Validity {
    pub(super) fn contains(self, now: Timestamp) -> bool {
        self.from <= now && now < self.until
    }

    pub(super) fn is_over(self, now: Timestamp) -> bool {
        self.until <= now
    }
}

impl Rules {
    /// Checks the claims, and gives the holder with the time in which this holds.
    pub(super) fn check(
        &self,
        claims: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<(Caller, Validity), TokenError> {
        let validity = validity(claims, now)?;
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(refused("iss", "is not the configured issuer"));
        }
        if !self.is_audience(claims.get("aud")) {
            return Err(refused("aud", "does not name the configured audience"));
        }
        Ok((self.caller(claims)?, validity))
    }

    fn is_audience(&self, claim: Option<&Value>) -> bool {
        let is_ours = |value: &Value| value.as_str() == Some(&self.audience);
        match claim {
            Some(Value::Array(several)) => several.iter().any(is_ours),
            Some(one) => is_ours(one),
            None => false,
        }
    }

    fn caller(&self, claims: &Map<String, Value>) -> Result<Caller, TokenError> {
        let subject = claims.get("sub").ok_or_else(|| refused("sub", "is absent"))?;
        let key: Arc<str> = format!("{PREFIX}{}", name("sub", subject)?).into();
        let ClaimNames { tenant, roles, models } = &self.names;
        let tenant = find(claims, tenant).map(|value| name(tenant, value)).transpose()?;
        Ok(Caller {
            id: Some(identifier(&key)),
            actor: Arc::new(Actor { key: Some(key), tenant: tenant.map(Arc::from), agent: None }),
            rate: Rate { requests: None, tokens: None },
            policy: None,
            lacks_policy: false,
            models: find(claims, models).map(|value| patterns(models, value)).transpose()?,
            addresses: Vec::new(),
            expires_at: None, // The token's validity is checked with it, at each use.
            revoked_at: None,
            roles: find(claims, roles).map(|value| texts(roles, value)).transpose()?.unwrap_or_default(),
        })
    }
}

/// The same name has the same identifier, so that rates count over all tokens of one holder.
fn identifier(name: &str) -> KeyId {
    let hash = blake3::hash(name.as_bytes());
    KeyId::from_bytes(hash.as_bytes().first_chunk().copied().unwrap_or_default())
}

fn refused(claim: &str, problem: &'static str) -> TokenError {
    TokenError::Claim { claim: claim.to_owned(), problem }
}

fn find<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    let value = match name.strip_prefix('/') {
        None => claims.get(name),
        Some(pointer) => {
            let (first, rest) = pointer.split_at(pointer.find('/').unwrap_or(pointer.len()));
            claims.get(first)?.pointer(rest)
        }
    };
    value.filter(|value| !value.is_null())
}

fn validity(claims: &Map<String, Value>, now: Timestamp) -> Result<Validity, TokenError> {
    let exp = moment(claims, "exp")?.ok_or_else(|| refused("exp", "is absent"))?;
    let until = Timestamp::default().saturating_add(exp.saturating_add(LEEWAY));
    let nbf = moment(claims, "nbf")?.unwrap_or_default();
    let from = Timestamp::default().saturating_add(nbf.saturating_sub(LEEWAY));
    let validity = Validity { from, until };
    if validity.is_over(now) {
        return Err(TokenError::Expired(Timestamp::default().saturating_add(exp)));
    }
    if now < from {
        return Err(TokenError::NotYetValid(Timestamp::default().saturating_add(nbf)));
    }
    Ok(validity)
}

/// A time as seconds since the epoch, which may have a fraction (RFC 7519 §2, `NumericDate`).
fn moment(claims: &Map<String, Value>, claim: &str) -> Result<Option<Duration>, TokenError> {
    let Some(value) = claims.get(claim) else { return Ok(None) };
    let whole = value.as_u64().map(Duration::from_secs);
    let broken = || value.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    whole.or_else(broken).map(Some).ok_or_else(|| refused(claim, "is no time in seconds since 1970"))
}

/// A name that can stand in a budget, a line of the trace and a label.
fn name<'v>(claim: &str, value: &'v Value) -> Result<&'v str, TokenError> {
    match value.as_str() {
        None => Err(refused(claim, "is no text")),
        Some("") => Err(refused(claim, "is empty")),
        Some(text) if text.len() > MAX_NAME => Err(refused(claim, "is longer than 128 bytes")),
        Some(text) if text.contains(char::is_control) => Err(refused(claim, "has control characters")),
        Some(text) => Ok(text),
    }
}

fn texts(claim: &str, value: &Value) -> Result<Vec<String>, TokenError> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    value
        .as_array()
        .and_then(|items| items.iter().map(text).collect())
        .ok_or_else(|| refused(claim, "is no list of texts"))
}

/// Names of models. One that can't be read is not passed over: the token would call less than its issuer meant.
fn patterns(claim: &str, value: &Value) -> Result<Vec<Pattern>, TokenError> {
    let pattern = |text: &String| text.parse().map_err(|_| refused(claim, "has a name that is no model's"));
    texts(claim, value)?.iter().map(pattern).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules(names: &ClaimNames) -> Rules {
        Rules {
            issuer: "https://id.example".to_owned(),
            audience: "seawall".to_owned(),
            names: names.clone(),
        }
    }

    fn plain() -> ClaimNames {
        ClaimNames { tenant: "tenant".to_owned(), roles: "roles".to_owned(), models: "models".to_owned() }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    /// Claims that are good at 1,000 seconds, with these over them; null takes one away.
    fn claims(changes: &Value) -> Map<String, Value> {
        let mut claims =
            json!({ "iss": "https://id.example", "aud": "seawall", "sub": "alice", "exp": 2_000 });
        let map = claims.as_object_mut().unwrap();
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                map.remove(name);
            } else {
                map.insert(name.clone(), value.clone());
            }
        }
        map.clone()
    }

    fn check(changes: &Value) -> Result<Caller, TokenError> {
        rules(&plain()).check(&claims(changes), at(1_000)).map(|(caller, _)| caller)
    }

    #[test]
    fn a_good_token_names_its_holder() {
        let caller =
            check(&json!({ "tenant": "acme", "roles": ["viewer", "dean"], "models": ["gpt-*"] })).unwrap();
        assert_eq!(caller.actor.key.as_deref(), Some("jwt:alice"));
        assert_eq!(caller.actor.tenant.as_deref(), Some("acme"));
        assert_eq!(caller.roles, ["viewer", "dean"]);
        assert!(caller.may_call("gpt-5") && !caller.may_call("o1"));
        assert_eq!(caller.id, check(&json!({ "jti": 1 })).unwrap().id, "one holder, one identifier");
        assert_ne!(caller.id, check(&json!({ "sub": "bob" })).unwrap().id);
    }

    #[test]
    fn absent_models_are_all_and_an_empty_list_is_none() {
        assert!(check(&json!({})).unwrap().may_call("anything"));
        assert!(!check(&json!({ "models": [] })).unwrap().may_call("anything"));
    }

    #[test]
    fn issuer_and_audience_must_be_ours() {
        for (changes, claim) in [
            (json!({ "iss": null }), "iss"),
            (json!({ "iss": "https://id.example/" }), "iss"),
            (json!({ "iss": ["https://id.example"] }), "iss"),
            (json!({ "aud": null }), "aud"),
            (json!({ "aud": "Seawall" }), "aud"),
            (json!({ "aud": ["other", 7] }), "aud"),
            (json!({ "aud": [["seawall"]] }), "aud"),
            (json!({ "aud": {} }), "aud"),
        ] {
            let error = check(&changes).unwrap_err();
            assert!(
                matches!(&error, TokenError::Claim { claim: found, .. } if found == claim),
                "{changes} {error}"
            );
        }
        assert!(check(&json!({ "aud": ["other", "seawall"] })).is_ok());
    }

    #[test]
    fn times_hold_with_thirty_seconds_of_leeway() {
        for (changes, now, good) in [
            (json!({}), 2_029, true),
            (json!({}), 2_030, false),
            (json!({ "nbf": 1_000 }), 970, true),
            (json!({ "nbf": 1_000 }), 969, false),
            (json!({ "exp": 999.5 }), 1_029, true),
            (json!({ "exp": 999.5 }), 1_030, false),
            (json!({ "exp": 0 }), 29, true),
            (json!({ "exp": u64::MAX }), 4_000_000_000, true),
            (json!({ "exp": 1e300 }), 1_000, false),
            (json!({ "exp": -5 }), 1, false),
            (json!({ "exp": "2000" }), 1_000, false),
            (json!({ "exp": null }), 1_000, false),
            (json!({ "nbf": "0" }), 1_000, false),
        ] {
            assert_eq!(rules(&plain()).check(&claims(&changes), at(now)).is_ok(), good, "{changes} at {now}");
        }
        assert_eq!(
            rules(&plain()).check(&claims(&json!({})), at(3_000)).unwrap_err().to_string(),
            "the token expired at 1970-01-01T00:33:20.000000Z"
        );
    }

    #[test]
    fn names_that_could_spoil_a_label_are_refused() {
        for bad in [json!(7), json!(""), json!("a\nb"), json!("a\u{0}"), json!("x".repeat(129)), json!(["a"])]
        {
            assert!(check(&json!({ "sub": bad })).is_err(), "{bad}");
            assert!(check(&json!({ "tenant": bad })).is_err(), "{bad}");
        }
        assert!(check(&json!({ "sub": null })).is_err());
        assert!(check(&json!({ "sub": "x".repeat(128), "tenant": "größe" })).is_ok());
    }

    #[test]
    fn lists_of_another_type_are_refused() {
        for bad in [json!("admin"), json!([1]), json!({ "admin": true })] {
            assert!(check(&json!({ "roles": bad })).is_err(), "{bad}");
            assert!(check(&json!({ "models": bad })).is_err(), "{bad}");
        }
    }

    #[test]
    fn claims_within_claims_are_found_by_a_pointer() {
        let names = ClaimNames {
            tenant: "https://acme.example/tenant".to_owned(),
            roles: "/realm_access/roles".to_owned(),
            models: "/none/at/all".to_owned(),
        };
        let claims = claims(&json!({
            "https://acme.example/tenant": "acme",
            "realm_access": { "roles": ["operator"] },
        }));
        let (caller, _) = rules(&names).check(&claims, at(1_000)).unwrap();
        assert_eq!(
            (caller.actor.tenant.as_deref(), caller.roles.as_slice()),
            (Some("acme"), &["operator".to_owned()][..])
        );
        assert_eq!(caller.models, None);
    }
}

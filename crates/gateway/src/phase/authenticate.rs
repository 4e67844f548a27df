//! Authenticate: who calls, and whether they may from where they are.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use seawall_types::Code;

use super::Accepted;
use crate::refusal::Refusal;
use crate::{Caller, Gateway, Snapshot, header};

/// Finds out who calls. A key of ours is always checked; other credentials are the provider's business, and let through
/// where no key of ours is required.
pub(crate) fn authenticate(
    gateway: &Gateway,
    snapshot: &Snapshot,
    accepted: &Accepted,
) -> Result<Arc<Caller>, Refusal> {
    let Some(key) = own_key(accepted) else {
        return if snapshot.key_required {
            Err(Refusal::new(
                Code::Unauthenticated,
                "this server wants an API key of its own",
                "send a key made with `seawall keys create` as the client's API key",
            ))
        } else {
            Ok(gateway.anonymous())
        };
    };
    let keys = gateway.keys();
    let caller = keys.find(&key).ok_or_else(|| {
        Refusal::new(
            Code::Unauthenticated,
            "the API key is not known here",
            "check it with `seawall keys list`",
        )
    })?;
    check(caller, gateway, accepted)?;
    Ok(Arc::clone(caller))
}

fn check(caller: &Caller, gateway: &Gateway, accepted: &Accepted) -> Result<(), Refusal> {
    let now = gateway.clock().now();
    let make_another = "make another with `seawall keys create` or `seawall keys rotate`";
    if caller.revoked_at.is_some_and(|at| at <= now) {
        return Err(Refusal::new(Code::KeyRevoked, "the API key was revoked", make_another));
    }
    if let Some(at) = caller.expires_at.filter(|&at| at <= now) {
        return Err(Refusal::new(Code::KeyExpired, format!("the API key expired at {at}"), make_another));
    }
    if !caller.may_call_from(accepted.address) {
        let message = format!("the API key may not be used from {}", accepted.address);
        return Err(Refusal::new(Code::Forbidden, message, "call from an address that the key allows"));
    }
    Ok(())
}

/// A key of ours, wherever the SDK puts it: `Authorization: Bearer`, `x-api-key`, `x-goog-api-key` or `?key=`.
fn own_key(accepted: &Accepted) -> Option<String> {
    let is_ours = |text: &&str| text.starts_with(seawall_store::KEY_PREFIX);
    let in_headers = header::CREDENTIALS.iter().find_map(|name| {
        let text = accepted.headers.get(name)?.to_str().ok()?.trim();
        let bearer = || text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let text = if *name == AUTHORIZATION { bearer().map_or(text, |(_, key)| key.trim()) } else { text };
        Some(text).filter(is_ours)
    });
    let in_query =
        || accepted.query.as_deref()?.split('&').find_map(|pair| pair.strip_prefix("key=").filter(is_ours));
    in_headers.or_else(in_query).map(str::to_owned)
}

//! Authenticate: who calls, and whether they may from where they are.

use std::sync::Arc;

use seawall_store::KEY_PREFIX;
use seawall_types::{Code, Timestamp};

use crate::accepted::Accepted;
use crate::browser::is_foreign_page;
use crate::refusal::Refusal;
use crate::token::looks_like_token;
use crate::{Caller, Gateway, Snapshot, Tokens, header, websocket};

/// Finds out who calls. A key of ours is always checked, and so is a token where an issuer is configured; other
/// credentials are the provider's business, and let through where neither is required.
///
/// Tokens that are ours to check are taken out of the request here, whatever else happens to it: no upstream sees them.
pub(crate) fn authenticate(
    gateway: &Gateway,
    snapshot: &Snapshot,
    accepted: &mut Accepted,
) -> Result<Arc<Caller>, Refusal> {
    let caller = identify(gateway, snapshot, accepted);
    if snapshot.tokens.is_some() {
        header::remove_tokens(&mut accepted.headers);
        remove_token(&mut accepted.query);
        websocket::remove_tokens(&mut accepted.headers);
    }
    caller
}

fn identify(gateway: &Gateway, snapshot: &Snapshot, accepted: &Accepted) -> Result<Arc<Caller>, Refusal> {
    if let Some(key) = credential(accepted, |text| text.starts_with(KEY_PREFIX)) {
        return holder_of_key(gateway, accepted, key);
    }
    if let Some(tokens) = &snapshot.tokens
        && let Some(token) = credential(accepted, looks_like_token)
    {
        return holder_of_token(tokens, token, gateway.clock().now());
    }
    if accepted.handshake.is_some() && websocket::comes_from_a_page(&accepted.headers) {
        // What a page may fetch from here the browser decides; a websocket it lets every page of every site open.
        return Err(Refusal::new(
            Code::Forbidden,
            "a page in a browser may not open a websocket here without an API key of ours",
            "send a key made with `seawall keys create`, among the protocols as openai-insecure-api-key.KEY",
        ));
    }
    if !snapshot.key_required {
        if is_foreign_page(&accepted.headers) {
            return Err(Refusal::new(
                Code::Forbidden,
                "a page in a browser may not call from another site without an API key of ours",
                "send a key made with `seawall keys create`",
            ));
        }
        return Ok(gateway.anonymous());
    }
    let (wanted, remedy) = if snapshot.tokens.is_some() {
        ("an API key of its own, or a token", "send a token of the configured issuer as the client's API key")
    } else {
        ("an API key of its own", "send a key made with `seawall keys create` as the client's API key")
    };
    Err(Refusal::new(Code::Unauthenticated, format!("this server wants {wanted}"), remedy))
}

fn holder_of_key(gateway: &Gateway, accepted: &Accepted, key: &str) -> Result<Arc<Caller>, Refusal> {
    let keys = gateway.keys();
    let caller = keys.find(key).ok_or_else(|| {
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

fn holder_of_token(tokens: &Tokens, token: &str, now: Timestamp) -> Result<Arc<Caller>, Refusal> {
    tokens
        .verify(token, now)
        .map_err(|error| Refusal::new(Code::Unauthenticated, error.to_string(), error.remedy()))
}

/// The first credential that is `wanted`, wherever the SDK puts it: `Authorization: Bearer`, `x-api-key`,
/// `x-goog-api-key`, `?key=`, or the protocols of a websocket.
fn credential(accepted: &Accepted, wanted: impl Fn(&str) -> bool) -> Option<&str> {
    let in_headers = header::CREDENTIALS
        .into_iter()
        .flat_map(|name| accepted.headers.get_all(name))
        .filter_map(|value| value.to_str().ok())
        .map(header::without_scheme);
    let in_query =
        accepted.query.iter().flat_map(|query| query.split('&')).filter_map(|pair| pair.strip_prefix("key="));
    let in_protocols = accepted.handshake.and_then(|_| websocket::key(&accepted.headers));
    in_headers.chain(in_query).chain(in_protocols).find(|text| wanted(text))
}

/// Takes a token out of a query.
fn remove_token(query: &mut Option<String>) {
    let is_token = |pair: &str| pair.strip_prefix("key=").is_some_and(looks_like_token);
    if let Some(text) = query
        && text.split('&').any(is_token)
    {
        *text = text.split('&').filter(|pair| !is_token(pair)).collect::<Vec<_>>().join("&");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_a_query_is_taken_out_and_nothing_else() {
        let token = "eyJhbGciOiJFZERTQSJ9.e30.AAAA";
        for (query, left) in [
            (format!("key={token}"), ""),
            (format!("alt=sse&key={token}&a=key={token}"), &*format!("alt=sse&a=key={token}")),
            ("key=AIza.x.y&b".to_owned(), "key=AIza.x.y&b"),
        ] {
            let mut query = Some(query);
            remove_token(&mut query);
            assert_eq!(query.as_deref(), Some(left));
        }
    }
}

//! Authenticate: who calls, and whether they may from where they are.

use std::sync::Arc;

use seawall_types::Code;
use smallvec::SmallVec;

use crate::accepted::Accepted;
use crate::browser::is_foreign_page;
use crate::refusal::Refusal;
use crate::token::looks_like_token;
use crate::{Caller, Gateway, Register, Snapshot, header, presented, websocket};

/// Finds out who calls. A key of ours is always checked, and so is a token where an issuer is configured; other
/// credentials are the provider's business, and let through where neither is required.
///
/// Tokens that are ours to check are taken out of the request here, whatever else happens to it: no upstream sees them.
pub(crate) fn authenticate(
    gateway: &Gateway,
    snapshot: &Snapshot,
    accepted: &mut Accepted,
) -> Result<Arc<Caller>, Refusal> {
    if let Some(caller) = accepted.own_caller() {
        return Ok(Arc::clone(caller));
    }
    let caller = identify(gateway, snapshot, accepted);
    if snapshot.tokens.is_some() {
        header::remove_tokens(&mut accepted.headers);
        remove_token(&mut accepted.query);
        websocket::remove_tokens(&mut accepted.headers);
    }
    caller
}

fn identify(gateway: &Gateway, snapshot: &Snapshot, accepted: &Accepted) -> Result<Arc<Caller>, Refusal> {
    let keys = gateway.keys();
    let register = Register { keys: &keys, tokens: snapshot.tokens.as_deref() };
    let known = register.identify(&shown(accepted), accepted.address, accepted.at);
    match known {
        Ok(Some(caller)) => Ok(caller),
        Ok(None) => stranger(gateway, snapshot, accepted),
        Err(error) => Err(Refusal::new(error.code(), error.to_string(), error.remedy())),
    }
}

/// Whoever shows nothing of ours.
fn stranger(gateway: &Gateway, snapshot: &Snapshot, accepted: &Accepted) -> Result<Arc<Caller>, Refusal> {
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

/// Everything that could be a credential, wherever the SDK puts it: headers, `?key=`, or the protocols of a websocket.
fn shown(accepted: &Accepted) -> SmallVec<[&str; 2]> {
    let in_query =
        accepted.query.iter().flat_map(|query| query.split('&')).filter_map(|pair| pair.strip_prefix("key="));
    let in_protocols = accepted.handshake.and_then(|_| websocket::key(&accepted.headers));
    let mut shown = presented(&accepted.headers);
    shown.extend(in_query);
    shown.extend(in_protocols);
    shown
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

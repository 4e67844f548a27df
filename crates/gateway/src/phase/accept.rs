//! Accept: what the request line and the headers tell, and whether there is room for the request at all.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::header::ALLOW;
use http::request::Parts;
use seawall_base::id;
use seawall_llm::wire::{Dialect, Endpoint, Wire, endpoint};
use seawall_types::Code;

use crate::accepted::Accepted;
use crate::address::client_address;
use crate::refusal::Refusal;
use crate::websocket::Handshake;
use crate::{Gateway, Snapshot, header, websocket};

/// Prefixes that name the dialect of the upstream.
const DIALECT_PREFIXES: [(&str, Dialect); 3] =
    [("/openai", Dialect::OpenAi), ("/anthropic", Dialect::Anthropic), ("/gemini", Dialect::Gemini)];

/// Whether a path is the gateway's.
pub(crate) fn owns(path: &str) -> bool {
    ["/v1", "/v1beta", "/openai", "/anthropic", "/gemini", "/u"]
        .iter()
        .any(|prefix| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Reads the head. Infallible: a request that will be refused is described too.
pub(crate) fn accept(
    gateway: &Arc<Gateway>,
    snapshot: &Snapshot,
    peer: IpAddr,
    parts: Parts,
) -> Box<Accepted> {
    let clock = gateway.clock();
    let (upstream, prefix_dialect, path) = strip_prefix(parts.uri.path());
    let endpoint = endpoint(&path);
    let spoken = endpoint.as_ref().map_or(Wire::Other, |endpoint| endpoint.wire);
    let handshake =
        websocket::is_handshake(&parts).then_some(Handshake { query_names_model: spoken == Wire::Other });
    let wire = if handshake.is_some() { Wire::Other } else { spoken };
    let dialect = spoken_by(endpoint.as_ref(), prefix_dialect);
    Box::new(Accepted {
        request_id: id::new_request(&**clock),
        action: id::new_action(&**clock),
        since: clock.monotonic(),
        wire,
        handshake,
        dialect,
        route: endpoint.as_ref().map_or("other", |endpoint| endpoint.route),
        method: parts.method,
        query: parts.uri.query().map(str::to_owned),
        upstream,
        path_model: endpoint.as_ref().and_then(|endpoint| endpoint.model.as_deref().map(str::to_owned)),
        address: client_address(peer, &parts.headers, &snapshot.settings.trusted_proxies),
        headers: parts.headers,
        known: endpoint.is_some(),
        allowed: endpoint.map_or(&[], |endpoint| endpoint.allowed),
        path,
        _in_flight: gateway.counted_in_flight().enter(),
    })
}

/// What the clients of a path speak.
pub(crate) fn dialect_of(path: &str) -> Dialect {
    let (_, prefix_dialect, path) = strip_prefix(path);
    spoken_by(endpoint(&path).as_ref(), prefix_dialect)
}

/// A wire format decides; where there is none the prefix may.
fn spoken_by(endpoint: Option<&Endpoint<'_>>, prefix_dialect: Option<Dialect>) -> Dialect {
    match (endpoint, prefix_dialect) {
        (Some(Endpoint { wire: Wire::Other, .. }) | None, Some(dialect)) => dialect,
        (endpoint, _) => endpoint.map_or(Dialect::OpenAi, |endpoint| endpoint.dialect),
    }
}

/// Whether the request can be taken at all.
pub(crate) fn check(accepted: &Accepted, gateway: &Gateway, snapshot: &Snapshot) -> Result<(), Refusal> {
    let limits = &snapshot.settings.limits;
    if gateway.is_draining() {
        return Err(Refusal::new(Code::Draining, "the server is shutting down", "try again in a moment")
            .retry_after(Duration::from_secs(1))
            .closing());
    }
    if gateway.in_flight() > limits.in_flight {
        let message = format!("more than {} requests are under way", limits.in_flight);
        return Err(Refusal::new(
            Code::Overloaded,
            message,
            "try again shortly, or raise gateway.limits.in_flight",
        )
        .retry_after(Duration::from_secs(1)));
    }
    let size = header::size(&accepted.headers);
    if size > limits.headers {
        let message =
            format!("the request's headers have {size} bytes; at most {} are taken", limits.headers);
        return Err(Refusal::new(Code::HeadersTooLarge, message, "send fewer or shorter headers").closing());
    }
    if !accepted.known {
        let message = format!("there is no {:?} here", accepted.path);
        return Err(Refusal::new(
            Code::NotFound,
            message,
            "the paths are /v1/… (OpenAI, Anthropic), /v1beta/… (Gemini), each also behind /openai, /anthropic, /gemini or /u/<upstream>",
        ));
    }
    if accepted.handshake.is_some() {
        return if snapshot.settings.websockets { Ok(()) } else { Err(no_websockets()) };
    }
    if !accepted.allowed.is_empty() && !accepted.allowed.contains(&accepted.method.as_str()) {
        let message = format!(
            "{} is not for {}; it takes {}",
            accepted.method,
            accepted.path,
            accepted.allowed.join(", ")
        );
        let methods = HeaderValue::from_str(&accepted.allowed.join(", ")).map(|methods| (ALLOW, methods));
        let refusal = Refusal::new(Code::MethodNotAllowed, message, "use the method that the path takes");
        return Err(refusal.telling(methods.into_iter().collect()));
    }
    Ok(())
}

fn no_websockets() -> Refusal {
    websocket::refused("websockets are switched off here", "use plain HTTP, or set gateway.websockets: true")
}

/// The upstream and the dialect that a prefix names, and the path after it. Clients append paths to base URLs with and
/// without a version, so behind a prefix a missing one is put in.
fn strip_prefix(path: &str) -> (Option<String>, Option<Dialect>, String) {
    if let Some(rest) = path.strip_prefix("/u/") {
        let (name, rest) = rest.split_once('/').unwrap_or((rest, ""));
        return (Some(name.to_owned()), None, format!("/{rest}"));
    }
    for (prefix, dialect) in DIALECT_PREFIXES {
        let Some(rest) = path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'))
        else {
            continue;
        };
        let version = if dialect == Dialect::Gemini { "/v1beta" } else { "/v1" };
        let has_version = rest
            .get(1..3)
            .is_some_and(|start| start.starts_with('v') && start.ends_with(|c: char| c.is_ascii_digit()));
        let path = if has_version { rest.to_owned() } else { format!("{version}{rest}") };
        return (None, Some(dialect), path);
    }
    (None, None, path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_name_the_upstream_and_leave_the_providers_path() {
        for (path, upstream, expected) in [
            ("/v1/messages", None, "/v1/messages"),
            ("/openai/v1/chat/completions", None, "/v1/chat/completions"),
            ("/openai/chat/completions", None, "/v1/chat/completions"),
            ("/anthropic/v1/messages", None, "/v1/messages"),
            ("/gemini/v1beta/models/g:countTokens", None, "/v1beta/models/g:countTokens"),
            ("/gemini/models", None, "/v1beta/models"),
            ("/u/backup/v1/models", Some("backup"), "/v1/models"),
            ("/u/backup", Some("backup"), "/"),
        ] {
            let (name, _, rest) = strip_prefix(path);
            assert_eq!((name.as_deref(), rest.as_str()), (upstream, expected), "{path}");
        }
    }

    #[test]
    fn only_provider_paths_are_ours() {
        for path in ["/v1", "/v1/x", "/v1beta/models", "/openai/v1/models", "/u/x/v1/models"] {
            assert!(owns(path), "{path}");
        }
        for path in ["/", "/health", "/v10/x", "/v2/x", "/user", "/api/budgets", "/openai.json"] {
            assert!(!owns(path), "{path}");
        }
    }
}

//! Accept: what the request line and the headers tell, and whether the request can be taken at all.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::header::ALLOW;
use http::request::Parts;
use seawall_base::id;
use seawall_llm::wire::{Billing, Dialect, Endpoint, Wire, behind_prefix, endpoint};
use seawall_types::Code;

use crate::accepted::Accepted;
use crate::address::client_address;
use crate::prefix::{self, Chosen};
use crate::rates::{Place, refused};
use crate::refusal::Refusal;
use crate::websocket::Handshake;
use crate::{Directory, Gateway, Snapshot, header, mcp, websocket};

/// What the SDKs of Anthropic send with every request.
const ANTHROPIC_VERSION: &str = "anthropic-version";

/// Reads the head. Infallible: a request that will be refused is described too.
pub(crate) fn accept(
    gateway: &Arc<Gateway>,
    snapshot: &Snapshot,
    peer: IpAddr,
    parts: Parts,
) -> Box<Accepted> {
    let (at, since) = (gateway.clock().now(), gateway.clock().monotonic());
    let (chosen, path) = prefix::split(parts.uri.path(), &snapshot.directory);
    let endpoint = endpoint_of(&chosen, &path);
    let spoken = endpoint.as_ref().map_or(Wire::Other, |endpoint| endpoint.wire);
    let handshake =
        websocket::is_handshake(&parts).then_some(Handshake { query_names_model: spoken == Wire::Other });
    // What passes through a websocket can't be seen: it has no wire format, and nothing is charged for it.
    let wire = if handshake.is_some() { Wire::Other } else { spoken };
    let billed = endpoint.as_ref().filter(|_| handshake.is_none());
    let billing = billed.map_or(Billing::Free, |endpoint| endpoint.billing(parts.method.as_str()));
    // Two providers have the same path for their models.
    let is_for_anthropic = chosen == Chosen::ByPath
        && spoken == Wire::Other
        && endpoint.as_ref().is_some_and(|endpoint| endpoint.route.starts_with("/v1/models"))
        && parts.headers.contains_key(ANTHROPIC_VERSION);
    let chosen = if is_for_anthropic { Chosen::Kind(Dialect::Anthropic) } else { chosen };
    let kind = kind_of(endpoint.as_ref(), &chosen);
    let dialect = spoken_by(endpoint.as_ref(), &chosen);
    let server_of_tools = prefix::server_of_tools(&path).map(str::to_owned);
    let has_tools = server_of_tools.as_ref().is_some_and(|name| gateway.mcp().has(name));
    Box::new(Accepted {
        server_of_tools,
        request_id: id::new_request_at(at),
        run: gateway.run(),
        within: None,
        action: id::new_action_at(at),
        at,
        since,
        wire,
        billing,
        handshake,
        dialect,
        kind,
        route: endpoint
            .as_ref()
            .map_or(if has_tools { mcp::ROUTE } else { "other" }, |endpoint| endpoint.route),
        method: parts.method,
        query: parts.uri.query().map(str::to_owned),
        upstream: chosen.into_name(),
        path_model: endpoint.as_ref().and_then(|endpoint| endpoint.model.as_deref().map(str::to_owned)),
        model_place: endpoint.as_ref().and_then(|endpoint| endpoint.model_place.clone()),
        address: client_address(peer, &parts.headers, &snapshot.settings.trusted_proxies),
        headers: parts.headers,
        known: endpoint.is_some() || has_tools,
        allowed: endpoint.map_or(if has_tools { &mcp::METHODS } else { &[] }, |endpoint| endpoint.allowed),
        path,
        in_flight: None,
    })
}

/// What the clients of a path speak.
pub(crate) fn dialect_of(path: &str, directory: &Directory) -> Dialect {
    let (chosen, path) = prefix::split(path, directory);
    spoken_by(endpoint_of(&chosen, &path).as_ref(), &chosen)
}

/// Behind a prefix every path is the provider's, also one of a version that is not known here.
fn endpoint_of<'p>(chosen: &Chosen, path: &'p str) -> Option<Endpoint<'p>> {
    if *chosen == Chosen::ByPath { endpoint(path) } else { behind_prefix(path) }
}

/// A wire format decides; what none claims is spoken as the upstream does that the prefix chose.
fn spoken_by(endpoint: Option<&Endpoint<'_>>, chosen: &Chosen) -> Dialect {
    match endpoint {
        Some(endpoint) if endpoint.wire != Wire::Other => endpoint.dialect,
        _ => kind_of(endpoint, chosen),
    }
}

/// The kind of the upstreams that may serve it: the prefix decides, else the path.
fn kind_of(endpoint: Option<&Endpoint<'_>>, chosen: &Chosen) -> Dialect {
    chosen.kind().unwrap_or_else(|| endpoint.map_or(Dialect::OpenAi, |endpoint| endpoint.dialect))
}

/// Whether the request can be taken at all.
pub(crate) fn check(accepted: &Accepted, gateway: &Gateway, snapshot: &Snapshot) -> Result<(), Refusal> {
    let limits = &snapshot.settings.limits;
    if gateway.is_draining() {
        return Err(Refusal::new(Code::Draining, "the server is shutting down", "try again in a moment")
            .retry_after(Duration::from_secs(1))
            .closing());
    }
    let (rules, now) = (&snapshot.settings.rate_limits, accepted.since);
    if accepted.within.is_none() {
        gateway
            .rates()
            .arrive(rules, accepted.address, Place::of(accepted), now)
            .map_err(|limited| refused(accepted.dialect, &limited, gateway.clock().now()))?;
    }
    let size = header::size(&accepted.headers);
    if size > limits.headers {
        let message =
            format!("the request's headers have {size} bytes; at most {} are taken", limits.headers);
        return Err(Refusal::new(
            Code::HeadersTooLarge,
            message,
            "send fewer or shorter headers, or raise gateway.limits.headers",
        )
        .closing());
    }
    if !accepted.known {
        let message = format!("there is no {:?} here", accepted.path);
        return Err(Refusal::new(
            Code::NotFound,
            message,
            "the paths are /v1/… (OpenAI, Anthropic), /v1beta/… (Gemini), each also behind /openai, /anthropic, /gemini or /u/<upstream>, and /mcp/<server>",
        ));
    }
    if accepted.handshake.is_some() && accepted.server_of_tools.is_none() {
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

/// Takes a place among the requests under way. Only who may call gets one: strangers must not crowd out callers.
pub(crate) fn enter(accepted: &mut Accepted, gateway: &Gateway, snapshot: &Snapshot) -> Result<(), Refusal> {
    let most = snapshot.settings.limits.in_flight;
    let place = gateway.counted_in_flight().enter();
    if gateway.in_flight() > most {
        let message = format!("more than {most} requests are under way");
        let remedy = "try again shortly, or raise gateway.limits.in_flight";
        return Err(Refusal::new(Code::Overloaded, message, remedy).retry_after(Duration::from_secs(1)));
    }
    accepted.in_flight = Some(place);
    Ok(())
}

fn no_websockets() -> Refusal {
    websocket::refused("websockets are switched off here", "use plain HTTP, or set gateway.websockets: true")
}

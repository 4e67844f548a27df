//! A request as far as its head tells: what every phase after the first knows of it.

use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use http::{HeaderMap, Method};
use seawall_llm::wire::{Billing, Dialect, Wire};
use seawall_types::{ActionId, RequestId, RunId, Timestamp};

use crate::in_flight::InFlight;
use crate::websocket::Handshake;
use crate::within::Within;

/// A request as far as its head tells.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) request_id: RequestId,
    /// The run that it counts for.
    pub(crate) run: RunId,
    /// This process makes it itself.
    pub(crate) within: Option<Within>,
    pub(crate) action: ActionId,
    /// The time of its arrival.
    pub(crate) at: Timestamp,
    /// Monotonic reading at its arrival.
    pub(crate) since: Duration,
    /// That of its body; of a websocket it has none.
    pub(crate) wire: Wire,
    /// Whether it costs money, as far as its head tells.
    pub(crate) billing: Billing,
    /// The server of tools that it is for, in the place of any model.
    pub(crate) server_of_tools: Option<String>,
    /// It asks to become a websocket.
    pub(crate) handshake: Option<Handshake>,
    /// Whose shape its errors have, and whose names its models.
    pub(crate) dialect: Dialect,
    /// Of which kind the upstreams are that may serve it: what the prefix says, or else the path.
    pub(crate) kind: Dialect,
    /// The template of its path, for metrics.
    pub(crate) route: &'static str,
    pub(crate) method: Method,
    /// The path at the provider, without a prefix of ours.
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    /// The upstream that the path names.
    pub(crate) upstream: Option<String>,
    /// The model that the path names.
    pub(crate) path_model: Option<String>,
    /// Where in the path.
    pub(crate) model_place: Option<Range<usize>>,
    pub(crate) headers: HeaderMap,
    pub(crate) address: IpAddr,
    /// Whether there is anything at its path.
    pub(crate) known: bool,
    /// The methods that the path takes; none: any.
    pub(crate) allowed: &'static [&'static str],
    /// Its place among the requests under way, once it is known who calls.
    pub(crate) in_flight: Option<InFlight>,
}

impl Accepted {
    /// How the trace names what it speaks.
    pub(crate) fn wire_name(&self) -> &'static str {
        if self.handshake.is_some() { "websocket" } else { self.wire.name() }
    }

    /// Whether no wire format claims it, so that it passes as it is.
    pub(crate) fn is_passed_through(&self) -> bool {
        self.wire == Wire::Other && self.handshake.is_none()
    }

    /// Whether it may be sent twice without having twice the effect (RFC 9110 §9.2.2). A call of a model may: it is its
    /// answer that is wanted.
    pub(crate) fn is_repeatable(&self) -> bool {
        !self.is_passed_through() || self.method.is_idempotent()
    }

    /// Whether a model is called, whether or not the request says which.
    pub(crate) fn calls_a_model(&self) -> bool {
        self.billing != Billing::Free || self.handshake.is_some()
    }
}

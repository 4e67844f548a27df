//! Requests to servers of tools: the same way in as for models, and then the proxy of `seawall_mcp`.
//!
//! What is common to all requests is done here: who calls, from where, how often, how much. What a message means, and
//! whether it may pass, is not known here.

use std::sync::Arc;

use http::{Method, Response};
use seawall_mcp::{Held, MessageLimits, Visit, Visitor};

use crate::accepted::Accepted;
use crate::metrics::{method_label, seconds, status_label};
use crate::phase;
use crate::rates::{Place, Rated, refused};
use crate::refusal::Refusal;
use crate::{Caller, Gateway, GatewayBody, RequestBody, Snapshot, header};

/// The label of all of them; which server it was is counted by the proxy.
pub(crate) const ROUTE: &str = "/mcp/{server}";
/// Where the protocol has the name of a session.
const SESSION: &str = "mcp-session-id";
/// What their path takes.
pub(crate) const METHODS: [&str; 3] = ["POST", "GET", "DELETE"];

impl Gateway {
    /// Answers a request to a server of tools, whose caller is known.
    pub(crate) async fn serve_tools(
        &self,
        (worker, server): (usize, String),
        snapshot: &Arc<Snapshot>,
        mut accepted: Box<Accepted>,
        caller: &Caller,
        body: RequestBody,
    ) -> Response<GatewayBody> {
        if let Err(refusal) = self.take_rate_of_tools(snapshot, &accepted, caller) {
            phase::discard(body, &snapshot.settings, &accepted).await;
            return self.refuse(&accepted, &caller.actor, None, &refusal);
        }
        let payload = match phase::read(self, snapshot, &accepted, body).await {
            Ok(payload) => payload,
            Err(refusal) => return self.refuse(&accepted, &caller.actor, None, &refusal),
        };
        let place = accepted.in_flight.take();
        // A stream that only listens is bounded by its session, where it has one, and takes no place from requests.
        let listens = accepted.method == Method::GET && accepted.headers.contains_key(SESSION);
        let hold: Option<seawall_mcp::Hold> =
            if listens { None } else { Some(Box::new((place, payload.memory))) };
        let limits = &snapshot.settings.limits;
        let visit = Visit {
            server,
            worker,
            method: accepted.method.clone(),
            headers: std::mem::take(&mut accepted.headers),
            body: payload.text,
            visitor: Visitor {
                id: caller.id,
                actor: Arc::clone(&caller.actor),
                policy: caller.policy.clone(),
                scopes: caller.scopes(accepted.run),
            },
            policy: Arc::clone(&snapshot.policy),
            limits: MessageLimits { message: limits.body, buffer: limits.buffer },
            hold: Held(hold),
        };
        let response = self.mcp().answer(visit).await;
        let (metrics, status) = (self.metrics(), status_label(response.status().as_u16()));
        metrics.requests.with_label_values(&[ROUTE, method_label(&accepted.method), status]).inc();
        let elapsed = self.clock().monotonic().saturating_sub(accepted.since);
        metrics.duration.with_label_values(&[ROUTE]).observe(seconds(elapsed));
        let mut response = response.map(|body| GatewayBody::Mcp(Box::new(body)));
        header::put(response.headers_mut(), header::REQUEST_ID, accepted.request_id.to_string());
        response
    }

    fn take_rate_of_tools(
        &self,
        snapshot: &Snapshot,
        accepted: &Accepted,
        caller: &Caller,
    ) -> Result<(), Refusal> {
        let (address, place) = (accepted.address, Place::of(accepted));
        let rated = Rated { caller, address, model: None, place, prompt: 0, output: 0 };
        let taken = self.rates().take(&snapshot.settings.rate_limits, &rated, accepted.since);
        taken.map(|_counted| ()).map_err(|limited| refused(accepted.dialect, &limited, self.clock().now()))
    }
}

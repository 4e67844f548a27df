//! The column of phases that each request goes down.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use seawall_base::id;
use seawall_types::{Actor, Code, Verdict};

use crate::accepted::Accepted;
use crate::metrics::{method_label, seconds, status_label};
use crate::phase::{self, Asked};
use crate::prefix;
use crate::refusal::Refusal;
use crate::told::Told;
use crate::{Gateway, GatewayBody, RequestBody, Snapshot, header, mcp};

impl Gateway {
    /// Whether a path is the gateway's: a provider's own, one behind a prefix that names an upstream, or a server of tools.
    #[must_use]
    pub fn owns(path: &str) -> bool {
        prefix::owns(path)
    }

    /// Answers one request. Never fails: whatever goes wrong becomes an answer in the provider's shape.
    ///
    /// Dropping the future, or the body of the answer, cancels the call upstream and settles what was seen of it.
    pub async fn handle(
        self: &Arc<Self>,
        worker: usize,
        peer: IpAddr,
        request: Request<Incoming>,
    ) -> Response<GatewayBody> {
        let snapshot = self.snapshot();
        let (parts, body) = request.into_parts();
        let accepted = phase::accept(self, &snapshot, peer, parts);
        let mut response = self.serve(worker, &snapshot, accepted, body.into()).await;
        header::put(response.headers_mut(), header::RUN, self.run().to_string());
        response
    }

    /// The column: read it from top to bottom. Until `reserve` has given a meter nothing was promised to anybody and a
    /// refusal costs nothing; from there on the meter settles, whatever happens.
    ///
    /// What is handed from phase to phase is in boxes, and so is what is seldom done: the future holds each of them once for
    /// every phase, and all of it is moved and kept for every request.
    pub(crate) async fn serve(
        self: &Arc<Self>,
        worker: usize,
        snapshot: &Arc<Snapshot>,
        mut accepted: Box<Accepted>,
        body: RequestBody,
    ) -> Response<GatewayBody> {
        let caller = phase::check(&accepted, self, snapshot)
            .and_then(|()| phase::authenticate(self, snapshot, &mut accepted))
            .and_then(|caller| phase::enter(&mut accepted, self, snapshot).map(|()| caller));
        let caller = match caller {
            Ok(caller) => caller,
            Err(refusal) => {
                phase::discard(body, &snapshot.settings, &accepted).await;
                return self.refuse(&accepted, &Arc::default(), None, &refusal);
            }
        };
        if let Some(server) = accepted.server_of_tools.take() {
            let answer = self.serve_tools((worker, server), snapshot, accepted, &caller, body);
            return Box::pin(answer).await;
        }
        if let Err(refusal) = phase::pass(snapshot, &accepted, &caller) {
            phase::discard(body, &snapshot.settings, &accepted).await;
            return self.refuse(&accepted, &caller.actor, None, &refusal);
        }
        let mut payload = match phase::read(self, snapshot, &accepted, body).await {
            Ok(payload) => payload,
            Err(refusal) => return self.refuse(&accepted, &caller.actor, None, &refusal),
        };
        let found = match phase::inspect(self, snapshot, &mut accepted, &caller, &mut payload).await {
            Ok(found) => found,
            Err(refusal) => return self.refuse(&accepted, &caller.actor, payload.model(), &refusal),
        };
        let asked = Asked { gateway: self, snapshot, caller: &caller, payload: &payload };
        let recalled = phase::recall(asked, &accepted).await;
        let told = Told::of(&accepted).with_cache(recalled.told());
        let reserved = match phase::reserve(asked, accepted, found, recalled) {
            Ok(reserved) => reserved,
            Err(refused) => {
                let (accepted, refusal) = &*refused;
                return self.refuse(accepted, &caller.actor, payload.model(), refusal);
            }
        };
        let verdict = reserved.verdict;
        let response =
            phase::perform(self, snapshot, worker, payload, reserved).await.unwrap_or_else(|refusal| {
                self.count(&refusal);
                let mut response = refusal.response(told.dialect).map(GatewayBody::full);
                if refusal.is_by_policy() {
                    Told::judged(&mut response, Verdict::Deny);
                }
                response
            });
        told.tell(response, verdict)
    }

    /// A refusal before anything was reserved: written down, counted, answered.
    pub(crate) fn refuse(
        &self,
        accepted: &Accepted,
        actor: &Arc<Actor>,
        model: Option<&str>,
        refusal: &Refusal,
    ) -> Response<GatewayBody> {
        let is_for_tools = accepted.route == mcp::ROUTE;
        if !refusal.denial_is_recorded {
            let name = model.unwrap_or(accepted.route);
            let checkpoint = self.checkpoint();
            if is_for_tools {
                checkpoint.deny_tool(accepted.action, accepted.run, actor, &accepted.path, &refusal.denial);
            } else {
                checkpoint.deny(accepted.action, accepted.run, actor, name, &refusal.denial);
            }
        }
        self.count(refusal);
        let status = status_label(refusal.denial.code.http_status());
        let metrics = self.metrics();
        metrics.requests.with_label_values(&[accepted.route, method_label(&accepted.method), status]).inc();
        let elapsed = self.clock().monotonic().saturating_sub(accepted.since);
        metrics.duration.with_label_values(&[accepted.route]).observe(seconds(elapsed));
        let response =
            if is_for_tools { refusal.response_to_mcp() } else { refusal.response(accepted.dialect) };
        Told::of(accepted).tell(response.map(GatewayBody::full), Verdict::Deny)
    }

    fn count(&self, refusal: &Refusal) {
        let verdict = Verdict::Deny.as_str();
        self.metrics().violations.with_label_values(&[refusal.code().as_str(), verdict]).inc();
    }

    /// The answer to what never became a request: a head that can't be read, a connection too many. It
    /// has the shape that clients of `path` read, as far as that came. Counted like every refusal; its connection is to
    /// be closed.
    pub fn refuse_unread(&self, path: &str, code: Code, message: &str, remedy: &str) -> Response<Bytes> {
        let mut refusal = Refusal::new(code, message, remedy).closing();
        if code == Code::Overloaded {
            refusal = refusal.retry_after(Duration::from_secs(1));
        }
        self.count(&refusal);
        let mut response = refusal.response(phase::dialect_of(path, &self.snapshot().directory));
        let request = id::new_request(&**self.clock()).to_string();
        header::put(response.headers_mut(), header::REQUEST_ID, &request);
        response
    }

    /// The answer to a request for `path` whose handling panicked, in the shape that clients of that path read. The panic was
    /// logged by whoever caught it.
    pub fn panicked(&self, path: &str) -> Response<GatewayBody> {
        self.metrics().panics.inc();
        let request = id::new_request(&**self.clock());
        let refusal = Refusal::new(
            Code::Internal,
            format!("a fault of ours, recorded under request {request}"),
            "try again; report it with the request id if it happens again",
        );
        let dialect = phase::dialect_of(path, &self.snapshot().directory);
        let mut response = refusal.response(dialect).map(GatewayBody::full);
        // What was held for it is charged when the permit is dropped, wherever that is.
        response.headers_mut().remove(header::COST);
        header::put(response.headers_mut(), header::REQUEST_ID, request.to_string());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the future of a request takes. Nothing is called. It was 11.6 KB when each phase held its own of everything, and
    /// is 5.5; compilers differ by some of that.
    fn room<'g, F: Future>(_handle: impl FnOnce(&'g Arc<Gateway>, Request<Incoming>) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_request_is_moved_and_kept_in_eight_kilobytes_at_most() {
        let room = room(|gateway, request| gateway.handle(0, IpAddr::from([127, 0, 0, 1]), request));
        assert!(room <= 8 * 1024, "{room} bytes");
    }
}

//! Choose: which upstreams may serve the request, and in what order.

use seawall_types::Code;

use super::Payload;
use crate::Snapshot;
use crate::accepted::Accepted;
use crate::directory::{Plan, only};
use crate::refusal::Refusal;

/// The upstreams to try, in order. It comes before the reservation, which is made for the dearest of them.
pub(crate) fn plan(snapshot: &Snapshot, accepted: &Accepted, payload: &Payload) -> Result<Plan, Refusal> {
    if let Some(upstream) = accepted.own_upstream() {
        return Ok(only(upstream));
    }
    let (named, model) = (accepted.upstream.as_deref(), payload.model());
    let plan = snapshot.directory.plan(named, accepted.kind, model, |below| draw(accepted, below));
    if !plan.is_empty() {
        return Ok(plan);
    }
    let leads_elsewhere = |model: &&str| snapshot.directory.route(model).is_some();
    let (message, remedy) = match (named, model) {
        (None, Some(model)) if leads_elsewhere(&model) => (
            format!("the route {model:?} leads to no upstream that speaks this wire format"),
            "call it in the wire format of its upstreams, or give the route a target of this kind",
        ),
        (Some(name), _) => (format!("there is no upstream {name:?}"), "see upstreams in the configuration"),
        (None, Some(model)) => {
            (format!("no upstream serves the model {model:?}"), "add it to an upstream's models, or a route")
        }
        (None, None) => ("no upstream speaks this wire format".to_owned(), "add an upstream of this kind"),
    };
    Err(Refusal::new(Code::NoUpstream, message, remedy))
}

/// A number below `below`. What is passed through may name what another request has left at an upstream (files, batches,
/// stored responses), so it goes to the same one each time.
fn draw(accepted: &Accepted, below: u32) -> u32 {
    if accepted.is_passed_through() { 0 } else { fastrand::u32(..below) }
}

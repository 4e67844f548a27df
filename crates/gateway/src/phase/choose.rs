//! Choose: which upstreams may serve the request, and in what order.

use seawall_types::Code;

use super::Payload;
use crate::Snapshot;
use crate::accepted::Accepted;
use crate::directory::Plan;
use crate::refusal::Refusal;

/// The upstreams to try, in order. It comes before the reservation, which is made for the dearest of them.
pub(crate) fn plan(snapshot: &Snapshot, accepted: &Accepted, payload: &Payload) -> Result<Plan, Refusal> {
    let (named, model) = (accepted.upstream.as_deref(), payload.model());
    let plan = snapshot.directory.plan(named, accepted.dialect, model, |below| fastrand::u32(..below));
    if !plan.is_empty() {
        return Ok(plan);
    }
    let (message, remedy) = match (named, model) {
        (Some(name), _) => (format!("there is no upstream {name:?}"), "see upstreams in the configuration"),
        (None, Some(model)) => {
            (format!("no upstream serves the model {model:?}"), "add it to an upstream's models, or a route")
        }
        (None, None) => ("no upstream speaks this wire format".to_owned(), "add an upstream of this kind"),
    };
    Err(Refusal::new(Code::NoUpstream, message, remedy))
}

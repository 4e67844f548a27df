//! The phases of a request, in order: accept, authenticate, pass, read, inspect, recall, reserve (which chooses), send, answer.
//! Settling and writing the trace are the meter's, since they happen wherever the answer ends.

mod accept;
mod answer;
mod authenticate;
mod choose;
mod inspect;
mod pass;
mod read;
mod recall;
mod reserve;
mod send;

use std::sync::Arc;

use http::Response;

pub(crate) use accept::{accept, check, dialect_of, enter};
pub(crate) use authenticate::authenticate;
pub(crate) use inspect::inspect;
pub(crate) use pass::pass;
pub(crate) use read::{Payload, discard, read};
pub(crate) use recall::{Recalled, recall};
pub(crate) use reserve::{Priced, Reserved, reserve};

use seawall_policy::Policy;

use crate::meter::Ending;
use crate::refusal::Refusal;
use crate::{Caller, Gateway, GatewayBody, Snapshot, header};

/// A request that may go on, as far as it is known before anything is reserved for it.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) gateway: &'a Arc<Gateway>,
    pub(crate) snapshot: &'a Arc<Snapshot>,
    pub(crate) caller: &'a Caller,
    pub(crate) payload: &'a Payload,
}

impl<'a> Asked<'a> {
    /// The policy that decides on it.
    pub(crate) fn policy(&self) -> &'a Arc<Policy> {
        self.caller.policy_or(&self.snapshot.policy)
    }
}

/// The phases after the reservation: whatever happens in them, the meter has settled or is in the answer's body.
pub(crate) async fn perform(
    gateway: &Gateway,
    snapshot: &Arc<Snapshot>,
    worker: usize,
    payload: Box<Payload>,
    reserved: Box<Reserved>,
) -> Result<Response<GatewayBody>, Refusal> {
    if snapshot.settings.trace_before_sending
        && let Some(recorded) = reserved.meter.permit().map(seawall_checkpoint::Permit::recorded)
        && let Err(denial) = recorded.await
    {
        let cost = reserved.meter.finish(denial.code.http_status(), Ending::Failed);
        return Err(Refusal::from(denial).costing(cost));
    }
    if let Some(kept) = &reserved.kept {
        return Ok(recall::give_again(kept, reserved.meter));
    }
    let output_limit = reserved.edits.max_output.filter(|_| reserved.tell_output_limit);
    let mut response = send::send(gateway, snapshot, worker, payload, reserved).await?;
    if let Some(limit) = output_limit {
        header::put(response.headers_mut(), header::OUTPUT_LIMIT, limit.to_string());
    }
    Ok(response)
}

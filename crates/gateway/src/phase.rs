//! The phases of a request, in order: accept, authenticate, read, inspect, recall, reserve, choose, send, answer. Settling and
//! writing the trace are the meter's, since they happen wherever the answer ends.

mod accept;
mod answer;
mod authenticate;
mod choose;
mod inspect;
mod read;
mod recall;
mod reserve;
mod send;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Response};

pub(crate) use accept::{Accepted, accept, owns};
pub(crate) use authenticate::authenticate;
pub(crate) use inspect::inspect;
pub(crate) use read::{Payload, discard, read};
pub(crate) use recall::{Recalled, recall};
pub(crate) use reserve::{Reserved, reserve};

use crate::meter::Ending;
use crate::refusal::Refusal;
use crate::{Caller, Gateway, GatewayBody, Snapshot};

/// A request that may go on, as far as it is known before anything is reserved for it.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) gateway: &'a Arc<Gateway>,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) caller: &'a Caller,
    pub(crate) payload: &'a Payload,
}

/// The phases after the reservation: whatever happens in them, the meter has settled or is in the answer's body.
pub(crate) async fn perform(
    gateway: &Gateway,
    snapshot: &Arc<Snapshot>,
    worker: usize,
    payload: Payload,
    reserved: Reserved,
) -> Result<Response<GatewayBody>, Refusal> {
    if snapshot.settings.trace_before_sending
        && let Some(recorded) = reserved.meter.permit().map(seawall_checkpoint::Permit::recorded)
        && let Err(denial) = recorded.await
    {
        reserved.meter.finish(denial.code.http_status(), Ending::Failed);
        return Err(denial.into());
    }
    if let Some(kept) = &reserved.kept {
        return Ok(recall::give_again(kept, reserved.meter));
    }
    let output_limit = reserved.edits.max_output.filter(|_| reserved.tell_output_limit);
    let mut response = send::send(gateway, snapshot, worker, payload, reserved).await?;
    if let Some(limit) = output_limit {
        put(response.headers_mut(), crate::header::OUTPUT_LIMIT, &limit.to_string());
    }
    Ok(response)
}

/// Sets a header, when the value can be one.
pub(crate) fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// A status as a label value: itself when it is one that we or a provider use, else its class.
pub(crate) fn status_label(status: u16) -> &'static str {
    const NAMED: [(u16, &str); 24] = [
        (200, "200"),
        (201, "201"),
        (202, "202"),
        (204, "204"),
        (400, "400"),
        (401, "401"),
        (402, "402"),
        (403, "403"),
        (404, "404"),
        (405, "405"),
        (408, "408"),
        (409, "409"),
        (413, "413"),
        (422, "422"),
        (426, "426"),
        (429, "429"),
        (431, "431"),
        (499, "499"),
        (500, "500"),
        (501, "501"),
        (502, "502"),
        (503, "503"),
        (504, "504"),
        (529, "529"),
    ];
    if let Some((_, label)) = NAMED.iter().find(|(named, _)| *named == status) {
        return label;
    }
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}
